//! The plan, against tables of what must become of what.

use backup_core::key::{Layout, Outcome};
use backup_core::store::Object;
use time::macros::datetime;

use super::*;
use crate::inventory::{Inventory, Survey};

const RETENTION: Retention =
    Retention { daily_days: 30, weekly_weeks: 12, monthly_months: 12, recovery_test_months: 3, minimum_keep: 3 };

pub(super) const POLICY: Policy = Policy { retention: RETENTION, stopped_after: Duration::from_hours(26) };

/// A Sunday, an hour after the nightly backup.
const NOW: OffsetDateTime = datetime!(2025-02-02 03:00 UTC);

pub(super) fn clock(now: OffsetDateTime) -> Clock {
    Clock { now, store: Some(now) }
}

pub(super) fn layout() -> Layout {
    Layout::new("db-backups".parse().unwrap(), "app".parse().unwrap())
}

pub(super) fn inventory(objects: impl IntoIterator<Item = Object>) -> Inventory {
    let layout = layout();
    let mut survey = Survey::new(&layout);
    objects.into_iter().for_each(|object| survey.add(object));
    survey.finish()
}

pub(super) fn backup(tier: Tier, taken: PrimitiveDateTime) -> Object {
    let key = layout().key(BackupId { taken, tier });
    Object { key, bytes: 1_000, modified: Some(taken.assume_utc()) }
}

pub(super) fn record(tested: PrimitiveDateTime, backup: PrimitiveDateTime, outcome: Outcome) -> Object {
    let key = layout().record_key(&RecordId { tested, backup, outcome });
    Object { key, bytes: 300, modified: Some(tested.assume_utc()) }
}

fn plan(objects: Vec<Object>) -> Plan {
    Plan::new(inventory(objects).ours, &POLICY, &clock(NOW))
}

/// A daily backup of each of so many last nights, the newest first.
fn nights(count: i64) -> Vec<Object> {
    let last = datetime!(2025-02-02 02:00);
    (0..count).map(|ago| backup(Tier::Daily, last - time::Duration::days(ago))).collect()
}

fn deleted(plan: &Plan) -> Vec<&str> {
    plan.to_delete().into_iter().map(|held| held.key.as_str()).collect()
}

fn verdict(plan: &Plan, object: &Object) -> Verdict {
    plan.decisions.iter().find(|decision| decision.object.key == object.key).unwrap().verdict
}

#[test]
fn what_is_past_its_limit_goes_and_what_is_at_it_stays() {
    let nights = nights(33);
    let plan = plan(nights.clone());
    // The nights of 30 days ago and of today are both kept: 31 in all.
    assert_eq!(deleted(&plan), [nights[31].key.as_str(), nights[32].key.as_str()]);
    assert_eq!(plan.halt, None);
}

#[test]
fn a_tier_never_falls_below_its_minimum() {
    let mut objects = nights(1);
    let old: Vec<Object> = (1..=5)
        .map(|month| {
            backup(
                Tier::Monthly,
                datetime!(2020-01-01 02:00).replace_month(time::Month::try_from(month).unwrap()).unwrap(),
            )
        })
        .collect();
    objects.extend(old.clone());
    let plan = plan(objects);
    assert_eq!(deleted(&plan), [old[1].key.as_str(), old[0].key.as_str()]);
    assert_eq!(verdict(&plan, &old[4]), Verdict::Keep(Reason::Newest));
    assert_eq!(verdict(&plan, &old[2]), Verdict::Keep(Reason::Minimum));
}

#[test]
fn a_stub_under_a_key_of_ours_is_no_backup() {
    let mut objects = nights(1);
    for ago in 100..103 {
        let taken = datetime!(2025-02-02 02:00) - time::Duration::days(ago);
        objects.push(Object { bytes: 0, ..backup(Tier::Daily, taken) });
        objects.push(backup(Tier::Daily, taken - time::Duration::days(10)));
    }
    let plan = plan(objects);
    // The minimum of three is made up of real ones, and the stubs go.
    let gone: Vec<u64> = plan.to_delete().into_iter().map(|held| held.bytes).collect();
    assert_eq!(gone.iter().filter(|bytes| **bytes == 0).count(), 3);
    assert_eq!(gone.len(), 4);
}

#[test]
fn a_later_test_that_failed_takes_the_proof_away() {
    let (older, newer) = (datetime!(2024-05-01 02:00), datetime!(2024-06-01 02:00));
    let at = |month: u8, outcome, backup| {
        let tested = datetime!(2024-01-01 03:00).replace_month(time::Month::try_from(month).unwrap()).unwrap();
        record(tested, backup, outcome)
    };
    let backups = [backup(Tier::Daily, older), backup(Tier::Daily, newer)];
    let proven = |tests: &[Object]| {
        let objects = nights(10).into_iter().chain(backups.clone()).chain(tests.iter().cloned());
        plan(objects.collect()).proven.map(|record| record.backup)
    };
    let (pass, again) = (at(6, Outcome::Passed, newer), at(5, Outcome::Passed, older));
    assert_eq!(proven(&[pass.clone(), again.clone()]), Some(newer));
    assert_eq!(proven(&[pass.clone(), again.clone(), at(7, Outcome::Failed, newer)]), Some(older));
    assert_eq!(proven(&[pass.clone(), at(7, Outcome::Failed, newer), at(8, Outcome::Passed, newer)]), Some(newer));
    assert_eq!(proven(&[pass.clone(), at(7, Outcome::Inconclusive, newer)]), Some(newer));
    assert_eq!(proven(&[pass, at(6, Outcome::Failed, newer)]), None);
}

#[test]
fn the_newest_proven_backup_stays_in_every_tier_with_its_proof() {
    let (taken, tested) = (datetime!(2024-06-01 02:00), datetime!(2024-06-01 03:00));
    let proven = [
        backup(Tier::Daily, taken),
        backup(Tier::Weekly, taken),
        backup(Tier::RecoveryTests, tested),
        record(tested, taken, Outcome::Passed),
    ];
    // Newer tests that prove nothing, and an older one that proved something once.
    let unproven = [
        (datetime!(2024-07-01 03:00), datetime!(2024-07-01 02:00), Outcome::Failed),
        (datetime!(2024-08-01 03:00), datetime!(2024-08-01 02:00), Outcome::Unproven),
        (datetime!(2024-09-01 03:00), datetime!(2024-09-01 02:00), Outcome::Inconclusive),
        (datetime!(2024-05-01 03:00), datetime!(2024-05-01 02:00), Outcome::Passed),
    ];
    let mut objects = nights(10);
    objects.extend(proven.clone());
    for (tested, taken, outcome) in unproven {
        objects.extend([
            backup(Tier::Daily, taken),
            backup(Tier::RecoveryTests, tested),
            record(tested, taken, outcome),
        ]);
    }
    let plan = plan(objects);
    for object in &proven[..3] {
        assert_eq!(verdict(&plan, object), Verdict::Keep(Reason::Proven), "{}", object.key);
    }
    assert_eq!(verdict(&plan, &proven[3]), Verdict::Keep(Reason::WithItsCopy));
    // Four daily ones; of five copies the three newest are the minimum, and the proven one stands beside it.
    let copies: Vec<_> =
        deleted(&plan).into_iter().filter(|key| key.contains("restore_test_20240501_030000")).collect();
    assert_eq!(copies.len(), 2, "{:#?}", deleted(&plan));
    assert_eq!(deleted(&plan).len(), 4 + 2);
}

#[test]
fn a_proof_whose_backup_is_gone_proves_the_next_one() {
    let mut objects = nights(10);
    let old = backup(Tier::Daily, datetime!(2024-05-01 02:00));
    objects.extend([
        old.clone(),
        record(datetime!(2024-05-01 03:00), datetime!(2024-05-01 02:00), Outcome::Passed),
        record(datetime!(2024-06-01 03:00), datetime!(2024-06-01 02:00), Outcome::Passed),
    ]);
    assert_eq!(verdict(&plan(objects), &old), Verdict::Keep(Reason::Proven));
}

#[test]
fn a_record_goes_with_its_copy_and_after_it() {
    let mut objects = nights(1);
    for month in [time::Month::January, time::Month::February, time::Month::March, time::Month::April] {
        let tested = datetime!(2024-01-01 03:00).replace_month(month).unwrap();
        objects.extend([backup(Tier::RecoveryTests, tested), record(tested, tested, Outcome::Failed)]);
    }
    let plan = plan(objects);
    let copy = "db-backups/recovery-tests/2024/01/restore_test_20240101_030000.sql.gz";
    let record =
        "db-backups/recovery-tests/2024/01/restore_test_20240101_030000.app_backup_20240101_030000.failed.json";
    assert_eq!(deleted(&plan), [copy, record]);
}

#[test]
fn a_record_without_a_copy_goes_in_its_time_unless_it_is_the_last() {
    let mut objects = nights(1);
    let lone = |month| {
        let tested = datetime!(2024-01-01 03:00).replace_month(month).unwrap();
        record(tested, tested, Outcome::Failed)
    };
    let (old, last) = (lone(time::Month::January), lone(time::Month::March));
    objects.extend([old.clone(), last.clone()]);
    let plan = plan(objects);
    assert_eq!(deleted(&plan), [old.key.as_str()]);
    assert_eq!(verdict(&plan, &last), Verdict::Keep(Reason::Newest));
}

#[test]
fn where_backups_have_stopped_nothing_goes() {
    for (missed, stopped) in [(0, false), (1, false), (2, true), (60, true)] {
        let plan = plan(nights(100).split_off(missed));
        assert_eq!(matches!(plan.halt, Some(Halt::Stopped { .. })), stopped, "{missed} nights missed");
        assert_eq!(deleted(&plan).is_empty(), stopped, "{missed} nights missed");
    }
    let stopped = plan(nights(100).split_off(2)).halt.map(|halt| halt.says()).unwrap_or_default();
    assert!(stopped.contains("the newest daily one is of 2025-01-31 02:00:00, "), "{stopped}");
    let only_weekly = plan(vec![backup(Tier::Weekly, datetime!(2020-01-05 02:00))]);
    assert_eq!(only_weekly.halt, Some(Halt::NoDaily));
    // A stub is no newest backup.
    let mut stub = nights(40);
    stub[0].bytes = 0;
    stub[1].bytes = 0;
    assert!(matches!(plan(stub).halt, Some(Halt::Stopped { .. })));
}

#[test]
fn exactly_at_the_health_limit_backups_have_not_stopped() {
    let at_limit = plan(vec![backup(Tier::Daily, datetime!(2025-02-01 01:00))]);
    assert_eq!(at_limit.halt, None);
    let over = plan(vec![backup(Tier::Daily, datetime!(2025-02-01 00:59:59))]);
    assert!(matches!(over.halt, Some(Halt::Stopped { .. })));
}

#[test]
fn where_clocks_disagree_nothing_goes() {
    let objects = || inventory(nights(100)).ours;
    let a_year = time::Duration::days(365);
    let halt = |objects, clock: Clock| {
        let plan = Plan::new(objects, &POLICY, &clock);
        assert_eq!(plan.to_delete().len(), 0);
        plan.halt
    };
    let off = Clock { now: NOW, store: Some(NOW - a_year) };
    assert!(matches!(halt(objects(), off), Some(Halt::ClocksDiffer(_))));
    // The clock was set back behind what was made under it.
    let back = Clock { now: NOW - time::Duration::days(3), store: None };
    assert!(matches!(halt(objects(), back), Some(Halt::FromTheFuture { .. })));
    // Our clock jumped ahead a year, and last night's backup was made by it; the store says nothing of the time.
    let mut jumped = nights(100);
    jumped[0].modified = jumped[0].modified.map(|received| received - a_year);
    let silent = Clock { now: NOW, store: None };
    assert!(matches!(halt(inventory(jumped).ours, silent), Some(Halt::ReceivedElsewhen { .. })));
}

#[test]
fn small_differences_between_clocks_and_zones_are_no_reason_to_stop() {
    let minutes = |minutes| Clock { now: NOW, store: Some(NOW + time::Duration::minutes(minutes)) };
    for clock in [minutes(14), minutes(-59), Clock { now: NOW, store: None }] {
        let plan = Plan::new(inventory(nights(40)).ours, &POLICY, &clock);
        assert_eq!((plan.halt.clone(), plan.to_delete().len()), (None, 9), "{clock:?}");
    }
    // The hour that is repeated in autumn: the backup of 02:30 seems to come in half an hour.
    let repeated = Clock { now: datetime!(2025-02-02 02:00 +01:00), store: None };
    let received = Some(datetime!(2025-02-02 02:35 +02:00));
    let half_past_two = Object { modified: received, ..backup(Tier::Daily, datetime!(2025-02-02 02:30)) };
    let plan = Plan::new(inventory([half_past_two]).ours, &POLICY, &repeated);
    assert_eq!(plan.halt, None);
}
