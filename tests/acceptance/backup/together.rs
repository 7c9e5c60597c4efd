//! Two runs at once, and places that cannot be written.

use std::time::Duration;

use acceptance::sandbox::Sandbox;
use acceptance::store::On;

use super::only_mail;
use super::session::{Session, wait_for_blocked_dump};
use crate::shop::{daily_key, shop};

#[test]
fn a_second_run_leaves_the_first_alone() {
    let sandbox = shop();
    let holder = Session::new(sandbox.database(), "BEGIN; LOCK TABLE orders;");
    let first = sandbox.command("backup").spawn();
    wait_for_blocked_dump(sandbox.database());
    let before = sandbox.store().requests(&On::any()).len();

    let second = sandbox.command("backup").run().ends_within(Duration::from_secs(20)).exits(75);
    let second = second.prints_nothing().says("another run of backup is under way");
    assert_eq!(sandbox.command("backup").arg("--json").run().exits(75).json()["outcome"], "locked");
    assert_eq!(sandbox.store().requests(&On::any()).len(), before, "{}", second.report());
    assert!(sandbox.mail().messages().is_empty(), "who finds the job being done has nothing to tell");

    holder.end("COMMIT;");
    let outcome = first.wait().succeeds();
    only_mail(&sandbox, &outcome);
    daily_key(&sandbox);
    sandbox.assert_no_litter();
}

#[test]
fn a_state_directory_that_cannot_be_written_costs_a_warning() {
    let mut sandbox = shop();
    // Below a file there can be no folder, not even for root.
    let state = sandbox.write("file", "").join("state").display().to_string();
    sandbox.env("BACKUP_STATE_DIR", &state);
    let outcome = sandbox.command("backup").run().succeeds();
    let outcome = outcome.says(&format!("cannot lock {state}/backup.lock: ")).says("going on without");
    only_mail(&sandbox, &outcome);
    daily_key(&sandbox);
    sandbox.assert_no_litter();
}

#[test]
fn a_log_directory_that_cannot_be_written_costs_a_warning() {
    let mut sandbox = shop();
    let logs = sandbox.write("file", "").join("logs").display().to_string();
    sandbox.env("BACKUP_LOG_DIR", &logs);
    let outcome = sandbox.command("backup").run().succeeds();
    outcome
        .says(&format!("cannot write {logs}/backup.log: "))
        .says("the log goes to stderr alone")
        .says("stored s3://");
    daily_key(&sandbox);
}

#[test]
fn a_log_on_a_full_disk_is_said_once_and_costs_no_backup() {
    let sandbox = shop();
    // Takes to be opened, and no byte.
    std::fs::create_dir_all(sandbox.home().join("logs")).unwrap();
    std::os::unix::fs::symlink("/dev/full", sandbox.home().join("logs/backup.log")).unwrap();
    let outcome = sandbox.command("backup").run().succeeds().says("lines are missing in it");
    assert_eq!(outcome.stderr.matches("No space left on device").count(), 1, "{}", outcome.stderr);
}

#[test]
fn a_log_file_that_is_rotated_away_is_followed() {
    let sandbox = shop();
    let holder = Session::new(sandbox.database(), "BEGIN; LOCK TABLE orders;");
    let running = sandbox.command("backup").spawn();
    wait_for_blocked_dump(sandbox.database());
    let log = sandbox.home().join("logs/backup.log");
    std::fs::rename(&log, log.with_extension("log.1")).unwrap();
    holder.end("COMMIT;");
    running.wait().succeeds().logs("backup.log.1", "backing up").logs("backup.log", "stored s3://");
}

#[test]
fn the_log_says_when_and_how_bad() {
    let sandbox: Sandbox = shop();
    let outcome = sandbox.command("backup").run().succeeds();
    for line in outcome.logs["backup.log"].lines() {
        let (stamp, rest) = line.strip_prefix('[').and_then(|line| line.split_once("] ")).unwrap_or_default();
        let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "9999-99-99 99:99:99", "{line}");
        assert!(rest.starts_with("INFO ") || rest.starts_with("WARN "), "{line}");
    }
    let quiet = sandbox.command("backup").args(["--quiet", "--if-older-than", "1h"]).run().succeeds();
    assert!(quiet.stderr.is_empty(), "{}", quiet.report());
    let verbose = sandbox.command("backup").args(["--verbose", "--dry-run"]).run();
    sandbox.assert_no_secret_leaked();
    drop(verbose);
}
