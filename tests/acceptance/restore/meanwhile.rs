//! What others do while a backup is restored, and runs that are killed: nothing that somebody wrote is lost, and nothing that is half has the
//! name of the whole.

use std::fs;
use std::process::{Child, Stdio};

use acceptance::lifeline;
use acceptance::postgres::Cluster;
use acceptance::sandbox::{Running, Sandbox};
use nix::sys::signal::Signal;

use super::replace::{lose_orders, replace};
use super::{back_up, backed_up, counts, databases, restore};
use crate::shop::fill;

/// The restore is there, and is compared when this says so.
const WAITS_TO_COMPARE: &str =
    "#!/bin/sh\ncase \"$*\" in *_restoring_*) while [ ! -e @GO@ ]; do sleep 0.05; done;; esac\nexec @REAL@ \"$@\"\n";

fn wait_to_compare(sandbox: &Sandbox) {
    sandbox.shim("pg_dump", &WAITS_TO_COMPARE.replace("@GO@", &sandbox.home().join("go").display().to_string()));
}

pub(super) fn go(sandbox: &Sandbox) {
    fs::write(sandbox.home().join("go"), "").unwrap();
}

/// Starts it, and waits until all of it is restored, but not yet compared.
pub(super) fn restored<'s>(sandbox: &'s Sandbox, arguments: &[String]) -> Running<'s> {
    wait_to_compare(sandbox);
    let mut running = sandbox.command("restore").args(arguments.iter().map(String::as_str)).spawn();
    running.wait_for_log("comparing it with the backup");
    running
}

/// A session, and its process in the server, which does not notice that its client is gone.
fn session_in(sandbox: &Sandbox) -> (Child, i32) {
    let mut psql = sandbox.database().psql();
    psql.args(["-c", "SELECT pg_sleep(1000)"]).env("PGAPPNAME", "the shop").stdout(Stdio::null()).stderr(Stdio::null());
    let session = lifeline::spawn(psql).unwrap();
    (session, sandbox.database().cluster().wait_for_backend("the shop"))
}

#[test]
fn what_somebody_wrote_meanwhile_is_kept() {
    let (sandbox, _) = backed_up();
    let database = sandbox.database();
    let (before, name) = (counts(database), database.name().to_owned());
    let running = restored(&sandbox, &[replace(&sandbox), vec!["--json".to_owned()]].concat());
    database.sql("INSERT INTO customers (name) VALUES ('meanwhile'); CREATE TABLE later (n int);");
    go(&sandbox);
    let outcome = running.wait().exits(3);
    let outcome = outcome
        .says("changed since its dump: public.customers: 500 rows in its dump, 501 now")
        .says("changed since its dump: public.later is new")
        .says(&format!("what was replaced is kept as {name}_before_"))
        .says("somebody wrote to it after it was dumped");
    assert_eq!(counts(database), before);
    let all = databases(&sandbox, &name);
    assert!(all.len() == 2 && all[0] == name, "{all:?}");
    assert_eq!(outcome.json()["kept"], all[1].as_str());
    let kept = database.cluster().database(&all[1]);
    assert_eq!(kept.query("SELECT count(*) FROM customers WHERE name = 'meanwhile'"), "1");

    // The next one says that it is still there, and leaves it alone.
    let outcome = sandbox.command("restore").args(replace(&sandbox)).run().succeeds();
    outcome.says(&format!("an earlier restore left the database {}", all[1])).says("DROP DATABASE");
    assert_eq!(databases(&sandbox, &name), all);
}

#[test]
fn what_cannot_be_compared_any_more_is_kept() {
    let (sandbox, _) = backed_up();
    let name = sandbox.database().name().to_owned();
    let running = restored(&sandbox, &replace(&sandbox));
    for dump in fs::read_dir(sandbox.home().join("state/before-restore")).unwrap() {
        fs::write(dump.unwrap().path(), "no longer a dump").unwrap();
    }
    go(&sandbox);
    running.wait().exits(3).says(&format!("kept as {name}_before_")).says("cannot be compared with its dump");
    assert_eq!(databases(&sandbox, &name).len(), 2);
}

#[test]
fn whoever_is_connected_at_the_end_is_named_and_nothing_is_replaced() {
    let (sandbox, _) = backed_up();
    lose_orders(&sandbox);
    let name = sandbox.database().name().to_owned();
    let running = restored(&sandbox, &replace(&sandbox));
    let (mut session, backend) = session_in(&sandbox);
    go(&sandbox);
    let outcome = running.wait().exits(1).prints_nothing();
    let outcome = outcome
        .says(&format!("{name} could not be replaced, for it is in use (the shop as harness"))
        .says("Nothing is lost");
    assert_eq!(sandbox.database().query("SELECT count(*) FROM orders"), "0");
    let all = databases(&sandbox, &name);
    assert!(all.len() == 2 && all[1].starts_with(&format!("{name}_restoring_")), "{all:?}");
    sandbox.database().cluster().terminate(backend);
    session.wait().unwrap();

    // What the hint says does what it says.
    let said =
        outcome.stderr.split("BEGIN; ").nth(1).and_then(|text| text.split(" COMMIT;").next()).unwrap().to_owned();
    sandbox.database().cluster().maintenance().sql(&format!("BEGIN; {said} COMMIT;"));
    assert_eq!(sandbox.database().query("SELECT count(*) FROM orders"), "2000");
}

#[test]
fn a_database_that_comes_to_stand_under_the_name_is_not_touched() {
    let (sandbox, _) = backed_up();
    let (database, new) = (sandbox.database(), format!("{}_new", sandbox.database().name()));
    let running = restored(&sandbox, &["run", "latest", "--into", &new].map(str::to_owned));
    let theirs = database.cluster().create_database_named(&new);
    theirs.sql("CREATE TABLE theirs ()");
    go(&sandbox);
    let outcome = running.wait().exits(1).prints_nothing();
    outcome.says(&format!("could not take the name {new}")).says("RENAME TO");
    assert_eq!(theirs.query("SELECT to_regclass('theirs')"), "theirs");
    let all = databases(&sandbox, &new);
    assert_eq!(counts(&database.cluster().database(&all[1])), counts(database));
}

#[test]
fn what_a_killed_run_leaves_has_another_name_and_goes_with_the_next() {
    let (sandbox, _) = backed_up();
    let new = format!("{}_new", sandbox.database().name());
    let arguments = ["run", "latest", "--into", &new];
    let running = restored(&sandbox, &arguments.map(str::to_owned));
    running.signal(Signal::SIGKILL);
    running.wait();
    let left = databases(&sandbox, &new);
    assert!(left.len() == 1 && left[0].starts_with(&format!("{new}_restoring_")), "{left:?}");

    go(&sandbox);
    let outcome = restore(&sandbox, &arguments).run().succeeds();
    outcome.says(&format!("an earlier run was killed: {}, the half database that it left, is removed now", left[0]));
    assert_eq!(databases(&sandbox, &new), [new.as_str()]);
    restore(&sandbox, &["run", "latest", "--into", &format!("{new}er")]).run().succeeds().never_says("was killed");
}

#[test]
fn a_run_that_is_told_to_end_while_it_compares_leaves_nothing() {
    let (sandbox, _) = backed_up();
    let name = sandbox.database().name().to_owned();
    let running = restored(&sandbox, &replace(&sandbox));
    running.signal(Signal::SIGTERM);
    running.wait().exits(143).says("is gone again");
    assert_eq!(databases(&sandbox, &name), [name.as_str()]);
    sandbox.assert_no_litter();
}

#[test]
fn a_server_that_crashes_in_the_middle_is_left_clean_in_the_end() {
    let sandbox = Sandbox::on(Cluster::start().create_database());
    fill(sandbox.database());
    let (sandbox, _) = back_up(sandbox);
    let arguments = ["run", "latest", "--into", "new"];
    let running = restored(&sandbox, &arguments.map(str::to_owned));
    let cluster = sandbox.database().cluster();
    cluster.stop_immediate();
    go(&sandbox);
    cluster.restart();
    running.wait().exits(1).says("cannot be dumped");
    // The half one went at once if the server was back in time, and else goes now.
    restore(&sandbox, &arguments).run().succeeds();
    assert_eq!(databases(&sandbox, "new"), ["new"]);
}
