//! What each tool last did and how it ended: small JSON files in the state directory.
//!
//! Written as a whole or not at all. A file that is missing or cannot be read counts as "nothing is known", never as "all
//! is well".

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How the last run of a tool ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    /// Its exit code.
    pub exit_code: u8,
    /// What went wrong, in a sentence.
    pub error: Option<String>,
}

/// The last backup that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastBackup {
    /// Where it is.
    pub address: String,
    /// When it was started.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its size in the store.
    pub stored_bytes: u64,
    /// The size of the dump.
    pub dumped_bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// The files of the journal.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
}

/// Why an entry could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: std::io::Error,
}

impl Journal {
    /// The journal in this state directory.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.to_owned() }
    }

    /// Replaces the entry of this name.
    pub fn write<T: Serialize>(&self, name: &str, entry: &T) -> Result<(), JournalError> {
        let path = self.path(name);
        let write = || {
            std::fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            serde_json::to_writer_pretty(&mut file, entry)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        };
        write().map(|_| ()).map_err(|source| JournalError { path, source })
    }

    /// The entry of this name, if there is one that makes sense.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = std::fs::read(self.path(name)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn entries_read_back_and_damaged_ones_count_as_none() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::new(&state.path().join("new"));
        let run = LastRun {
            started: datetime!(2025-01-29 2:00 UTC),
            ended: datetime!(2025-01-29 2:01 UTC),
            exit_code: 0,
            error: None,
        };
        assert_eq!(journal.read::<LastRun>("backup"), None);
        journal.write("backup", &run).unwrap();
        assert_eq!(journal.read("backup"), Some(run));
        std::fs::write(journal.path("backup"), b"{\"started\":").unwrap();
        assert_eq!(journal.read::<LastRun>("backup"), None);
    }
}
