//! The client programs: missing, of the wrong version, or none at all.

use std::fs;
use std::time::Duration;

use acceptance::sandbox::Sandbox;

use super::Failed;
use crate::shop::shop;

fn pg_dump_of_version(sandbox: &Sandbox, says: &str) {
    sandbox.shim("pg_dump", &format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ {says}; exit; }}; exec @REAL@ \"$@\"\n"));
}

#[test]
fn a_program_that_is_missing_is_named() {
    for program in ["pg_dump", "psql"] {
        let sandbox = shop();
        sandbox.without_program(program);
        let cause = format!("cannot find {program} in PG_BIN_DIR ({}/bin)", sandbox.home().display());
        let hint = "Set PG_BIN_DIR to the directory of the PostgreSQL programs.";
        Failed { cause: &cause, hint }.check(&sandbox, sandbox.command("backup").run());
    }
}

#[test]
fn without_a_directory_of_their_own_programs_are_found_on_the_path() {
    let mut sandbox = shop();
    let bin = sandbox.home().join("bin").display().to_string();
    sandbox.unset("PG_BIN_DIR").env("PATH", "/no/such/folder");
    sandbox.command("backup").run().exits(1).says("cannot find pg_dump in PATH (/no/such/folder)");
    sandbox.env("PATH", &format!("/no/such/folder:{bin}"));
    sandbox.command("backup").run().succeeds();
}

#[test]
fn a_dump_program_older_than_the_server_is_refused() {
    let sandbox = shop();
    pg_dump_of_version(&sandbox, "echo 'pg_dump (PostgreSQL) 9.6.24'");
    let server = sandbox.database().query("SHOW server_version");
    let cause = format!("pg_dump is version 9.6.24, the server is {}: ", server.split(' ').next().unwrap());
    let hint = format!("Install the client programs of PostgreSQL {}", server.split('.').next().unwrap());
    Failed { cause: &cause, hint: &hint }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn a_dump_program_newer_than_the_server_is_a_warning() {
    let sandbox = shop();
    pg_dump_of_version(&sandbox, "echo 'pg_dump (PostgreSQL) 99.1 (Debian 99.1-1)'");
    let outcome = sandbox.command("backup").run().succeeds();
    outcome.says("pg_dump is version 99.1, the server is ").says("may not restore into a server of version");
}

#[test]
fn a_program_that_is_none_of_postgresqls() {
    let sandbox = shop();
    pg_dump_of_version(&sandbox, "echo hello");
    let cause = "cannot tell the version of pg_dump from `hello";
    Failed { cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn a_program_that_cannot_even_start() {
    let sandbox = shop();
    pg_dump_of_version(&sandbox, "echo 'error while loading shared libraries: libpq.so.5' >&2; exit 127");
    let cause = "from `error while loading shared libraries: libpq.so.5 (exit code 127)`";
    Failed { cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());

    let sandbox = shop();
    sandbox.without_program("pg_dump");
    fs::write(sandbox.home().join("bin/pg_dump"), "not a program").unwrap();
    let cause = format!("cannot start {}/bin/pg_dump: Permission denied", sandbox.home().display());
    Failed { cause: &cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn a_program_that_hangs_when_asked_for_its_version() {
    let sandbox = shop();
    pg_dump_of_version(&sandbox, "exec sleep 1000");
    let outcome = sandbox.command("backup").run().ends_within(Duration::from_secs(40));
    let cause = "cannot tell the version of pg_dump from `no answer within 10s`";
    Failed { cause, hint: "" }.check(&sandbox, outcome);
}
