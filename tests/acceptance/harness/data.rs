//! The databases that tests fill: what they promise of themselves.

use std::process::Command;

use acceptance::postgres::{Cluster, Database};
use acceptance::{data, programs};

/// A plain dump on the Unix socket, without the random key that makes no two dumps equal.
fn dump(database: &Database) -> String {
    let output = Command::new(programs::postgres("pg_dump"))
        .arg("--clean")
        .arg("--if-exists")
        .env_clear()
        .env("PGHOST", database.cluster().socket_folder())
        .env("PGPORT", database.cluster().port().to_string())
        .env("PGUSER", database.cluster().superuser().user)
        .env("PGDATABASE", database.name())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let random = |line: &str| line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
    text.split_inclusive('\n').filter(|line| !random(line)).collect()
}

#[test]
fn the_shop_is_always_the_same_and_looks_like_a_shop() {
    let cluster = Cluster::shared();
    let (first, second) = (cluster.create_database(), cluster.create_database());
    first.load(&data::shop(), &[("f", "0.001")]);
    second.load(&data::shop(), &[("f", "0.001")]);
    let dumped = dump(&first);
    assert!(dumped == dump(&second), "two shops of one size differ");
    assert!((1_000_000..4_000_000).contains(&dumped.len()), "{} bytes", dumped.len());
    assert_eq!(first.query("SELECT count(*) > 100 FROM orders JOIN customers ON customers.id = customer_id"), "t");
}

#[test]
fn the_zoo_restores_into_an_empty_database() {
    let cluster = Cluster::shared();
    let (wild, caught) = (cluster.create_database(), cluster.create_database());
    wild.load(&data::zoo(), &[]);
    let dumped = dump(&wild);
    caught.sql(&dumped);
    // A parent that got a column late has it in another place after a restore, so only the sorted lines are equal there.
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
        lines.sort_unstable();
        lines
    };
    let (before, after) = (sorted(&dumped), sorted(&dump(&caught)));
    let changed: Vec<_> = before.iter().filter(|line| after.binary_search(line).is_err()).collect();
    let inherited = |line: &str| {
        line.contains("child (a, b, own, late)") || line.ends_with("20\t200") || line.ends_with("own\t300")
    };
    assert!(changed.iter().all(|line| inherited(line)), "{changed:#?}");
}
