//! What is still safe after a failure: the newest good backup, as far as the store can be asked for it.

use std::time::Duration;

use backup_core::figures;
use backup_core::journal::{Journal, LastBackup};
use backup_core::key::Layout;
use backup_core::mail::{Fact, Report as Mail};
use backup_core::process::{Context, chain, now};
use backup_core::store::Store;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::run;
use crate::settings::Settings;

/// The backups before a run that failed.
pub(crate) enum Before {
    /// This one stands in the store.
    Stands(Backup),
    /// The store holds none.
    None,
    /// The store could not be asked. What this machine remembers may be gone, and what it does not know of may be there.
    Unknown { why: String, last_made_here: Option<Backup> },
}

pub(crate) struct Backup {
    address: String,
    taken: OffsetDateTime,
    bytes: u64,
}

impl Backup {
    fn age(&self) -> String {
        figures::duration(Duration::try_from(now() - self.taken).unwrap_or_default())
    }
}

impl Before {
    /// Asks the store, which may itself be what failed, for no longer than the limit. What the failed run, which was
    /// `taken` then, may have left in the store does not count as a good backup.
    pub(crate) async fn look(settings: &Settings, taken: PrimitiveDateTime, limit: Duration) -> Self {
        let Some(store_settings) = &settings.store else {
            return Self::Unknown { why: "no store is set".to_owned(), last_made_here: None };
        };
        let store = Store::new(store_settings).await;
        let layout = Layout::new(store_settings.prefix.clone(), settings.database.name.clone());
        let why = match tokio::time::timeout(limit, newest_in_store(&store, &layout, taken)).await {
            Ok(Ok(Some(newest))) => return Self::Stands(newest),
            Ok(Ok(None)) => return Self::None,
            Ok(Err(why)) => why,
            Err(_) => "the store did not answer in time".to_owned(),
        };
        let last: Option<LastBackup> = Journal::new(&settings.places.state).read(LastBackup::ENTRY);
        let last = last.filter(|last| last.is_of(&layout, &store.address("")));
        let last = last.map(|last| Backup { address: last.address, taken: last.started, bytes: last.stored_bytes });
        Self::Unknown { why, last_made_here: last }
    }

    /// Says it in a mail, in its subject too.
    pub(crate) fn tell(&self, mail: Mail) -> Mail {
        match self {
            Self::Stands(newest) => {
                let age = newest.age();
                mail.safety(format!("The newest good backup is {age} old. What changed since then is not backed up."))
                    .in_subject(format!("newest good one {age} old"))
            }
            Self::None => mail
                .safety("No earlier good backup could be found: the data may have no backup at all.")
                .in_subject("no earlier backup"),
            Self::Unknown { last_made_here: Some(last), .. } => mail
                .safety(format!(
                    "The store could not be asked which backups it holds. The last one that was made here is {} old; \
                     whether it still stands is not known.",
                    last.age()
                ))
                .in_subject("earlier backups not known"),
            Self::Unknown { last_made_here: None, .. } => mail
                .safety("The store could not be asked which backups it holds: whether there is one is not known.")
                .in_subject("earlier backups not known"),
        }
    }

    pub(crate) fn facts(&self, context: &Context) -> Vec<Fact> {
        let facts_of = |name: &'static str, backup: &Backup| {
            vec![
                Fact::new(name, &backup.address),
                Fact::at("Data as of", backup.taken),
                Fact::size("Size", backup.bytes),
            ]
        };
        match self {
            Self::Stands(newest) => facts_of("Newest good backup", newest),
            Self::None => Vec::new(),
            Self::Unknown { why, last_made_here } => {
                let mut facts = last_made_here.as_ref().map_or_else(Vec::new, |last| facts_of("Last made here", last));
                facts.push(Fact::new("The store", context.redact(why)));
                facts
            }
        }
    }
}

async fn newest_in_store(store: &Store, layout: &Layout, before: PrimitiveDateTime) -> Result<Option<Backup>, String> {
    let newest = run::newest(store, layout, before - time::Duration::SECOND).await;
    let newest = newest.map_err(|error| chain(&error))?;
    Ok(newest.map(|(object, id)| Backup {
        address: store.address(&object.key),
        taken: id.taken.assume_offset(now().offset()),
        bytes: object.bytes,
    }))
}
