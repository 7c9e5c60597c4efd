//! The data itself is hard to dump, or damaged.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};

use acceptance::data;
use acceptance::postgres::Cluster;
use acceptance::sandbox::Sandbox;

use backup_core::footer::Footer;

use super::Failed;
use crate::shop::{daily_key, footer, restore, shop};

/// Pages of PostgreSQL, as it is built everywhere.
const PAGE: u64 = 8192;

#[test]
fn a_value_that_is_too_large_as_text() {
    let sandbox = shop();
    // One byte becomes two digits, and the largest value has 1 GB.
    sandbox.database().sql("CREATE TABLE films (film bytea); INSERT INTO films SELECT repeat('x', 537000000)::bytea");
    let outcome = sandbox.command("backup").run().says("invalid memory alloc request size");
    Failed { cause: "films", hint: "a field may hold at most 1 GB, a bytea 512 MB" }.check(&sandbox, outcome);
    sandbox.database().sql("DROP TABLE films");
}

#[test]
fn a_page_that_is_damaged() {
    let cluster = Cluster::start();
    let database = cluster.create_database();
    database.sql("CREATE TABLE orders AS SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i; CHECKPOINT;");
    let file = cluster.socket_folder().join("data").join(database.query("SELECT pg_relation_filepath('orders')"));
    cluster.stop_immediate();
    let mut file = OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(2 * PAGE)).unwrap();
    file.write_all(&[0xff; PAGE as usize]).unwrap();
    drop(file);
    cluster.restart();
    let sandbox = Sandbox::on(database);
    let outcome = sandbox.command("backup").run().says("Dumping the contents of table \"orders\" failed");
    Failed { cause: "invalid page in block 2", hint: "Keep the older backups" }.check(&sandbox, outcome);
}

#[test]
fn the_whole_zoo_comes_back_by_the_guide_s_own_line() {
    let cluster = Cluster::start();
    let mut sandbox = Sandbox::on(cluster.create_database());
    sandbox.database().load(&data::zoo(), &[]);
    sandbox.command("backup").run().succeeds();
    let object = sandbox.store().read(&daily_key(&sandbox));
    let (before, _) = footer(&object);

    let empty = cluster.create_database();
    // Its subscription warns of the server's settings.
    let said = restore(&object, &empty);
    assert!(!said.contains("ERROR"), "{said}");
    sandbox.env("DB_NAME", empty.name());
    let again = sandbox.home().join("again.sql.gz");
    sandbox.command("backup").arg("--output").arg(&again).run().succeeds();
    let (after, _) = footer(&std::fs::read(again).unwrap());
    // A column that a parent got late changes its place, and with it the digest: `restore_test::databases` compares those.
    let tables = |footer: &Footer| footer.dump.tables.iter().map(|t| (t.name.clone(), t.rows)).collect::<Vec<_>>();
    assert_eq!(tables(&before), tables(&after));
    assert_eq!(before.dump.sequences, after.dump.sequences);
    assert_eq!(before.dump.large_objects, after.dump.large_objects);
}
