//! The scanner and the footer, held against PostgreSQL itself: what a dump is said to hold is what the server holds.

mod cases;
mod server;
mod zoo;

use std::fs;
use std::process::{Child, Stdio};

use acceptance::lifeline;
use acceptance::postgres::{Cluster, Database, quote_name};
use backup_core::footer::{DumpFacts, Footer, Role};
use backup_core::sql_scan::{Scanned, Scanner};
use proptest::prelude::*;
use proptest::test_runner::Config;
use time::macros::datetime;

/// The whole output of `pg_dump`, as the tools call it.
fn dump(database: &Database) -> Vec<u8> {
    let mut pg_dump = database.client("pg_dump");
    pg_dump.args(["--format=plain", "--clean", "--if-exists"]);
    pg_dump.env("PGTZ", "UTC").env("PGOPTIONS", "-c bytea_output=hex").stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = lifeline::spawn(pg_dump).and_then(Child::wait_with_output).unwrap();
    assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A new database with the contents of a dump.
fn restore(cluster: &Cluster, like: &Database, dump: &[u8]) -> Database {
    let encoding = like.query("SHOW server_encoding");
    let database = server::create_database(cluster, &encoding);
    let script = lifeline::new_folder("dump", None).join("dump.sql");
    fs::write(&script, dump).unwrap();
    database.load(&script, &[]);
    database
}

fn scan(dump: &[u8], chunk: usize, expected: &DumpFacts) -> Scanned {
    let mut scanner = Scanner::fenced().expecting(expected);
    for chunk in dump.chunks(chunk) {
        scanner.push(chunk).unwrap();
    }
    scanner.finish().unwrap()
}

fn facts(dump: &[u8]) -> DumpFacts {
    scan(dump, 64 * 1024, &DumpFacts::default()).dump
}

fn footer(dump: DumpFacts) -> Footer {
    let roles = dump.roles.iter().map(|name| Role { name: name.clone(), statements: vec![format!("\\! {name}")] });
    Footer {
        database: "\\! :x".into(),
        started: datetime!(2025-01-29 02:00:00 UTC),
        encoding: "UTF8".into(),
        collate: "C".into(),
        ctype: "C".into(),
        properties: None,
        roles: roles.collect(),
        dump,
    }
}

/// Names of the objects whose definitions differ. Objects that are missing or new fail the test.
fn respelled<'a>(before: &'a DumpFacts, after: &DumpFacts) -> Vec<&'a str> {
    let names = |facts: &DumpFacts| facts.objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(before), names(after));
    let pairs = before.objects.iter().zip(&after.objects);
    pairs.filter(|(one, other)| one.digest != other.digest).map(|(one, _)| one.name.name.as_str()).collect()
}

/// The same data and the same names.
fn assert_same_data(before: &DumpFacts, after: &DumpFacts) {
    assert_eq!(before.tables, after.tables);
    assert_eq!(before.sequences, after.sequences);
    assert_eq!(before.large_objects, after.large_objects);
    assert_eq!(before.roles, after.roles);
    assert_eq!(before.extensions, after.extensions);
}

fn cases() -> Config {
    // A case costs seconds: a few in every run, more by hand.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 3 };
    Config { cases, max_shrink_iters: 30, ..Config::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn facts_are_what_the_server_says_and_survive_a_restore(
        zoo in zoo::zoo(),
        chunk in 1usize..9000,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let cluster = Cluster::shared();
        let roles = ["o\"w ner", "re,ad\ner"].map(|name| format!("{name}{}", lifeline::unique()));
        for role in &roles {
            cluster.maintenance().sql(&format!("CREATE ROLE {}", quote_name(role)));
        }
        let original = cluster.create_database();
        original.sql(&zoo.sql([&roles[0], &roles[1]]));

        let first = dump(&original);
        let before = scan(&first, chunk, &DumpFacts::default()).dump;
        server::assert_facts(&original, &before);
        assert!(roles.iter().all(|role| before.roles.contains(&backup_core::footer::escape(role.as_bytes()))));
        assert_eq!(before.bytes, first.len() as u64);
        for cut in cuts {
            // The last byte is the newline of an empty line.
            let cut = &first[..cut.index(first.len() - 1)];
            let mut scanner = Scanner::new();
            assert!(scanner.push(cut).and_then(|()| scanner.finish()).is_err(), "cut after {} bytes", cut.len());
        }

        let footer = footer(before.clone());
        let stored = [first, footer.to_string().into_bytes()].concat();
        let Scanned { dump: same, footer: lines } = scan(&stored, chunk, &DumpFacts::default());
        assert_eq!(same, before);
        assert_eq!(Footer::parse(&lines).unwrap(), footer);

        let restored = restore(&cluster, &original, &stored);
        let second = dump(&restored);
        let after = scan(&second, chunk, &before).dump;
        server::assert_facts(&restored, &facts(&second));
        assert_same_data(&before, &after);
        assert!(respelled(&before, &after).iter().all(|name| zoo.may_be_respelled(name)), "{:?}", respelled(&before, &after));

        // What is spelled anew is so once.
        let third = dump(&restore(&cluster, &restored, &second));
        let at_last = scan(&third, chunk, &after).dump;
        assert_same_data(&after, &at_last);
        assert_eq!(after.objects, at_last.objects);
    }
}
