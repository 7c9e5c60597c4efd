//! The network or the store has a bad night: what comes right is not noticed, what does not ends the run.
//! That a slow link is no stalled one is shown in `store::waits`.

use acceptance::store::{Answer, Fault, On, Operation};

use super::{Failed, SOON, large, on, small, succeeds, with};

/// As short as the dump and the store on a busy machine allow.
const STALLED: &str = "6s";

const BUSY: &str = "The store asked to slow down, or had trouble of its own";

#[test]
fn what_goes_wrong_once_is_not_noticed() {
    let too_many = Fault::Reply(Answer { status: 429, headers: Vec::new(), body: Vec::new() });
    for (on, fault) in [
        (On::any(), Fault::refuse("SlowDown")),
        (on(Operation::CreateMultipartUpload), too_many),
        (On::part(2), Fault::refuse("InternalError")),
        (On::part(1), Fault::ResetAfter(3_000_000)),
        (On::part(1), Fault::FlipByte(3_000_000)),
        (on(Operation::CompleteMultipartUpload), Fault::ok_with_error("InternalError")),
        (on(Operation::CopyObject), Fault::ok_with_error("InternalError")),
        (on(Operation::HeadObject), Fault::ResetAfter(0)),
        (on(Operation::CompleteMultipartUpload), Fault::refuse("ConditionalRequestConflict")),
        (on(Operation::CopyObject), Fault::refuse("ConditionalRequestConflict")),
    ] {
        succeeds(&with(large(), on.times(1), fault));
    }
    let conflict = Fault::refuse("ConditionalRequestConflict");
    succeeds(&with(small(), on(Operation::PutObject).times(1), conflict));
}

#[test]
fn a_part_that_stalls_is_sent_again() {
    // The store stops to read in the middle of the part; then it reads all of it and does not answer.
    for fault in [Fault::Throttle(1), Fault::Stall] {
        let mut sandbox = with(large(), On::part(1).times(1), fault);
        sandbox.env("BACKUP_STALL_TIMEOUT", STALLED);
        succeeds(&sandbox);
        let tries = sandbox.store().requests(&On::part(1));
        assert_eq!(tries.len(), 2);
        assert_eq!(tries[0].header("x-amz-content-sha256"), tries[1].header("x-amz-content-sha256"));
    }
}

#[test]
fn a_store_that_stays_busy_fails_the_run() {
    let sandbox = with(small(), on(Operation::PutObject), Fault::refuse("SlowDown"));
    Failed { cause: "SlowDown", hint: BUSY }.check(&sandbox);
    let sandbox = with(large(), On::part(2), Fault::refuse("ServiceUnavailable"));
    Failed { cause: "ServiceUnavailable", hint: BUSY }.check(&sandbox);
    let always = Fault::ok_with_error("InternalError");
    let sandbox = with(large(), on(Operation::CompleteMultipartUpload), always);
    Failed { cause: "cannot complete the upload of ", hint: BUSY }.check(&sandbox);
}

#[test]
fn a_store_that_never_answers_fails_the_run() {
    for (sandbox, on) in [(small(), on(Operation::PutObject)), (large(), On::part(2))] {
        let mut sandbox = with(sandbox, on, Fault::Stall);
        sandbox.env("BACKUP_STALL_TIMEOUT", STALLED);
        let cause = "nothing was sent and nothing came for 6s";
        Failed { cause, hint: "BACKUP_STALL_TIMEOUT" }.check(&sandbox).ends_within(SOON);
    }
}

#[test]
fn a_connection_that_always_breaks_fails_the_run() {
    let sandbox = with(large(), On::part(1), Fault::ResetAfter(1_000_000));
    Failed { cause: "cannot upload part 1 of ", hint: "whether this host can reach the store" }.check(&sandbox);
}

#[test]
fn bytes_that_always_arrive_damaged_fail_the_run() {
    let sandbox = with(large(), On::part(1), Fault::FlipByte(3_000_000));
    Failed { cause: "cannot upload part 1 of ", hint: "it was damaged on the way" }.check(&sandbox);
}

#[test]
fn a_full_store_is_told_as_such() {
    let full = Fault::Reply(Answer::error(403, "QuotaExceeded"));
    Failed { cause: "QuotaExceeded", hint: "The store has no room left" }.check(&with(
        small(),
        on(Operation::PutObject),
        full,
    ));
}
