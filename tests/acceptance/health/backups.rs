//! The backups: too old, too small, gone, not what they seem; and the tests of them.

use super::*;

#[test]
fn a_newest_backup_that_is_too_old() {
    let sandbox = healthy();
    look(&sandbox, "recent-backup").is_ok("the newest backup is ");
    make_older(&sandbox, 25);
    look(&sandbox, "recent-backup").is_ok("the newest backup is 1 day 1 h old");
    make_older(&sandbox, 27);
    let found = look(&sandbox, "recent-backup");
    found.is_critical("the newest backup is 1 day 3 h old");
    assert!(found.fact.contains("backups have stopped"), "{found:?}");
    let outcome =
        health(&sandbox).args(["--no-notify", "--only", "recent-backup"]).env("HEALTH_MAX_BACKUP_AGE_HOURS", "28");
    outcome.run().succeeds();
}

#[test]
fn no_other_object_is_taken_for_the_newest_backup() {
    let sandbox = healthy();
    make_older(&sandbox, 30);
    let layout = layout(&sandbox);
    let other =
        Layout::new("db-backups".parse().unwrap(), format!("{}_test", sandbox.database().name()).parse().unwrap());
    let now = BackupId { taken: hours_ago(0), tier: Tier::Daily };
    sandbox.store().seed(&other.key(now), b"another database's");
    sandbox.store().seed(&format!("{}.tmp", layout.key(now)), b"a file that looks like one");
    sandbox.store().seed(&layout.key(now).replace("_backup_", "_backup2_"), b"another");
    sandbox
        .store()
        .seed(&layout.key(BackupId { tier: Tier::Weekly, ..now }), b"a copy, of a daily backup that is not there");
    let future = BackupId { taken: hours_ago(-24), ..now };
    sandbox.store().seed(&layout.key(future), b"from the future");
    let found = look(&sandbox, "recent-backup");
    found.is_critical("the newest backup is 1 day 6 h old");
    assert!(found.fact.contains("1 of the daily backups are from the future"), "{found:?}");
}

#[test]
fn a_backup_that_lost_half_its_rows_or_half_its_size() {
    let sandbox = healthy();
    make_older(&sandbox, 20);
    sandbox.database().sql("DELETE FROM orders WHERE id > 400");
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    look(&sandbox, "recent-backup").is_warning("the newest backup holds 400 rows, the one before 1,000");

    let sandbox = healthy();
    let key = layout(&sandbox).key(BackupId { taken: hours_ago(20), tier: Tier::Daily });
    sandbox.store().seed(&key, &vec![b'x'; 400_000]);
    look(&sandbox, "recent-backup").is_warning("the one before had 390.6 KiB");
}

#[test]
fn a_backup_that_is_cut_or_empty() {
    let sandbox = healthy();
    let (newest, bytes) = (newest(&sandbox), sandbox.store().read(&newest(&sandbox)));
    sandbox.store().seed(&newest, &bytes[..bytes.len() - 40]);
    look(&sandbox, "recent-backup").is_warning("the newest backup says nothing of what it holds");
    sandbox.store().seed(&newest, b"");
    look(&sandbox, "recent-backup").is_critical("there is no daily backup");
    sandbox.store().seed(&newest, &bytes);
    let later = layout(&sandbox).key(BackupId { taken: hours_ago(0) + time::Duration::SECOND, tier: Tier::Daily });
    sandbox.store().seed(&later, b"");
    look(&sandbox, "recent-backup").is_critical("the newest object is empty, and no backup");
}

#[test]
fn a_backup_that_somebody_deleted() {
    let sandbox = healthy();
    let newest = newest(&sandbox);
    let older = layout(&sandbox).key(BackupId { taken: hours_ago(20), tier: Tier::Daily });
    sandbox.store().seed(&older, &sandbox.store().read(&newest));
    sandbox.store().remove(&newest);
    look(&sandbox, "recent-backup").is_critical("the last backup that was made here is not in the store any more");
    sandbox.store().remove(&older);
    look(&sandbox, "recent-backup").is_critical("there is no daily backup");
}

#[test]
fn a_backup_of_another_database_made_by_hand_is_nothing_to_us() {
    let sandbox = healthy();
    sandbox.command("backup").arg("--no-notify").env("DB_NAME", "postgres").run().succeeds();
    let others: Vec<_> = sandbox.store().keys().into_iter().filter(|key| key.contains("/postgres_backup_")).collect();
    assert!(!others.is_empty());
    for key in others {
        sandbox.store().remove(&key);
    }
    look(&sandbox, "recent-backup").is_ok("the newest backup is ");
}

#[test]
fn a_run_that_failed_since() {
    let sandbox = healthy();
    make_older(&sandbox, 2);
    sandbox.command("backup").arg("--no-notify").env("DB_PASSWORD", "wrong").run().exits(1);
    look(&sandbox, "recent-backup").is_warning("made no backup: cannot ask the database server");
    // Looking is no run.
    sandbox.command("backup").arg("--dry-run").run().succeeds();
    look(&sandbox, "recent-backup").is_warning("made no backup");
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    look(&sandbox, "recent-backup").is_ok("the newest backup is ");
}

#[test]
fn restore_tests_that_are_missing_failed_or_long_ago() {
    let mut sandbox = Sandbox::new();
    look(&sandbox, "restore-test").is_warning("no backup has been tested by restoring it");
    seed_test(&sandbox, hours_ago(24 * 70), TestOutcome::Passed);
    look(&sandbox, "restore-test").is_critical("no restore test has passed for 70 days");
    seed_test(&sandbox, hours_ago(24 * 40), TestOutcome::Passed);
    look(&sandbox, "restore-test").is_warning("no restore test has passed for 40 days");
    let passed = hours_ago(10);
    seed_test(&sandbox, passed, TestOutcome::Passed);
    look(&sandbox, "restore-test").is_ok("the last restore test, 10 h ago, passed: public.orders: 999 rows restored");
    seed_test(&sandbox, hours_ago(9), TestOutcome::Inconclusive);
    look(&sandbox, "restore-test").is_warning("could not be carried out");
    seed_test(&sandbox, hours_ago(8), TestOutcome::Failed);
    look(&sandbox, "restore-test")
        .is_critical("the last restore test, 8 h ago, FAILED: public.orders: 999 rows restored");
    // A proof that a later test took away is none, even where a test after it could not be carried out.
    let taken_away = RecordId { tested: hours_ago(7), backup: passed, outcome: TestOutcome::Failed };
    sandbox.store().seed(&layout(&sandbox).record_key(&taken_away), b"{}");
    seed_test(&sandbox, hours_ago(6), TestOutcome::Inconclusive);
    look(&sandbox, "restore-test").is_warning("no restore test has passed for 40 days");
    // Another database's are not ours.
    sandbox.env("DB_NAME", "other");
    look(&sandbox, "restore-test").is_warning("no backup has been tested by restoring it");
}
