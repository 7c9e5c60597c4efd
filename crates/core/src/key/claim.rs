//! Whose an object under the prefix is, and what a restore test left beside its copy.
//!
//! ```text
//! PREFIX/recovery-tests/YYYY/MM/restore_test_TESTED.sql.gz                             the copy
//! PREFIX/recovery-tests/YYYY/MM/restore_test_TESTED.DBNAME_backup_TAKEN.OUTCOME.json   the record
//! ```
//!
//! A copy's key names no database. Its record does, and also which backup was tested and how that ended, so that a
//! listing alone tells which backups are proven: the knowledge survives the loss of everything but the store.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use time::PrimitiveDateTime;

use super::instant::{STAMP, parse_stamp, stamp};
use super::{BackupId, DatabaseName, Layout, SUFFIX, Tier};

const RECORD_SUFFIX: &str = ".json";
const COPY_NAME: &str = "/restore_test_";
const BACKUP: &str = "_backup_";

/// How a restore test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Restored, and equal to what the backup says of itself.
    Passed,
    /// Restored, but the backup says nothing of itself that it could be compared with.
    Unproven,
    /// Not restored, or different.
    Failed,
    /// The test could not be carried out; it says nothing about the backup.
    Inconclusive,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Passed, Self::Unproven, Self::Failed, Self::Inconclusive];

    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Unproven => "unproven",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The record of a restore test of our database, as its key names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RecordId {
    /// The instant in the key of the copy: when the test started. Sorts first: older is less.
    pub tested: PrimitiveDateTime,
    /// The instant in the key of the backup that was tested.
    pub backup: PrimitiveDateTime,
    /// How the test ended.
    pub outcome: Outcome,
}

impl RecordId {
    /// The test that counts among those of one backup: the last that came to a verdict, whatever could not be carried out
    /// later. Of two in the same second, the one that failed.
    pub fn that_counts<'r>(tests: impl IntoIterator<Item = &'r Self>) -> Option<&'r Self> {
        let rank = |test: &&Self| (test.outcome != Outcome::Inconclusive, test.tested, test.outcome == Outcome::Failed);
        tests.into_iter().max_by_key(rank)
    }

    /// The tests that prove a backup, one for each that is proven. A later test that failed takes the proof away.
    pub fn proofs(tests: impl IntoIterator<Item = Self>) -> impl Iterator<Item = Self> {
        let mut by_backup: HashMap<PrimitiveDateTime, Vec<Self>> = HashMap::new();
        for test in tests {
            by_backup.entry(test.backup).or_default().push(test);
        }
        let counting = by_backup.into_values().filter_map(|tests| Self::that_counts(&tests).copied());
        counting.filter(|test| test.outcome == Outcome::Passed)
    }
}

/// Whose an object under the prefix is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A backup of our database; or the copy that a restore test made, of whatever database.
    Backup(BackupId),
    /// The record of a restore test of our database.
    Record(RecordId),
    /// A backup of another database that shares the prefix.
    OtherBackup(DatabaseName),
    /// The record of a restore test of another database, which claims the copy of this instant.
    OtherRecord(DatabaseName, PrimitiveDateTime),
    /// Nothing that this system writes.
    Stranger,
}

impl Layout {
    /// The key of a restore test's record: beside the copy that the test made, or would have made.
    pub fn record_key(&self, record: &RecordId) -> String {
        let copy = self.key(BackupId { taken: record.tested, tier: Tier::RecoveryTests });
        let stem = copy.strip_suffix(SUFFIX).unwrap_or(&copy);
        let backup = stamp(record.backup);
        format!("{stem}.{}{BACKUP}{backup}.{}{RECORD_SUFFIX}", self.database().escaped(), record.outcome)
    }

    /// Tells whose a key is. Like [`Layout::parse`], it takes nothing for known that would not be built exactly so.
    pub fn claim(&self, key: &str) -> Claim {
        if let Some(id) = self.parse(key) {
            return Claim::Backup(id);
        }
        if let Some((database, record)) = self.any_record(key) {
            return if database == *self.database() {
                Claim::Record(record)
            } else {
                Claim::OtherRecord(database, record.tested)
            };
        }
        self.other_backup(key).map_or(Claim::Stranger, Claim::OtherBackup)
    }

    fn other_backup(&self, key: &str) -> Option<DatabaseName> {
        let file = key.rsplit_once('/')?.1.strip_suffix(SUFFIX)?;
        let (database, _) = named_backup(file)?;
        Layout::new(self.prefix().clone(), database.clone()).parse(key).map(|_| database)
    }

    fn any_record(&self, key: &str) -> Option<(DatabaseName, RecordId)> {
        let stem = key.strip_suffix(RECORD_SUFFIX)?;
        let (stem, word) = stem.rsplit_once('.')?;
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.word() == word)?;
        let file = &stem[stem.rfind(COPY_NAME)? + COPY_NAME.len()..];
        let tested = parse_stamp(file.get(..STAMP.len())?)?;
        let (database, backup) = named_backup(file.get(STAMP.len()..)?.strip_prefix('.')?)?;
        let record = RecordId { tested, backup, outcome };
        let built = Layout::new(self.prefix().clone(), database.clone()).record_key(&record);
        (built == key).then_some((database, record))
    }
}

/// Reads `DBNAME_backup_YYYYMMDD_HHMMSS`.
fn named_backup(file: &str) -> Option<(DatabaseName, PrimitiveDateTime)> {
    let at = file.len().checked_sub(STAMP.len())?;
    let taken = parse_stamp(file.get(at..)?)?;
    Some((DatabaseName::unescape(file.get(..at)?.strip_suffix(BACKUP)?)?, taken))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn layout(database: &str) -> Layout {
        Layout::new("db-backups".parse().unwrap(), database.parse().unwrap())
    }

    fn record(outcome: Outcome) -> RecordId {
        RecordId { tested: datetime!(2025-02-01 03:00), backup: datetime!(2025-02-01 02:00), outcome }
    }

    #[test]
    fn a_record_stands_beside_its_copy_and_names_what_it_proves() {
        let key = layout("app").record_key(&record(Outcome::Passed));
        let expected =
            "db-backups/recovery-tests/2025/02/restore_test_20250201_030000.app_backup_20250201_020000.passed.json";
        assert_eq!(key, expected);
        assert_eq!(layout("app").claim(&key), Claim::Record(record(Outcome::Passed)));
    }

    #[test]
    fn a_later_test_that_failed_takes_the_proof_away_and_one_that_was_not_carried_out_does_not() {
        let (first, second) = (datetime!(2025-01-31 02:00), datetime!(2025-02-01 02:00));
        let at = |day, backup, outcome| RecordId {
            tested: datetime!(2025-02-01 03:00) + time::Duration::days(day),
            backup,
            outcome,
        };
        let (passed, other) = (at(1, second, Outcome::Passed), at(0, first, Outcome::Passed));
        let proofs = |tests: &[RecordId]| {
            let mut proofs: Vec<_> = RecordId::proofs(tests.iter().copied()).collect();
            proofs.sort_unstable();
            proofs
        };
        assert_eq!(proofs(&[passed, other]), [other, passed]);
        assert_eq!(proofs(&[passed, other, at(2, second, Outcome::Inconclusive)]), [other, passed]);
        assert_eq!(proofs(&[passed, at(2, second, Outcome::Failed), other]), [other]);
        let again = at(3, second, Outcome::Passed);
        assert_eq!(proofs(&[passed, at(2, second, Outcome::Failed), again]), [again]);
    }

    #[test]
    fn what_belongs_to_another_database_says_so() {
        let other: DatabaseName = "app.test_backup_x/é".parse().unwrap();
        let theirs = layout(other.as_str());
        let claimed = layout("app").claim(&theirs.record_key(&record(Outcome::Failed)));
        assert_eq!(claimed, Claim::OtherRecord(other.clone(), datetime!(2025-02-01 03:00)));
        let backup = BackupId { taken: datetime!(2025-02-01 02:00), tier: Tier::Weekly };
        assert_eq!(layout("app").claim(&theirs.key(backup)), Claim::OtherBackup(other));
        // A copy names no database: it is for whoever reads its record to tell whose it is.
        let copy = BackupId { taken: datetime!(2025-02-01 03:00), tier: Tier::RecoveryTests };
        assert_eq!(layout("app").claim(&theirs.key(copy)), Claim::Backup(copy));
    }

    #[test]
    fn nearly_right_keys_are_strangers() {
        for key in [
            "db-backups/README",
            "db-backups/daily/2025/02/02/app_test_backup_20250201_020000.sql.gz",
            "db-backups/daily/2025/02/01/app%5ftest_backup_20250201_020000.sql.gz",
            "db-backups/daily/2025/02/01/_backup_20250201_020000.sql.gz",
            "db-backups/recovery-tests/2025/02/restore_test_20250201_030000.app_backup_20250201_020000.good.json",
            "db-backups/recovery-tests/2025/03/restore_test_20250201_030000.app_backup_20250201_020000.passed.json",
            "db-backups/recovery-tests/2025/02/restore_test_20250201_030000.passed.json",
            "other/recovery-tests/2025/02/restore_test_20250201_030000.app_backup_20250201_020000.passed.json",
            "x/restore_test_.passed.json",
            "restore_test_é.passed.json",
        ] {
            assert_eq!(layout("app").claim(key), Claim::Stranger, "{key}");
        }
    }

    proptest! {
        #[test]
        fn records_read_back(name in "[^\n\r\0]{1,15}", tested in 0i64..4_000_000_000, backup in 0i64..4_000_000_000, word in 0usize..4) {
            let at = |seconds| datetime!(1970-01-01 00:00) + time::Duration::seconds(seconds);
            let record = RecordId { tested: at(tested), backup: at(backup), outcome: Outcome::ALL[word] };
            let layout = layout(&name);
            prop_assert_eq!(layout.claim(&layout.record_key(&record)), Claim::Record(record));
        }

        #[test]
        fn odd_keys_never_panic(key in "\\PC*", tail in "[0-9_.é]{0,40}") {
            layout("app").claim(&key);
            layout("app").claim(&format!("db-backups/restore_test_{key}{tail}.passed.json"));
        }
    }
}
