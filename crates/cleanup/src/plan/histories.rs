//! The plan, against random histories: whatever lies under the prefix, the guards hold.

use std::collections::BTreeSet;
use std::time::Duration;

use backup_core::key::{BackupId, Layout, Outcome, RecordId, Tier, local_time};
use backup_core::settings::Retention;
use backup_core::store::Object;
use proptest::prelude::*;
use time::macros::datetime;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::tests::{POLICY, backup, clock, inventory, layout, record};
use super::{Clock, Plan, Policy};
use crate::inventory::Held;

/// Years of backups with nights left out, days doubled, other databases and strangers between them.
fn histories() -> impl Strategy<Value = (Vec<Object>, Clock, Policy)> {
    // Any day of forty years, leap days and New Years among them; cleanup runs at any hour.
    let now = (0i64..40 * 366 * 24, -12i8..=14).prop_map(|(hours, offset)| {
        let utc = datetime!(2000-01-01 03:00 UTC) + time::Duration::hours(hours);
        utc.to_offset(time::UtcOffset::from_hms(offset, 0, 0).unwrap())
    });
    let nights = prop::collection::vec((0u8..10, 0i64..50, 0u8..30), 0..300);
    let policy =
        (1u32..60, 1u32..20, 1u32..8, 1u32..6, 1u32..12).prop_map(|(days, weeks, months, tests, minimum)| Policy {
            retention: Retention {
                daily_days: days,
                weekly_weeks: weeks,
                monthly_months: months,
                recovery_test_months: tests,
                minimum_keep: minimum,
            },
            stopped_after: Duration::from_hours(26),
        });
    let skew = prop_oneof![8 => Just(0i64), 1 => -90i64..90, 1 => Just(525_600)];
    let gap = prop_oneof![6 => Just(0i64), 1 => 1i64..80, 1 => -3i64..0];
    (now, nights, policy, skew, gap).prop_map(|(now, nights, policy, skew, gap)| {
        let objects = history(now, &nights, gap);
        let store = (skew % 2 == 0).then(|| now + time::Duration::minutes(skew));
        (objects, Clock { now, store }, policy)
    })
}

/// Night by night into the past: `fate` decides what there is of a night, `minute` when, `extra` what else lies there.
fn history(now: OffsetDateTime, nights: &[(u8, i64, u8)], gap: i64) -> Vec<Object> {
    let other = Layout::new("db-backups".parse().unwrap(), "app_test".parse().unwrap());
    let local = local_time(now);
    let mut objects = Vec::new();
    let mut promoted: BTreeSet<String> = BTreeSet::new();
    let mut oldest_first: Vec<_> = (0i64..).zip(nights).collect();
    oldest_first.reverse();
    for (ago, (fate, minute, extra)) in oldest_first {
        let taken = local - time::Duration::days(ago + gap) - time::Duration::minutes(*minute);
        let copies = match fate {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for copy in 0..copies {
            let taken = taken - time::Duration::seconds(copy);
            let taken = taken.replace_nanosecond(0).unwrap();
            let mut put = |tier, bytes| {
                objects.push(Object {
                    bytes,
                    modified: Some(taken.assume_offset(now.offset())),
                    ..backup(tier, taken)
                });
            };
            put(Tier::Daily, if *fate == 2 { 0 } else { 1_000 });
            for tier in Tier::PROMOTED {
                if promoted.insert(layout().slot(BackupId { taken, tier })) {
                    put(tier, 1_000);
                }
            }
            let tested = taken + time::Duration::minutes(7);
            match extra {
                0 => objects.extend([backup(Tier::RecoveryTests, tested), record(tested, taken, Outcome::Passed)]),
                1 => objects.extend([backup(Tier::RecoveryTests, tested), record(tested, taken, Outcome::Failed)]),
                2 => objects.push(record(tested, taken, Outcome::Passed)),
                3 => objects.push(backup(Tier::RecoveryTests, tested)),
                4 => objects.push(Object {
                    key: other.key(BackupId { taken, tier: Tier::Daily }),
                    ..backup(Tier::Daily, taken)
                }),
                5 => {
                    let id = RecordId { tested, backup: taken, outcome: Outcome::Passed };
                    objects.extend([
                        backup(Tier::RecoveryTests, tested),
                        Object { key: other.record_key(&id), ..backup(Tier::Daily, taken) },
                    ]);
                }
                6 => objects.push(Object {
                    key: format!("{}.bak", layout().key(BackupId { taken, tier: Tier::Daily })),
                    ..backup(Tier::Daily, taken)
                }),
                7 => objects.push(Object { key: format!("db-backups/{ago}/dump.tar"), ..backup(Tier::Daily, taken) }),
                _ => {}
            }
        }
    }
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    objects.dedup_by(|a, b| a.key == b.key);
    objects
}

/// Whole backups by tier, the newest first.
fn whole(objects: &[Object], tier: Tier) -> Vec<PrimitiveDateTime> {
    let ours = inventory(objects.iter().cloned()).ours;
    let ids = ours.iter().filter_map(Held::backup).filter(|id| id.tier == tier);
    let mut taken: Vec<_> = ids.map(|id| id.taken).collect();
    taken.sort_unstable_by(|a, b| b.cmp(a));
    taken
}

/// What is left when the plan has been carried out.
fn after(objects: &[Object], plan: &Plan) -> Vec<Object> {
    let gone: BTreeSet<&str> = plan.to_delete().into_iter().map(|held| held.key.as_str()).collect();
    objects.iter().filter(|object| !gone.contains(object.key.as_str())).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn every_object_of_ours_is_decided_once_and_nothing_foreign_at_all((objects, clock, policy) in histories()) {
        let ours: BTreeSet<String> = inventory(objects.clone()).ours.into_iter().map(|held| held.key).collect();
        let plan = Plan::new(inventory(objects.clone()).ours, &policy, &clock);
        let decided: BTreeSet<String> = plan.decisions.iter().map(|decision| decision.object.key.clone()).collect();
        prop_assert_eq!(&decided, &ours);
        prop_assert_eq!(plan.decisions.len(), ours.len());
        // Told from the text of the keys alone, beside the code that tells ours from theirs.
        for held in plan.to_delete() {
            let is_ours = held.key.contains("/app_backup_") || held.key.contains("/restore_test_");
            prop_assert!(is_ours && !held.key.contains("app_test") && !held.key.contains(".bak"), "{}", held.key);
        }
        for theirs in objects.iter().filter(|object| object.key.contains("app_test_backup") && object.key.contains(".passed.")) {
            let copy = format!("{}.sql.gz", theirs.key.split('.').next().unwrap());
            prop_assert!(!ours.contains(&copy), "{}", copy);
        }
    }

    #[test]
    fn nothing_goes_before_its_time_and_every_guard_holds((objects, clock, policy) in histories()) {
        let plan = Plan::new(inventory(objects.clone()).ours, &policy, &clock);
        let today = clock.now.date();
        for held in plan.to_delete() {
            let (days, limit) = match held.tier() {
                Tier::Daily => (1, policy.retention.daily_days),
                Tier::Weekly => (7, policy.retention.weekly_weeks),
                Tier::Monthly => (28, policy.retention.monthly_months),
                Tier::RecoveryTests => (28, policy.retention.recovery_test_months),
            };
            // However units are counted, so many whole ones lie between.
            prop_assert!((today - held.made().date()).whole_days() > days * i64::from(limit) , "{}", held.key);
        }
        let left = after(&objects, &plan);
        for tier in Tier::ALL {
            let (before, after) = (whole(&objects, tier), whole(&left, tier));
            let fewest = before.len().min(policy.retention.minimum_keep as usize);
            prop_assert_eq!(&after[..fewest], &before[..fewest], "{}", tier);
            prop_assert_eq!(after.first(), before.first());
        }
        prop_assert_eq!(Plan::new(inventory(left).ours, &policy, &clock).proven, plan.proven);
    }

    #[test]
    fn stopped_backups_and_jumped_clocks_stop_the_deleting((objects, clock, policy) in histories()) {
        let plan = Plan::new(inventory(objects.clone()).ours, &policy, &clock);
        let local = local_time(clock.now);
        let newest = whole(&objects, Tier::Daily).first().copied();
        let stopped = newest.is_none_or(|newest| local - newest > time::Duration::hours(26));
        let ahead = inventory(objects).ours.iter().any(|held| held.made() - local > time::Duration::HOUR);
        let skewed = clock.store.is_some_and(|store| (store - clock.now).abs() > time::Duration::HOUR);
        prop_assert_eq!(plan.halt.is_some(), stopped || ahead || skewed, "{:?}", plan.halt);
        if plan.halt.is_some() {
            prop_assert!(plan.to_delete().is_empty());
        }
    }

    #[test]
    fn a_second_run_finds_nothing_more_to_delete((objects, clock, policy) in histories()) {
        let plan = Plan::new(inventory(objects.clone()).ours, &policy, &clock);
        let again = Plan::new(inventory(after(&objects, &plan)).ours, &policy, &clock);
        prop_assert!(again.to_delete().is_empty(), "{:#?}", again.to_delete());
        prop_assert_eq!(again.halt, plan.halt);
    }
}

#[test]
fn over_years_of_nights_each_tier_settles_at_what_the_guide_says() {
    // Sunday by Sunday through leap days and New Years, with every tenth night missed.
    let mut objects: Vec<Object> = Vec::new();
    let mut now = datetime!(2023-01-01 03:00 UTC);
    let mut promoted = BTreeSet::new();
    while now < datetime!(2029-01-08 00:00 UTC) {
        let taken = PrimitiveDateTime::new(now.date(), time::Time::from_hms(2, 0, 0).unwrap());
        if now.to_julian_day() % 10 != 0 {
            objects.push(backup(Tier::Daily, taken));
            for tier in Tier::PROMOTED {
                if promoted.insert(layout().slot(BackupId { taken, tier })) {
                    objects.push(backup(tier, taken));
                }
            }
        }
        if now.weekday() == time::Weekday::Sunday {
            let plan = Plan::new(inventory(objects.clone()).ours, &POLICY, &clock(now));
            objects = after(&objects, &plan);
        }
        now += time::Duration::DAY;
    }
    let count = |tier| whole(&objects, tier).len();
    // New Year cuts one week into two folders, which may both have been filled.
    assert!((27..=28).contains(&count(Tier::Daily)), "{}", count(Tier::Daily));
    assert!((13..=14).contains(&count(Tier::Weekly)), "{}", count(Tier::Weekly));
    assert_eq!(count(Tier::Monthly), 13);
}
