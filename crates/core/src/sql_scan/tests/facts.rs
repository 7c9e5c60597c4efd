//! What counts as what.

use super::*;
use crate::footer::{LargeObjects, SequenceFacts, TableFacts};

#[test]
fn tables_are_counted_and_digested() {
    for (body, name, columns, rows) in [
        (
            "COPY public.orders (id, status) FROM stdin;\n1\tnew\n2\t\\N\n\\.\n",
            "public.orders",
            &["id", "status"][..],
            &[&b"1\tnew"[..], b"2\t\\N"][..],
        ),
        ("COPY public.empty (a) FROM stdin;\n\\.\n", "public.empty", &["a"], &[]),
        ("COPY public.none  FROM stdin;\n\n\n\\.\n", "public.none", &[], &[b"", b""]),
        ("copy s.t (a) from STDIN;\nx\n\\.\n", "s.t", &["a"], &[b"x"]),
        (
            "COPY public.\"we\"\"ird\nna\\me\" (a, \"c\n, (ol\") FROM stdin;\n\\\\.\t1\n\\.\n",
            r#"public."we""ird\nna\\me""#,
            &["a", r#""c\n, (ol""#],
            &[b"\\\\.\t1"],
        ),
        ("COPY public.cr (a) FROM stdin;\na\r\n\\.\r\n", "public.cr", &["a"], &[b"a\r"]),
        (
            "COPY public.from_ (\"from\", \"stdin\") FROM stdin;\n1\t2\n\\.\n",
            "public.from_",
            &["\"from\"", "\"stdin\""],
            &[b"1\t2"],
        ),
        (
            "COPY public.twice (a) FROM stdin;\n1\n\\.\nCOPY public.twice (a) FROM stdin;\n2\n\\.\n",
            "public.twice",
            &["a"],
            &[b"2", b"1"],
        ),
    ] {
        let columns = columns.iter().map(ToString::to_string).collect();
        let expected =
            TableFacts { name: name.to_owned(), columns, rows: rows.len() as u64, digest: digest_of_rows(rows) };
        assert_eq!(facts(body).tables, [expected], "{body}");
    }
}

#[test]
fn what_is_no_table_counts_too() {
    let body = [
        "SET default_tablespace = 'Fast disk';\nSET default_tablespace = '';\n",
        &label("EXTENSION", "hstore"),
        "CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;\nCREATE EXTENSION \"uuid-ossp\";\n",
        "SELECT pg_catalog.setval('public.\"it''s\"', -5, false);\n",
        "SELECT pg_catalog.setval('public.s', 9223372036854775807, true);\n",
        &label("BLOB", "16414"),
        "SELECT pg_catalog.lo_create('16414');\nALTER LARGE OBJECT 16414 OWNER TO app;\n",
        "BEGIN;\nSELECT pg_catalog.lo_open('16414', 131072);\nSELECT pg_catalog.lowrite(0, '\\x6865');\n",
        "SELECT pg_catalog.lowrite(0, '\\x6C6c6f');\nSELECT pg_catalog.lo_close(0);\n",
        "SELECT pg_catalog.lo_open('5', 131072);\nSELECT pg_catalog.lo_close(0);\nCOMMIT;\n",
        "SELECT * FROM pg_catalog.pg_restore_relation_stats('relpages', '1'::integer);\n",
    ]
    .concat();
    let found = facts(&body);
    assert_eq!(found.server_version.as_deref(), Some("15.18 (Debian 15.18-0+deb12u1)"));
    assert_eq!(found.pg_dump_version.as_deref(), Some("15.20"));
    assert_eq!(found.client_encoding.as_deref(), Some("UTF8"));
    assert_eq!(found.bytes, dump(&body).len() as u64);
    assert_eq!(found.tablespaces, ["Fast disk"]);
    assert_eq!(found.extensions, ["hstore", "uuid-ossp"]);
    let sequence = |name: &str, last_value, is_called| SequenceFacts { name: name.to_owned(), last_value, is_called };
    assert_eq!(found.sequences, [sequence("public.\"it's\"", -5, false), sequence("public.s", i64::MAX, true)]);
    let mut definitions = Digest::of(b"SELECT pg_catalog.lo_create('16414');");
    definitions.add(Digest::of(b"ALTER LARGE OBJECT 16414 OWNER TO app;"));
    let digest = digest_of_rows(&[b"16414\0hello", b"5\0"]);
    assert_eq!(found.large_objects, LargeObjects { count: 2, bytes: 5, digest, definitions });
    assert_eq!(
        found.objects.iter().map(|object| object.name.to_string()).collect::<Vec<_>>(),
        ["EXTENSION public.hstore"]
    );
}

#[test]
fn the_footer_is_handed_back() {
    let stream = zoo();
    let scanned = scan(&stream).unwrap();
    assert_eq!(scanned.footer, b"-- @backup footer 1.0: words\n-- @backup end {}\n");
    assert_eq!(scanned.dump.bytes as usize + scanned.footer.len(), stream.len());
    assert_eq!(scanned.dump, scan(&stream[..scanned.dump.bytes as usize]).unwrap().dump);
}

#[test]
fn columns_in_another_order_are_put_right() {
    let before = facts("COPY public.t (a, b, c) FROM stdin;\n1\t2\t3\n4\t\\N\t\n\\.\n");
    let after = dump("COPY public.t (b, c, a) FROM stdin;\n2\t3\t1\n\\N\t\t4\n\\.\n");
    let mut scanner = Scanner::new().expecting(&before);
    scanner.push(after.as_bytes()).unwrap();
    assert_eq!(scanner.finish().unwrap().dump.tables, before.tables);
    assert_ne!(scan(&after).unwrap().dump.tables[0].digest, before.tables[0].digest);
    // Other columns are other columns, whatever their number.
    for other in
        ["COPY public.t (a, b, d) FROM stdin;\n1\t2\t3\n\\.\n", "COPY public.t (c, a) FROM stdin;\n1\t2\n\\.\n"]
    {
        let mut scanner = Scanner::new().expecting(&before);
        scanner.push(dump(other).as_bytes()).unwrap();
        assert_eq!(scanner.finish().unwrap().dump.tables, facts(other).tables);
    }
}

#[test]
fn the_objects_tell_definitions_apart_and_not_their_order() {
    let table =
        |name: &str, columns: &str| format!("{}CREATE TABLE public.{name} ({columns});\n", label("TABLE", name));
    let schema = |body: String| facts(&body).objects;
    let one = schema(table("a", "x integer") + &table("b", ""));
    assert_eq!(one, schema(table("b", "") + "SET default_tablespace = '';\n-- a comment\n" + &table("a", "x integer")));
    assert_eq!(one, schema(table("a", "x integer") + "\n-- Dumped on Monday\n\n" + &table("b", "")));
    for other in [
        table("a", "x integer"),
        table("a", "x bigint") + &table("b", ""),
        table("a", "") + &table("b", "x integer"),
        table("a", "x integer") + &table("b", "") + &table("c", ""),
        table("a", "x integer") + &table("b", "") + &table("b", ""),
        (table("a", "x integer") + &table("b", "")).replace("Name: b;", "Name: c;"),
        table("a", "x integer") + &table("b", "") + "ALTER TABLE public.b OWNER TO app;\n",
    ] {
        assert_ne!(one, schema(other.clone()), "{other}");
    }
    let policy = |roles: &str| schema(label("POLICY", "p") + "CREATE POLICY p ON t TO " + roles + " USING (a);\n");
    assert_eq!(policy("a, \"b b\", c"), policy("c, a, \"b b\""));
    assert_ne!(policy("a, \"b b\", c"), policy("a, \"b b\""));
}

#[test]
fn objects_are_named_as_the_dump_names_them() {
    for (comment, words) in [
        ("-- Name: orders; Type: TABLE; Schema: public; Owner: app", "TABLE public.orders"),
        ("-- Name: sales; Type: SCHEMA; Schema: -; Owner: app", "SCHEMA sales"),
        ("-- Name: a; Type: x; Type: TABLE; Schema: public; Owner: app; Tablespace: fast", "TABLE public.a; Type: x"),
        ("-- Name: gr\u{f6}\\n; Type: TABLE; Schema: s; Owner: ", "TABLE s.grö\\\\n"),
    ] {
        let found = facts(&format!("{comment}\nSELECT 1;\n"));
        assert_eq!(found.objects[0].name.to_string(), words);
    }
}

#[test]
fn a_sequence_without_a_number_is_not_taken_for_zero() {
    let found = facts(&(label("SEQUENCE SET", "s") + "SELECT pg_catalog.setval('public.s', NULL, false);\n"));
    assert_eq!(found.sequences, []);
    assert_eq!(found.objects[0].name.to_string(), "SEQUENCE SET public.s");
}

#[test]
fn every_row_weighs_in_the_digest_and_their_order_does_not() {
    let digest = |rows: &str| facts(&format!("COPY public.t (a) FROM stdin;\n{rows}\\.\n")).tables[0].digest;
    assert_eq!(digest("1\n2\n3\n"), digest("3\n1\n2\n"));
    let others = ["", "1\n", "1\n1\n", "2\n2\n", "1\n2\n", "1\n1\n2\n2\n", "12\n", "\n", "\n\n"];
    for (at, one) in others.iter().enumerate() {
        assert!(others[..at].iter().all(|other| digest(one) != digest(other)), "{one:?}");
    }
}

#[test]
fn the_order_of_its_statements_is_part_of_a_definition() {
    let object = |body: &str| facts(&(label("ACL", "t") + body)).objects[0].digest;
    let (grant, revoke) = ("GRANT ALL ON t TO a;\n", "REVOKE ALL ON t FROM a;\n");
    assert_ne!(object(&format!("{grant}{revoke}")), object(&format!("{revoke}{grant}")));
    assert_eq!(object(&format!("{grant}{revoke}")), definition(&[grant.trim(), revoke.trim()]));
}

#[test]
fn roles_are_found_wherever_a_dump_names_them() {
    for (statement, roles) in [
        ("ALTER TABLE public.t OWNER TO app;", &["app"][..]),
        ("ALTER FUNCTION public.\"owner to x\"(a integer) OWNER TO \"A \"\"b\";", &["A \"b"]),
        ("GRANT SELECT(a),UPDATE(b) ON TABLE public.t TO app, \"Ro,le\" WITH GRANT OPTION;", &["Ro,le", "app"]),
        ("GRANT ALL ON SCHEMA s TO GROUP a GRANTED BY b;", &["a", "b"]),
        ("GRANT ALL ON SCHEMA public TO PUBLIC;", &[]),
        ("REVOKE ALL ON TABLE public.t FROM APP;", &["app"]),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA s GRANT SELECT ON TABLES  TO \"re ad\";", &["app", "re ad"]),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE ALL ON FUNCTIONS  FROM b;", &["app", "b"]),
        ("CREATE POLICY p ON public.t FOR SELECT TO a, b USING ((x = 'y'::text));", &["a", "b"]),
        ("CREATE POLICY p ON public.t USING ((CURRENT_USER = x));", &[]),
        ("CREATE USER MAPPING FOR app SERVER s OPTIONS (\n    \"user\" 'other'\n);", &["app"]),
        ("CREATE USER MAPPING FOR PUBLIC SERVER s;", &[]),
        ("SET SESSION AUTHORIZATION 'it''s';", &["it's"]),
        ("SET SESSION AUTHORIZATION DEFAULT;", &[]),
        ("CREATE SCHEMA s AUTHORIZATION app;", &["app"]),
        ("COMMENT ON TABLE public.t IS 'OWNER TO nobody';", &[]),
    ] {
        assert_eq!(facts(&format!("{}{statement}\n", label("ACL", "x"))).roles, roles, "{statement}");
    }
}
