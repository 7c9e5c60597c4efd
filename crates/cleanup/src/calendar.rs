//! Ages in the units of the calendar: local days, weeks from Sunday as the folders count them, months.
//!
//! Only dates are compared, so that no hour which a clock skips or repeats makes a backup older or younger.

use backup_core::key::Tier;
use backup_core::settings::Retention;
use time::{Date, Duration};

/// How long a tier is kept, in units of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    amount: u32,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
}

impl Limit {
    pub(crate) fn of(tier: Tier, retention: &Retention) -> Self {
        let (amount, unit) = match tier {
            Tier::Daily => (retention.daily_days, Unit::Day),
            Tier::Weekly => (retention.weekly_weeks, Unit::Week),
            Tier::Monthly => (retention.monthly_months, Unit::Month),
            Tier::RecoveryTests => (retention.recovery_test_months, Unit::Month),
        };
        Self { amount, unit }
    }

    /// Whether the time of what was made on this day is over. Exactly at the limit it is not.
    pub(crate) fn is_over(self, made: Date, today: Date) -> bool {
        self.unit.between(made, today) > i64::from(self.amount)
    }

    /// `30 days`.
    pub(crate) fn words(self) -> String {
        self.unit.count(self.amount.into())
    }

    /// `34 days`: the age, in the unit of the limit.
    pub(crate) fn age(self, made: Date, today: Date) -> String {
        self.unit.count(self.unit.between(made, today))
    }

    /// How many such units are kept: those within the limit, and the one under way.
    pub(crate) fn slots(self) -> u32 {
        self.amount + 1
    }

    /// The length of one unit, on average.
    pub(crate) fn weeks_per_slot(self) -> f64 {
        match self.unit {
            Unit::Day => 1.0 / 7.0,
            Unit::Week => 1.0,
            // A twelfth of the average year.
            Unit::Month => 365.2425 / 12.0 / 7.0,
        }
    }
}

impl Unit {
    fn between(self, made: Date, today: Date) -> i64 {
        match self {
            Self::Day => (today - made).whole_days(),
            Self::Week => (week_of(today) - week_of(made)).whole_weeks(),
            Self::Month => months(today) - months(made),
        }
    }

    fn count(self, amount: i64) -> String {
        let unit = match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        };
        format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" })
    }
}

/// The Sunday on which the week of this day began. The folders start again with week 00 at New Year; weeks of age do not.
pub(crate) fn week_of(day: Date) -> Date {
    let since_sunday = i64::from(day.weekday().number_days_from_sunday());
    // Only in the first week of all time is there no Sunday before.
    day.checked_sub(Duration::days(since_sunday)).unwrap_or(Date::MIN)
}

fn months(day: Date) -> i64 {
    i64::from(day.year()) * 12 + i64::from(u8::from(day.month()))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const RETENTION: Retention =
        Retention { daily_days: 30, weekly_weeks: 12, monthly_months: 12, recovery_test_months: 3, minimum_keep: 1 };

    #[test]
    fn exactly_at_the_limit_is_not_over() {
        for (tier, today, at_limit, over) in [
            (Tier::Daily, date!(2025 - 01 - 31), date!(2025 - 01 - 01), date!(2024 - 12 - 31)),
            (Tier::Daily, date!(2024 - 03 - 01), date!(2024 - 01 - 31), date!(2024 - 01 - 30)),
            (Tier::Daily, date!(2025 - 03 - 01), date!(2025 - 01 - 30), date!(2025 - 01 - 29)),
            // Twelve weeks before the week of Sunday, 2025-01-26 begins on 2024-11-03, whatever day of them it is.
            (Tier::Weekly, date!(2025 - 02 - 01), date!(2024 - 11 - 03), date!(2024 - 11 - 02)),
            (Tier::Weekly, date!(2025 - 01 - 26), date!(2024 - 11 - 03), date!(2024 - 11 - 02)),
            (Tier::Monthly, date!(2025 - 02 - 28), date!(2024 - 02 - 01), date!(2024 - 01 - 31)),
            (Tier::Monthly, date!(2025 - 02 - 01), date!(2024 - 02 - 29), date!(2024 - 01 - 31)),
            (Tier::RecoveryTests, date!(2025 - 01 - 01), date!(2024 - 10 - 01), date!(2024 - 09 - 30)),
        ] {
            let limit = Limit::of(tier, &RETENTION);
            assert!(!limit.is_over(at_limit, today), "{tier} {at_limit}");
            assert!(limit.is_over(over, today), "{tier} {over}");
        }
    }

    #[test]
    fn a_week_that_new_year_cuts_in_two_is_one_week_old() {
        assert_eq!(week_of(date!(2024 - 12 - 31)), week_of(date!(2025 - 01 - 01)));
        let limit = Limit::of(Tier::Weekly, &RETENTION);
        assert_eq!(limit.age(date!(2024 - 12 - 31), date!(2025 - 01 - 05)), "1 week");
        assert_eq!(limit.age(date!(2025 - 01 - 01), date!(2025 - 01 - 05)), "1 week");
    }

    #[test]
    fn the_beginning_and_the_end_of_time_are_days_like_others() {
        let limit = Limit::of(Tier::Weekly, &RETENTION);
        assert!(limit.is_over(Date::MIN, Date::MAX));
        assert!(!limit.is_over(Date::MAX, Date::MIN));
    }
}
