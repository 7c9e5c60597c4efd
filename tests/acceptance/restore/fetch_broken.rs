//! A fetch that breaks off: nothing under the final name, and the next run goes on from there.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use acceptance::sandbox::{Running, Sandbox};
use acceptance::store::{Fault, On, Operation};
use nix::sys::signal::Signal;

use super::{backed_up_in_bulk, files, restore};

const FETCH: [&str; 4] = ["fetch", "latest", "-o", "b.sql.gz"];

/// Where the second range begins.
const SECOND: u64 = 8 << 20;

/// The second range, and what is read on of it.
fn second_range(sandbox: &Sandbox, key: &str) -> On {
    let last = sandbox.store().read(key).len() - 1;
    On::operation(Operation::GetObject).header("range", &format!("-{last}"))
}

fn part(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join("b.sql.gz.part")
}

/// Starts a fetch of which the second range never comes, and waits until the first is on disk.
fn stuck<'s>(sandbox: &'s Sandbox, key: &str) -> Running<'s> {
    sandbox.store().fault(second_range(sandbox, key), Fault::StallAnswerAfter(0));
    let part = part(sandbox);
    let mut running = restore(sandbox, &FETCH).env("BACKUP_STALL_TIMEOUT", "1h").spawn();
    running.wait_until("stored a range", |_| fs::metadata(&part).is_ok_and(|file| file.len() >= SECOND));
    running
}

/// What was here is not asked for again, and the file is whole.
fn goes_on(sandbox: &Sandbox, key: &str) {
    sandbox.store().clear_faults();
    let begins = On::operation(Operation::GetObject).header("range", "bytes=0-");
    let before = sandbox.store().requests(&begins).len();
    let here = fs::metadata(part(sandbox)).unwrap().len();
    assert!(here >= SECOND, "only {here} bytes were kept");
    restore(sandbox, &FETCH).run().succeeds().says("of it are here already");
    assert_eq!(sandbox.store().requests(&begins).len(), before, "it began anew\n{}", sandbox.store().transcript());
    assert!(fs::read(sandbox.home().join("b.sql.gz")).unwrap() == sandbox.store().read(key), "other bytes are there");
    assert_eq!(files(sandbox), ["b.sql.gz"]);
}

#[test]
fn a_broken_download_is_gone_on_with() {
    let (sandbox, key) = backed_up_in_bulk();
    sandbox.store().fault(second_range(&sandbox, &key), Fault::CutAnswerAfter(10));
    let outcome = restore(&sandbox, &FETCH).run().exits(1).prints_nothing();
    outcome.says("cannot read s3://").says("b.sql.gz.part is kept: the same command goes on from there");
    assert_eq!(files(&sandbox), ["b.sql.gz.part"]);
    goes_on(&sandbox, &key);
}

#[test]
fn so_is_a_killed_one() {
    let (sandbox, key) = backed_up_in_bulk();
    let running = stuck(&sandbox, &key);
    running.signal(Signal::SIGKILL);
    running.wait();
    assert_eq!(files(&sandbox), ["b.sql.gz.part"]);
    goes_on(&sandbox, &key);
}

#[test]
fn signals_end_it_at_once_and_keep_what_is_here() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let (sandbox, key) = backed_up_in_bulk();
        let running = stuck(&sandbox, &key);
        let signalled = Instant::now();
        running.signal(signal);
        running.wait().exits(code);
        assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
        goes_on(&sandbox, &key);
    }
}

#[test]
fn two_do_not_write_into_one_file() {
    let (sandbox, key) = backed_up_in_bulk();
    let running = stuck(&sandbox, &key);
    restore(&sandbox, &FETCH).run().exits(75).says("another run fetches into b.sql.gz.part");
    running.signal(Signal::SIGTERM);
    running.wait().exits(143);
}

#[test]
fn what_is_here_of_another_backup_is_thrown_away() {
    let (sandbox, key) = backed_up_in_bulk();
    let object = sandbox.store().read(&key);
    let mut damaged = object[..object.len() / 2].to_vec();
    damaged[1000] ^= 1;
    for left in [b"of another backup".to_vec(), damaged, [&object[..], b"longer"].concat(), object] {
        fs::write(part(&sandbox), &left).unwrap();
        restore(&sandbox, &FETCH).run().succeeds();
        assert!(
            fs::read(sandbox.home().join("b.sql.gz")).unwrap() == sandbox.store().read(&key),
            "other bytes are there"
        );
        assert_eq!(files(&sandbox), ["b.sql.gz"]);
        fs::remove_file(sandbox.home().join("b.sql.gz")).unwrap();
    }
}

#[test]
fn a_link_in_the_place_of_the_unfinished_file_is_not_followed() {
    let (sandbox, _) = backed_up_in_bulk();
    let precious = sandbox.write("precious", "precious");
    std::os::unix::fs::symlink(&precious, part(&sandbox)).unwrap();
    restore(&sandbox, &FETCH).run().exits(1).says("cannot open b.sql.gz.part");
    assert_eq!(fs::read(precious).unwrap(), b"precious");
}
