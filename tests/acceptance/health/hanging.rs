//! Servers that accept connections and never answer: each is named, and keeps nothing else from being told.

use std::time::Duration;

use acceptance::mail::Act;
use acceptance::proxy::{Network, Proxy};
use acceptance::store::{Fault, On};
use nix::sys::signal::Signal;

use super::*;

#[test]
fn everything_that_can_hang_hangs_and_the_rest_is_told_in_time() {
    let mut sandbox = healthy();
    let silent = Proxy::to(1);
    silent.set(Network::BlackHole);
    sandbox.env("DB_PORT", &silent.port().to_string());
    sandbox.store().fault(On::any(), Fault::Stall);
    sandbox.mail().always("CONNECT", Act::Stall);
    sandbox.shim("pg_dump", "#!/bin/sh\nexec sleep 600\n");

    let outcome = health(&sandbox).args(["--json", "--no-notify"]).run().ends_within(Duration::from_secs(40));
    for check in ["database", "storage", "recent-backup", "restore-test", "tools"] {
        assert_eq!(found(&outcome, check).state, "critical", "{check}\n{}", outcome.report());
    }
    for check in ["disk", "temp", "logs", "cron", "settings"] {
        found(&outcome, check).is_ok("");
    }
    found(&outcome, "storage").is_critical("the store did not answer in time");

    // What it asks is asked side by side; telling takes its own time.
    let outcome = health(&sandbox).arg("--json").run().ends_within(Duration::from_secs(110));
    found(&outcome, "notifications").is_critical("");
    let waiting = std::fs::read_dir(sandbox.home().join("state/mail")).unwrap().count();
    assert_eq!(waiting, 1, "the alert waits for the server\n{}", outcome.report());
    sandbox.assert_no_litter();
}

#[test]
fn a_signal_ends_it_at_once_and_leaves_nothing_behind() {
    let mut sandbox = healthy();
    let silent = Proxy::to(1);
    silent.set(Network::BlackHole);
    sandbox.env("DB_PORT", &silent.port().to_string());
    let running = health(&sandbox).spawn();
    silent.wait_for_connections(1, Duration::from_secs(30));
    running.signal(Signal::SIGTERM);
    running.wait().exits(143).prints_nothing();
    sandbox.assert_no_litter();
    assert_eq!(letters(&sandbox).len(), 0);
}
