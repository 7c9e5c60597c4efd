//! `pg_dump` misbehaves: it dies early, late or lies, hangs, talks too much. A script stands in its place.

use std::time::Duration;

use acceptance::sandbox::Sandbox;
use acceptance::store::On;

use super::{Failed, only_mail};
use crate::shop::{ROWS, add_bulk, daily_key, footer, shop};

/// Puts a script in the place of `pg_dump`; `DUMP` in it is the real one with the same arguments.
pub(super) fn pg_dump(sandbox: &Sandbox, script: &str) {
    let start = "#!/bin/sh\n[ \"$1\" = --version ] && exec @REAL@ --version\n";
    sandbox.shim("pg_dump", &format!("{start}{}\n", script.replace("DUMP", "@REAL@ \"$@\"")));
}

const NOT_WHOLE: &str = "Look for wrappers around pg_dump";

#[test]
fn it_dies_at_once() {
    let sandbox = shop();
    pg_dump(&sandbox, "echo 'pg_dump: error: no such luck' >&2; exit 1");
    let cause = "pg_dump failed after 0 bytes: no such luck (exit code 1)";
    Failed { cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn it_dies_half_way() {
    let sandbox = shop();
    pg_dump(&sandbox, "DUMP | head -c 50000; echo 'pg_dump: error: disk on fire' >&2; exit 3");
    let cause = "pg_dump failed after 50000 bytes: disk on fire (exit code 3)";
    Failed { cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn it_dies_half_way_in_an_upload_of_many_parts() {
    let sandbox = shop();
    add_bulk(sandbox.database(), 48);
    pg_dump(&sandbox, "DUMP | head -c 40000000; exit 1");
    let outcome = sandbox.command("backup").run();
    let aborts = sandbox.store().requests(&On::any().method("DELETE").has_query("uploadId"));
    // Twice where a part was still on its way: it may have arrived after the first.
    assert!(!aborts.is_empty(), "{}", sandbox.store().transcript());
    let cause = "pg_dump failed after 40000000 bytes: exit code 1";
    Failed { cause, hint: "" }.check(&sandbox, outcome);
}

#[test]
fn it_fails_after_a_dump_that_looks_whole() {
    let sandbox = shop();
    pg_dump(&sandbox, "DUMP; exit 1");
    Failed { cause: "bytes: exit code 1", hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn it_is_killed() {
    let sandbox = shop();
    pg_dump(&sandbox, "DUMP; kill -9 $$");
    let cause = "killed by signal 9 (SIGKILL: was the memory used up?)";
    Failed { cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn it_says_all_is_well_and_sent_nothing() {
    let sandbox = shop();
    pg_dump(&sandbox, "exit 0");
    let cause = "the dump is empty: not one byte arrived";
    Failed { cause, hint: NOT_WHOLE }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn it_says_all_is_well_and_the_dump_is_cut() {
    for (bytes, cause) in [
        (1, "the dump is not whole"),
        (60_000, "the dump ends inside "),
        (-2, "the dump is not whole"),
        (-30, "the dump is not whole"),
        (-200, "the dump ends without its end marker"),
    ] {
        let sandbox = shop();
        pg_dump(&sandbox, &format!("DUMP | head -c {bytes}; exit 0"));
        Failed { cause, hint: NOT_WHOLE }.check(&sandbox, sandbox.command("backup").run());
    }
}

#[test]
fn it_says_all_is_well_and_something_follows_the_end() {
    let sandbox = shop();
    pg_dump(&sandbox, "DUMP; DUMP; exit 0");
    let cause = "something follows the end of the dump";
    Failed { cause, hint: NOT_WHOLE }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn a_warning_goes_with_the_backup() {
    let sandbox = shop();
    let warning = "pg_dump: warning: there are circular foreign-key constraints";
    pg_dump(&sandbox, &format!("echo '{warning}' >&2; DUMP;"));
    let outcome = sandbox.command("backup").arg("--json").run().succeeds().says("circular foreign-key");
    assert_eq!(outcome.json()["warnings"], serde_json::json!([warning]));
    let letter = only_mail(&sandbox, &outcome);
    assert!(letter.subject.starts_with("✅ "), "{}", letter.subject);
    for told in ["Warning: pg_dump ended well, but not without a warning", warning] {
        assert!(letter.text.contains(told), "{}", letter.text);
    }
    assert_eq!(footer(&sandbox.store().read(&daily_key(&sandbox))).0.total_rows(), ROWS);
}

#[test]
fn ten_megabytes_of_noise_stop_nothing() {
    let sandbox = shop();
    pg_dump(&sandbox, "yes 'pg_dump: warning: noise' | head -c 10000000 >&2; DUMP;");
    let outcome = sandbox.command("backup").run().succeeds().says("pg_dump says more; only the end of it is kept");
    assert!(outcome.stderr.len() < 100_000, "{} bytes of log", outcome.stderr.len());
    let mail = &sandbox.mail().messages()[0];
    assert!(mail.raw.len() < 256_000 && mail.letter().text.contains("warning: noise"), "{} bytes", mail.raw.len());
}

#[test]
fn binary_noise_reaches_a_person_as_text() {
    let sandbox = shop();
    pg_dump(&sandbox, "printf '\\377\\000\\033[2J<b>bold</b>\\r\\n\\nthe cause\\001' >&2; exit 1");
    let outcome = sandbox.command("backup").run();
    assert!(!outcome.stderr.contains(['\0', '\u{1b}', '\r', '\u{1}']), "{}", outcome.stderr.escape_debug());
    let letter = sandbox.mail().messages()[0].letter();
    assert!(
        letter.html.contains("&lt;b&gt;bold&lt;/b&gt;") || letter.html.contains("&#60;b&#62;bold"),
        "{}",
        letter.html
    );
    Failed { cause: "the cause", hint: "" }.check(&sandbox, outcome);
}

#[test]
fn a_secret_in_its_words_is_blotted_out() {
    let sandbox = shop();
    pg_dump(&sandbox, "echo \"pg_dump: error: cannot log in with $PGPASSWORD\" >&2; exit 1");
    let cause = "cannot log in with [secret]";
    Failed { cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn it_hangs_at_its_start() {
    let mut sandbox = shop();
    sandbox.env("BACKUP_STALL_TIMEOUT", "5s");
    pg_dump(&sandbox, "trap '' TERM; while :; do sleep 1; done");
    let outcome = sandbox.command("backup").run().ends_within(Duration::from_secs(40));
    Failed { cause: "pg_dump sent nothing for 5s, after 0 bytes", hint: "BACKUP_STALL_TIMEOUT" }
        .check(&sandbox, outcome);
}

#[test]
fn it_goes_on_for_ever() {
    let mut sandbox = shop();
    sandbox.env("BACKUP_RUN_TIMEOUT", "5s");
    pg_dump(&sandbox, "while :; do echo '-- still at it'; sleep 0.1; done");
    let outcome = sandbox.command("backup").run().ends_within(Duration::from_secs(40));
    let cause = "the run was not done within 5s and was stopped";
    Failed { cause, hint: "BACKUP_RUN_TIMEOUT sets how long a run may take" }.check(&sandbox, outcome);
}

#[test]
fn a_child_of_its_own_keeps_the_pipe_open() {
    let mut sandbox = shop();
    sandbox.env("BACKUP_STALL_TIMEOUT", "5s");
    pg_dump(&sandbox, "DUMP; sleep 1000 & exit 0");
    let outcome = sandbox.command("backup").run().ends_within(Duration::from_secs(40));
    Failed { cause: "pg_dump sent nothing for 5s, after ", hint: "" }.check(&sandbox, outcome);
}

#[test]
fn a_child_of_its_own_keeps_stderr_open_and_hides_no_words() {
    let sandbox = shop();
    pg_dump(&sandbox, "sleep 7 >/dev/null & echo 'pg_dump: error: the cause' >&2; exit 1");
    Failed { cause: "the cause (exit code 1)", hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn a_table_that_vanishes_twice_is_a_failure() {
    let sandbox = shop();
    let tries = sandbox.home().join("bin/tries");
    let words = "pg_dump: error: query failed: ERROR:  relation \"public.gone\" does not exist";
    pg_dump(&sandbox, &format!("echo try >> '{}'; echo '{words}' >&2; exit 1", tries.display()));
    let outcome = sandbox.command("backup").run().says("trying once more");
    assert_eq!(std::fs::read_to_string(tries).unwrap(), "try\ntry\n");
    Failed { cause: "relation \"public.gone\" does not exist", hint: "" }.check(&sandbox, outcome);
}

#[test]
fn a_table_that_vanishes_late_costs_an_upload_of_its_own() {
    let sandbox = shop();
    add_bulk(sandbox.database(), 48);
    let once = sandbox.home().join("bin/once").display().to_string();
    let words =
        "pg_dump: error: Dumping the contents of table \"t\" failed: ERROR:  could not open relation with OID 16391";
    pg_dump(
        &sandbox,
        &format!(
            "if [ ! -e '{once}' ]; then : > '{once}'; DUMP | head -c 40000000; echo '{words}' >&2; exit 1; fi; DUMP;"
        ),
    );
    sandbox.command("backup").run().succeeds().says("trying once more");
    let begun = sandbox.store().requests(&On::any().method("POST").has_query("uploads"));
    assert_eq!(begun.len(), 2, "{}", sandbox.store().transcript());
    footer(&sandbox.store().read(&daily_key(&sandbox)));
    sandbox.assert_no_litter();
}
