//! `settings`: no setting is allowed that will hurt.

use backup_core::process::zone_problem;
use backup_core::settings::{Environment, Retention, misspelled};

use crate::finding::{Finding, Name, Remark};

/// The longest time between two monthly restore tests, in days.
const BETWEEN_TESTS: u32 = 31;

/// What is odd about the settings, found by whoever knows them.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) zone_problem: Option<String>,
    /// Variables that look like ours and are not.
    pub(crate) misspelled: Vec<String>,
}

pub(crate) fn look(environment: &Environment) -> Facts {
    Facts {
        zone_problem: zone_problem(environment.get("TZ").and_then(|zone| zone.to_str())),
        misspelled: misspelled(environment),
    }
}

/// What is found where backups are switched off: then nothing else needs to have been set up.
pub(crate) fn disabled() -> Finding {
    let fact = "BACKUP_ENABLED is false: no backups are made, and nothing is looked at";
    Finding::new(
        Name::Settings,
        [Remark::warning(fact, "Set BACKUP_ENABLED=true where that is not meant.")],
        Vec::new(),
    )
}

pub(crate) fn judge(facts: &Facts, retention: &Retention) -> Finding {
    let odd = "Set it to what is meant, in the environment or in .env.";
    let mut remarks: Vec<Remark> = Vec::new();
    remarks.extend(of_retention(retention));
    remarks.extend(retention.remarks().into_iter().map(|remark| Remark::warning(remark, odd)));
    remarks.extend(facts.zone_problem.iter().map(|problem| {
        Remark::warning(problem, "Set TZ to a name like Europe/Berlin; where the name is right, install tzdata.")
    }));
    remarks.extend(facts.misspelled.iter().map(|problem| Remark::warning(problem, odd)));
    if remarks.is_empty() {
        remarks.push(Remark::ok("none is odd"));
    }
    Finding::new(Name::Settings, remarks, Vec::new())
}

/// Where every backup is gone before the next restore test, a fault that has crept in is noticed when no good one is left.
fn of_retention(retention: &Retention) -> Option<Remark> {
    let Retention { daily_days, weekly_weeks, monthly_months, .. } = *retention;
    let longest = daily_days.max(weekly_weeks.saturating_mul(7)).max(monthly_months.saturating_mul(28));
    (longest < BETWEEN_TESTS).then(|| {
        let fact = format!("every backup is deleted after {longest} days at most, and a restore test is made only every month");
        let advice = "Keep monthly backups for longer (BACKUP_MONTHLY_RETENTION): a test that fails must find an older, good one.";
        Remark::warning(fact, advice)
    })
}

#[cfg(test)]
mod tests {
    use backup_core::mail::State;

    use super::*;

    fn judged(daily_days: u32, weekly_weeks: u32, monthly_months: u32) -> Finding {
        let retention =
            Retention { daily_days, weekly_weeks, monthly_months, recovery_test_months: 3, minimum_keep: 3 };
        judge(&Facts { zone_problem: None, misspelled: Vec::new() }, &retention)
    }

    #[test]
    fn a_retention_that_no_restore_test_can_keep_up_with_is_told() {
        assert_eq!(judged(30, 12, 12).state, State::Ok);
        let short = judged(7, 2, 1);
        assert_eq!(short.state, State::Warning);
        assert!(short.fact.starts_with("every backup is deleted after 28 days at most"), "{}", short.fact);
        assert!(judged(30, 2, 12).fact.starts_with("BACKUP_WEEKLY_RETENTION"));
    }
}
