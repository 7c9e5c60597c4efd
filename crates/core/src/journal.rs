//! What each tool last did and how it ended: small JSON files in the state directory.
//!
//! Written as a whole or not at all. A file that is missing or cannot be read counts as "nothing is known", never as "all
//! is well".
//!
//! What a restore test found must outlive this machine: its [`TestRecord`] stands in the store, beside the tested copy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::files::{self, Readers};
use crate::key::{Layout, Outcome};

/// How the last run of a tool ended: the entry by the tool's name.
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

impl LastBackup {
    /// The name of its entry.
    pub const ENTRY: &str = "last-backup";

    /// What a backup may add to its own age by the time that it takes, at the most. One that takes longer is never nightly.
    const LONGEST: Duration = Duration::from_hours(24);

    /// Whether it is a backup of this layout. One of another database was made by hand, and is nothing to us.
    ///
    /// `root` is the address of the bucket, as addresses of objects begin.
    pub fn is_of(&self, layout: &Layout, root: &str) -> bool {
        self.address.strip_prefix(root).is_some_and(|key| layout.parse(key).is_some())
    }

    /// How old the newest backup may be before backups count as stopped: the limit that is set, and as much more as the last
    /// backup took. A backup is as old as its start and is seen only at its end, so that with nightly ones of six hours the
    /// newest is up to thirty hours old while all is well.
    pub fn age_limit(last: Option<&Self>, set: Duration) -> Duration {
        let took = last.and_then(|last| Duration::try_from_secs_f64(last.seconds).ok()).unwrap_or_default();
        set + took.min(Self::LONGEST)
    }
}

/// What the store held when it was last looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCleanup {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Where: the address of the prefix.
    #[serde(default)]
    pub address: String,
    /// Whose backups.
    #[serde(default)]
    pub database: String,
    /// Our objects that stayed.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many were deleted.
    pub deleted: u64,
}

impl LastCleanup {
    /// The name of its entry.
    pub const ENTRY: &str = "last-cleanup";

    /// Whether it looked at what this layout has. What another database's backups take says nothing of ours.
    ///
    /// `root` is the address of the bucket, as addresses of objects begin.
    pub fn is_of(&self, layout: &Layout, root: &str) -> bool {
        self.database == layout.database().as_str()
            && self.address.strip_prefix(root) == Some(&layout.prefix().as_folder())
    }
}

/// What a restore test found: the document under the key that [`crate::key::RecordId`] names.
///
/// The key says which backup was tested and how that ended; this says the rest. Readers skip members that they do not
/// know, so that later versions may add some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestRecord {
    /// The database.
    pub database: String,
    /// The backup that was tested: its address.
    pub backup: String,
    /// When the test started.
    #[serde(with = "time::serde::rfc3339")]
    pub tested: OffsetDateTime,
    /// How it ended.
    pub outcome: Outcome,
    /// What was proven, what differs, or what was missing, in a sentence.
    pub finding: String,
    /// How long the restore took, where there was one.
    #[serde(default)]
    pub restore_seconds: Option<f64>,
    /// When the backup was started: the data is that of this instant.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub as_of: Option<OffsetDateTime>,
    /// Tables that were compared.
    #[serde(default)]
    pub tables: Option<u64>,
    /// Their rows.
    #[serde(default)]
    pub rows: Option<u64>,
}

impl TestRecord {
    /// The most bytes of a document that are read.
    pub const LARGEST: u64 = 1 << 20;

    /// Reads the document.
    pub fn parse(document: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(document)
    }

    /// The document.
    pub fn to_document(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }
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
            let mut text = serde_json::to_vec_pretty(entry)?;
            text.push(b'\n');
            files::replace(&path, &text, Readers::Owner)
        };
        write().map_err(|source| JournalError { path: path.clone(), source })
    }

    /// Whether an entry could be written.
    pub fn is_writable(&self) -> bool {
        std::fs::create_dir_all(&self.folder).and_then(|()| tempfile::tempfile_in(&self.folder)).is_ok()
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
    fn the_record_of_a_restore_test_reads_back_and_may_grow() {
        let record = TestRecord {
            database: "eleganttex".into(),
            backup: "s3://bucket/db-backups/daily/2025/02/01/eleganttex_backup_20250201_020000.sql.gz".into(),
            tested: datetime!(2025-02-01 3:00 UTC),
            outcome: Outcome::Passed,
            finding: "Every row of 42 tables equals the original.".into(),
            restore_seconds: Some(72.5),
            as_of: Some(datetime!(2025-02-01 2:00 UTC)),
            tables: Some(42),
            rows: Some(1_234_567),
        };
        let document = record.to_document().unwrap();
        assert_eq!(TestRecord::parse(&document).unwrap(), record);

        let later = r#"{"database": "d", "backup": "s3://b/k", "tested": "2025-02-01T03:00:00Z", "outcome": "failed",
            "finding": "", "invented_later": [1]}"#;
        assert_eq!(TestRecord::parse(later.as_bytes()).unwrap().restore_seconds, None);
        assert!(TestRecord::parse(b"{}").is_err());
    }

    #[test]
    fn a_long_backup_is_allowed_the_time_that_it_takes() {
        const HOUR: f64 = 3_600.0;
        let last = |seconds| LastBackup {
            address: "s3://bucket/db-backups/daily/2025/01/29/app_backup_20250129_020000.sql.gz".into(),
            started: datetime!(2025-01-29 2:00 UTC),
            seconds,
            stored_bytes: 1,
            dumped_bytes: 1,
            rows: 1,
        };
        let set = Duration::from_hours(26);
        assert_eq!(LastBackup::age_limit(None, set), set);
        for (seconds, hours) in [(0.0, 26), (6.0 * HOUR, 32), (90.0 * HOUR, 50), (-1.0, 26), (f64::NAN, 26)] {
            assert_eq!(LastBackup::age_limit(Some(&last(seconds)), set), Duration::from_hours(hours), "{seconds}");
        }
        let layout = |database: &str| Layout::new("db-backups".parse().unwrap(), database.parse().unwrap());
        assert!(last(1.0).is_of(&layout("app"), "s3://bucket/"));
        assert!(!last(1.0).is_of(&layout("app_test"), "s3://bucket/"));
        assert!(!last(1.0).is_of(&layout("app"), "s3://another/"));
    }

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
