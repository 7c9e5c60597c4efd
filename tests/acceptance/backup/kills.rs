//! SIGKILL, at whatever moment: nothing outlives the run that the next one does not clear away.

use std::thread;
use std::time::{Duration, Instant};

use acceptance::sandbox::Sandbox;
use acceptance::store::{Fault, On};
use nix::sys::signal::Signal;

use super::assert_no_session;
use super::session::{Session, wait_for_blocked_dump};
use crate::shop::{ROWS, add_bulk, footer, shop};

/// Small enough for twenty runs, large enough for an upload of several parts.
const BULK_MEGABYTES: u32 = 32;

/// Numbers from 0 to 1 that look random and are the same in every run of the test (splitmix64).
fn moments() -> impl Iterator<Item = f64> {
    let mut state: u64 = 20_250_129;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
    })
}

/// Nothing that the tool started runs any more, here or in the server.
fn assert_alone(sandbox: &Sandbox) {
    assert_no_process(sandbox);
    assert_no_session(sandbox);
}

fn assert_no_process(sandbox: &Sandbox) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !sandbox.processes().is_empty() {
        assert!(Instant::now() < deadline, "outlived the tool: {:#?}", sandbox.processes());
        thread::sleep(Duration::from_millis(10));
    }
}

/// The key of a backup names its second; two runs within one would be in each other's way.
fn wait_for_next_second() {
    let second = || time::OffsetDateTime::now_utc().unix_timestamp();
    let now = second();
    while second() == now {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn twenty_kills_at_random_moments() {
    let sandbox = shop();
    add_bulk(sandbox.database(), BULK_MEGABYTES);
    let whole = sandbox.command("backup").run().succeeds().elapsed;
    let mut complete = 0;
    for moment in moments().take(20) {
        wait_for_next_second();
        let running = sandbox.command("backup").spawn();
        thread::sleep(whole.mul_f64(moment));
        running.signal(Signal::SIGKILL);
        complete += u32::from(running.wait().code == Some(0));
        assert_alone(&sandbox);
    }
    assert!(complete < 20, "no kill came in time");
    for key in sandbox.store().keys() {
        assert_eq!(footer(&sandbox.store().read(&key)).0.total_rows(), ROWS + rows_of_bulk(), "{key}");
    }

    wait_for_next_second();
    sandbox.command("backup").run().succeeds();
    // An upload whose id had not been written down yet holds nothing: parts are sent after that. Cleanup finds it.
    let left = sandbox.store().unfinished_uploads();
    assert!(left.iter().all(|upload| upload.parts == 0), "{left:#?}\n{}", sandbox.store().transcript());
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_dump_that_waits_does_not_outlive_a_killed_run() {
    let sandbox = shop();
    // Nothing would ever tell it that nobody reads any more: it has nothing to write.
    let holder = Session::new(sandbox.database(), "BEGIN; LOCK TABLE orders;");
    let running = sandbox.command("backup").spawn();
    wait_for_blocked_dump(sandbox.database());
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().signal, Some(9));
    assert_no_process(&sandbox);
    holder.end("ROLLBACK;");
}

fn rows_of_bulk() -> u64 {
    u64::from(BULK_MEGABYTES) * 2000
}

#[test]
fn the_next_run_aborts_the_upload_of_a_killed_one_and_says_so() {
    let sandbox = shop();
    add_bulk(sandbox.database(), 40);
    sandbox.store().fault(On::part(2), Fault::Stall);
    let running = sandbox.command("backup").spawn();
    sandbox.store().wait_for(&On::part(2), 1, Duration::from_mins(1));
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().signal, Some(9));
    assert_alone(&sandbox);
    assert_eq!(sandbox.store().unfinished_uploads().len(), 1);

    sandbox.store().clear_faults();
    wait_for_next_second();
    let outcome = sandbox.command("backup").run().succeeds();
    outcome.says("an earlier run broke off without cleaning up: its upload of s3://shop-backups/db-backups/daily/");
    sandbox.assert_no_litter();
    assert_eq!(sandbox.store().keys().len(), 3);
}
