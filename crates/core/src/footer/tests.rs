use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn footer() -> Footer {
    let table = |name: &str, rows| TableFacts {
        name: name.to_owned(),
        columns: vec!["id".to_owned(), "\"grö\\nße\"".to_owned()],
        rows,
        digest: Digest::of(name.as_bytes()),
    };
    let object = |kind: &str, schema: &str, name: &str| SchemaObject {
        name: ObjectName { kind: kind.to_owned(), schema: schema.to_owned(), name: name.to_owned() },
        digest: Digest::of(name.as_bytes()),
    };
    Footer {
        database: "shop".to_owned(),
        started: datetime!(2025-01-29 02:00:00.25 +01:00),
        encoding: "UTF8".to_owned(),
        collate: "C.UTF-8".to_owned(),
        ctype: "C.UTF-8".to_owned(),
        properties: Some(Properties {
            owner: "the \"app\"".to_owned(),
            privileges: Some(vec![Privilege { grantee: None, privilege: "CONNECT".to_owned(), grantable: false }]),
            settings: vec![Setting { role: None, name: "work_mem".to_owned(), value: "7MB".to_owned() }],
            comment: Some("die \\ Größe".to_owned()),
            connection_limit: -1,
            locale_provider: Some("i".to_owned()),
            locale: Some("de-DE".to_owned()),
            icu_rules: None,
            tablespace: "pg_default".to_owned(),
        }),
        roles: vec![Role { name: "app".to_owned(), statements: vec!["CREATE ROLE app LOGIN;".to_owned()] }],
        dump: DumpFacts {
            bytes: 1_048_576,
            server_version: Some("15.18".to_owned()),
            pg_dump_version: Some("15.20".to_owned()),
            client_encoding: Some("UTF8".to_owned()),
            tables: vec![table("public.empty", 0), table("public.orders", u64::MAX - 1)],
            sequences: vec![SequenceFacts { name: "public.s".to_owned(), last_value: i64::MIN, is_called: false }],
            large_objects: LargeObjects { count: 1, bytes: 2, digest: Digest::of(b"x"), ..LargeObjects::default() },
            objects: vec![object("SCHEMA", "", "sales"), object("TABLE", "public", "orders")],
            roles: vec!["app".to_owned()],
            extensions: vec!["hstore".to_owned()],
            tablespaces: vec!["fast".to_owned()],
        },
    }
}

/// The lines with a last line that vouches for them, as a newer version of this tool would write.
fn sealed(lines: &str) -> String {
    let digest = Digest::of(lines.as_bytes());
    format!("{lines}{LINE_PREFIX}end {{\"lines\":{},\"digest\":\"{digest}\"}}\n", lines.lines().count())
}

fn without_end(text: &str) -> &str {
    &text[..text.find(&format!("{LINE_PREFIX}end ")).unwrap()]
}

#[test]
fn a_footer_is_lines_that_a_person_can_read() {
    insta::assert_snapshot!(footer().to_string());
}

#[test]
fn a_footer_reads_back() {
    assert_eq!(Footer::parse(footer().to_string().as_bytes()).unwrap(), footer());
}

#[test]
fn every_cut_is_noticed() {
    let text = footer().to_string();
    for end in 0..text.len() {
        match Footer::parse(&text.as_bytes()[..end]).unwrap_err() {
            FooterError::Missing | FooterError::OtherFormat { .. } | FooterError::Cut { .. } => {}
            other => panic!("cut at {end}: {other}"),
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let text = footer().to_string();
    let ending = without_end(&text).len() + LINE_PREFIX.len();
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            // Only the last line may be spelled another way and still say the same: a digest in capitals.
            if let Ok(read) = Footer::parse(&bytes) {
                assert!(at > ending && bytes[at].is_ascii_uppercase(), "byte {at}, bit {bit}");
                assert_eq!(read, footer());
            }
        }
    }
}

#[test]
fn what_a_newer_version_adds_is_skipped() {
    let text = footer().to_string();
    let newer = without_end(&text)
        .replace("footer 1.1:", "footer 1.7:")
        .replace("\"connection_limit\"", "\"mood\":\"sunny\",\"connection_limit\"")
        .replace("\"rows\":0", "\"rows\":0,\"bloat\":{\"pages\":[1]}")
        .replace("-- @backup role", "-- @backup weather {\"sunny\":true}\n-- @backup role");
    assert_eq!(Footer::parse(sealed(&newer).as_bytes()).unwrap(), footer());
}

/// A footer that version 1.0 wrote, byte by byte.
const OLD: &str = include_str!("tests/footer-1.0.sql");

#[test]
fn a_footer_of_the_version_before_is_read() {
    assert!(OLD.starts_with("-- @backup footer 1.0:"));
    assert_eq!(Footer::parse(OLD.as_bytes()).unwrap(), Footer { properties: None, ..footer() });
}

/// The lines between the first and the last.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().skip(1).filter(|line| !line.starts_with("-- @backup end"))
}

#[test]
fn the_version_before_reads_what_this_one_writes() {
    // It knows these kinds of line, skips others, and refuses no minor version: without the others it is what it knows.
    let known = ["backup", "dump", "role", "table", "sequence", "object", "end"];
    let text = footer().to_string();
    let written = lines_of(&text).filter(|line| line.split(' ').nth(2).is_some_and(|kind| known.contains(&kind)));
    let written: Vec<&str> = written.collect();
    assert_eq!(written, lines_of(OLD).collect::<Vec<_>>());
}

#[test]
fn what_is_no_footer_is_refused_in_words() {
    let text = footer().to_string();
    let lines = without_end(&text);
    let without = |kind: &str| lines.lines().filter(|line| !line.contains(kind)).collect::<Vec<_>>().join("\n") + "\n";
    for (bytes, words) in [
        (String::new(), "the backup carries no footer"),
        ("-- PostgreSQL database dump complete\n".to_owned(), "the backup carries no footer"),
        (
            sealed(&lines.replace("footer 1.1:", "footer 2.0:")),
            "the footer has format 2.0, and this version reads format 1: update this tool",
        ),
        (lines.to_owned(), "the footer is cut off after 10 lines: its last line is missing"),
        (
            text.replace("public.orders", "public.others"),
            "the footer is damaged: it does not match the digest in its own last line",
        ),
        (
            sealed(&without("table {\"name\":\"public.empty\"")) + "-- more\n",
            "the footer is cut off after 11 lines: its last line is missing",
        ),
        (sealed(&without("@backup dump")), "the footer has no `dump` line"),
        (sealed(&without("@backup backup")), "the footer has no `backup` line"),
        (sealed(&lines.replace("\"rows\":0", "\"rows\":-1")), "cannot read line 6 of the footer"),
    ] {
        assert_eq!(Footer::parse(bytes.as_bytes()).unwrap_err().to_string(), words);
    }
}

#[test]
fn two_footers_tell_what_changed_between_them() {
    let earlier = footer();
    let mut later = footer();
    later.dump.bytes = 2;
    later.dump.tables[0].name = "public.new".to_owned();
    later.dump.tables[1].rows = 5;
    let changes = Changes {
        tables_gone: vec!["public.empty".to_owned()],
        tables_new: vec!["public.new".to_owned()],
        rows_before: u64::MAX - 1,
        rows_after: 5,
        bytes_before: 1_048_576,
        bytes_after: 2,
    };
    assert_eq!(later.changes_since(&earlier), changes);
    assert_eq!((later.table_count(), later.total_rows()), (2, 5));
}

proptest! {
    #[test]
    fn no_name_leaves_its_line(names in prop::collection::vec("\\PC{0,9}|[\u{0}-\u{ff}\u{2028}\u{1f600}\"\\\\']{0,9}", 1..6)) {
        let mut written = footer();
        written.database.clone_from(&names[0]);
        if let Some(properties) = &mut written.properties {
            properties.owner.clone_from(&names[0]);
            properties.comment = names.last().cloned();
        }
        written.roles = names.iter().map(|name| Role { name: name.clone(), statements: names.clone() }).collect();
        written.dump.roles.clone_from(&names);
        for table in &mut written.dump.tables {
            table.columns.clone_from(&names);
        }
        let text = written.to_string();
        prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')));
        prop_assert!(text.lines().all(|line| line.starts_with(LINE_PREFIX)));
        prop_assert_eq!(Footer::parse(text.as_bytes()).unwrap(), written);
    }

    #[test]
    fn odd_bytes_never_panic(head in "(-- @backup footer 1\\.0: x\n)?", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut all = head.into_bytes();
        all.extend(bytes);
        let _ = Footer::parse(&all);
    }
}
