//! Uploads that were begun: written down, so that one that a killed run left behind can be aborted by the next.

use std::cell::RefCell;

use crate::journal::Journal;
use crate::store::{Ledger, Orphan, Store};

/// The uploads of a tool that are under way. Only one run of a tool is, so whatever was written down before this one is
/// an orphan.
#[derive(Debug)]
pub struct Unfinished {
    journal: Journal,
    entry: String,
    known: RefCell<Vec<Orphan>>,
}

impl Unfinished {
    /// What this tool has written down.
    pub fn new(journal: &Journal, tool: &str) -> Self {
        let entry = format!("{tool}-unfinished-uploads");
        let known: Vec<Orphan> = journal.read(&entry).unwrap_or_default();
        for Orphan { bucket, key, .. } in &known {
            log::warn!(
                "an earlier run broke off without cleaning up: its upload of s3://{bucket}/{key} is aborted now"
            );
        }
        Self { journal: journal.clone(), entry, known: RefCell::new(known) }
    }

    /// Aborts what is left of earlier runs, or of this one. What cannot be aborted is tried again next time.
    pub async fn abort_all(&self, store: &Store) {
        let known = self.known.take();
        if known.is_empty() {
            return;
        }
        let mut left = Vec::new();
        for upload in known {
            if !store.abort_orphan(&upload).await {
                left.push(upload);
            }
        }
        self.known.replace(left);
        self.write_down();
    }

    fn write_down(&self) {
        if let Err(error) = self.journal.write(&self.entry, &*self.known.borrow()) {
            log::debug!("{error}: an unfinished upload would not be found after a crash");
        }
    }
}

impl Ledger for Unfinished {
    fn begun(&self, upload: &Orphan) {
        self.known.borrow_mut().push(upload.clone());
        self.write_down();
    }

    fn ended(&self, upload: &Orphan) {
        self.known.borrow_mut().retain(|known| known != upload);
        self.write_down();
    }
}
