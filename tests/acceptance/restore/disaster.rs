//! The runbooks of the README, word for word, on a server that knows nothing of what was lost, and then on one that does.

use std::fs;

use acceptance::postgres::{Cluster, Database};
use acceptance::readme::block_run_by;
use acceptance::sandbox::Sandbox;

use super::{back_up, counts};
use crate::follow::follow;
use crate::shop::fill;

/// The name in the README.
const DATABASE: &str = "eleganttex";

/// The file in the README.
const FILE: &str = "eleganttex_backup_20250129_020000.sql.gz";

/// A backup of a database whose tables have an owner of their own, and a new server where nothing of it is.
fn after_the_fire() -> (Sandbox, Database, String) {
    let sandbox = Sandbox::on(Cluster::start().create_database_named(DATABASE));
    let original = sandbox.database();
    fill(original);
    original.sql(
        "CREATE ROLE team; CREATE ROLE \"the app\" LOGIN IN ROLE team; GRANT SELECT ON customers TO team; \
         ALTER TABLE orders OWNER TO \"the app\"; ALTER TABLE customers OWNER TO \"the app\"",
    );
    let before = counts(original);
    let (mut sandbox, key) = back_up(sandbox);
    fs::write(sandbox.home().join(FILE), sandbox.store().read(&key)).unwrap();
    let new = Cluster::start();
    sandbox.log_in_as(&new.superuser()).env("DB_PORT", &new.port().to_string());
    let database = new.database(DATABASE);
    (sandbox, database, before)
}

/// Once where nothing is, and once more over what is then there and has been damaged.
fn brings_it_back(commands: &str) {
    let (sandbox, database, before) = after_the_fire();
    for time in ["first", "second"] {
        let said = follow(&sandbox, commands);
        assert_eq!(counts(&database), before, "{time}: {said}");
        let owners =
            "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE tablename IN ('orders', 'customers')";
        assert_eq!(database.query(owners), "the app", "{time}: {said}");
        assert_eq!(database.query("SELECT pg_has_role('the app', 'team', 'member')"), "t", "{time}: {said}");
        database.sql("DELETE FROM orders; DROP VIEW open_orders;");
    }
}

#[test]
fn the_database_comes_back_with_these_tools() {
    brings_it_back(&block_run_by("the_database_comes_back_with_these_tools"));
}

#[test]
fn the_database_comes_back_with_stock_tools_only() {
    brings_it_back(&block_run_by("the_database_comes_back_with_stock_tools_only"));
}
