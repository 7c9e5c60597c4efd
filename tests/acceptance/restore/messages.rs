//! What is said when a restore cannot be: what it is about, and what to do.

use backup_core::key::Tier;

use super::{backed_up, databases, night, restore, rewritten, seed};

#[test]
fn a_key_that_is_not_there_is_answered_with_those_that_are() {
    let (sandbox, key) = backed_up();
    let older = seed(&sandbox, Tier::Daily, night(3), b"x");
    let typed = key.replace("_backup_", "_backup_1");
    for arguments in [vec!["run", &typed, "--into", "n"], vec!["fetch", &typed]] {
        let outcome = restore(&sandbox, &arguments).run().exits(1).prints_nothing();
        outcome.says(&format!("The newest ones that there are: {key}, {older}. `restore list` shows all."));
    }
    let outcome = restore(&sandbox, &["run", "--before", "2001-01-01", "--into", "n"]).run().exits(1);
    outcome.says(&format!("The oldest ones that there are: {older}, {key}."));
}

/// What has a slash in it and does not begin with a dot is a key.
#[test]
fn a_file_that_is_taken_for_a_key_is_recognised() {
    let (sandbox, _) = backed_up();
    sandbox.write("a file/b.sql.gz", "");
    for tool in [&["restore", "run", "a file/b.sql.gz", "--into", "n"][..], &["restore-test", "a file/b.sql.gz"]] {
        let outcome = sandbox.command(tool[0]).args(tool[1..].iter().copied()).current_dir(sandbox.home()).run();
        outcome.exits(1).says("no object stands under this key; the file of this name is './a file/b.sql.gz'");
    }
}

#[test]
fn a_name_that_was_mistyped_twice_replaces_nothing_and_makes_nothing() {
    let (sandbox, _) = backed_up();
    let meant = sandbox.database().cluster().create_database_named(&format!("warehouse_{}", std::process::id()));
    let typed = meant.name().replacen("ware", "wear", 1);
    let arguments = ["run", "latest", "--into", &typed, &format!("--replace={typed}")];
    let outcome = restore(&sandbox, &arguments).run().exits(1).prints_nothing();
    outcome.says(&format!(
        "there is no database {typed} that could be replaced, but there is one called {}",
        meant.name()
    ));
    assert!(databases(&sandbox, &typed).is_empty());
    // Without it there is no doubt.
    restore(&sandbox, &arguments[..4]).run().succeeds();
}

#[test]
fn a_connection_that_breaks_off_is_told_apart() {
    let (sandbox, _) = backed_up();
    let new = format!("{}_new", sandbox.database().name());
    sandbox.shim(
        "psql",
        "#!/bin/sh\ncase \"$*\" in *--file=-*) echo 'psql:<stdin>:7: error: connection to server was lost' >&2; exit 2;; esac\n\
         exec @REAL@ \"$@\"\n",
    );
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(1).prints_nothing();
    outcome
        .says("connection to server was lost")
        .says("The connection to the database server broke off")
        .says("run again");
    assert!(databases(&sandbox, &new).is_empty());
}

#[test]
fn a_server_that_is_older_than_the_dump_is_told_beforehand() {
    let (sandbox, key) = backed_up();
    let new = format!("{}_new", sandbox.database().name());
    let newer = rewritten(&sandbox.store().read(&key), |_, dump| {
        let text = String::from_utf8(std::mem::take(dump)).unwrap();
        let text = text.replacen("-- Dumped from database version 15", "-- Dumped from database version 99", 1);
        *dump =
            text.replacen("SET statement_timeout = 0;", "SET statement_timeout = 0;\nSET of_the_future = 0;", 1).into();
    });
    sandbox.store().seed(&key, &newer);
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(1).prints_nothing();
    outcome
        .says("the backup is of PostgreSQL 99")
        .says("unrecognized configuration parameter")
        .says("is of a newer PostgreSQL");
    assert!(databases(&sandbox, &new).is_empty());
}
