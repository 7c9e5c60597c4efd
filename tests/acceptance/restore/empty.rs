//! A backup in the place of a database that holds nothing, as the official image makes one on a new server.

use std::fs;

use acceptance::postgres::{Cluster, Database};
use acceptance::sandbox::Sandbox;

use super::meanwhile::{go, restored};
use super::properties::properties;
use super::replace::{replace, safety_dumps};
use super::{back_up, counts, databases, restore};
use crate::shop::fill;

/// A backup of a database that nobody else's is like, and in its place an empty one.
fn on_a_new_server() -> (Sandbox, Database, String, String) {
    let cluster = Cluster::start();
    let sandbox = Sandbox::on(cluster.create_database_named("shop"));
    let original = sandbox.database();
    fill(original);
    original.sql(
        "CREATE ROLE team; CREATE ROLE app LOGIN IN ROLE team; ALTER DATABASE shop OWNER TO app; \
         REVOKE ALL ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO team; COMMENT ON DATABASE shop IS 'ours'; \
         ALTER DATABASE shop SET search_path TO app, public; ALTER DATABASE shop CONNECTION LIMIT 42",
    );
    let (before, of_it) = (counts(original), properties(original, "shop"));
    let (sandbox, _) = back_up(sandbox);
    cluster.maintenance().sql("DROP DATABASE shop");
    cluster.maintenance().sql("DROP ROLE app, team");
    let empty = cluster.create_database_named("shop");
    (sandbox, empty, before, of_it)
}

#[test]
fn an_empty_database_counts_as_new() {
    let (sandbox, database, before, of_it) = on_a_new_server();
    assert_ne!(properties(&database, "shop"), of_it);
    // Temporary tables leave their schema behind.
    database.sql("CREATE TEMPORARY TABLE scratch (n serial); DROP SCHEMA public; CREATE SCHEMA public");
    let outcome = sandbox.command("restore").args(replace(&sandbox)).arg("--create-roles").run().succeeds();
    outcome
        .says("take the place of the database shop")
        .says("that one is EMPTY: nothing is dumped first")
        .says("shop counts as new")
        .says("the one before was empty")
        .never_says("REPLACE");
    assert_eq!((counts(&database), properties(&database, "shop")), (before, of_it.clone()));
    assert_eq!(databases(&sandbox, "shop"), ["shop"], "something is left beside it");
    assert!(safety_dumps(&sandbox).is_empty());

    // It is full now: what it is stays, and the plan says so.
    database.sql("COMMENT ON DATABASE shop IS 'theirs'");
    let outcome = sandbox.command("restore").args(replace(&sandbox)).run().succeeds();
    outcome.says("it will REPLACE the database shop").says("shop keeps the owner, privileges, settings and comment");
    assert_eq!(properties(&database, "shop"), of_it.replace("|ours|", "|theirs|"));
    assert_eq!(safety_dumps(&sandbox).len(), 1);
}

#[test]
fn whatever_is_in_a_database_it_is_not_empty() {
    let (sandbox, database, ..) = on_a_new_server();
    sandbox.shim("pg_dump", "#!/bin/sh\ncase \"$*\" in *--version*) exec @REAL@ \"$@\";; esac\nexit 1\n");
    for (make, remove) in [
        ("CREATE TABLE t ()", "DROP TABLE t"),
        ("CREATE VIEW v AS SELECT 1", "DROP VIEW v"),
        ("CREATE SEQUENCE s", "DROP SEQUENCE s"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION f"),
        ("CREATE TYPE mood AS ENUM ()", "DROP TYPE mood"),
        ("CREATE SCHEMA app", "DROP SCHEMA app"),
        ("SELECT lo_create(4711)", "SELECT lo_unlink(4711)"),
        ("CREATE FOREIGN DATA WRAPPER w", "DROP FOREIGN DATA WRAPPER w"),
        ("CREATE PUBLICATION p", "DROP PUBLICATION p"),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", ""),
    ] {
        database.sql(make);
        let outcome = sandbox.command("restore").args(replace(&sandbox)).arg("--create-roles").run().exits(1);
        outcome.says("it will REPLACE the database shop").says("so nothing was replaced").never_says("EMPTY");
        database.sql(remove);
    }
}

#[test]
fn what_somebody_wrote_into_the_empty_one_meanwhile_is_kept() {
    let (sandbox, database, before, of_it) = on_a_new_server();
    let running = restored(&sandbox, &[replace(&sandbox), vec!["--create-roles".to_owned()]].concat());
    database.sql("CREATE TABLE later (n int)");
    go(&sandbox);
    let outcome = running.wait().exits(3);
    outcome.says("what was replaced is kept as shop_before_").says("it was empty, and somebody wrote to it meanwhile");
    assert_eq!((counts(&database), properties(&database, "shop")), (before, of_it));
    let all = databases(&sandbox, "shop");
    assert!(all.len() == 2, "{all:?}");
    assert_eq!(database.cluster().database(&all[1]).query("SELECT to_regclass('later')"), "later");
}

#[test]
fn an_empty_database_stays_what_it_is_where_the_backup_does_not_say() {
    let (sandbox, database, before, _) = on_a_new_server();
    database.sql("COMMENT ON DATABASE shop IS 'new'");
    let of_the_empty_one = properties(&database, "shop");
    restore(&sandbox, &["fetch", "latest", "-o", "f.sql.gz"]).run().succeeds();
    let object = fs::read(sandbox.home().join("f.sql.gz")).unwrap();
    let older = super::rewritten(&object, |footer, _| footer.properties = None);
    fs::write(sandbox.home().join("f.sql.gz"), older).unwrap();
    let run = ["run", "./f.sql.gz", "--into", "shop", "--replace=shop", "--create-roles"];
    restore(&sandbox, &run).run().succeeds().says("shop keeps its owner");
    assert_eq!((counts(&database), properties(&database, "shop")), (before, of_the_empty_one));
}
