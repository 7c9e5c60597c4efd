//! The end: what runs is told, cleans up, and is waited for; and without cron there is no container.

use std::time::Duration;

use acceptance::store::{Fault, On, Operation};
use nix::sys::signal::Signal;

use super::{Host, touch};

/// A backup by cron that stands still before its object is there.
fn stalled() -> Host {
    let host = Host::new();
    host.sandbox.store().fault(On::operation(Operation::PutObject), Fault::Stall);
    host
}

fn wait_for_upload(host: &Host) {
    host.sandbox.store().wait_for(&On::operation(Operation::PutObject), 1, Duration::from_mins(1));
}

#[test]
fn a_job_that_runs_is_told_to_end_and_waited_for() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let host = stalled();
        host.cron("job backup; exec sleep 300");
        let running = host.started();
        wait_for_upload(&host);
        running.signal(signal);
        running.wait().succeeds();
        assert!(!host.output().contains("did not end in time"), "{}", host.output());
        // The tool's own last words were waited for too.
        assert!(host.output().contains("ended by SIGTERM"), "{}", host.output());
        assert!(host.sandbox.store().keys().is_empty() && host.sandbox.store().unfinished_uploads().is_empty());
    }
}

#[test]
fn what_a_tool_started_is_left_to_the_tool() {
    let host = Host::new();
    // A pg_dump that says which signal came: the tool ends it by its own means, after it was told itself.
    host.sandbox.shim(
        "pg_dump",
        "#!/bin/sh\ncase $1 in --version) exec '@REAL@' --version;; esac\necho under way >&2; exec sleep 300\n",
    );
    host.cron("job backup --verbose; exec sleep 300");
    let mut running = host.started();
    let log = || std::fs::read_to_string(host.sandbox.home().join("logs/backup.log")).unwrap_or_default();
    running.wait_until("started pg_dump", |_| log().contains("backing up"));
    running.signal(Signal::SIGTERM);
    running.wait().succeeds();
    assert!(log().contains("ended by SIGTERM") && !log().contains("pg_dump failed"), "{}", log());
}

#[test]
fn when_cron_dies_jobs_are_ended_and_so_is_the_container() {
    let host = stalled();
    let mark = host.sandbox.home().join("die");
    host.cron(&format!("job backup; until [ -e '{}' ]; do sleep 0.1; done; exit 7", mark.display()));
    let running = host.started();
    wait_for_upload(&host);
    touch(&mark);
    running.wait().exits(1);
    assert!(host.output().contains("cron has ended (exit code 7)"), "{}", host.output());
    assert!(host.output().contains("ended by SIGTERM"), "{}", host.output());
    assert!(host.sandbox.store().keys().is_empty(), "{}", host.output());
}

#[test]
fn without_a_cron_the_container_says_so() {
    let host = Host::new();
    std::fs::remove_file(host.program("cron")).unwrap();
    host.sandbox.command("true");
    let path = host.program("").display().to_string();
    host.start().env("PATH", path.trim_end_matches('/')).run().exits(1);
    assert!(host.output().contains("cannot start cron"), "{}", host.output());
}
