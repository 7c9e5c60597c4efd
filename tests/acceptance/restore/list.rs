//! What there is.

use acceptance::store::{Fault, On, Operation};
use backup_core::key::{Outcome, RecordId, Tier};
use time::PrimitiveDateTime;

use super::{layout, night, restore, seed};
use crate::shop::shop;
use acceptance::sandbox::Sandbox;

/// A night that was backed up to two tiers and proven, one before that was tested in vain, one that was never tested.
fn three_nights() -> Sandbox {
    let sandbox = Sandbox::new();
    for days in [1, 2, 3] {
        seed(&sandbox, Tier::Daily, night(days), &vec![b'x'; 2_000_000]);
    }
    seed(&sandbox, Tier::Monthly, night(2), &vec![b'x'; 2_000_000]);
    record(&sandbox, night(1), night(2), Outcome::Passed);
    record(&sandbox, night(0), night(2), Outcome::Inconclusive);
    record(&sandbox, night(0), night(3), Outcome::Failed);
    sandbox
}

/// The copy and the record of a restore test.
fn record(sandbox: &Sandbox, tested: PrimitiveDateTime, backup: PrimitiveDateTime, outcome: Outcome) {
    seed(sandbox, Tier::RecoveryTests, tested, b"copy");
    sandbox.store().seed(&layout(sandbox).record_key(&RecordId { tested, backup, outcome }), b"{}");
}

/// The lines of the table without its head, in words.
fn rows(stdout: &str) -> Vec<Vec<&str>> {
    stdout.lines().skip(1).map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn the_newest_stands_first_and_what_is_proven_says_so() {
    let sandbox = three_nights();
    let outcome = restore(&sandbox, &["list"]).run().succeeds().prints("TAKEN").prints("RESTORE TEST");
    let rows = rows(&outcome.stdout);
    let day = |days: i64| night(days).date().to_string();
    let tested = |row: &[&str]| row[row.len() - 3..row.len() - 1].join(" ");
    assert_eq!(rows[0][..3], [&day(1), "00:00:00", "daily"]);
    assert_eq!(tested(&rows[0]), "not tested");
    assert_eq!(rows[1][..5], [&day(2), "00:00:00", "daily", "1.9", "MiB"]);
    assert_eq!(tested(&rows[1]), format!("proven {}", day(1)), "an inconclusive test takes no proof away");
    assert_eq!((rows[2][2], tested(&rows[2])), ("monthly", format!("proven {}", day(1))), "a copy is as good");
    let last = rows.iter().find(|row| row[0] == day(3) && row[2] == "daily").unwrap();
    assert_eq!(tested(last), format!("FAILED {}", day(0)));
    assert_eq!(
        *last.last().unwrap(),
        layout(&sandbox).key(backup_core::key::BackupId { taken: night(3), tier: Tier::Daily })
    );
    outcome.logs("restore.log", "").never_says("WARN");
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_script_gets_the_same_as_json_and_one_tier_alone() {
    let sandbox = three_nights();
    let document = restore(&sandbox, &["list", "--json", "--tier", "monthly"]).run().succeeds().json();
    let backups = document["backups"].as_array().unwrap();
    assert_eq!(backups.len(), 1, "{document:#}");
    let backup = &backups[0];
    assert_eq!(
        (&backup["tier"], &backup["bytes"], &backup["proven"]),
        (&"monthly".into(), &2_000_000.into(), &true.into())
    );
    assert_eq!(backup["taken"], format!("{}T00:00:00", night(2).date()));
    assert_eq!(backup["test"]["outcome"], "passed");
    assert_eq!(backup["address"], format!("s3://shop-backups/{}", backup["key"].as_str().unwrap()));
    assert!(backup["age_seconds"].as_u64().unwrap() >= 2 * 86_400, "{backup}");

    let copies = restore(&sandbox, &["list", "--tier", "recovery-tests"]).run().succeeds();
    assert_eq!(rows(&copies.stdout).len(), 2, "{}", copies.stdout);
    restore(&sandbox, &["list", "--tier", "hourly"]).run().exits(2).says("daily, weekly, monthly, recovery-tests");
}

#[test]
fn whoever_asks_for_the_wrong_database_is_told_of_the_others() {
    let sandbox = three_nights();
    let outcome = restore(&sandbox, &["list"]).env("DB_NAME", "nobody").run().succeeds().prints_nothing();
    let told = format!("{} (4)", sandbox.database().name());
    outcome.says("there is no such backup of nobody under s3://shop-backups/db-backups/").says(&told).says("DB_NAME");
}

#[test]
fn a_look_needs_the_store_and_nothing_else() {
    let mut sandbox = three_nights();
    for name in ["DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "MAIL_SMTP_SERVER", "BACKUP_NOTIFICATION_EMAIL"] {
        sandbox.unset(name);
    }
    sandbox.env("PG_BIN_DIR", "/nowhere").env("BACKUP_ENABLED", "false");
    restore(&sandbox, &["list"]).run().succeeds().prints("daily");
    restore(&sandbox, &["list"]).unset("S3_BUCKET_NAME").run().exits(78).says("S3_BUCKET_NAME");
    assert!(sandbox.mail().messages().is_empty(), "whoever asks is there to see it");
}

#[test]
fn half_a_list_is_none() {
    let sandbox = shop();
    sandbox.store().fault(On::operation(Operation::ListObjects), Fault::refuse("AccessDenied"));
    restore(&sandbox, &["list"]).run().exits(1).prints_nothing().says("s3:ListBucket");
}
