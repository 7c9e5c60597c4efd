//! Memory stays flat, however large the dump.

use std::fs;
use std::time::Duration;

use acceptance::sandbox::{Run, Sandbox};

use super::streams::pg_dump;
use crate::shop::shop;

/// At the defaults on two cores.
const MOST: u64 = 160 << 20;

/// A dump with one table whose rows this shell command writes.
fn dump_of(sandbox: &Sandbox, rows: &str) {
    let head = "--\\n-- PostgreSQL database dump\\n--\\n\\n-- Dumped from database version 15.18\\n\\n\
        --\\n-- Data for Name: bulk; Type: TABLE DATA; Schema: public; Owner: x\\n--\\n\\nCOPY public.bulk (a) FROM stdin;\\n";
    let tail = "\\\\.\\n\\n\\n--\\n-- PostgreSQL database dump complete\\n--\\n\\n";
    pg_dump(sandbox, &format!("printf -- '{head}'; {rows} | dd obs=1M status=none; printf -- '{tail}'"));
}

/// The most memory that the run held at any moment (`VmHWM` of proc(5)).
pub(crate) fn peak(run: Run<'_>) -> u64 {
    let running = run.env("BACKUP_COMPRESSION_THREADS", "2").within(Duration::from_mins(5)).spawn();
    let status = format!("/proc/{}/status", running.pid());
    let mark = || {
        let text = fs::read_to_string(&status).ok()?;
        text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
    };
    let mut peak = 0;
    // The mark never falls; a process that has ended has none.
    while let Some(kilobytes) = mark() {
        peak = kilobytes << 10;
        std::thread::sleep(Duration::from_millis(10));
    }
    running.wait().succeeds();
    peak
}

#[test]
fn a_gigabyte_that_compresses_well() {
    let sandbox = shop();
    let row = "a row of a table that says the same as the row before it, as the rows of many tables do";
    dump_of(&sandbox, &format!("yes '{row}' | head -c {}", (row.len() + 1) * 12_000_000));
    let discard = fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    let peak = peak(sandbox.command("backup").args(["--output", "-"]).stdout(discard));
    assert!(peak < MOST, "{} MiB", peak >> 20);
}

#[test]
fn half_a_gigabyte_that_hardly_compresses_there_and_back() {
    let sandbox = shop();
    // Base64 of noise: a quarter less.
    dump_of(&sandbox, "head -c 525000000 /dev/urandom | base64");
    let backing_up = peak(sandbox.command("backup"));
    let stored: usize = sandbox.store().keys().iter().map(|key| sandbox.store().read(key).len()).max().unwrap();
    assert!(stored > 500_000_000, "{stored} bytes");
    assert!(backing_up < MOST, "{} MiB", backing_up >> 20);

    let discard = fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    let fetching = peak(sandbox.command("restore").args(["fetch", "latest", "--output", "-"]).stdout(discard));
    assert!(fetching < MOST, "{} MiB", fetching >> 20);
}
