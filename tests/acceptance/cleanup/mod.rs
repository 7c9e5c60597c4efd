//! `cleanup`: what goes, what stays, what is told, and what keeps it from deleting.

mod faults;
mod large;
mod refusals;
mod reports;
mod retention;
mod versions;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use acceptance::mail::Letter;
use acceptance::sandbox::{Outcome, Run, Sandbox};
use acceptance::store::{On, Operation};
use backup_core::key::{BackupId, Layout, Outcome as TestOutcome, RecordId, Tier};
use time::{OffsetDateTime, PrimitiveDateTime, Time};

/// A sandbox whose store gives up soon, and holds the backups that a test seeds.
fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.env("AWS_MAX_ATTEMPTS", "2");
    sandbox
}

fn layout(sandbox: &Sandbox) -> Layout {
    Layout::new("db-backups".parse().unwrap(), sandbox.database().name().parse().unwrap())
}

/// Midnight, so many days ago: the newest such backup is never more than a day old.
fn night(days_ago: i64) -> PrimitiveDateTime {
    PrimitiveDateTime::new(OffsetDateTime::now_utc().date() - time::Duration::days(days_ago), Time::MIDNIGHT)
}

/// Puts a backup into the store as it was received that night, and gives its key.
fn seed(sandbox: &Sandbox, tier: Tier, taken: PrimitiveDateTime) -> String {
    seed_of(sandbox, &layout(sandbox), tier, taken, 4_000)
}

fn seed_of(sandbox: &Sandbox, layout: &Layout, tier: Tier, taken: PrimitiveDateTime, bytes: usize) -> String {
    let key = layout.key(BackupId { taken, tier });
    let received = SystemTime::from(taken.assume_utc()) + Duration::from_mins(1);
    sandbox.store().seed_at(&key, &vec![b'x'; bytes], received);
    key
}

/// Last night's backup and five that are past every limit, of which the minimum holds two: three are to go.
fn seed_three_expired(sandbox: &Sandbox) -> Vec<String> {
    seed(sandbox, Tier::Daily, night(0));
    let old: Vec<String> = (100..105).map(|days| seed(sandbox, Tier::Daily, night(days))).collect();
    let mut expired = old[2..].to_vec();
    expired.sort();
    expired
}

/// A backup of each night of a year, promoted as `backup` does it, growing a little every night.
fn seed_a_year(sandbox: &Sandbox) {
    let layout = layout(sandbox);
    let mut promoted = BTreeSet::new();
    for days in (0..366).rev() {
        let taken = night(days);
        let bytes = 4_000 + 10 * (366 - usize::try_from(days).unwrap());
        seed_of(sandbox, &layout, Tier::Daily, taken, bytes);
        for tier in Tier::PROMOTED {
            if promoted.insert(layout.slot(BackupId { taken, tier })) {
                seed_of(sandbox, &layout, tier, taken, bytes);
            }
        }
    }
}

/// The copy and the record that a restore test leaves, and the key of the record.
fn seed_test(sandbox: &Sandbox, tested: PrimitiveDateTime, backup: PrimitiveDateTime, outcome: TestOutcome) -> String {
    seed(sandbox, Tier::RecoveryTests, tested);
    let key = layout(sandbox).record_key(&RecordId { tested, backup, outcome });
    let document = serde_json::json!({
        "database": sandbox.database().name(), "backup": "s3://b/k", "tested": "2025-02-01T03:00:00Z",
        "outcome": outcome, "finding": "Every row equals the original.", "restore_seconds": 192.0,
    });
    sandbox.store().seed(&key, document.to_string().as_bytes());
    key
}

fn cleanup(sandbox: &Sandbox) -> Run<'_> {
    sandbox.command("cleanup")
}

fn keys(sandbox: &Sandbox) -> BTreeSet<String> {
    sandbox.store().keys().into_iter().collect()
}

/// All keys of a part of the plan in a JSON result.
fn planned(outcome: &Outcome, part: &str) -> BTreeSet<String> {
    let document = outcome.json();
    let groups = document[part].as_array().unwrap();
    let keys = groups.iter().flat_map(|group| group["keys"].as_array().unwrap());
    keys.map(|key| key.as_str().unwrap().to_owned()).collect()
}

/// The one mail of a run.
fn letter(sandbox: &Sandbox) -> Letter {
    let messages = sandbox.mail().messages();
    assert_eq!(messages.len(), 1, "mails");
    messages[0].letter()
}

fn requests(sandbox: &Sandbox, operation: Operation) -> usize {
    sandbox.store().requests(&On::operation(operation)).len()
}

/// Runs, and fails the test if anything was deleted, aborted or left behind.
fn deletes_nothing(sandbox: &Sandbox, run: Run<'_>) -> Outcome {
    let before = keys(sandbox);
    let outcome = run.run();
    assert_eq!(keys(sandbox), before, "{}", outcome.report());
    for operation in [Operation::DeleteObjects, Operation::DeleteObject, Operation::AbortMultipartUpload] {
        assert_eq!(requests(sandbox, operation), 0, "{}", sandbox.store().transcript());
    }
    sandbox.assert_no_secret_leaked();
    outcome
}
