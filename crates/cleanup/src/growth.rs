//! How the backups grow, and what the store will hold a year from now if they go on so.
//!
//! The size of one backup, week by week, is what the store still knows of the past: what has been deleted is gone. A
//! line through the weeks gives the rate; the retention says how many backups there will be, and the rate how large.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::key::{BackupId, Tier};
use backup_core::settings::Retention;
use time::{Date, Duration};

use crate::calendar::{Limit, week_of};
use crate::inventory::Held;

/// Weeks that are shown.
pub(crate) const WEEKS: usize = 12;

/// A line through fewer points says nothing.
const FEWEST_POINTS: usize = 3;

const WEEKS_AHEAD: f64 = 52.0;

/// How the backups have grown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Growth {
    /// The newest backup of each of the last weeks, the oldest week first.
    pub(crate) weeks: Vec<Week>,
    /// Bytes by which one backup grows in a week.
    pub(crate) per_week: Option<f64>,
}

/// A week, and the size of the newest backup that is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Week {
    pub(crate) begins: Date,
    pub(crate) bytes: Option<u64>,
}

/// What the store will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forecast {
    pub(crate) one_backup: u64,
    pub(crate) all: u64,
}

impl Growth {
    /// Of the objects that stay.
    pub(crate) fn of<'h>(objects: impl Iterator<Item = &'h Held>, today: Date) -> Self {
        let mut newest = BTreeMap::new();
        for (id, bytes) in originals(objects) {
            let week = newest.entry(week_of(id.taken.date())).or_insert((id.taken, bytes));
            *week = (*week).max((id.taken, bytes));
        }
        let this_week = week_of(today);
        let begins = (0..WEEKS as i64).rev().filter_map(|ago| this_week.checked_sub(Duration::weeks(ago)));
        let weeks: Vec<Week> =
            begins.map(|begins| Week { begins, bytes: newest.get(&begins).map(|(_, bytes)| *bytes) }).collect();
        let per_week = slope(&weeks);
        Self { weeks, per_week }
    }

    /// A year from now, under this retention. `None`: the past weeks are too few to tell.
    pub(crate) fn forecast<'h>(
        &self,
        objects: impl Iterator<Item = &'h Held> + Clone,
        retention: &Retention,
    ) -> Option<Forecast> {
        let per_week = self.per_week?;
        let today = self.weeks.iter().rev().find_map(|week| week.bytes)? as f64;
        let size = |weeks_from_now: f64| (today + per_week * weeks_from_now).max(0.0);
        let tier = |tier| {
            let limit = Limit::of(tier, retention);
            let age = |slot| f64::from(slot) * limit.weeks_per_slot();
            (0..limit.slots()).map(|slot| size(WEEKS_AHEAD - age(slot))).sum::<f64>()
        };
        let tests = objects.clone().any(|held| held.tier() == Tier::RecoveryTests);
        let copies = if tests { tier(Tier::RecoveryTests) } else { 0.0 };
        let all = tier(Tier::Daily) * daily_rate(objects) + tier(Tier::Weekly) + tier(Tier::Monthly) + copies;
        Some(Forecast { one_backup: whole(size(WEEKS_AHEAD)), all: whole(all) })
    }
}

/// Bytes are whole, and never below nothing.
#[expect(clippy::cast_sign_loss, reason = "what is below zero becomes zero")]
pub(crate) fn whole(bytes: f64) -> u64 {
    bytes as u64
}

/// Backups that were made of the database: every tier but the copies of restore tests, whose keys have another instant.
pub(crate) fn originals<'h>(objects: impl Iterator<Item = &'h Held>) -> impl Iterator<Item = (BackupId, u64)> {
    let backups = objects.filter_map(|held| held.backup().map(|id| (id, held.bytes)));
    backups.filter(|(id, _)| id.tier != Tier::RecoveryTests)
}

/// Daily backups on a day that has any.
fn daily_rate<'h>(objects: impl Iterator<Item = &'h Held>) -> f64 {
    let days: Vec<Date> =
        originals(objects).filter(|(id, _)| id.tier == Tier::Daily).map(|(id, _)| id.taken.date()).collect();
    let distinct = days.iter().collect::<BTreeSet<_>>().len();
    if distinct == 0 { 1.0 } else { days.len() as f64 / distinct as f64 }
}

/// The slope of the line with the least squares.
fn slope(weeks: &[Week]) -> Option<f64> {
    let points: Vec<(f64, f64)> = (0u32..)
        .zip(weeks)
        .filter_map(|(week, Week { bytes, .. })| Some((f64::from(week), bytes.as_ref().copied()? as f64)))
        .collect();
    if points.len() < FEWEST_POINTS {
        return None;
    }
    let count = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|(x, _)| x).sum::<f64>() / count, points.iter().map(|(_, y)| y).sum::<f64>() / count);
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    Some(covariance / variance)
}

#[cfg(test)]
mod tests {
    use time::PrimitiveDateTime;
    use time::macros::{date, datetime};

    use super::*;
    use crate::inventory::What;

    const RETENTION: Retention =
        Retention { daily_days: 30, weekly_weeks: 12, monthly_months: 12, recovery_test_months: 3, minimum_keep: 3 };

    fn held(taken: PrimitiveDateTime, tier: Tier, bytes: u64) -> Held {
        Held { key: String::new(), what: What::Backup(BackupId { taken, tier }), bytes, is_stub: false, received: None }
    }

    /// One daily backup a week, each so much larger than the one before.
    fn weekly_growth(weeks: i64, step: u64) -> Vec<Held> {
        let size = |week: i64| 1_000_000 + step * week.unsigned_abs();
        (0..weeks)
            .map(|week| held(datetime!(2025-01-29 02:00) - Duration::weeks(weeks - 1 - week), Tier::Daily, size(week)))
            .collect()
    }

    #[test]
    fn a_week_shows_its_newest_backup_and_a_gap_shows_none() {
        let objects = [
            held(datetime!(2025-01-26 02:00), Tier::Weekly, 500),
            held(datetime!(2025-01-28 02:00), Tier::Daily, 700),
            held(datetime!(2025-01-27 02:00), Tier::Daily, 600),
            held(datetime!(2025-01-28 03:00), Tier::RecoveryTests, 900),
            held(datetime!(2025-01-12 02:00), Tier::Weekly, 400),
        ];
        let growth = Growth::of(objects.iter(), date!(2025 - 01 - 29));
        assert_eq!(growth.weeks.len(), WEEKS);
        let last: Vec<_> = growth.weeks[9..].iter().map(|week| (week.begins, week.bytes)).collect();
        let expected =
            [(date!(2025 - 01 - 12), Some(400)), (date!(2025 - 01 - 19), None), (date!(2025 - 01 - 26), Some(700))];
        assert_eq!(last, expected);
        assert_eq!(growth.per_week, None);
    }

    #[test]
    fn steady_growth_is_measured_and_carried_on() {
        let objects = weekly_growth(12, 10_000);
        let growth = Growth::of(objects.iter(), date!(2025 - 01 - 29));
        assert!((growth.per_week.unwrap() - 10_000.0).abs() < 1.0, "{growth:?}");
        let forecast = growth.forecast(objects.iter(), &RETENTION).unwrap();
        assert_eq!(forecast.one_backup, 1_110_000 + 520_000);
        // 31 daily, 13 weekly and 13 monthly backups, no copy of a restore test, the old ones smaller than the newest.
        assert!(forecast.all < 57 * forecast.one_backup, "{forecast:?}");
        assert!(forecast.all > 57 * 1_300_000, "{forecast:?}");
    }

    #[test]
    fn what_shrinks_does_not_shrink_below_nothing() {
        let mut objects = weekly_growth(12, 10_000);
        let sizes: Vec<u64> = objects.iter().rev().map(|held| held.bytes * held.bytes / 1_000_000).collect();
        objects.iter_mut().zip(sizes).for_each(|(held, bytes)| held.bytes = bytes);
        let growth = Growth::of(objects.iter(), date!(2025 - 01 - 29));
        assert!(growth.per_week.unwrap() < -20_000.0);
        let forecast = growth.forecast(objects.iter(), &RETENTION).unwrap();
        assert_eq!(forecast.one_backup, 0);
        assert!(forecast.all < 13 * 1_000_000, "{forecast:?}");
    }

    #[test]
    fn more_backups_a_day_are_more_in_a_year() {
        let once = weekly_growth(12, 0);
        let twice: Vec<Held> = once.iter().chain(&once).cloned().collect();
        let forecast = |objects: &[Held]| {
            Growth::of(objects.iter(), date!(2025 - 01 - 29)).forecast(objects.iter(), &RETENTION).unwrap().all
        };
        assert_eq!(forecast(&once), 57 * 1_000_000);
        assert_eq!(forecast(&twice), (2 * 31 + 26) * 1_000_000);
    }
}
