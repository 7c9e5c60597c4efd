//! The scratch server comes and goes: nothing of it outlives the test, however the test ends.

use std::fs;
use std::time::{Duration, Instant};

use acceptance::sandbox::Sandbox;
use nix::sys::signal::Signal;

use super::{ends, gzip, shop};

/// `psql` stands still in the middle of the restore.
const STANDS_STILL: &str =
    "#!/bin/sh\ncase \"$*\" in *--file=-*) echo 'in the middle' >&2; exec sleep 1000;; *) exec @REAL@ \"$@\";; esac\n";

#[test]
fn a_test_that_is_told_to_end_ends_within_ten_seconds() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let sandbox = shop().stored();
        sandbox.shim("psql", STANDS_STILL);
        let mut running = sandbox.command("restore-test").arg("--verbose").spawn();
        running.wait_for_log("in the middle");
        let signalled = Instant::now();
        running.signal(signal);
        let outcome = running.wait().exits(code).prints_nothing();
        assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
        let letter = sandbox.mail().messages()[0].letter();
        assert!(letter.text.contains("was tested: ended by SIG"), "{}\n{}", letter.text, outcome.report());
        sandbox.assert_no_litter();
    }
}

#[test]
fn what_a_killed_test_leaves_goes_with_the_next() {
    let sandbox = shop().stored();
    sandbox.shim("psql", STANDS_STILL);
    let mut running = sandbox.command("restore-test").arg("--verbose").spawn();
    running.wait_for_log("in the middle");
    running.signal(Signal::SIGKILL);
    running.wait();
    let temp = sandbox.home().join("temp");
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 1, "the killed test left nothing: this test proves nothing");
    wait_until_all_are_gone(&sandbox, "SIGKILL");

    sandbox.shim("psql", "#!/bin/sh\nexec @REAL@ \"$@\"\n");
    ends(&sandbox, 0, "passed", "an earlier run was killed: its scratch directory");
}

/// At whatever moment: while the server is made, restored into, dumped, stopped.
#[test]
fn a_test_that_is_ended_at_any_moment_leaves_no_process() {
    let sandbox = shop().stored();
    let begun = Instant::now();
    sandbox.command("restore-test").arg("--no-notify").run().succeeds();
    let whole = begun.elapsed();
    for (signal, code) in [(Signal::SIGTERM, Some(143)), (Signal::SIGKILL, None)] {
        for eighth in 0..8 {
            let running = sandbox.command("restore-test").arg("--no-notify").spawn();
            std::thread::sleep(whole * eighth / 8);
            running.signal(signal);
            let outcome = running.wait();
            // In the first instant it does not listen yet, and one that was faster this time has ended well.
            let ended = [code, Some(0)].contains(&outcome.code) || (eighth == 0 && outcome.code.is_none());
            assert!(ended, "{}", outcome.report());
            wait_until_all_are_gone(&sandbox, &format!("{eighth} eighths, {signal}"));
            if signal == Signal::SIGTERM {
                sandbox.assert_no_litter();
            }
        }
    }
    sandbox.command("restore-test").arg("--no-notify").run().succeeds();
    sandbox.assert_no_litter();
}

/// Its backends lead process groups of their own, and one at work on a long statement looks up for nothing.
#[test]
fn a_test_that_is_ended_while_its_server_is_at_work_leaves_no_process() {
    let text = shop().text();
    let at = text.find("CREATE TYPE").unwrap();
    let busy = "CREATE FUNCTION public.spin() RETURNS int LANGUAGE plpgsql AS $_$ DECLARE n int := 0; BEGIN \
                RAISE WARNING 'at work'; FOR i IN 1..2000000000 LOOP n := i; END LOOP; RETURN n; END $_$;\n\
                CREATE TABLE public.trap (a int);\nINSERT INTO public.trap VALUES (public.spin());\n";
    let dump = format!("{}{busy}{}", &text[..at], &text[at..text.find("-- @backup ").unwrap()]);
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let sandbox = shop().stored_as(&gzip(dump.as_bytes()));
        let mut running = sandbox.command("restore-test").args(["--no-notify", "--verbose"]).spawn();
        running.wait_for_log("at work");
        running.signal(signal);
        running.wait();
        wait_until_all_are_gone(&sandbox, &format!("{signal}"));
        if signal == Signal::SIGTERM {
            sandbox.assert_no_litter();
        }
    }
}

fn wait_until_all_are_gone(sandbox: &Sandbox, after: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !sandbox.processes().is_empty() {
        assert!(Instant::now() < deadline, "after {after}: {:#?}", sandbox.processes());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_temp_directory_of_any_depth_will_do() {
    let mut sandbox = shop().stored();
    let deep = sandbox.home().join("temp").join("a folder whose name is long".repeat(8));
    sandbox.env("BACKUP_TEMP_DIR", &deep.display().to_string());
    sandbox.command("restore-test").run().succeeds();
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
    fs::remove_dir(&deep).unwrap();
}

#[test]
fn two_tests_at_once_are_one() {
    let sandbox = shop().stored();
    sandbox.shim("psql", STANDS_STILL);
    let mut running = sandbox.command("restore-test").arg("--verbose").spawn();
    running.wait_for_log("in the middle");
    sandbox.command("restore-test").run().exits(75).says("restore-test");
    running.signal(Signal::SIGTERM);
    running.wait().exits(143);
}

#[test]
fn a_scratch_server_that_dies_is_not_the_backups_fault() {
    let sandbox = shop().stored();
    sandbox.shim(
        "psql",
        "#!/bin/sh\ncase \"$*\" in *--file=-*) echo 'in the middle' >&2; while [ -e data/postmaster.pid ]; do sleep 0.05; \
         done;; esac\nexec @REAL@ \"$@\"\n",
    );
    let mut running = sandbox.command("restore-test").arg("--verbose").spawn();
    running.wait_for_log("in the middle");
    let server = sandbox.processes().into_iter().find(|process| process.contains("/postgres -D data")).unwrap();
    let pid = server.split_whitespace().next().unwrap().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGQUIT).unwrap();
    running.wait().exits(3).prints("INCONCLUSIVE: ");
    sandbox.assert_no_litter();
}
