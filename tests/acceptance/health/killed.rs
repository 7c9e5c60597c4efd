//! Runs that were killed, and could tell nobody.

use acceptance::sandbox::Running;
use nix::sys::signal::Signal;

use super::*;

/// A backup that has begun and does not end.
fn backup_under_way(sandbox: &Sandbox) -> Running<'_> {
    sandbox.shim("pg_dump", "#!/bin/sh\n[ \"$1\" = --version ] && exec @REAL@ \"$@\"\nexec sleep 10000\n");
    let lock = sandbox.home().join("state/backup.lock");
    let mut running = sandbox.command("backup").spawn();
    running.wait_until("the backup has begun", |_| std::fs::read(&lock).is_ok_and(|note| !note.is_empty()));
    running
}

#[test]
fn a_backup_that_was_killed_is_told_once_and_until_one_is_made() {
    let sandbox = healthy();
    make_older(&sandbox, 20);
    let running = backup_under_way(&sandbox);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().signal, Some(9));
    look(&sandbox, "recent-backup").is_warning("was killed before its end and is not there");
    for _ in 0..2 {
        health(&sandbox).run().succeeds().prints("look at: recent-backup");
    }
    let told = letters(&sandbox);
    let [letter] = told.as_slice() else { panic!("{} mails", told.len()) };
    assert!(
        letter.text.contains("was killed before its end") && letter.text.contains("exec backup backup"),
        "{}",
        letter.text
    );

    // A run that finds nothing to do does not make it good, and a machine that comes back starts with one.
    sandbox.command("backup").args(["--if-older-than", "24h"]).run().succeeds().says("before this one, of ");
    look(&sandbox, "recent-backup").is_warning("was killed before its end and is not there");
    sandbox.shim("pg_dump", "#!/bin/sh\nexec @REAL@ \"$@\"\n");
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    look(&sandbox, "recent-backup").is_ok("the newest backup is ");
}

#[test]
fn a_backup_that_is_under_way_was_not_killed_and_one_that_was_stopped_told_so_itself() {
    let sandbox = healthy();
    make_older(&sandbox, 20);
    let running = backup_under_way(&sandbox);
    look(&sandbox, "recent-backup").is_ok("the newest backup is 20 h old");
    running.signal(Signal::SIGTERM);
    running.wait().exits(143);
    let found = look(&sandbox, "recent-backup");
    found.is_warning("made no backup");
    assert!(!found.fact.contains("killed"), "{found:?}");
}
