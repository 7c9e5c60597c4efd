//! A backup in the place of an existing database.

use std::fs;
use std::path::PathBuf;

use acceptance::lifeline;
use acceptance::programs;
use acceptance::sandbox::Sandbox;

use super::properties::properties;
use super::{backed_up, counts, databases, restore};
use crate::shop::footer;

/// Replaces the sandbox's own database.
pub(super) fn replace(sandbox: &Sandbox) -> Vec<String> {
    let name = sandbox.database().name();
    ["run", "latest", "--into", name, &format!("--replace={name}")].map(str::to_owned).into()
}

pub(super) fn safety_dumps(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = fs::read_dir(sandbox.home().join("state/before-restore"));
    folder.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// Damage as an application does it, after the backup.
pub(super) fn lose_orders(sandbox: &Sandbox) {
    sandbox.database().sql("DELETE FROM orders; CREATE TABLE after_the_backup (n int); DROP VIEW open_orders;");
}

#[test]
fn everything_is_as_it_was_and_what_was_lost_is_kept() {
    let (sandbox, _) = backed_up();
    let database = sandbox.database();
    let (before, name) = (counts(database), database.name().to_owned());
    lose_orders(&sandbox);
    let outcome = sandbox.command("restore").args(replace(&sandbox)).run().succeeds();
    assert_eq!(counts(database), before);
    assert_eq!(database.query("SELECT to_regclass('after_the_backup'), to_regclass('open_orders')"), "|open_orders");
    assert_eq!(databases(&sandbox, &name), [name.as_str()], "something is left beside it");

    let dumps = safety_dumps(&sandbox);
    assert_eq!(dumps.len(), 1);
    let (kept, _) = footer(&fs::read(&dumps[0]).unwrap());
    assert_eq!(kept.dump.table("public.orders").map(|table| table.rows), Some(0), "it is of before the restore");
    assert!(kept.dump.table("public.after_the_backup").is_some());
    let outcome = outcome.says(&format!("it will REPLACE the database {name}")).says(&dumps[0].display().to_string());

    outcome.says(&format!("the way back: restore run {} --into={name} --replace={name}", dumps[0].display()));

    // And back again: what the restore took away is not lost.
    let file = dumps[0].display().to_string();
    restore(&sandbox, &["run", &file, "--into", &name, &format!("--replace={name}"), "--no-safety-dump"])
        .run()
        .succeeds();
    assert_eq!(database.query("SELECT count(*) FROM orders"), "0");
    sandbox.assert_no_litter();
    sandbox.assert_no_secret_leaked();
}

#[test]
fn the_name_is_typed_out_or_nothing_happens() {
    let (sandbox, _) = backed_up();
    let name = sandbox.database().name();
    lose_orders(&sandbox);
    for replace in ["--replace", "--replace=", "--replace=shop"] {
        let outcome = restore(&sandbox, &["run", "latest", "--into", name, replace]).run();
        outcome.exits(2).prints_nothing().says("--replace");
    }
    assert_eq!(sandbox.database().query("SELECT count(*) FROM orders"), "0");
    assert!(safety_dumps(&sandbox).is_empty());
}

#[test]
fn a_person_at_a_terminal_is_asked() {
    let (sandbox, _) = backed_up();
    let name = sandbox.database().name();
    lose_orders(&sandbox);
    let rows = || sandbox.database().query("SELECT count(*) FROM orders");
    let (no, said) = at_terminal(&sandbox, &["--replace"], "yes\n");
    assert!(!no && said.contains("Type the name of the database") && said.contains("REPLACE"), "{said}");
    let (no, said) = at_terminal(&sandbox, &[&format!("--replace={name}")], "\n");
    assert!(!no && said.contains("Go on? [y/N]"), "{said}");
    assert_eq!(rows(), "0");
    let (yes, said) = at_terminal(&sandbox, &["--replace"], &format!("{name}\n"));
    assert!(yes, "{said}");
    assert_eq!(rows(), "2000");
    lose_orders(&sandbox);
    let (yes, said) = at_terminal(&sandbox, &[&format!("--replace={name}"), "--yes"], "");
    assert!(yes && !said.contains("Go on?"), "{said}");
    assert_eq!(rows(), "2000");
}

/// Runs it on a terminal that `script` makes, types this, and gives whether it went well and what was on the screen.
fn at_terminal(sandbox: &Sandbox, arguments: &[&str], typed: &str) -> (bool, String) {
    let tool = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("restore");
    let name = sandbox.database().name();
    let command = format!("{} run latest --into {name} {}", tool.display(), arguments.join(" "));
    let input = sandbox.write("typed", typed);
    let mut script = lifeline::command(&programs::on_path("script").unwrap(), "KILL", None);
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.env_clear().current_dir(sandbox.home()).stdin(fs::File::open(input).unwrap());
    for variable in sandbox.environment() {
        script.env(variable.0, variable.1);
    }
    let output = script.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_database_in_use_is_left_alone() {
    let (sandbox, _) = backed_up();
    lose_orders(&sandbox);
    let database = sandbox.database();
    let mut psql = database.psql();
    psql.args(["-c", "SELECT pg_sleep(1000)"]).env("PGAPPNAME", "the shop").stdout(std::process::Stdio::null());
    let mut session = lifeline::spawn(psql).unwrap();
    database.cluster().wait_for_backend("the shop");
    let outcome = sandbox.command("restore").args(replace(&sandbox)).run().exits(1).prints_nothing();
    outcome.says("is in use: the shop as harness").says("docker-compose stop app");
    assert_eq!(database.query("SELECT count(*) FROM orders"), "0");
    session.kill().unwrap();
    session.wait().unwrap();
}

#[test]
fn what_a_dump_does_not_hold_is_taken_over() {
    let (sandbox, _) = backed_up();
    let (database, name) = (sandbox.database(), sandbox.database().name());
    let owner = database.cluster().create_role("").user;
    database.sql(&format!(
        "ALTER DATABASE {name} OWNER TO {owner}; ALTER DATABASE {name} SET search_path TO \"$user\", public, \"Odd one\"; \
         ALTER DATABASE {name} SET application_name TO 'it''s'; ALTER ROLE {owner} IN DATABASE {name} SET work_mem TO '7MB'; \
         REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} CONNECTION LIMIT 42; \
         COMMENT ON DATABASE {name} IS 'the shop; it''s ours'"
    ));
    let before = properties(database, name);
    sandbox.command("restore").args(replace(&sandbox)).arg("--no-safety-dump").run().succeeds();
    assert_eq!(properties(database, name), before);
}

#[test]
fn without_its_dump_nothing_is_replaced() {
    let (sandbox, _) = backed_up();
    lose_orders(&sandbox);
    fs::write(sandbox.home().join("state/before-restore"), "in the way").unwrap();
    let outcome = sandbox.command("restore").args(replace(&sandbox)).run().exits(1).prints_nothing();
    outcome.says("before-restore");
    fs::remove_file(sandbox.home().join("state/before-restore")).unwrap();

    sandbox.shim(
        "pg_dump",
        "#!/bin/sh\ncase \"$*\" in *--version*) exec @REAL@ \"$@\";; esac\necho 'the disk is on fire' >&2\nexit 1\n",
    );
    let outcome = sandbox.command("restore").args(replace(&sandbox)).run().exits(1).prints_nothing();
    outcome.says("so nothing was replaced").says("the disk is on fire").says("--no-safety-dump");
    assert_eq!(sandbox.database().query("SELECT count(*) FROM orders"), "0");
    assert_eq!(databases(&sandbox, sandbox.database().name()), [sandbox.database().name()]);
}
