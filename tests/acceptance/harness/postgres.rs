//! The throwaway PostgreSQL server.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::postgres::{Cluster, Login};
use acceptance::programs;

/// One statement over TCP with a password, as the tools connect.
fn over_tcp(cluster: &Cluster, database: &str, login: &Login, statement: &str) -> Result<String, String> {
    let output = Command::new(programs::postgres("psql"))
        .args(["-X", "-A", "-t", "-w", "-h", "127.0.0.1", "-p", &cluster.port().to_string(), "-c", statement])
        .env_clear()
        .env("PGUSER", &login.user)
        .env("PGPASSWORD", &login.password)
        .env("PGDATABASE", database)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn tcp_wants_the_password_and_the_socket_does_not() {
    let cluster = Cluster::shared();
    let database = cluster.create_database();
    database.sql("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 3);");
    assert_eq!(database.query("SELECT sum(a), count(*) FROM t"), "6|3");
    let superuser = cluster.superuser();
    assert_eq!(over_tcp(&cluster, database.name(), &superuser, "SELECT sum(a) FROM t"), Ok("6".to_owned()));
    let wrong = Login { password: "wrong".into(), ..superuser };
    let refused = over_tcp(&cluster, database.name(), &wrong, "SELECT 1").unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[test]
fn a_database_may_have_any_name() {
    let cluster = Cluster::shared();
    for name in ["host=evil", "-f", "quo\"te's", "up/../../etc", "naïve данные"] {
        assert_eq!(cluster.create_database_named(name).query("SELECT current_database()"), name);
    }
}

#[test]
fn a_role_has_the_rights_it_was_given() {
    let cluster = Cluster::shared();
    let database = cluster.create_database();
    database.sql("CREATE TABLE secret (a int)");
    let blind = cluster.create_role("NOSUPERUSER");
    let reader = cluster.create_role("IN ROLE pg_read_all_data");
    let count = "SELECT count(*) FROM secret";
    assert!(over_tcp(&cluster, database.name(), &blind, count).unwrap_err().contains("permission denied"));
    assert_eq!(over_tcp(&cluster, database.name(), &reader, count), Ok("0".to_owned()));
}

#[test]
fn a_server_of_ones_own_stops_and_starts_with_its_data() {
    let cluster = Cluster::start();
    let database = cluster.create_database();
    database.sql("CREATE TABLE t (a int); INSERT INTO t VALUES (7); CHECKPOINT;");
    cluster.stop_immediate();
    let gone = over_tcp(&cluster, database.name(), &cluster.superuser(), "SELECT 1").unwrap_err();
    assert!(gone.contains("Connection refused"), "{gone}");
    cluster.restart();
    assert_eq!(database.query("SELECT a FROM t"), "7");
    cluster.set("lock_timeout", "1234ms");
    assert_eq!(database.query("SHOW lock_timeout"), "1234ms");
}

#[test]
fn a_session_can_be_frozen_and_terminated() {
    let cluster = Cluster::start();
    let mut psql = cluster.create_database().psql();
    psql.env("PGAPPNAME", "sleeper").args(["-c", "SELECT pg_sleep(60)"]).stderr(Stdio::null());
    let mut client = acceptance::lifeline::spawn(psql).unwrap();
    let backend = cluster.wait_for_backend("sleeper");
    let frozen = cluster.freeze(backend);
    cluster.terminate(backend);
    assert_eq!(cluster.backends("sleeper"), [backend], "a frozen process cannot act on the signal");
    drop(frozen);
    assert!(!client.wait().unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !cluster.backends("sleeper").is_empty() {
        assert!(Instant::now() < deadline, "the session did not end");
    }
}
