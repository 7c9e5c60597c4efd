//! What stands under the prefix: ours, told from everything else.
//!
//! Only what the keys prove to be ours may ever be deleted. A copy in recovery-tests names no database: it is another's
//! if another's record stands beside it, and ours if ours does. Without a record it is ours as long as no other database
//! is seen under the prefix; where one is, the copy may be its, and is left alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter::Sum;

use backup_core::key::{BackupId, Claim, DatabaseName, Layout, RecordId, Tier};
use backup_core::store::Object;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Everything under the prefix.
#[derive(Debug)]
pub(crate) struct Inventory {
    pub(crate) ours: Vec<Held>,
    pub(crate) foreign: Foreign,
}

/// An object of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) key: String,
    pub(crate) what: What,
    pub(crate) bytes: u64,
    /// Nothing that could be a backup.
    pub(crate) is_stub: bool,
    /// When the store received it.
    pub(crate) received: Option<OffsetDateTime>,
}

/// What an object of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Backup(BackupId),
    Record(RecordId),
}

/// What is not ours, or may not be: never deleted.
#[derive(Debug, Default)]
pub(crate) struct Foreign {
    /// Backups, copies and records of other databases, by database.
    pub(crate) databases: BTreeMap<String, Tally>,
    /// Copies in recovery-tests that may be another database's.
    pub(crate) unclaimed: Tally,
    /// Nothing that this system wrote.
    pub(crate) strangers: Tally,
    /// The largest of those, by key.
    pub(crate) largest: Vec<(String, u64)>,
}

/// How many, and how large together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

/// Strangers that are named one by one.
const NAMED: usize = 10;

impl Held {
    /// The instant in its key: of the backup, or of the restore test.
    pub(crate) fn made(&self) -> PrimitiveDateTime {
        match self.what {
            What::Backup(id) => id.taken,
            What::Record(record) => record.tested,
        }
    }

    pub(crate) fn tier(&self) -> Tier {
        match self.what {
            What::Backup(id) => id.tier,
            What::Record(_) => Tier::RecoveryTests,
        }
    }

    /// The backup that it holds. A stub holds none, and stands for none.
    pub(crate) fn backup(&self) -> Option<BackupId> {
        match self.what {
            What::Backup(id) if !self.is_stub => Some(id),
            What::Backup(_) | What::Record(_) => None,
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies
            .fold(Self::default(), |sum, tally| Self { count: sum.count + tally.count, bytes: sum.bytes + tally.bytes })
    }
}

impl Foreign {
    pub(crate) fn total(&self) -> Tally {
        [self.strangers, self.unclaimed].into_iter().chain(self.databases.values().copied()).sum()
    }

    fn of_database(&mut self, database: &DatabaseName) -> &mut Tally {
        self.databases.entry(database.to_string()).or_default()
    }

    fn add_stranger(&mut self, key: String, bytes: u64) {
        self.strangers.add(bytes);
        let at = self.largest.partition_point(|(_, larger)| *larger >= bytes);
        if at < NAMED {
            self.largest.insert(at, (key, bytes));
            self.largest.truncate(NAMED);
        }
    }
}

/// An inventory that is being taken, object by object.
#[derive(Debug)]
pub(crate) struct Survey<'l> {
    layout: &'l Layout,
    ours: Vec<Held>,
    foreign: Foreign,
    /// Copies that another database's record claims.
    claimed: HashMap<PrimitiveDateTime, DatabaseName>,
}

impl<'l> Survey<'l> {
    pub(crate) fn new(layout: &'l Layout) -> Self {
        Self { layout, ours: Vec::new(), foreign: Foreign::default(), claimed: HashMap::new() }
    }

    pub(crate) fn add(&mut self, object: Object) {
        let is_stub = object.is_stub();
        let Object { key, bytes, modified } = object;
        let what = match self.layout.claim(&key) {
            Claim::Backup(id) => What::Backup(id),
            Claim::Record(record) => What::Record(record),
            Claim::OtherBackup(database) => return self.foreign.of_database(&database).add(bytes),
            Claim::OtherRecord(database, tested) => {
                self.foreign.of_database(&database).add(bytes);
                self.claimed.insert(tested, database);
                return;
            }
            Claim::Stranger => return self.foreign.add_stranger(key, bytes),
        };
        self.ours.push(Held { key, what, bytes, is_stub, received: modified });
    }

    /// Settles whose the copies of the restore tests are.
    pub(crate) fn finish(self) -> Inventory {
        let Self { mut ours, mut foreign, claimed, .. } = self;
        let is_shared = !foreign.databases.is_empty();
        let recorded: HashSet<PrimitiveDateTime> = ours
            .iter()
            .filter_map(|held| match held.what {
                What::Record(record) => Some(record.tested),
                What::Backup(_) => None,
            })
            .collect();
        ours.retain(|held| {
            let What::Backup(BackupId { taken, tier: Tier::RecoveryTests }) = held.what else { return true };
            if let Some(database) = claimed.get(&taken) {
                foreign.of_database(database).add(held.bytes);
                return false;
            }
            let is_ours = !is_shared || recorded.contains(&taken);
            if !is_ours {
                foreign.unclaimed.add(held.bytes);
            }
            is_ours
        });
        Inventory { ours, foreign }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: &str = "p/recovery-tests/2025/02/restore_test_20250201_030000.sql.gz";
    const OUR_RECORD: &str =
        "p/recovery-tests/2025/02/restore_test_20250201_030000.app_backup_20250201_020000.passed.json";
    const THEIR_RECORD: &str =
        "p/recovery-tests/2025/02/restore_test_20250201_030000.app_test_backup_20250201_020000.failed.json";
    const THEIR_BACKUP: &str = "p/daily/2025/02/01/app_test_backup_20250201_020000.sql.gz";

    fn survey(keys: &[&str]) -> Inventory {
        let layout = Layout::new("p".parse().unwrap(), "app".parse().unwrap());
        let mut survey = Survey::new(&layout);
        for (bytes, key) in (100..).zip(keys) {
            survey.add(Object { key: (*key).to_owned(), bytes, modified: None });
        }
        survey.finish()
    }

    fn ours(keys: &[&str]) -> Vec<String> {
        survey(keys).ours.into_iter().map(|held| held.key).collect()
    }

    #[test]
    fn a_copy_without_a_record_is_ours_only_where_nobody_else_is_seen() {
        assert_eq!(ours(&[COPY, "p/README"]), [COPY]);
        assert_eq!(ours(&[COPY, THEIR_BACKUP]), [""; 0]);
        assert_eq!(survey(&[COPY, THEIR_BACKUP]).foreign.unclaimed, Tally { count: 1, bytes: 100 });
    }

    #[test]
    fn a_record_tells_whose_the_copy_is() {
        assert_eq!(ours(&[COPY, OUR_RECORD, THEIR_BACKUP]), [COPY, OUR_RECORD]);
        assert_eq!(ours(&[COPY, THEIR_RECORD]), [""; 0]);
        // Two tests in the same second, of which one made the copy: nobody can tell which.
        assert_eq!(ours(&[COPY, OUR_RECORD, THEIR_RECORD]), [OUR_RECORD]);
    }

    #[test]
    fn what_is_foreign_is_counted_by_whose_it_is() {
        let foreign = survey(&["p/README", COPY, THEIR_RECORD, THEIR_BACKUP, "p/daily/x", "p/old/dump.tar"]).foreign;
        assert_eq!(foreign.databases["app_test"], Tally { count: 3, bytes: 101 + 102 + 103 });
        assert_eq!(foreign.strangers, Tally { count: 3, bytes: 100 + 104 + 105 });
        assert_eq!(foreign.largest[0], ("p/old/dump.tar".to_owned(), 105));
        assert_eq!(foreign.total(), Tally { count: 6, bytes: 615 });
    }

    #[test]
    fn of_many_strangers_the_largest_are_named() {
        let keys: Vec<String> = (0..50).map(|n| format!("p/{n}")).collect();
        let foreign = survey(&keys.iter().map(String::as_str).collect::<Vec<_>>()).foreign;
        let named: Vec<u64> = foreign.largest.iter().map(|(_, bytes)| *bytes).collect();
        assert_eq!(named, (140..150).rev().collect::<Vec<u64>>());
    }
}
