//! Which backup a person means: `latest`, a key, an address, a file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use time::PrimitiveDateTime;

use super::error::Attempt;
use super::{Object, Store, StoreError, StoreErrorKind};
use crate::key::{BackupId, Layout, Tier};
use crate::shell;

/// Where a backup is looked for, as a person typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// In the store.
    Stored(Pick),
    /// On this machine.
    File(PathBuf),
}

/// Which one of those in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// The newest.
    Latest,
    /// The newest of those that were taken before this instant, local time.
    Before(PrimitiveDateTime),
    /// The one under this key.
    Key(String),
    /// The one at `s3://BUCKET/KEY`.
    Address {
        /// The bucket, which has to be the one of the settings.
        bucket: String,
        /// The key.
        key: String,
    },
}

/// A backup that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The object.
    pub object: Object,
    /// What its key says of it; `None` where the key is not one of this database's backups.
    pub id: Option<BackupId>,
}

/// What names a backup in the store, for whoever typed something else.
pub const WHAT_NAMES_ONE: &str = "name `latest`, a key as `restore list` shows it, or an address s3://BUCKET/KEY";

impl Wanted {
    /// As typed at a command line, where a file has to be there: any mistyped word could name one.
    ///
    /// # Errors
    ///
    /// Why it names no backup, and what does.
    pub fn typed(text: &str) -> Result<Self, String> {
        match text.parse()? {
            // One that cannot be looked for says so when it is opened.
            Self::File(path) if matches!(path.try_exists(), Ok(false)) => {
                Err(format!("there is no such file; for a backup in the store {WHAT_NAMES_ONE}"))
            }
            wanted => Ok(wanted),
        }
    }
}

impl FromStr for Wanted {
    type Err = &'static str;

    /// Keys stand in a folder, and never begin with a slash or a dot: whatever else there is names a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::Stored(Pick::Latest));
        }
        if let Some(address) = text.strip_prefix("s3://") {
            let (bucket, key) = address.split_once('/').unwrap_or((address, ""));
            if bucket.is_empty() || key.is_empty() || key.ends_with('/') {
                return Err("an address has the form s3://BUCKET/KEY");
            }
            return Ok(Self::Stored(Pick::Address { bucket: bucket.to_owned(), key: key.to_owned() }));
        }
        match text {
            "" => Err("name a backup: latest, a key or an address"),
            _ if text.starts_with(['/', '.']) || !text.contains('/') => Ok(Self::File(text.into())),
            _ => Ok(Self::Stored(Pick::Key(text.to_owned()))),
        }
    }
}

impl Store {
    /// The backups of this database in one tier, in the order of their keys.
    pub async fn backups(&self, layout: &Layout, tier: Tier) -> Result<Vec<(Object, BackupId)>, StoreError> {
        let objects = self.list(&layout.prefix().tier_folder(tier)).await?;
        Ok(objects.into_iter().filter_map(|object| layout.parse(&object.key).map(|id| (object, id))).collect())
    }

    /// The backup that is meant, by a listing. `now`, in local time, tells which ones are of the future: they are never
    /// taken for the newest.
    pub async fn pick(&self, pick: &Pick, layout: &Layout, now: PrimitiveDateTime) -> Result<Found, StoreError> {
        match pick {
            Pick::Latest => self.newest(layout, |id| id.taken <= now).await,
            Pick::Before(instant) => self.newest(layout, |id| id.taken <= now && id.taken < *instant).await,
            Pick::Key(key) => self.exactly(key, layout).await,
            Pick::Address { bucket, key } if *bucket == self.bucket => self.exactly(key, layout).await,
            Pick::Address { bucket, key } => {
                let reason = format!("the settings name the bucket {}, not {bucket}", self.bucket);
                Err(StoreError::new(StoreErrorKind::NoBucket, to_find(&format!("s3://{bucket}/{key}")), reason))
            }
        }
    }

    async fn newest(&self, layout: &Layout, fits: impl Fn(BackupId) -> bool) -> Result<Found, StoreError> {
        let mut all = Vec::new();
        for tier in Tier::OF_BACKUPS {
            all.extend(self.backups(layout, tier).await?);
        }
        let count = all.len();
        let newest = newest(all, fits);
        newest.map(|(object, id)| Found { object, id: Some(id) }).ok_or_else(|| {
            let folder = self.address(&layout.prefix().as_folder());
            let reason = match count {
                0 => format!("there is none of the database {} under {folder}", layout.database()),
                _ => format!("none of the {count} of the database {} under {folder} is that old", layout.database()),
            };
            StoreError::new(StoreErrorKind::Missing, to_find("the backup"), reason)
        })
    }

    async fn exactly(&self, key: &str, layout: &Layout) -> Result<Found, StoreError> {
        let object = self.find(key).await?;
        let missing = || {
            let file = Path::new(key).is_file().then(|| shell::word(&format!("./{key}")).into_owned());
            let file = file.map_or_else(String::new, |file| format!("; the file of this name is {file}"));
            let reason = format!("no object stands under this key{file}");
            StoreError::new(StoreErrorKind::Missing, to_find(&self.address(key)), reason)
        };
        Ok(Found { object: object.ok_or_else(missing)?, id: layout.parse(key) })
    }
}

fn to_find(what: &str) -> Attempt {
    Attempt::new(format!("find {what}"), "s3:ListBucket on the bucket")
}

/// The newest; of equal ones the daily, which the others are copies of.
fn newest(all: Vec<(Object, BackupId)>, fits: impl Fn(BackupId) -> bool) -> Option<(Object, BackupId)> {
    let fitting = all.into_iter().filter(|(_, id)| fits(*id));
    fitting.max_by_key(|(_, id)| (id.taken, std::cmp::Reverse(id.tier)))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn what_is_typed_is_understood() {
        let stored = |pick| Ok(Wanted::Stored(pick));
        let file = |path: &str| Ok(Wanted::File(path.into()));
        let key = "db-backups/daily/2025/01/29/app_backup_20250129_020000.sql.gz";
        for (text, expected) in [
            ("latest", stored(Pick::Latest)),
            (key, stored(Pick::Key(key.into()))),
            ("s3://shop/a/b.sql.gz", stored(Pick::Address { bucket: "shop".into(), key: "a/b.sql.gz".into() })),
            ("app_backup_20250129_020000.sql.gz", file("app_backup_20250129_020000.sql.gz")),
            ("./latest", file("./latest")),
            ("../a/b.sql.gz", file("../a/b.sql.gz")),
            ("/tmp/b.sql.gz", file("/tmp/b.sql.gz")),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "s3://", "s3://shop", "s3://shop/", "s3:///key", "s3://shop/folder/"] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_word_that_names_nothing_is_refused_where_it_is_typed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(Wanted::typed(path), Ok(Wanted::File(path.into())));
        assert_eq!(Wanted::typed("latest"), Ok(Wanted::Stored(Pick::Latest)));
        for text in ["lastest", "./none.sql.gz", "/nowhere/none.sql.gz"] {
            let said = Wanted::typed(text).unwrap_err();
            assert!(said.starts_with("there is no such file") && said.contains("name `latest`"), "{said}");
        }
        assert_eq!(Wanted::typed("s3://"), Err("an address has the form s3://BUCKET/KEY".to_owned()));
    }

    #[test]
    fn the_newest_is_the_daily_one_of_equals() {
        let backup = |tier, taken| {
            let object = Object { key: format!("{tier}/{taken}"), bytes: 1, modified: None };
            (object, BackupId { taken, tier })
        };
        let (old, new) = (datetime!(2025-01-28 02:00), datetime!(2025-01-29 02:00));
        let all = [
            backup(Tier::Monthly, new),
            backup(Tier::Daily, old),
            backup(Tier::Daily, new),
            backup(Tier::Weekly, new),
            backup(Tier::Weekly, old),
        ];
        let pick = |all: &[_], before| newest(all.to_vec(), |id| id.taken < before).map(|(_, id)| (id.tier, id.taken));
        assert_eq!(pick(&all, datetime!(2026-01-01 00:00)), Some((Tier::Daily, new)));
        assert_eq!(pick(&all, new), Some((Tier::Daily, old)));
        assert_eq!(pick(&all[3..], datetime!(2026-01-01 00:00)), Some((Tier::Weekly, new)));
        assert_eq!(pick(&all[..1], datetime!(2026-01-01 00:00)), Some((Tier::Monthly, new)));
        assert_eq!(pick(&all, old), None);
    }
}
