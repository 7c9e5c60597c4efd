//! The runbooks of the README, word for word, on a server that knows nothing of what was lost, and then on one that does.

use std::fs;

use acceptance::postgres::{Cluster, Database};
use acceptance::readme::block_run_by;
use acceptance::sandbox::Sandbox;
use backup_core::gzip::locator;

use super::properties::properties;
use super::{back_up, counts};
use crate::follow::{follow, paste};
use crate::shop::fill;

/// The name in the README.
const DATABASE: &str = "eleganttex";

/// The file in the README.
const FILE: &str = "eleganttex_backup_20250129_020000.sql.gz";

/// What is set for a role of it, in every database.
const SET_FOR_THE_APP: &str = r#"{"search_path=\"$user\", public","shop.path=C:\\it's"}"#;

/// A backup of a database whose tables have an owner of their own, made by the role of the README, and a new server where nothing
/// of it is.
fn after_the_fire() -> (Sandbox, Database, String, String) {
    let mut sandbox = Sandbox::on(Cluster::start().create_database_named(DATABASE));
    log_in_as_the_role_of_the_readme(&mut sandbox);
    let original = sandbox.database();
    fill(original);
    original.sql(
        "CREATE ROLE team; CREATE ROLE \"the app\" LOGIN IN ROLE team; GRANT SELECT ON customers TO team; \
         ALTER TABLE orders OWNER TO \"the app\"; ALTER TABLE customers OWNER TO \"the app\"; \
         CREATE TABLE notes (note text); INSERT INTO notes VALUES \
         ('-- @backup role {\"statements\":[\"CREATE ROLE intruder SUPERUSER;\"]}'); ALTER TABLE notes OWNER TO \"the app\"; \
         ALTER DATABASE eleganttex OWNER TO \"the app\"; ALTER DATABASE eleganttex SET search_path TO \"$user\", public; \
         REVOKE ALL ON DATABASE eleganttex FROM PUBLIC; GRANT CONNECT ON DATABASE eleganttex TO team; \
         ALTER ROLE \"the app\" SET search_path TO \"$user\", public; ALTER ROLE \"the app\" SET \"shop.path\" TO 'C:\\it''s'; \
         COMMENT ON DATABASE eleganttex IS 'the shop: \"ours\", it''s \\ here'; \
         SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
    );
    original.sql(&block_run_by("the_role_makes_backups_and_may_not_write"));
    // Nothing in the database names it: it may connect because the team may.
    original.sql("GRANT team TO backup");
    let (before, properties) = (counts(original), properties(original, DATABASE));
    let (mut sandbox, key) = back_up(sandbox);
    fs::write(sandbox.home().join(FILE), sandbox.store().read(&key)).unwrap();
    let new = Cluster::start();
    sandbox.log_in_as(&new.superuser()).env("DB_PORT", &new.port().to_string());
    let database = new.database(DATABASE);
    (sandbox, database, before, properties)
}

/// With the password that is chosen there.
fn log_in_as_the_role_of_the_readme(sandbox: &mut Sandbox) {
    sandbox.env("DB_USER", "backup").env("DB_PASSWORD", "choose one");
}

/// Once where nothing is, and once more over what is then there and has been damaged.
fn brings_it_back(commands: &str) {
    brings_it_back_to(after_the_fire(), commands);
}

fn brings_it_back_to(
    (mut sandbox, database, before, properties_before): (Sandbox, Database, String, String),
    commands: &str,
) {
    for time in ["first", "second"] {
        let said = follow(&sandbox, commands);
        assert_eq!(counts(&database), before, "{time}: {said}");
        let owners =
            "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE tablename IN ('orders', 'customers')";
        assert_eq!(database.query(owners), "the app", "{time}: {said}");
        assert_eq!(database.query("SELECT pg_has_role('the app', 'team', 'member')"), "t", "{time}: {said}");
        let set = "SELECT rolconfig FROM pg_roles WHERE rolname = 'the app'";
        assert_eq!(database.query(set), SET_FOR_THE_APP, "{time}: {said}");
        assert_eq!(properties(&database, DATABASE), properties_before, "{time}: {said}");
        assert_eq!(database.query("SELECT count(*) FROM pg_roles WHERE rolname = 'intruder'"), "0", "{time}: {said}");
        database.cluster().maintenance().sql("DROP DATABASE IF EXISTS eleganttex_before");
        database.sql("DELETE FROM orders; DROP VIEW open_orders;");
    }
    let may = "SELECT rolcanlogin, rolbypassrls, pg_has_role(oid, 'pg_read_all_data', 'member') FROM pg_roles WHERE rolname = 'backup'";
    assert_eq!(database.query(may), "t|t|t");
    database.sql("ALTER ROLE backup PASSWORD 'choose one'");
    log_in_as_the_role_of_the_readme(&mut sandbox);
    sandbox.command("backup").args(["--output", "the-next.sql.gz"]).run().succeeds();
}

/// Where the file can be cut, the first time inside of the dump, the last ones where `gunzip` notices nothing.
fn cuts(object: &[u8]) -> Vec<usize> {
    let footer =
        object.len() - locator::BYTES - locator::read(&object[object.len() - locator::BYTES..]).unwrap() as usize;
    vec![object.len() / 2, footer - 1, footer, object.len() - locator::BYTES - 10]
}

#[test]
fn a_file_that_is_cut_replaces_nothing() {
    let (sandbox, database, ..) = after_the_fire();
    let (commands, file) = (block_run_by("the_database_comes_back_with_stock_tools_only"), sandbox.home().join(FILE));
    follow(&sandbox, &commands);
    let object = fs::read(&file).unwrap();
    database.cluster().maintenance().sql("DROP DATABASE IF EXISTS eleganttex_before");
    database.sql("DELETE FROM orders WHERE id > 100");
    let (now, all) = (counts(&database), databases(&database));
    for cut in cuts(&object) {
        fs::write(&file, &object[..cut]).unwrap();
        // A terminal goes on after a command that failed.
        let said = paste(&sandbox, &commands);
        assert!(!said.contains("\neleganttex is back"), "cut at {cut} of {}: {said}", object.len());
        assert_eq!((counts(&database), databases(&database)), (now.clone(), all.clone()), "{said}");
    }
}

/// Every database of the server.
fn databases(database: &Database) -> String {
    database.cluster().maintenance().query("SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database")
}

#[test]
fn the_guides_own_commands_work() {
    let (sandbox, database, before, _) = after_the_fire();
    database.cluster().maintenance().sql("CREATE ROLE team; CREATE ROLE \"the app\"; CREATE DATABASE eleganttex");
    let line = format!("gunzip -c {FILE} | psql -d eleganttex\n");
    let anew = "psql -d postgres -c \"DROP DATABASE IF EXISTS eleganttex;\"\npsql -d postgres -c \"CREATE DATABASE eleganttex;\"\n";
    // Into an empty database, over a full one, over a damaged one, and into one that was made anew.
    for commands in [line.clone(), line.clone(), line.clone(), format!("{anew}{line}")] {
        let said = follow(&sandbox, &commands);
        assert_eq!(counts(&database), before, "{said}");
        assert!(!said.contains("ERROR"), "{said}");
        database.sql("DELETE FROM orders WHERE id % 2 = 0; DROP VIEW open_orders;");
    }
}

#[test]
fn the_database_comes_back_with_these_tools() {
    brings_it_back(&block_run_by("the_database_comes_back_with_these_tools"));
}

#[test]
fn it_comes_back_where_the_official_image_has_made_an_empty_one() {
    for block in ["the_database_comes_back_with_these_tools", "the_database_comes_back_with_stock_tools_only"] {
        let after = after_the_fire();
        after.1.cluster().create_database_named(DATABASE);
        brings_it_back_to(after, &block_run_by(block));
    }
}

#[test]
fn the_database_comes_back_with_stock_tools_only() {
    brings_it_back(&block_run_by("the_database_comes_back_with_stock_tools_only"));
}

/// The shop with a backup, whose database is called as in the README.
fn shop_of_the_readme() -> Sandbox {
    let sandbox = Sandbox::on(Cluster::start().create_database_named(DATABASE));
    fill(sandbox.database());
    back_up(sandbox).0
}

#[test]
fn a_table_that_is_gone_comes_back() {
    let sandbox = shop_of_the_readme();
    let before = counts(sandbox.database());
    sandbox.database().sql("DROP TABLE orders CASCADE");
    follow(&sandbox, &block_run_by("a_table_that_is_gone_comes_back"));
    assert_eq!(counts(sandbox.database()), before);
}

#[test]
fn rows_that_are_gone_come_back() {
    let sandbox = shop_of_the_readme();
    let database = sandbox.database();
    // One that came after the backup, and one that has changed since.
    database.sql("INSERT INTO orders (customer, net) VALUES (1, 1); UPDATE orders SET net = 0 WHERE id = 1;");
    let rows = || database.query("SELECT count(*), sum(gross), max(id) FROM orders");
    let all = rows();
    database.sql("DELETE FROM orders WHERE id % 3 = 2");
    follow(&sandbox, &block_run_by("rows_that_are_gone_come_back"));
    assert_eq!(rows(), all);
    database.sql("INSERT INTO orders (customer, net) VALUES (1, 1)");
}
