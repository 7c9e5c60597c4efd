//! What keeps a cleanup from deleting anything.

use std::fs::File;

use acceptance::store::Fault;

use super::*;

#[test]
fn where_backups_have_stopped_nothing_is_deleted_and_a_person_is_told() {
    let sandbox = sandbox();
    for days in 3..103 {
        seed(&sandbox, Tier::Daily, night(days));
    }
    let forgotten = layout(&sandbox).key(BackupId { taken: night(9), tier: Tier::Daily });
    sandbox.store().seed_upload(&forgotten, SystemTime::now() - Duration::from_hours(200));
    let outcome = deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says("backups have stopped");
    outcome.says("hint: What is left may be all there is").prints("nothing is deleted: backups have stopped");
    let letter = letter(&sandbox);
    assert!(letter.subject.contains("❌ Cleanup FAILED"), "{}", letter.subject);
    assert!(letter.text.contains("Nothing was deleted") && letter.text.contains("100 backups"), "{}", letter.text);
    // A dry run says the same, and sends nothing.
    let dry = deletes_nothing(&sandbox, cleanup(&sandbox).args(["--dry-run", "--json"])).exits(1);
    assert_eq!(planned(&dry, "delete").len(), 0);
    assert!(dry.json()["halted"]["reason"].as_str().unwrap().contains("backups have stopped"));
    assert_eq!(sandbox.mail().messages().len(), 1);
    // A report can still be had.
    deletes_nothing(&sandbox, cleanup(&sandbox).arg("--report-only")).succeeds().says("a cleanup would delete nothing");
}

#[test]
fn a_backup_that_takes_hours_is_allowed_them() {
    let sandbox = sandbox();
    for days in 100..105 {
        seed(&sandbox, Tier::Daily, night(days));
    }
    let started = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap() - time::Duration::hours(30);
    let newest = seed(&sandbox, Tier::Daily, PrimitiveDateTime::new(started.date(), started.time()));
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says("backups have stopped").says("the limit is 1 day 2 h");
    let last = serde_json::json!({
        "address": format!("s3://shop-backups/{newest}"), "started": "2025-01-29T02:00:00Z", "seconds": 6.0 * 3_600.0,
        "stored_bytes": 4_000, "dumped_bytes": 4_000, "rows": 1,
    });
    sandbox.write("state/last-backup.json", &last.to_string());
    cleanup(&sandbox).run().succeeds().prints("3 deleted");
}

#[test]
fn an_empty_store_is_no_success() {
    let sandbox = sandbox();
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says("there is no daily backup");
    assert!(letter(&sandbox).subject.contains("FAILED"));
}

#[test]
fn where_the_store_has_another_time_nothing_is_deleted() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let date = Fault::alter(|answer| {
        answer.headers.retain(|(name, _)| name != "date");
        answer.headers.push(("date".into(), "Sun, 06 Nov 1994 08:49:37 GMT".into()));
    });
    // Only the last listing, which is the one that is asked for the time: the SDK would sign the next by this clock.
    sandbox.store().fault(On::operation(Operation::ListObjects).query("max-keys", "1"), date);
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says("at the store Sun 1994-11-06 08:49:37");
    assert!(letter(&sandbox).text.contains("Set this machine's clock"));
}

#[test]
fn a_backup_from_the_future_stops_the_deleting() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let future = seed(&sandbox, Tier::Weekly, night(-400));
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says(&future).says("a clock is, or was, wrong");
}

#[test]
fn a_newest_backup_that_was_received_long_before_it_was_made_stops_the_deleting() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let newest = layout(&sandbox).key(BackupId { taken: night(0), tier: Tier::Daily });
    let received = SystemTime::now() - Duration::from_hours(24 * 365);
    sandbox.store().seed_at(&newest, &[b'x'; 4_000], received);
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says("by our clock, and received on");
}

#[test]
fn nothing_is_deleted_on_half_a_listing() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    for number in 0..1_100 {
        sandbox.store().seed(&format!("db-backups/a/{number}"), b"");
    }
    let second_page = On::operation(Operation::ListObjects).has_query("continuation-token");
    sandbox.store().fault(second_page, Fault::refuse("InternalError"));
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says("cannot list s3://shop-backups/db-backups/");
    let letter = letter(&sandbox);
    assert!(letter.text.contains("Nothing was deleted: all backups are still there."), "{}", letter.text);
    sandbox.store().clear_faults();
    cleanup(&sandbox).run().succeeds().prints("3 deleted");
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_before_the_store_is_asked() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    for (name, value) in [
        ("BACKUP_RETENTION_DAYS", "0"),
        ("BACKUP_WEEKLY_RETENTION", "-1"),
        ("BACKUP_MONTHLY_RETENTION", "a year"),
        ("BACKUP_RECOVERY_TEST_RETENTION", "1e9"),
        ("BACKUP_MINIMUM_KEEP", "0"),
        ("HEALTH_MAX_BACKUP_AGE_HOURS", "1000"),
    ] {
        deletes_nothing(&sandbox, cleanup(&sandbox).env(name, value)).exits(78).says(name);
    }
    assert_eq!(sandbox.store().requests(&On::any()).len(), 0);
    let both = cleanup(&sandbox).env("BACKUP_RETENTION_DAYS", "0").env("BACKUP_MINIMUM_KEEP", "none").run();
    both.exits(78).says("BACKUP_RETENTION_DAYS").says("BACKUP_MINIMUM_KEEP");
}

#[test]
fn a_disabled_system_deletes_nothing() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let outcome = deletes_nothing(&sandbox, cleanup(&sandbox).env("BACKUP_ENABLED", "no"));
    outcome.succeeds().says("BACKUP_ENABLED is false").prints_nothing();
    // What is switched off may never have been set up.
    cleanup(&sandbox).env("BACKUP_ENABLED", "no").unset("S3_BUCKET_NAME").run().succeeds();
    assert_eq!(sandbox.store().requests(&On::any()).len(), 0);
}

#[test]
fn one_run_at_a_time() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let lock = File::create(sandbox.write("state/cleanup.lock", "")).unwrap();
    lock.lock().unwrap();
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(75).says("another run of cleanup");
    drop(lock);
    cleanup(&sandbox).run().succeeds();
}
