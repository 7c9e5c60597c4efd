//! SIGTERM while the store is in the way: ten seconds, and nothing that looks like a backup.

use std::time::{Duration, Instant};

use acceptance::sandbox::{Outcome, Running, Sandbox};
use acceptance::store::{Fault, On, Operation};
use nix::sys::signal::Signal;

use super::{SOON, large, on, small, succeeds, with};

/// The contract: "exit 143 / 130 within 10 s".
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Ends the run, which must take less than ten seconds.
fn terminate(running: Running<'_>) -> Outcome {
    let signalled = Instant::now();
    running.signal(Signal::SIGTERM);
    let outcome = running.wait().exits(143);
    assert!(signalled.elapsed() < ENDS_WITHIN, "{:?}\n{}", signalled.elapsed(), outcome.report());
    outcome
}

fn interrupted_at(sandbox: &Sandbox, at: &On) -> Outcome {
    let running = sandbox.command("backup").env("BACKUP_STALL_TIMEOUT", "1m").spawn();
    sandbox.store().wait_for(at, 1, SOON);
    terminate(running)
}

#[test]
fn in_the_middle_of_a_part() {
    for fault in [Fault::Stall, Fault::Throttle(1_000)] {
        let sandbox = with(large(), On::part(2), fault);
        interrupted_at(&sandbox, &On::part(2));
        sandbox.assert_nothing_left_behind();
    }
}

#[test]
fn while_the_last_request_is_carried_out() {
    for (sandbox, operation, after) in
        [(small(), Operation::PutObject, 0), (large(), Operation::CompleteMultipartUpload, 100)]
    {
        // Done, but the answer does not come, or not all of it.
        let sandbox = with(sandbox, on(operation), Fault::StallAnswerAfter(after));
        let running = sandbox.command("backup").env("BACKUP_STALL_TIMEOUT", "1m").spawn();
        let deadline = Instant::now() + SOON;
        while sandbox.store().keys().is_empty() {
            assert!(Instant::now() < deadline, "the object did not appear\n{}", sandbox.store().transcript());
            std::thread::sleep(Duration::from_millis(10));
        }
        terminate(running).says("was deleted again");
        sandbox.assert_nothing_left_behind();
    }
}

#[test]
fn while_an_object_that_was_not_verified_cannot_be_taken_back() {
    let sandbox = with(small(), on(Operation::HeadObject), Fault::Stall);
    let outcome = interrupted_at(&sandbox, &on(Operation::HeadObject));
    let key = &sandbox.store().keys()[0];
    let outcome = outcome.says(&format!("ended by SIGTERM; s3://shop-backups/{key} may hold an unverified object"));
    let letter = super::only_mail(&sandbox, &outcome);
    assert!(letter.text.contains("aws s3 rm "), "{}", letter.text);
}

#[test]
fn while_nothing_at_all_gets_through() {
    let sandbox = with(large(), On::part(2), Fault::Stall);
    sandbox.store().fault(on(Operation::AbortMultipartUpload), Fault::Stall);
    sandbox.store().fault(on(Operation::ListObjects).after(6), Fault::Stall);
    interrupted_at(&sandbox, &On::part(2)).says("cannot abort the unfinished upload of ");
    assert!(sandbox.store().keys().is_empty());
    assert_eq!(sandbox.store().unfinished_uploads().len(), 1);

    sandbox.store().clear_faults();
    succeeds(&sandbox);
}
