//! What the server itself does to a dump: rights, locks, and ends in the middle.

use std::thread;
use std::time::{Duration, Instant};

use acceptance::postgres::Cluster;
use acceptance::proxy::{Network, Proxy};
use acceptance::sandbox::{Running, Sandbox};

use super::Failed;
use super::session::{Session, wait_for_blocked_dump};
use crate::shop::{ROWS, add_bulk, daily_key, fill, footer, shop};

/// A shop whose dump comes to a halt after a megabyte, because the network does.
struct HaltedDump {
    sandbox: Sandbox,
    proxy: Proxy,
}

impl HaltedDump {
    fn new(cluster: &Cluster) -> Self {
        let database = cluster.create_database();
        fill(&database);
        add_bulk(&database, 24);
        let proxy = Proxy::to(cluster.port());
        proxy.set(Network::StallAfter(1 << 20));
        let mut sandbox = Sandbox::on(database);
        sandbox.env("DB_PORT", &proxy.port().to_string());
        Self { sandbox, proxy }
    }

    /// Starts a backup, and gives it with the server process of its dump once that can send no more.
    fn start(&self) -> (Running<'_>, i32) {
        let running = self.sandbox.command("backup").spawn();
        let database = self.sandbox.database();
        let halted =
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'backup' AND datname = current_database()
          AND wait_event = 'ClientWrite' AND query LIKE 'COPY public.bulk %'";
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Ok(pid) = database.query(halted).parse() {
                return (running, pid);
            }
            assert!(Instant::now() < deadline, "the dump did not come to a halt");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_role_that_may_not_read_a_table() {
    let mut sandbox = shop();
    let login = sandbox.database().cluster().create_role("");
    let outcome = sandbox.log_in_as(&login).command("backup").run();
    Failed { cause: "permission denied for table", hint: "GRANT pg_read_all_data TO the role" }
        .check(&sandbox, outcome);
}

#[test]
fn a_role_that_may_read_everything_and_no_more_is_enough() {
    let mut sandbox = shop();
    sandbox.database().sql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
    let reader = "NOSUPERUSER BYPASSRLS IN ROLE pg_read_all_data";
    let login = sandbox.database().cluster().create_role(reader);
    sandbox.database().sql(&format!("ALTER ROLE {} SET default_transaction_read_only = on", login.user));
    sandbox.database().sql(&format!("ALTER ROLE {} SET statement_timeout = '1ms'", login.user));
    sandbox.log_in_as(&login).command("backup").run().succeeds();
    assert_eq!(footer(&sandbox.store().read(&daily_key(&sandbox))).0.total_rows(), ROWS);
}

#[test]
fn rows_that_a_role_may_not_see() {
    let mut sandbox = shop();
    sandbox.database().sql("ALTER TABLE orders ENABLE ROW LEVEL SECURITY");
    sandbox.database().sql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
    let login = sandbox.database().cluster().create_role("IN ROLE pg_read_all_data");
    let outcome = sandbox.log_in_as(&login).command("backup").run();
    Failed { cause: "would be affected by row-level security policy for table \"orders\"", hint: "BYPASSRLS" }
        .check(&sandbox, outcome);
}

#[test]
fn a_large_object_that_a_role_may_not_read() {
    let mut sandbox = shop();
    let login = sandbox.database().cluster().create_role("IN ROLE pg_read_all_data");
    let outcome = sandbox.log_in_as(&login).command("backup").run();
    let hint = "Grant SELECT on the large object";
    Failed { cause: "permission denied for large object", hint }.check(&sandbox, outcome);
}

#[test]
fn a_table_that_stays_locked() {
    let mut sandbox = shop();
    let _holder = Session::new(sandbox.database(), "BEGIN; LOCK TABLE orders;");
    sandbox.env("BACKUP_LOCK_TIMEOUT", "1s");
    let outcome = sandbox.command("backup").run().says("canceling statement due to statement timeout");
    Failed { cause: "LOCK TABLE public.orders", hint: "BACKUP_LOCK_TIMEOUT sets how long is waited" }
        .check(&sandbox, outcome);
}

#[test]
fn a_table_that_is_locked_for_a_while_is_waited_for() {
    let sandbox = shop();
    let holder = Session::new(sandbox.database(), "BEGIN; LOCK TABLE orders; DELETE FROM orders;");
    let running = sandbox.command("backup").spawn();
    wait_for_blocked_dump(sandbox.database());
    holder.end("COMMIT;");
    running.wait().succeeds();
}

#[test]
fn a_table_that_is_dropped_under_the_dump_costs_a_second_try() {
    let sandbox = shop();
    let dropper = Session::new(sandbox.database(), "BEGIN; DROP TABLE nothing_yet;");
    let running = sandbox.command("backup").spawn();
    wait_for_blocked_dump(sandbox.database());
    dropper.end("COMMIT;");
    let outcome = running.wait().succeeds();
    outcome.says("relation \"public.nothing_yet\" does not exist").says("trying once more");
    let (footer, _) = footer(&sandbox.store().read(&daily_key(&sandbox)));
    assert_eq!((footer.table_count(), footer.total_rows()), (4, ROWS));
    sandbox.assert_no_litter();
}

#[test]
fn what_wants_to_change_a_table_waits_for_the_dump_and_the_dump_for_nothing() {
    let halted = HaltedDump::new(&Cluster::shared());
    let (running, _) = halted.start();
    let database = halted.sandbox.database().clone();
    let rows = database.query("SELECT count(*) FROM customers");
    let truncating = thread::spawn({
        let database = database.clone();
        move || database.sql("TRUNCATE customers CASCADE")
    });
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
      WHERE NOT l.granted AND c.relname = 'customers' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let deadline = Instant::now() + Duration::from_mins(1);
    while database.query(waits) == "0" {
        assert!(Instant::now() < deadline, "TRUNCATE did not wait");
        thread::sleep(Duration::from_millis(20));
    }
    halted.proxy.set(Network::Pass);
    running.wait().succeeds();
    truncating.join().unwrap();
    let (footer, _) = footer(&halted.sandbox.store().read(&daily_key(&halted.sandbox)));
    let customers = footer.dump.tables.iter().find(|table| table.name == "public.customers").unwrap();
    assert_eq!(customers.rows.to_string(), rows);
    assert_eq!(database.query("SELECT count(*) FROM customers"), "0");
}

#[test]
fn a_server_that_crashes_in_the_middle() {
    let cluster = Cluster::start();
    let halted = HaltedDump::new(&cluster);
    let (running, _) = halted.start();
    cluster.stop_immediate();
    halted.proxy.set(Network::Pass);
    let outcome = running.wait();
    cluster.restart();
    Failed { cause: "pg_dump failed after ", hint: "The server ended or restarted" }.check(&halted.sandbox, outcome);
}

#[test]
fn a_session_that_an_administrator_ends() {
    let halted = HaltedDump::new(&Cluster::shared());
    let (running, backend) = halted.start();
    Cluster::shared().terminate(backend);
    halted.proxy.set(Network::Pass);
    Failed { cause: "pg_dump failed after ", hint: "server" }.check(&halted.sandbox, running.wait());
}

#[test]
fn a_server_process_that_hangs() {
    let cluster = Cluster::start();
    let mut halted = HaltedDump::new(&cluster);
    halted.sandbox.env("BACKUP_STALL_TIMEOUT", "5s");
    let (running, backend) = halted.start();
    let frozen = cluster.freeze(backend);
    halted.proxy.set(Network::Pass);
    let outcome = running.wait().ends_within(Duration::from_mins(1));
    drop(frozen);
    let hint = "BACKUP_STALL_TIMEOUT sets how long is waited";
    Failed { cause: "pg_dump sent nothing for 5s, after ", hint }.check(&halted.sandbox, outcome);
}

#[test]
fn a_network_that_falls_silent_in_the_middle() {
    let mut halted = HaltedDump::new(&Cluster::shared());
    halted.sandbox.env("BACKUP_STALL_TIMEOUT", "5s");
    let outcome = halted.sandbox.command("backup").run().ends_within(Duration::from_mins(1));
    // The sessions end when the network lets them notice.
    halted.proxy.set(Network::Pass);
    Failed { cause: "pg_dump sent nothing for 5s, after ", hint: "pg_stat_activity" }.check(&halted.sandbox, outcome);
}

#[test]
fn a_connection_that_is_reset_in_the_middle() {
    let halted = HaltedDump::new(&Cluster::shared());
    halted.proxy.set(Network::ResetAfter(1 << 20));
    let outcome = halted.sandbox.command("backup").run();
    Failed { cause: "pg_dump failed after ", hint: "" }.check(&halted.sandbox, outcome);
}
