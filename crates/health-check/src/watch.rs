//! What is known from earlier runs, in the state directory: one run at a time reads, tells and writes.
//!
//! A lost or damaged file costs one mail too many. Runs that come while another tells have nothing to add to it.

use backup_core::journal::Journal;
use backup_core::process::{Lock, chain};
use backup_core::settings::Places;

use crate::alert::Open;

/// The name of the journal's entry; that of the lock, which is not the tool's: two runs may look at once.
const ENTRY: &str = "health-alert";

/// What is known, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Watch {
    journal: Journal,
    pub(crate) open: Option<Open>,
    _lock: Option<Lock>,
}

impl Watch {
    /// `None`: another run tells at this moment.
    pub(crate) fn take(places: &Places) -> Option<Self> {
        let lock = Lock::take_if_possible(&places.state, ENTRY).ok()?;
        let journal = Journal::new(&places.state);
        let known: Option<Option<Open>> = journal.read(ENTRY);
        Some(Self { journal, open: known.flatten(), _lock: lock })
    }

    /// Writes down what is known now.
    pub(crate) fn keep(self, open: Option<&Open>) {
        if self.open.as_ref() == open {
            return;
        }
        if let Err(error) = self.journal.write(ENTRY, &open) {
            log::warn!("{}: the next run may tell the same again", chain(&error));
        }
    }
}
