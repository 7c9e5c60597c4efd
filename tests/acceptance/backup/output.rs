//! A backup that goes to a file or into a pipe.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::lifeline;
use acceptance::programs;
use acceptance::sandbox::Sandbox;
use acceptance::store::On;
use nix::sys::signal::Signal;

use crate::shop::{ROWS, add_bulk, footer, shop};

/// A program of the system that reads what `backup` writes to stdout.
fn reader(program: &str, argument: &str) -> (Child, Stdio) {
    let mut command = Command::new(programs::on_path(program).unwrap());
    command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = lifeline::spawn(command).unwrap();
    let stdin = child.stdin.take().unwrap();
    (child, stdin.into())
}

fn assert_store_untouched(sandbox: &Sandbox) {
    assert!(sandbox.store().requests(&On::any()).is_empty(), "{}", sandbox.store().transcript());
    assert!(sandbox.mail().messages().is_empty(), "whoever asks for a file is there to see it");
}

#[test]
fn a_file_holds_the_same_as_the_store_would() {
    let mut sandbox = shop();
    sandbox.unset("S3_BUCKET_NAME").unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY");
    let file = sandbox.home().join("shop.sql.gz");
    sandbox.command("backup").args(["--output", "shop.sql.gz"]).run().succeeds().prints("shop.sql.gz");
    assert_eq!(footer(&fs::read(file).unwrap()).0.total_rows(), ROWS);
    assert_store_untouched(&sandbox);
    sandbox.assert_no_litter();
}

/// Rust's runtime opens `/dev/null` for both where a shell has closed stdout (`>&-`): nothing that is written would be missed.
#[test]
fn a_closed_stdout_is_no_place_for_a_backup() {
    let sandbox = shop();
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    let null = |read| Stdio::from(fs::OpenOptions::new().read(read).write(true).open("/dev/null").unwrap());
    for (tool, arguments) in [("backup", ["-o", "-"].as_slice()), ("restore", &["fetch", "latest", "-o", "-"])] {
        let run = |read| sandbox.command(tool).args(arguments.iter().copied()).stdout(null(read)).run();
        run(true).exits(1).says("stdout is closed").says("--output FILE").never_says("fetching");
        run(false).succeeds();
    }
}

#[test]
fn a_file_that_is_there_stays_as_it_is() {
    let sandbox = shop();
    let file = sandbox.write("shop.sql.gz", "precious");
    let outcome = sandbox.command("backup").arg("-o").arg(&file).run().exits(1);
    outcome.prints_nothing().says(&format!("cannot write {}: ", file.display())).says("exists");
    assert_eq!(fs::read(file).unwrap(), b"precious");
    sandbox.assert_no_litter();
}

#[test]
fn a_file_that_comes_in_the_way_during_the_dump_stays_as_it_is() {
    let sandbox = shop();
    let file = sandbox.home().join("shop.sql.gz");
    let real = "exec @REAL@ \"$@\"";
    sandbox.shim(
        "pg_dump",
        &format!("#!/bin/sh\ncase $1 in --version) ;; *) echo precious >'{}';; esac\n{real}\n", file.display()),
    );
    let outcome = sandbox.command("backup").arg("-o").arg(&file).run().exits(1);
    outcome.prints_nothing().says(&format!("cannot write {}: ", file.display())).says("exists");
    assert_eq!(fs::read(file).unwrap(), b"precious\n");
    sandbox.assert_no_litter();
}

#[test]
fn a_dump_that_fails_leaves_no_file() {
    let sandbox = shop();
    let folder = sandbox.home().join("out");
    fs::create_dir(&folder).unwrap();
    super::streams::pg_dump(&sandbox, "echo half; exit 1");
    sandbox.command("backup").arg("-o").arg(folder.join("shop.sql.gz")).run().exits(1);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let nowhere = sandbox.command("backup").args(["-o", "not/there/shop.sql.gz"]).run();
    nowhere.exits(1).says("cannot write not/there/shop.sql.gz");
}

#[test]
fn a_pipe_gets_the_backup_and_nothing_else() {
    let sandbox = shop();
    let (mut gunzip, stdin) = reader("gunzip", "-c");
    let mut dump = Vec::new();
    let running = sandbox.command("backup").args(["--output", "-"]).stdout(stdin).spawn();
    gunzip.stdout.take().unwrap().read_to_end(&mut dump).unwrap();
    running.wait().succeeds();
    assert!(gunzip.wait().unwrap().success());
    let text = String::from_utf8_lossy(&dump);
    assert!(text.starts_with("--\n-- PostgreSQL database dump\n"), "{text}");
    assert!(text.trim_end().lines().last().unwrap().starts_with("-- @backup end "));
    assert_store_untouched(&sandbox);
}

#[test]
fn a_reader_who_goes_is_an_error_and_no_crash() {
    let sandbox = shop();
    add_bulk(sandbox.database(), 4);
    let (mut head, stdin) = reader("head", "-c1");
    let outcome = sandbox.command("backup").args(["--output", "-"]).stdout(stdin).run().exits(1);
    outcome.says("whoever reads stdout closed it before the backup was written").never_says("panic");
    head.wait().unwrap();
    sandbox.assert_no_litter();
}

#[test]
fn a_signal_ends_a_run_whose_reader_does_not_read() {
    let sandbox = shop();
    add_bulk(sandbox.database(), 4);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = sandbox.command("backup").args(["--output", "-"]).stdout(writer).spawn();
    // The first bytes of a block larger than any pipe: the rest of it waits for a reader.
    reader.read_exact(&mut [0]).unwrap();
    let signalled = Instant::now();
    running.signal(Signal::SIGTERM);
    let outcome = running.wait().exits(143);
    assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}\n{}", signalled.elapsed(), outcome.report());
    drop(reader);
    sandbox.assert_no_litter();
}

#[test]
fn a_closed_stdout_does_not_undo_a_backup() {
    let sandbox = shop();
    let (mut head, stdin) = reader("head", "-c0");
    head.wait().unwrap();
    sandbox.command("backup").stdout(stdin).run().succeeds().never_says("panic");
    assert_eq!(sandbox.store().keys().len(), 3);
}

#[test]
fn a_full_disk_is_named() {
    let sandbox = shop();
    add_bulk(sandbox.database(), 4);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let outcome = sandbox.command("backup").args(["--output", "-"]).stdout(full).run().exits(1);
    outcome.says("cannot write stdout: No space left on device");
    sandbox.assert_no_litter();
}

#[test]
fn arguments_that_do_not_fit_together_are_wrong_usage() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["--output", "-", "--json"][..],
        &["--output", "x", "--dry-run"],
        &["--output", "x", "--if-older-than", "1h"],
        &["--if-older-than", "soon"],
        &["--quiet", "--verbose"],
        &["database"],
        &["--nonsense"],
    ] {
        sandbox.command("backup").args(arguments.iter().copied()).run().exits(2).prints_nothing().says("--help");
    }
    assert_store_untouched(&sandbox);
}
