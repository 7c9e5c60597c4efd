//! Where the state directory cannot be written, nobody is told the same every hour, and nobody is left without a word.

use super::machine::{apart, built};
use super::*;

/// In a name space of its own, where a disk of one megabyte can be mounted over the state directory, and filled.
#[test]
fn a_small_disk_that_is_full_is_told_once() {
    let sandbox = healthy();
    let state = sandbox.home().join("state").display().to_string();
    let script = format!(
        "#!/bin/sh\nset -e\nmount -t tmpfs -o size=1m tmpfs '{state}'\n\
         head -c 10m /dev/zero >'{state}/filler' 2>/dev/null || true\nexec \"$@\"\n"
    );
    let script = sandbox.write("small-disk", &script);
    for _ in 0..2 {
        let run = apart(&sandbox, &[]).arg("sh").arg(&script).arg(built());
        let outcome = run.env("HEALTH_DISK_MAX_PERCENT", "90").run();
        let fact = format!("CRITICAL  disk           the disk of {state} is 100 % full, 0 B are free");
        outcome.exits(1).prints(&fact);
    }
    let told = letters(&sandbox);
    let [letter] = told.as_slice() else { panic!("{} mails", told.len()) };
    assert!(letter.text.contains("100 % full") && letter.subject.contains("(critical: disk)"), "{}", letter.text);
    assert!(letter.text.contains("has to remember what was told"), "{}", letter.text);
    // The disk is well again, and so is everything that was told.
    health(&sandbox).run().succeeds();
    assert!(letters(&sandbox)[1].subject.ends_with("(was: disk)"), "{}", letters(&sandbox)[1].subject);
}

#[test]
fn none_of_the_directories_can_be_written() {
    let mut sandbox = healthy();
    sandbox.write("no-directory", "");
    for (name, folder) in [("BACKUP_STATE_DIR", "state"), ("BACKUP_LOG_DIR", "logs"), ("BACKUP_TEMP_DIR", "temp")] {
        let closed = sandbox.home().join("no-directory").join(folder).display().to_string();
        sandbox.env(name, &closed);
    }
    let tmp = sandbox.home().join("tmp").display().to_string();
    sandbox.env("TMPDIR", &tmp);
    for _ in 0..3 {
        health(&sandbox).run().exits(1).prints("cannot be written to: Not a directory");
    }
    let told = letters(&sandbox);
    let [letter] = told.as_slice() else { panic!("{} mails", told.len()) };
    assert!(letter.text.contains("has to remember what was told"), "{}", letter.text);
}
