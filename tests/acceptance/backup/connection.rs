//! The database cannot be reached, or does not let us in.

use std::net::TcpListener;
use std::time::Duration;

use acceptance::postgres::{Cluster, canary};
use acceptance::proxy::{Network, Proxy};
use acceptance::sandbox::Sandbox;
use acceptance::store::{On, Operation};

use super::Failed;
use crate::shop::{fill, shop};

/// Between the tries of a connection: 2 s and 5 s.
const PAUSES: Duration = Duration::from_secs(7);

fn assert_nothing_written(sandbox: &Sandbox) {
    let writes = sandbox.store().requests(&On::any());
    let writes: Vec<_> = writes.iter().filter(|request| request.operation != Operation::ListObjects).collect();
    assert!(writes.is_empty(), "{}", sandbox.store().transcript());
}

#[test]
fn a_wrong_password() {
    let mut sandbox = shop();
    sandbox.env("DB_PASSWORD", &canary("wrong"));
    let outcome = sandbox.command("backup").run().ends_within(Duration::from_secs(30)).never_says("trying again");
    Failed { cause: "password authentication failed", hint: "Check DB_USER and DB_PASSWORD" }.check(&sandbox, outcome);
    assert_nothing_written(&sandbox);
}

#[test]
fn no_password_where_one_is_wanted() {
    let mut sandbox = shop();
    sandbox.unset("DB_PASSWORD");
    let outcome = sandbox.command("backup").run();
    Failed { cause: "no password supplied", hint: "Set DB_PASSWORD, or DB_PASSWORD_FILE." }.check(&sandbox, outcome);
}

#[test]
fn a_database_that_is_not_there() {
    let mut sandbox = shop();
    sandbox.env("DB_NAME", "shoop");
    let outcome = sandbox.command("backup").run();
    Failed { cause: "database \"shoop\" does not exist", hint: "Check DB_NAME and DB_USER." }.check(&sandbox, outcome);
    assert_nothing_written(&sandbox);
}

#[test]
fn a_role_that_is_not_there() {
    let mut sandbox = shop();
    sandbox.env("DB_USER", "nobody knows");
    let cause = "password authentication failed for user \"nobody knows\"";
    Failed { cause, hint: "Check DB_USER and DB_PASSWORD" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn a_host_that_nobody_knows() {
    let mut sandbox = shop();
    sandbox.env("DB_HOST", "db.invalid");
    let outcome = sandbox.command("backup").run().says("trying again in 2s").says("trying again in 5s");
    Failed { cause: "could not translate host name \"db.invalid\"", hint: "is DB_HOST the name of its service" }
        .check(&sandbox, outcome);
}

#[test]
fn a_port_where_nobody_listens() {
    let mut sandbox = shop();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sandbox.env("DB_PORT", &port.to_string());
    let outcome = sandbox.command("backup").run().says("trying again in 5s");
    Failed { cause: "Connection refused", hint: "Is the database running" }.check(&sandbox, outcome);
}

#[test]
fn a_port_that_accepts_and_never_answers() {
    let mut sandbox = shop();
    let proxy = Proxy::to(sandbox.database().cluster().port());
    proxy.set(Network::BlackHole);
    sandbox.env("DB_PORT", &proxy.port().to_string()).env("BACKUP_CONNECT_TIMEOUT", "2s");
    let outcome = sandbox.command("backup").run().ends_within(PAUSES + Duration::from_secs(25));
    Failed { cause: "timeout expired", hint: "Nothing answers at DB_HOST and DB_PORT" }.check(&sandbox, outcome);
    assert_eq!(proxy.connections(), 3);
}

#[test]
fn a_port_that_does_not_speak_postgresql() {
    let mut sandbox = shop();
    let port = sandbox.mail().port().to_string();
    sandbox.env("DB_PORT", &port).env("BACKUP_CONNECT_TIMEOUT", "2s");
    let outcome = sandbox.command("backup").run().exits(1).says("cannot ask the database server: ");
    drop(outcome);
    sandbox.assert_nothing_left_behind();
}

#[test]
fn a_server_that_lets_in_and_then_says_nothing() {
    let mut sandbox = shop();
    let proxy = Proxy::to(sandbox.database().cluster().port());
    sandbox.env("DB_PORT", &proxy.port().to_string()).env("BACKUP_CONNECT_TIMEOUT", "2s");
    sandbox.shim("psql", "#!/bin/sh\n[ \"$1\" = --version ] && exec @REAL@ \"$@\"; exec sleep 1000\n");
    let outcome = sandbox.command("backup").run().ends_within(Duration::from_mins(1));
    Failed { cause: "gave no answer within 32s", hint: "Is it the database?" }.check(&sandbox, outcome);
}

#[test]
fn a_database_that_restarts_at_this_minute_is_waited_for() {
    let cluster = Cluster::start();
    let database = cluster.create_database();
    fill(&database);
    database.sql("CHECKPOINT");
    let sandbox = Sandbox::on(database);
    cluster.stop_immediate();
    let mut running = sandbox.command("backup").spawn();
    running.wait_for_log("trying again in 2s");
    cluster.restart();
    running.wait().succeeds().prints("daily/");
}

#[test]
fn a_server_that_lets_nobody_else_in() {
    let mut sandbox = shop();
    let login = sandbox.database().cluster().create_role("CONNECTION LIMIT 0 IN ROLE pg_read_all_data");
    sandbox.log_in_as(&login);
    let cause = format!("too many connections for role \"{}\"", login.user);
    Failed { cause: &cause, hint: "" }.check(&sandbox, sandbox.command("backup").run());
}

#[test]
fn the_operators_own_settings_for_libpq_count() {
    let mut sandbox = shop();
    sandbox.env("PGSSLMODE", "require");
    let outcome = sandbox.command("backup").run();
    Failed { cause: "server does not support SSL, but SSL was required", hint: "" }.check(&sandbox, outcome);
    sandbox.env("PGSSLMODE", "disable").env("PGHOST", "evil.invalid").env("PGDATABASE", "evil").env("PGUSER", "evil");
    sandbox.command("backup").run().succeeds();
}
