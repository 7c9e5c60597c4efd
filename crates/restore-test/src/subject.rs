//! The backup that is tested: where it is, and what it says of itself before it is restored.

use std::path::PathBuf;
use std::sync::Arc;

use backup_core::figures;
use backup_core::footer::{DumpFacts, Footer};
use backup_core::key::{BackupId, DatabaseName, Layout, Tier};
use backup_core::process::Progress;
use backup_core::restore::{self, Input, ReadError};
use backup_core::store::{Found, Source, Store, Wanted};
use time::PrimitiveDateTime;

use crate::error::Error;
use crate::verdict::Verdict;

/// A backup that was found.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) address: String,
    pub(crate) bytes: u64,
    /// What its key says of it; `None` for what is not one of this database's backups.
    pub(crate) id: Option<BackupId>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Store(Box<(Source, Found)>),
    File(PathBuf),
}

/// What a backup says of itself, or, where it says nothing, what was found in it by reading it once more.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(crate) facts: DumpFacts,
    pub(crate) footer: Option<Footer>,
}

impl Subject {
    pub(crate) async fn find(
        wanted: &Wanted,
        store: &Store,
        layout: &Layout,
        now: PrimitiveDateTime,
    ) -> Result<Self, Error> {
        match wanted {
            Wanted::File(path) => {
                // One that cannot be read says so when it is opened.
                let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
                let address = path.display().to_string();
                Ok(Self { address, bytes, id: None, place: Place::File(path.clone()) })
            }
            Wanted::Stored(pick) => {
                let found = store.pick(pick, layout, now).await?;
                let source = store.open(&found.object.key).await?;
                let (address, bytes, id) = (store.address(&found.object.key), source.bytes(), found.id);
                Ok(Self { address, bytes, id, place: Place::Store(Box::new((source, found))) })
            }
        }
    }

    /// The object, where it is in the store.
    pub(crate) fn source(&self) -> Option<&Source> {
        match &self.place {
            Place::Store(place) => Some(&place.0),
            Place::File(_) => None,
        }
    }

    /// A backup of this database, under a key that says when it was taken.
    pub(crate) fn of_ours(&self) -> Option<BackupId> {
        self.id.filter(|id| id.tier != Tier::RecoveryTests)
    }

    /// From the first byte.
    pub(crate) async fn open(&self) -> Result<Input, ReadError> {
        match &self.place {
            Place::Store(place) => Ok(Input::Store(Box::new(place.0.clone().download()))),
            Place::File(path) => Input::file(path.clone()).await,
        }
    }

    /// What it takes to restore it. The end of an object in the store is enough; without a footer there, all of it is read.
    pub(crate) async fn announced(&self, store: &Store) -> Result<Announced, ReadError> {
        if let Place::Store(place) = &self.place
            && let Some(footer) = store.footer(&place.1.object).await
        {
            return Ok(Announced { facts: footer.dump.clone(), footer: Some(footer) });
        }
        log::info!("reading all of {} once, for what a restore needs", self.address);
        let progress = Arc::new(Progress::start(("read", "restored")));
        let whole = restore::read(self.open().await?, None, progress).await?;
        Ok(Announced { facts: whole.facts, footer: whole.footer })
    }

    /// Whether the key and the backup agree on what it is: the last thing that a restore under pressure would look at.
    pub(crate) fn check_identity(&self, footer: &Footer, database: &DatabaseName) -> Result<(), Verdict> {
        let Some(id) = self.of_ours() else { return Ok(()) };
        if footer.database != database.as_str() {
            let what = format!("the key names {database}, but what stands under it is a backup of {}", footer.database);
            return Err(Verdict::failed(what));
        }
        let started = footer.started;
        let whole = started.replace_nanosecond(0).unwrap_or(started);
        let taken = PrimitiveDateTime::new(whole.date(), whole.time());
        if taken != id.taken {
            let [key, itself] = [id.taken, taken].map(|taken| figures::instant(taken.assume_offset(started.offset())));
            let what = format!("the key says that it was taken {key}, the backup itself says {itself}");
            return Err(Verdict::failed(what));
        }
        Ok(())
    }
}
