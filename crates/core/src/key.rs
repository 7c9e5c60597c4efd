//! Tier, database and instant ↔ key in the store: the only place that builds or reads a key.
//!
//! ```text
//! PREFIX/daily/YYYY/MM/DD/DBNAME_backup_YYYYMMDD_HHMMSS.sql.gz
//! PREFIX/weekly/YYYY/week-WW/DBNAME_backup_YYYYMMDD_HHMMSS.sql.gz
//! PREFIX/monthly/YYYY/MM/DBNAME_backup_YYYYMMDD_HHMMSS.sql.gz
//! PREFIX/recovery-tests/YYYY/MM/restore_test_YYYYMMDD_HHMMSS.sql.gz
//! ```
//!
//! Beside a restore test's copy stands its record: [`RecordId`].
//!
//! The key is the identity of a backup, and its timestamp (local time of the container) is its age. A key is ours only if
//! it parses back whole; everything else under the prefix is foreign, and this module refuses to guess about it.

mod claim;
mod database;
mod instant;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use time::PrimitiveDateTime;

pub use claim::{Claim, Outcome, RecordId};
pub use database::DatabaseName;
pub use instant::{key_time, local_time};

use instant::{STAMP, parse_stamp, stamp};

const SUFFIX: &str = ".sql.gz";

/// A folder of the store, with a retention of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Every backup is written here first.
    Daily,
    /// The first success of a week, copied. Weeks start on Sunday.
    Weekly,
    /// The first success of a month, copied.
    Monthly,
    /// Backups that a restore test has restored, copied.
    RecoveryTests,
}

impl Tier {
    /// All tiers, in the order in which people read them.
    pub const ALL: [Self; 4] = [Self::Daily, Self::Weekly, Self::Monthly, Self::RecoveryTests];

    /// The tiers of the backups themselves: all but the copies of restore tests, whose keys name no database.
    pub const OF_BACKUPS: [Self; 3] = [Self::Daily, Self::Weekly, Self::Monthly];

    /// The tiers that the nightly backup is promoted to.
    pub const PROMOTED: [Self; 2] = [Self::Weekly, Self::Monthly];

    fn folder(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::RecoveryTests => "recovery-tests",
        }
    }

    /// The folders between the tier and the file name, for a backup of this instant.
    fn calendar_folder(self, taken: PrimitiveDateTime) -> String {
        let (year, month, day) = (taken.year(), u8::from(taken.month()), taken.day());
        match self {
            Self::Daily => format!("{year:04}/{month:02}/{day:02}"),
            Self::Weekly => format!("{year:04}/week-{:02}", taken.sunday_based_week()),
            Self::Monthly | Self::RecoveryTests => format!("{year:04}/{month:02}"),
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.folder())
    }
}

/// Why a prefix, a database name or a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An empty prefix would make the whole bucket ours.
    #[error("must not be empty: the backups need a folder of their own")]
    EmptyPrefix,
    /// The prefix holds something that a store or a person would read differently.
    #[error(
        "must be folder names of letters, digits, `.`, `_` or `-`, separated by single slashes, none of them `.` or `..`"
    )]
    OddPrefix,
    /// The prefix leaves no room for the rest of the key (S3 keys end at 1,024 bytes).
    #[error("must be at most {} bytes long", Prefix::MAX_BYTES)]
    LongPrefix,
    /// PostgreSQL has no database without a name.
    #[error("must not be empty")]
    EmptyDatabase,
    /// PostgreSQL cuts names at 63 bytes (`NAMEDATALEN`).
    #[error("must be at most 63 bytes long")]
    LongDatabase,
    /// NUL ends a string in PostgreSQL's protocol; `pg_dump` refuses newlines and carriage returns.
    #[error("must not hold a newline, a carriage return or NUL")]
    UnusableDatabase,
}

/// The folder in the bucket that is ours, without slashes at its ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// Leaves room for the longest database name, escaped, and the folders.
    const MAX_BYTES: usize = 512;

    /// `PREFIX/`: what to list to see everything under the prefix and nothing beside it.
    pub fn as_folder(&self) -> String {
        format!("{}/", self.0)
    }

    /// `PREFIX/TIER/`: what to list to see one tier.
    pub fn tier_folder(&self, tier: Tier) -> String {
        format!("{}/{tier}/", self.0)
    }
}

impl FromStr for Prefix {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Err(KeyError::EmptyPrefix);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(KeyError::LongPrefix);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let usable = |folder: &str| !folder.is_empty() && folder != "." && folder != ".." && folder.chars().all(plain);
        if !text.split('/').all(usable) {
            return Err(KeyError::OddPrefix);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the backups of one database live: what turns an instant into a key and a key back into an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    prefix: Prefix,
    database: DatabaseName,
}

/// A backup of our database as its key names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BackupId {
    /// The instant at which the backup started, local time of the container, whole seconds. Sorts first: older is less.
    pub taken: PrimitiveDateTime,
    /// The folder it stands in.
    pub tier: Tier,
}

impl Layout {
    /// The layout of this database's backups under this prefix.
    pub fn new(prefix: Prefix, database: DatabaseName) -> Self {
        Self { prefix, database }
    }

    /// The prefix that everything of ours stands under.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The database whose backups these are.
    pub fn database(&self) -> &DatabaseName {
        &self.database
    }

    /// The key of the backup taken at this instant, in this tier.
    pub fn key(&self, id: BackupId) -> String {
        let BackupId { taken, tier } = id;
        let stamp = stamp(taken);
        let name = match tier {
            Tier::RecoveryTests => "restore_test".to_owned(),
            Tier::Daily | Tier::Weekly | Tier::Monthly => format!("{}_backup", self.database.escaped()),
        };
        format!("{}{}/{name}_{stamp}{SUFFIX}", self.prefix.tier_folder(tier), tier.calendar_folder(taken))
    }

    /// `PREFIX/TIER/CALENDAR/`: the folder that holds the backups of the same day, week or month.
    pub fn slot(&self, id: BackupId) -> String {
        format!("{}{}/", self.prefix.tier_folder(id.tier), id.tier.calendar_folder(id.taken))
    }

    /// Reads a key back. `None`: not ours, whatever it looks like.
    ///
    /// The key must be exactly what [`Layout::key`] would build: right folder for its timestamp, right database, a
    /// timestamp that exists in the calendar.
    pub fn parse(&self, key: &str) -> Option<BackupId> {
        let stem = key.strip_suffix(SUFFIX)?;
        let taken = parse_stamp(stem.get(stem.len().checked_sub(STAMP.len())?..)?)?;
        Tier::ALL.into_iter().map(|tier| BackupId { taken, tier }).find(|id| self.key(*id) == key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn layout(database: &str) -> Layout {
        Layout::new("db-backups".parse().unwrap(), database.parse().unwrap())
    }

    #[test]
    fn keys_are_those_of_the_guide() {
        let taken = datetime!(2025-01-29 02:00:00);
        let key = |tier| layout("eleganttex").key(BackupId { taken, tier });
        assert_eq!(key(Tier::Daily), "db-backups/daily/2025/01/29/eleganttex_backup_20250129_020000.sql.gz");
        assert_eq!(key(Tier::Weekly), "db-backups/weekly/2025/week-04/eleganttex_backup_20250129_020000.sql.gz");
        assert_eq!(key(Tier::Monthly), "db-backups/monthly/2025/01/eleganttex_backup_20250129_020000.sql.gz");
        assert_eq!(key(Tier::RecoveryTests), "db-backups/recovery-tests/2025/01/restore_test_20250129_020000.sql.gz");
    }

    #[test]
    fn weeks_count_from_sunday_within_the_calendar_year() {
        let slot = |taken| layout("d").slot(BackupId { taken, tier: Tier::Weekly });
        assert_eq!(slot(datetime!(2025-01-01 02:00)), "db-backups/weekly/2025/week-00/");
        assert_eq!(slot(datetime!(2025-01-05 02:00)), "db-backups/weekly/2025/week-01/");
        assert_eq!(slot(datetime!(2024-12-31 02:00)), "db-backups/weekly/2024/week-52/");
        assert_eq!(slot(datetime!(2028-12-31 02:00)), "db-backups/weekly/2028/week-53/");
        assert_eq!(slot(datetime!(2023-01-01 02:00)), "db-backups/weekly/2023/week-01/");
    }

    #[test]
    fn only_whole_keys_of_this_database_are_ours() {
        let ours = layout("app");
        assert!(ours.parse("db-backups/daily/2025/01/29/app_backup_20250129_020000.sql.gz").is_some());
        for foreign in [
            "",
            ".sql.gz",
            "db-backups/daily/2025/01/29/app_test_backup_20250129_020000.sql.gz",
            "db-backups/daily/2025/01/29/app_backup_20250129_020000.sql.gz.bak",
            "db-backups/daily/2025/01/29/app_backup_20250129_020000.sql",
            "db-backups/daily/2025/01/30/app_backup_20250129_020000.sql.gz",
            "db-backups/daily/2025/02/30/app_backup_20250230_020000.sql.gz",
            "db-backups/daily/2025/01/29/app_backup_20250129_250000.sql.gz",
            "db-backups/daily/2025/01/29/app_backup_+0250129_020000.sql.gz",
            "db-backups/daily/2025/01/29/xapp_backup_20250129_020000.sql.gz",
            "db-backups2/daily/2025/01/29/app_backup_20250129_020000.sql.gz",
            "other/db-backups/daily/2025/01/29/app_backup_20250129_020000.sql.gz",
            "db-backups/daily/2025/01/29/extra/app_backup_20250129_020000.sql.gz",
            "db-backups/weekly/2025/week-05/app_backup_20250129_020000.sql.gz",
            "db-backups/recovery-tests/2025/01/app_backup_20250129_020000.sql.gz",
            "db-backups/daily/2025/01/29/app_backup_2025012é_020000.sql.gz",
            "é.sql.gz",
            "0000000000000é.sql.gz",
        ] {
            assert_eq!(ours.parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn hostile_database_names_stay_inside_their_folder() {
        for name in ["up/../../etc", "a=b", "-f", "q\"'`", "x y", "%2F", "база", "a_backup_20250101_000000", "."] {
            let layout = layout(name);
            let id = BackupId { taken: datetime!(2025-01-29 02:00:00), tier: Tier::Daily };
            let key = layout.key(id);
            assert_eq!(key.matches('/').count(), 5, "{key}");
            assert!(key.is_ascii(), "{key}");
            assert_eq!(layout.parse(&key), Some(id));
        }
    }

    #[test]
    fn prefixes_that_could_reach_beyond_themselves_are_refused() {
        for (text, expected) in [
            ("", KeyError::EmptyPrefix),
            ("/", KeyError::EmptyPrefix),
            ("//", KeyError::OddPrefix),
            ("/a", KeyError::OddPrefix),
            ("a//b", KeyError::OddPrefix),
            (".", KeyError::OddPrefix),
            ("a/../b", KeyError::OddPrefix),
            ("a b", KeyError::OddPrefix),
            ("a*", KeyError::OddPrefix),
            ("\u{2025}", KeyError::OddPrefix),
        ] {
            assert_eq!(text.parse::<Prefix>(), Err(expected), "{text:?}");
        }
        assert_eq!("a/b.c/".parse::<Prefix>().unwrap().as_folder(), "a/b.c/");
    }

    proptest! {
        #[test]
        fn keys_read_back(name in "[^\n\r\0]{1,15}", seconds in 0i64..4_000_000_000, tier in 0usize..4) {
            let taken = datetime!(1970-01-01 00:00:00) + time::Duration::seconds(seconds);
            let id = BackupId { taken, tier: Tier::ALL[tier] };
            let layout = layout(&name);
            prop_assert_eq!(layout.parse(&layout.key(id)), Some(id));
        }

        #[test]
        fn odd_keys_never_panic(key in "\\PC*", tail in "[0-9_é]{0,16}") {
            layout("app").parse(&key);
            layout("app").parse(&format!("{key}{tail}.sql.gz"));
        }
    }
}
