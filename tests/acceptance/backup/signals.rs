//! Signals: wherever a run is, it ends within ten seconds, tidily, and tells of it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use acceptance::mail::Act;
use acceptance::proxy::{Network, Proxy};
use acceptance::sandbox::{Running, Sandbox};
use acceptance::store::{Fault, On, Operation};
use nix::sys::signal::Signal;

use super::session::{Session, wait_for_blocked_dump};
use super::streams::pg_dump;
use super::{Failed, only_mail};
use crate::shop::{add_bulk, shop};

/// The contract: "exit 143 / 130 within 10 s".
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// What it takes for a run to stand still at some point, and what shows that it does.
fn ends_on_signals(prepare: impl Fn(&mut Sandbox), is_there: impl Fn(&Sandbox, &mut Running<'_>)) {
    for (signal, code, cause) in [(Signal::SIGTERM, 143, "ended by SIGTERM"), (Signal::SIGINT, 130, "ended by SIGINT")]
    {
        let mut sandbox = shop();
        prepare(&mut sandbox);
        let mut running = sandbox.command("backup").spawn();
        is_there(&sandbox, &mut running);
        let signalled = Instant::now();
        running.signal(signal);
        let outcome = running.wait();
        assert!(signalled.elapsed() < ENDS_WITHIN, "{:?}\n{}", signalled.elapsed(), outcome.report());
        Failed { cause, hint: "" }.check_exit(&sandbox, outcome, code);
    }
}

#[test]
fn while_it_connects() {
    let silent = Proxy::to(1);
    silent.set(Network::BlackHole);
    let before = Cell::new(0);
    ends_on_signals(
        |sandbox| {
            sandbox.env("DB_PORT", &silent.port().to_string());
            before.set(silent.connections());
        },
        |_, running| running.wait_until("connected", |_| silent.connections() > before.get()),
    );
}

#[test]
fn while_pg_dump_works() {
    ends_on_signals(
        |sandbox| pg_dump(sandbox, "DUMP | head -c 50000; echo 'half way' >&2; sleep 1000"),
        |_, running| running.wait_for_log("half way"),
    );
}

#[test]
fn while_pg_dump_heeds_no_signal() {
    ends_on_signals(
        |sandbox| pg_dump(sandbox, "trap '' TERM; echo 'deaf' >&2; while :; do sleep 1; done"),
        |_, running| running.wait_for_log("deaf"),
    );
}

#[test]
fn while_the_real_pg_dump_waits_for_a_lock() {
    let holders = RefCell::new(Vec::new());
    ends_on_signals(
        |sandbox| holders.borrow_mut().push(Session::new(sandbox.database(), "BEGIN; LOCK TABLE orders;")),
        |sandbox, _| wait_for_blocked_dump(sandbox.database()),
    );
}

#[test]
fn while_a_small_backup_is_sent() {
    ends_on_signals(
        |sandbox| sandbox.store().fault(On::operation(Operation::PutObject), Fault::Stall),
        |sandbox, _| sandbox.store().wait_for(&On::operation(Operation::PutObject), 1, Duration::from_mins(1)),
    );
}

#[test]
fn while_parts_are_sent() {
    ends_on_signals(
        |sandbox| {
            add_bulk(sandbox.database(), 40);
            sandbox.store().fault(On::part(2), Fault::Stall);
        },
        |sandbox, _| sandbox.store().wait_for(&On::part(2), 1, Duration::from_mins(1)),
    );
}

#[test]
fn while_a_stored_backup_is_copied() {
    let sandbox = shop();
    sandbox.store().fault(On::operation(Operation::CopyObject), Fault::Stall);
    let running = sandbox.command("backup").spawn();
    sandbox.store().wait_for(&On::operation(Operation::CopyObject), 1, Duration::from_mins(1));
    let signalled = Instant::now();
    running.signal(Signal::SIGTERM);
    let outcome = running.wait().exits(143).prints("s3://").says("not promoted to weekly: ended by SIGTERM");
    assert!(signalled.elapsed() < ENDS_WITHIN, "{:?}", signalled.elapsed());
    let letter = only_mail(&sandbox, &outcome);
    assert!(letter.text.contains("was backed up, but not copied to weekly and monthly."), "{}", letter.text);
    let keys = sandbox.store().keys();
    assert!(keys.len() == 1 && keys[0].contains("/daily/"), "{keys:?}");
    sandbox.assert_no_litter();
}

#[test]
fn a_mail_that_cannot_be_sent_in_time_waits_for_the_next_run() {
    let sandbox = shop();
    sandbox.mail().once("CONNECT", Act::Stall);
    pg_dump(&sandbox, "echo 'at work' >&2; sleep 1000");
    let mut running = sandbox.command("backup").spawn();
    running.wait_for_log("at work");
    let signalled = Instant::now();
    running.signal(Signal::SIGTERM);
    running.wait().exits(143);
    assert!(signalled.elapsed() < ENDS_WITHIN, "{:?}", signalled.elapsed());
    sandbox.assert_nothing_left_behind();

    pg_dump(&sandbox, "DUMP;");
    sandbox.command("backup").run().succeeds();
    let subjects: Vec<_> = sandbox.mail().messages().iter().map(|mail| mail.letter().subject).collect();
    assert!(subjects[0].starts_with("✅ ") && subjects[1].starts_with("❌ "), "{subjects:?}");
}

/// The backup is made by then, and is told of as one.
#[test]
fn while_the_mail_of_a_stored_backup_hangs() {
    for (command, stalls) in [("CONNECT", Act::Stall), (".", Act::Stall)] {
        let sandbox = shop();
        sandbox.mail().once(command, stalls);
        let mut running = sandbox.command("backup").spawn();
        running.wait_for_log("promoted to monthly");
        running.wait_until("at its mail", |_| sandbox.home().join("state/mail").exists());
        let signalled = Instant::now();
        running.signal(Signal::SIGTERM);
        let outcome = running.wait().succeeds().prints("s3://").says("kept for the next tool that runs");
        assert!(signalled.elapsed() < ENDS_WITHIN, "{:?}\n{}", signalled.elapsed(), outcome.report());
        let last = std::fs::read_to_string(sandbox.home().join("state/backup.json")).unwrap();
        assert!(last.contains("\"exit_code\": 0") && last.contains("\"error\": null"), "{last}");

        sandbox.command("notify").args(["SUCCESS", "Hello"]).run().succeeds();
        let subjects: Vec<_> = sandbox.mail().messages().iter().map(|mail| mail.letter().subject).collect();
        assert!(subjects.iter().any(|subject| subject.contains("Backup succeeded")), "{subjects:?}");
    }
}

#[test]
fn a_second_signal_changes_nothing() {
    let sandbox = shop();
    pg_dump(&sandbox, "trap '' TERM; echo 'deaf' >&2; while :; do sleep 1; done");
    let mut running = sandbox.command("backup").spawn();
    running.wait_for_log("deaf");
    running.signal(Signal::SIGINT);
    running.wait_for_log("SIGINT received: cleaning up");
    running.signal(Signal::SIGTERM);
    running.signal(Signal::SIGINT);
    Failed { cause: "ended by SIGINT", hint: "" }.check_exit(&sandbox, running.wait(), 130);
}
