//! The backup that is to be restored: where it is, and what it says of itself before it is.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::PrimitiveDateTime;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{Input, ReadError, read};
use crate::figures;
use crate::footer::{DumpFacts, Footer};
use crate::gzip::locator;
use crate::key::{BackupId, DatabaseName, Layout, Tier, key_time};
use crate::process::Progress;
use crate::store::{Found, Source, Store, StoreError, Wanted};

/// A backup that was found.
#[derive(Debug)]
pub struct Subject {
    /// Where it is.
    pub address: String,
    /// Its size as stored.
    pub bytes: u64,
    /// What its key says of it; `None` for what is not one of this database's backups.
    pub id: Option<BackupId>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Store(Box<(Source, Found)>),
    File(PathBuf),
}

/// What a backup says of itself, or, where it says nothing, what was found in it by reading it once more.
#[derive(Debug)]
pub struct Announced {
    /// What the dump holds.
    pub facts: DumpFacts,
    /// All that the backup says.
    pub footer: Option<Footer>,
}

/// What stands under a key is not what the key says: the last thing that a restore under pressure would look at.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Of another database.
    #[error("the key names {key}, but what stands under it is a backup of {footer}")]
    Database {
        /// As the key has it.
        key: DatabaseName,
        /// As the backup has it.
        footer: String,
    },
    /// Of another instant.
    #[error("the key says that it was taken {key}, the backup itself says {itself}")]
    Instant {
        /// As the key has it.
        key: String,
        /// As the backup has it.
        itself: String,
    },
}

impl Subject {
    /// Looks for it. `now`: see [`Store::pick`].
    pub async fn find(
        wanted: &Wanted,
        store: &Store,
        layout: &Layout,
        now: PrimitiveDateTime,
    ) -> Result<Self, StoreError> {
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
    pub fn source(&self) -> Option<&Source> {
        match &self.place {
            Place::Store(place) => Some(&place.0),
            Place::File(_) => None,
        }
    }

    /// What its key says, if it is one of the backups of this database, and not the copy that a restore test made.
    pub fn of_ours(&self) -> Option<BackupId> {
        self.id.filter(|id| id.tier != Tier::RecoveryTests)
    }

    /// From the first byte.
    pub async fn open(&self) -> Result<Input, ReadError> {
        match &self.place {
            Place::Store(place) => Ok(Input::Store(Box::new(place.0.clone().download()))),
            Place::File(path) => Input::file(path.clone()).await,
        }
    }

    /// What it takes to restore it. Its end is enough; without a footer there, all of it is read.
    pub async fn announced(&self, store: &Store) -> Result<Announced, ReadError> {
        let footer = match &self.place {
            Place::Store(place) => store.footer(&place.1.object).await,
            Place::File(path) => {
                // One that cannot be read at all is told once.
                self.open().await?;
                let end = async |bytes: u64| end_of_file(path, self.bytes.saturating_sub(bytes)).await;
                Footer::of_the_end(locator::footer(self.bytes, end).await, &self.address)
            }
        };
        if let Some(footer) = footer {
            return Ok(Announced { facts: footer.dump.clone(), footer: Some(footer) });
        }
        log::info!("reading all of {} once, for what a restore needs", self.address);
        let progress = Arc::new(Progress::start(("read", "")));
        let whole = read(self.open().await?, None, progress).await?;
        Ok(Announced { facts: whole.facts, footer: whole.footer })
    }

    /// Whether the key and the backup agree on what it is.
    pub fn check_identity(&self, footer: &Footer, database: &DatabaseName) -> Result<(), IdentityError> {
        let Some(id) = self.of_ours() else { return Ok(()) };
        if footer.database != database.as_str() {
            return Err(IdentityError::Database { key: database.clone(), footer: footer.database.clone() });
        }
        let taken = key_time(footer.started);
        if taken == id.taken {
            return Ok(());
        }
        let [key, itself] =
            [id.taken, taken].map(|taken| figures::instant(taken.assume_offset(footer.started.offset())));
        Err(IdentityError::Instant { key, itself })
    }
}

async fn end_of_file(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(from)).await?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).await?;
    Ok(end)
}
