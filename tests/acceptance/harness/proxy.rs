//! The fault proxy, between psql and PostgreSQL.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::postgres::Cluster;
use acceptance::programs;
use acceptance::proxy::{Network, Proxy};

const LONG_ANSWER: &str = "SELECT repeat('x', 1000) FROM generate_series(1, 10000)";

/// psql through the proxy, asking for ten million bytes.
fn ask(cluster: &Cluster, proxy: &Proxy) -> Child {
    Command::new(programs::postgres("psql"))
        .args([
            "-X",
            "-A",
            "-t",
            "-w",
            "-h",
            "127.0.0.1",
            "-U",
            &cluster.superuser().user,
            "-c",
            LONG_ANSWER,
            "postgres",
        ])
        .env_clear()
        .env("PGPORT", proxy.port().to_string())
        .env("PGPASSWORD", cluster.password())
        .env("PGAPPNAME", "stalled")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_good_network_passes_everything_and_a_bad_one_resets() {
    let cluster = Cluster::shared();
    let proxy = Proxy::to(cluster.port());
    let answer = ask(&cluster, &proxy).wait_with_output().unwrap();
    assert_eq!(answer.stdout.len(), 10_000 * 1001);
    proxy.set(Network::ResetAfter(1_000_000));
    let answer = ask(&cluster, &proxy).wait_with_output().unwrap();
    assert!(!answer.status.success());
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(said.contains("Connection reset by peer") || said.contains("closed the connection"), "{said}");
    assert_eq!(proxy.connections(), 2);
}

#[test]
fn a_stalled_connection_waits_until_the_network_is_good_again() {
    let cluster = Cluster::start();
    let proxy = Proxy::to(cluster.port());
    proxy.set(Network::BlackHole);
    let psql = ask(&cluster, &proxy);
    proxy.wait_for_connections(1, Duration::from_secs(10));
    assert!(!cluster.log().contains("user=harness database=postgres application_name=stalled"), "{}", cluster.log());

    proxy.set(Network::StallAfter(5000));
    let backend = cluster.wait_for_backend("stalled");
    let deadline = Instant::now() + Duration::from_secs(10);
    let stuck = format!("SELECT wait_event FROM pg_stat_activity WHERE pid = {backend}");
    while cluster.maintenance().query(&stuck) != "ClientWrite" {
        assert!(Instant::now() < deadline, "the server is not held up");
    }
    proxy.set(Network::Pass);
    assert_eq!(psql.wait_with_output().unwrap().stdout.len(), 10_000 * 1001);
}
