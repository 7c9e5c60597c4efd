//! How long backups are kept, and from when on a backup counts as missing.

use std::time::Duration;

use super::{Reader, name};

/// How long each tier is kept, in calendar units. A backup exactly at its limit is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days, for the daily backups.
    pub daily_days: u32,
    /// Weeks, for the weekly ones.
    pub weekly_weeks: u32,
    /// Months, for the monthly ones.
    pub monthly_months: u32,
    /// Months, for the copies of restore tests.
    pub recovery_test_months: u32,
    /// Never fewer than so many in a tier, whatever their age.
    pub minimum_keep: u32,
}

/// From when on something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// A newest backup older than this means that backups have stopped.
    pub backup_age: Duration,
}

impl Retention {
    /// Reads them. Beside these thresholds they must make sense: backups that have stopped have to be noticed while
    /// the last daily ones are still there.
    pub fn read(reader: &mut Reader<'_>, thresholds: Option<Thresholds>) -> Option<Self> {
        let daily_days = reader.number(&name::BACKUP_RETENTION_DAYS, 1..=36_500);
        let weekly_weeks = reader.number(&name::BACKUP_WEEKLY_RETENTION, 1..=5_200);
        let monthly_months = reader.number(&name::BACKUP_MONTHLY_RETENTION, 1..=1_200);
        let recovery_test_months = reader.number(&name::BACKUP_RECOVERY_TEST_RETENTION, 1..=1_200);
        let minimum_keep = reader.number(&name::BACKUP_MINIMUM_KEEP, 1..=10_000);
        if let (Some(days), Some(Thresholds { backup_age })) = (daily_days, thresholds)
            // The last of them goes when the day after its limit begins.
            && backup_age > Duration::from_hours(24) * (days + 1)
        {
            reader.note(
                name::HEALTH_MAX_BACKUP_AGE_HOURS.name,
                format!(
                    "is longer than BACKUP_RETENTION_DAYS ({days}): the daily backups would be gone before anybody \
                     noticed that no new ones come"
                ),
                &name::HEALTH_MAX_BACKUP_AGE_HOURS,
            );
        }
        Some(Self {
            daily_days: daily_days?,
            weekly_weeks: weekly_weeks?,
            monthly_months: monthly_months?,
            recovery_test_months: recovery_test_months?,
            minimum_keep: minimum_keep?,
        })
    }
}

impl Retention {
    /// What is allowed and still odd: a tier whose every backup is gone while the same one is still kept in another.
    pub fn remarks(&self) -> Vec<String> {
        let (days, weeks, months) = (self.daily_days, self.weekly_weeks, self.monthly_months);
        let mut remarks = Vec::new();
        if weeks.saturating_mul(7) <= days {
            remarks.push(format!(
                "BACKUP_WEEKLY_RETENTION ({weeks} weeks) is no longer than BACKUP_RETENTION_DAYS ({days} days): the weekly \
                 backups add nothing"
            ));
        }
        // The shortest months have 28 days.
        if months.saturating_mul(28) <= weeks.saturating_mul(7).max(days) {
            remarks.push(format!(
                "BACKUP_MONTHLY_RETENTION ({months} months) is no longer than BACKUP_WEEKLY_RETENTION ({weeks} weeks) or \
                 BACKUP_RETENTION_DAYS ({days} days): the monthly backups add nothing"
            ));
        }
        remarks
    }
}

impl Thresholds {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        // A hundred years of hours, as the days of the retention.
        let hours = reader.number(&name::HEALTH_MAX_BACKUP_AGE_HOURS, 1..=876_000)?;
        Some(Self { backup_age: Duration::from_hours(hours.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigError, Environment};
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Retention, Thresholds), ConfigError> {
        let mut environment = Environment::default();
        environment.fill_in(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut reader = Reader::new(&environment);
        let thresholds = Thresholds::read(&mut reader);
        let retention = Retention::read(&mut reader, thresholds);
        reader.finish(|| retention.zip(thresholds))
    }

    #[test]
    fn the_defaults_are_those_of_the_guide() {
        let (retention, thresholds) = read(&[]).unwrap();
        let expected = Retention {
            daily_days: 30,
            weekly_weeks: 12,
            monthly_months: 12,
            recovery_test_months: 3,
            minimum_keep: 3,
        };
        assert_eq!(retention, expected);
        assert_eq!(thresholds.backup_age, Duration::from_hours(26));
    }

    #[test]
    fn a_retention_that_would_delete_everything_is_refused() {
        for name in [
            "BACKUP_RETENTION_DAYS",
            "BACKUP_WEEKLY_RETENTION",
            "BACKUP_MONTHLY_RETENTION",
            "BACKUP_RECOVERY_TEST_RETENTION",
            "BACKUP_MINIMUM_KEEP",
            "HEALTH_MAX_BACKUP_AGE_HOURS",
        ] {
            for value in ["0", "-1", "7 days", "1.5", "1e9", "99999999999999999999", "0x10", "forever"] {
                let problems = read(&[(name, value)]).unwrap_err().problems;
                assert_eq!(problems.len(), 1, "{name}={value}: {problems:?}");
                assert_eq!(problems[0].variable, name);
                assert!(problems[0].wrong.contains(value), "{problems:?}");
            }
        }
    }

    #[test]
    fn a_tier_that_adds_nothing_is_remarked_upon() {
        let remarks = |variables: &[(&str, &str)]| read(variables).unwrap().0.remarks();
        assert_eq!(remarks(&[]), [""; 0]);
        assert!(remarks(&[("BACKUP_RETENTION_DAYS", "84")])[0].starts_with("BACKUP_WEEKLY_RETENTION (12 weeks)"));
        assert!(remarks(&[("BACKUP_MONTHLY_RETENTION", "3")])[0].starts_with("BACKUP_MONTHLY_RETENTION (3 months)"));
        assert_eq!(remarks(&[("BACKUP_RETENTION_DAYS", "400")]).len(), 2);
    }

    #[test]
    fn stopped_backups_must_be_noticed_before_the_daily_ones_run_out() {
        let refused = read(&[("BACKUP_RETENTION_DAYS", "7"), ("HEALTH_MAX_BACKUP_AGE_HOURS", "193")]).unwrap_err();
        assert_eq!(refused.problems[0].variable, "HEALTH_MAX_BACKUP_AGE_HOURS");
        read(&[("BACKUP_RETENTION_DAYS", "7"), ("HEALTH_MAX_BACKUP_AGE_HOURS", "192")]).unwrap();
        read(&[("BACKUP_RETENTION_DAYS", "1")]).unwrap();
    }
}
