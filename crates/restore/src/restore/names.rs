//! The database that is meant, and those that stand beside it for a while.

use backup_core::key::DatabaseName;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// What stands between the name of the target and the instant.
const RESTORING: &str = "restoring";
const BEFORE: &str = "before";

/// `_20250129_020304`
const STAMP_BYTES: usize = 16;

#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) target: DatabaseName,
    /// Where the backup is restored: nothing that is half or unverified is ever called as the target.
    pub(crate) fresh: DatabaseName,
    /// What the replaced one is called from then on.
    pub(crate) before: DatabaseName,
}

impl Names {
    pub(super) fn new(target: &DatabaseName, at: PrimitiveDateTime) -> Self {
        let form = format_description!("[year][month][day]_[hour][minute][second]");
        let stamp = at.format(form).unwrap_or_default();
        let named = |word: &str| target.with_tail(&format!("_{word}_{stamp}"));
        Self { target: target.clone(), fresh: named(RESTORING), before: named(BEFORE) }
    }

    /// Of these databases, those that other runs for this target have left beside it.
    pub(super) fn left_behind<'d>(&self, databases: &'d [String]) -> Vec<&'d str> {
        let left = databases.iter().filter(|name| **name != self.fresh.as_str() && self.stands_beside(name));
        left.map(String::as_str).collect()
    }

    fn stands_beside(&self, name: &str) -> bool {
        let Some((_, stamp)) = name.len().checked_sub(STAMP_BYTES).and_then(|at| name.split_at_checked(at)) else {
            return false;
        };
        let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_stamp = stamp.strip_prefix('_').and_then(|stamp| stamp.split_once('_'));
        let is_stamp = is_stamp.is_some_and(|(date, time)| digits(date, 8) && digits(time, 6));
        let named = |word: &&str| self.target.with_tail(&format!("_{word}{stamp}")).as_str() == name;
        is_stamp && [RESTORING, BEFORE].iter().any(named)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const AT: PrimitiveDateTime = datetime!(2025-01-29 02:03:04);

    #[test]
    fn names_beside_a_database_are_names_too_and_differ() {
        for name in ["shop".to_owned(), "ж".repeat(31), "x".repeat(63), "a \"b\"'c\\".to_owned()] {
            let names = Names::new(&name.parse().unwrap(), AT);
            for beside in [&names.fresh, &names.before] {
                assert!(
                    beside.as_str().parse::<DatabaseName>().is_ok() && beside.as_str().ends_with("_20250129_020304")
                );
                assert_ne!(beside, &names.target);
            }
            assert_ne!(names.fresh, names.before);
        }
    }

    #[test]
    fn what_other_runs_left_is_told_from_everything_else() {
        for name in ["shop".to_owned(), "ж".repeat(31), "x".repeat(63)] {
            let target = name.parse().unwrap();
            let other_run = Names::new(&target, datetime!(2024-12-31 23:59:59));
            let left = [other_run.fresh.to_string(), other_run.before.to_string()];
            let names = Names::new(&target, AT);
            let others = [
                name.clone(),
                names.fresh.to_string(),
                "shop_restoring_20250129_02030".to_owned(),
                "shop_restoring_20250129x020304".to_owned(),
                "shop_of_2025_before_20250129_020304".to_owned(),
                "shop_backup_20250129_020304".to_owned(),
                "_20250129_020304".to_owned(),
                "ж_20250129_020304".to_owned(),
            ];
            let all = [&left[..], &others[..]].concat();
            assert_eq!(names.left_behind(&all), left);
        }
    }
}
