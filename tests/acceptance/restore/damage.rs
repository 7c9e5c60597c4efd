//! Backups that are not what they should be: none is ever taken for whole, and none changes anything.

use acceptance::sandbox::Sandbox;
use acceptance::store::{Fault, On, Operation};
use backup_core::gzip::locator;

use super::{backed_up, counts, databases, files, gzip, restore};
use crate::shop::gunzip;

/// The ways in which what stands under a key can be wrong, and what is said of each. Where only the dump is wrong, the end of the
/// object is as it was: nothing is known of the damage before it is restored.
fn damaged(object: &[u8]) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = gunzip(object);
    let find = |words: &[u8]| text.windows(words.len()).position(|window| window == words).expect("it is in the dump");
    let line_after = |at: usize| at + text[at..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (dump, footer) = text.split_at(find(b"-- @backup footer"));
    let sealed = |dump: &[&[u8]]| {
        let footer = gzip(footer);
        let end = locator::write(footer.len() as u64);
        [gzip(&dump.concat()), footer, end.to_vec()].concat()
    };
    let row = line_after(find(b"COPY public.customers"));
    let next_row = line_after(row);
    // A function of the shop holds the same words.
    let marker = b"-- PostgreSQL database dump complete";
    let marker = text.windows(marker.len()).rposition(|window| window == marker).unwrap();
    let mut flipped = object.to_vec();
    flipped[object.len() / 3] ^= 4;
    vec![
        ("empty", Vec::new(), "no whole backup"),
        ("cut", object[..object.len() / 2].to_vec(), "no whole backup"),
        ("a bit flipped", flipped, "no whole backup"),
        ("garbage behind", [object, &[0x55; 100]].concat(), "no whole backup"),
        ("no gzip", text.clone(), "no whole backup"),
        ("half a footer", gzip(&text[..text.len() - 40]), "no whole backup"),
        ("a dump that was cut and closed", sealed(&[&dump[..dump.len() / 2]]), "no whole backup"),
        ("no end marker", sealed(&[&dump[..marker]]), "no whole backup"),
        ("one row gone", sealed(&[&dump[..row], &dump[next_row..]]), "the dump is not what its own footer says"),
        ("one row twice", sealed(&[&dump[..next_row], &dump[row..]]), "the dump is not what its own footer says"),
        ("a command of psql", sealed(&[b"\\! touch never\n", dump]), "reaches beyond the database"),
        (
            "a commit",
            sealed(&[&dump[..dump.len() - 200], b"\nCOMMIT;\nBEGIN;\nDROP TABLE customers", b";\n"]),
            "no whole backup",
        ),
    ]
}

#[test]
fn no_damage_passes_for_a_file() {
    let (sandbox, key) = backed_up();
    for (what, bytes, says) in damaged(&sandbox.store().read(&key)) {
        sandbox.store().seed(&key, &bytes);
        let outcome = restore(&sandbox, &["fetch", &key, "-o", "f.sql.gz"]).run().prints_nothing();
        outcome.exits(1).says(says).says("restore list");
        assert_eq!(files(&sandbox), [""; 0], "{what}");
    }
}

#[test]
fn bytes_that_change_on_the_way_are_noticed() {
    let (sandbox, _) = backed_up();
    sandbox.store().fault(On::operation(Operation::GetObject), Fault::alter(|answer| answer.body[20_000] ^= 1));
    restore(&sandbox, &["fetch", "latest"]).run().exits(1).prints_nothing();
    assert_eq!(files(&sandbox), [""; 0]);
}

#[test]
fn no_damage_makes_a_database() {
    let (sandbox, key) = backed_up();
    let into = format!("{}_new", sandbox.database().name());
    changes_nothing(&sandbox, &key, &["--into", &into]);
}

#[test]
fn no_damage_touches_the_database_that_would_be_replaced() {
    let (sandbox, key) = backed_up();
    let name = sandbox.database().name();
    changes_nothing(&sandbox, &key, &["--into", name, &format!("--replace={name}"), "--no-safety-dump"]);
}

/// Restores each damage, and looks for what is different afterwards.
fn changes_nothing(sandbox: &Sandbox, key: &str, into: &[&str]) {
    let look = || (counts(sandbox.database()), databases(sandbox, sandbox.database().name()));
    let before = look();
    for (what, bytes, says) in damaged(&sandbox.store().read(key)) {
        sandbox.store().seed(key, &bytes);
        let outcome = restore(sandbox, &["run", key]).args(into.iter().copied()).run().exits(1);
        let outcome = outcome.prints_nothing().says(says);
        assert_eq!(before, look(), "{what} changed something\n{}", outcome.report());
        sandbox.assert_no_litter();
    }
    assert!(!sandbox.home().join("never").exists(), "a command in the dump was carried out");
}
