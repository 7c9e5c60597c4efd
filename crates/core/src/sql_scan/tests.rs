use proptest::prelude::*;

use super::*;
use crate::footer::{Digest, LargeObjects, ObjectName, SequenceFacts, TableFacts};

const HEADER: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict Key\n\n\
    -- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)\n-- Dumped by pg_dump version 15.20\n\n\
    SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
    SELECT pg_catalog.set_config('search_path', '', false);\n\nDROP TABLE IF EXISTS public.orders;\n";
const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict Key\n\n";

/// A whole dump around these statements.
fn dump(body: &str) -> String {
    format!("{HEADER}{body}{END}")
}

/// The comment above an object.
fn label(kind: &str, name: &str) -> String {
    format!("--\n-- Name: {name}; Type: {kind}; Schema: public; Owner: app\n--\n\n")
}

fn scan(bytes: impl AsRef<[u8]>) -> Result<Scanned, ScanError> {
    let mut scanner = Scanner::new();
    scanner.push(bytes.as_ref())?;
    scanner.finish()
}

fn facts(body: &str) -> DumpFacts {
    scan(dump(body)).unwrap().dump
}

fn digest_of_rows(rows: &[&[u8]]) -> Digest {
    let mut sum = Digest::default();
    for row in rows {
        sum.add(Digest::of(row));
    }
    sum
}

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

/// Each of these holds the text of a COPY block, of a statement's end and of the end marker where none of them is one.
#[test]
fn text_inside_of_sql_is_only_text() {
    const TRAP: &str = ";\nCOPY public.trap (a) FROM stdin;\n1\n\\.\n--\n-- PostgreSQL database dump complete\n--\n\n";
    for (what, statement) in [
        ("a string", format!("COMMENT ON TABLE public.t IS 'it''s {TRAP}';")),
        ("a string that ends in a backslash", format!("COMMENT ON TABLE public.t IS '{TRAP}\\';")),
        ("an escape string", format!("SELECT E'\\'{TRAP}\\\\';")),
        ("an escape string with doubled quotes", format!("SELECT E'''\\'{TRAP}';")),
        ("an escape string that goes on", format!("SELECT E'a' \n '\\'{TRAP}';")),
        ("a word before a string", "SELECT type'a\\' ;".to_owned()),
        ("a dollar quote", format!("CREATE FUNCTION f() AS $${TRAP}$ $a$ '$$;")),
        ("a tagged dollar quote", format!("CREATE FUNCTION f() AS $_$ $$ {TRAP} $_ $__$ $a$ $_$;")),
        ("a dollar quote after a name with a dollar", format!("CREATE TABLE a$b$ (c text DEFAULT $b${TRAP}$b$);")),
        ("a dollar quote in another alphabet", format!("SELECT $тег${TRAP}$тег$;")),
        ("a parameter", "CREATE FUNCTION f(integer) RETURN $1 + 1;".to_owned()),
        ("a quoted name", format!("CREATE TABLE \"a\"\"{TRAP}\" ();")),
        ("a block comment", format!("SELECT 1 /* {TRAP} /* ' */ ; \" */ + 1;")),
        ("a line comment", "SELECT 1 -- ; ' \" $$ /*\n+ 1;".to_owned()),
        ("an operator that is cut by a comment", "SELECT 1 +-- ;\n1 */* ; */ 1;".to_owned()),
        ("a rule", "CREATE RULE r AS ON INSERT TO t DO ALSO ( SELECT 1; SELECT ')'; );".to_owned()),
        ("a function in standard SQL", "CREATE FUNCTION f() RETURNS integer\n    BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n SELECT 2;\nEND;".to_owned()),
        ("a procedure in standard SQL", "CREATE OR REPLACE PROCEDURE p(INOUT a integer)\n BEGIN ATOMIC\n SELECT ';';\nEND;".to_owned()),
        ("a function called begin", "CREATE FUNCTION public.begin() RETURNS integer AS 'select 1';".to_owned()),
    ] {
        let one = format!("{}{statement}\n\n", label("TABLE", "t"));
        let both = format!("{one}{}CREATE TABLE public.after ();\n\n", label("TABLE", "after"));
        let found = scan(dump(&both)).unwrap_or_else(|error| panic!("{what}: {error}")).dump;
        assert_eq!(found.tables, [], "{what}");
        assert_eq!(found.objects.len(), 2, "{what}");
        let name = ObjectName { kind: "TABLE".into(), schema: "public".into(), name: "t".into() };
        assert_eq!(found.object(&name), facts(&one).object(&name), "{what}");
    }
}

#[test]
fn a_backslash_escapes_in_old_dumps() {
    let body = "SET standard_conforming_strings = off;\nCOMMENT ON TABLE public.t IS 'a\\';\nCOPY public.trap (a) FROM stdin;\n';\n\
        SELECT pg_catalog.setval('public.\"a\\\\b\"', 5, true);\n";
    let found = facts(body);
    assert_eq!(found.tables, []);
    assert_eq!(found.sequences[0].name, r#"public."a\\b""#);
}

#[test]
fn a_stream_that_is_no_whole_dump_is_refused_in_words() {
    let whole = dump(&format!("{}CREATE TABLE public.orders ();\n", label("TABLE", "orders")));
    let marker = whole.find("complete\n").unwrap() + "complete\n".len();
    let without_marker = whole.replace("-- PostgreSQL database dump complete\n", "");
    let rows = "1\n".repeat(10_481);
    let in_rows = format!("{HEADER}COPY public.orders (id) FROM stdin;\n{rows}");
    let in_statement = &whole[..whole.find("ers ();").unwrap()];
    let inside_statement =
        format!("the dump ends inside a statement of TABLE public.orders, after {} bytes", in_statement.len());
    let no_marker = |stream: &str| {
        format!(
            "the dump ends without its end marker, after {} bytes, the last of TABLE public.orders: pg_dump did not \
             finish it",
            stream.len()
        )
    };
    let text_after = format!(
        "something follows the end of the dump, which is at byte {marker}: the stream was damaged or joined to another"
    );
    for (stream, words) in [
        ("", "the dump is empty: not one byte arrived"),
        (&format!("{in_rows}cut"), "the dump ends inside the data of public.orders, after 10,481 rows"),
        (
            in_rows.trim_end_matches(char::is_whitespace),
            "the dump ends inside the data of public.orders, after 10,480 rows",
        ),
        (
            &format!("{HEADER}COPY public.orders (id) FROM stdin;"),
            "the dump ends inside the data of public.orders, after 0 rows",
        ),
        (in_statement, &inside_statement),
        (&without_marker, &no_marker(&without_marker)),
        (&whole[..marker - 1], &no_marker(&whole[..marker - 1])),
        (&whole[..marker], "the dump is cut off in its last lines, just after its end marker"),
        (&whole[..whole.len() - 20], "the dump is cut off in its last lines, just after its end marker"),
        (&format!("{whole}SELECT 1;"), &text_after),
        (&format!("{whole}\\connect other\n"), &text_after),
        (&format!("{whole}{whole}"), &text_after),
        (
            &format!("{HEADER}SET client_encoding = 'SJIS';\n{END}"),
            "the dump is in the client encoding SJIS, whose characters may hold backslashes: dump in the encoding of the \
             database (unset PGCLIENTENCODING)",
        ),
        (
            &format!("{HEADER}COPY public.t ({}) FROM stdin;\n", "\"a\", ".repeat(500_000)),
            "a statement is too long to be understood: pg_dump writes none like it",
        ),
    ] {
        assert_eq!(scan(stream).unwrap_err().to_string(), words);
    }
    scan(format!("{whole}\n-- a comment\n/* another */\n")).unwrap();
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
        "SELECT pg_catalog.lowrite(0, '\\x6C6c6f');\nSELECT pg_catalog.lo_close(0);\nCOMMIT;\n",
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
    let digest = Digest::of(b"16414\0hello");
    assert_eq!(found.large_objects, LargeObjects { count: 1, bytes: 5, digest, definitions });
    assert_eq!(
        found.objects.iter().map(|object| object.name.to_string()).collect::<Vec<_>>(),
        ["EXTENSION public.hstore"]
    );
}

/// Everything that the scanner tells apart, with its footer.
fn zoo() -> String {
    let body = [
        &label("FUNCTION", "f()"),
        "CREATE FUNCTION f() AS $_$ ; $$ $_ 'x' COPY public.trap (a) FROM stdin;\n\\.\n $_$;\n",
        "COMMENT ON FUNCTION f() IS E'\\'a\\\\';\n/* one /* two */ ; */ -- three ; ''\nSELECT 'it''s' -- four\n ;\n",
        &label("TABLE DATA", "orders"),
        "COPY public.\"or\"\"d\ners\" (id, \"sta\ntus\") FROM stdin;\n1\tnew\n\\N\t\\\\.\n\\.x\n\\.\n",
        "COPY public.none  FROM stdin;\n\n\n\\.\n",
        "COPY public.turned (a, b, c) FROM stdin;\n1\t2\t3\n4\t\\N\t\n\\.\n",
        "SELECT pg_catalog.setval('public.s', -17, true);\nSET SESSION AUTHORIZATION 'Other one';\n",
        "SELECT pg_catalog.lo_open('5', 131072);\nSELECT pg_catalog.lowrite(0, '\\x00ff');\nSELECT pg_catalog.lo_close(0);\n",
        &label("FUNCTION", "g()"),
        "CREATE FUNCTION g(integer) RETURNS integer\n BEGIN ATOMIC\n SELECT CASE WHEN $1 > 1 THEN 1 - 2 / 3 END;\nEND;\n",
        &label("POLICY", "p"),
        "CREATE POLICY p ON public.t TO \"b b\", a USING ((x - -1) = 1);\n",
    ];
    format!("{}-- @backup footer 1.0: words\n-- @backup end {{}}\n", dump(&body.concat()))
}

fn scan_in_pieces(stream: &[u8], mut cuts: Vec<usize>, expected: &DumpFacts) -> Scanned {
    cuts.sort_unstable();
    let mut scanner = Scanner::new().expecting(expected);
    let mut start = 0;
    for cut in cuts.into_iter().chain([stream.len()]) {
        scanner.push(&stream[start..cut]).unwrap();
        start = cut;
    }
    assert_eq!(scanner.dumped_bytes(), expected.bytes);
    scanner.finish().unwrap()
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
fn the_schema_digest_tells_definitions_apart_and_not_their_order() {
    let table =
        |name: &str, columns: &str| format!("{}CREATE TABLE public.{name} ({columns});\n", label("TABLE", name));
    let schema = |body: String| facts(&body).schema_digest();
    let one = schema(table("a", "x integer") + &table("b", ""));
    assert_eq!(one, schema(table("b", "") + "SET default_tablespace = '';\n-- a comment\n" + &table("a", "x integer")));
    assert_eq!(one, schema(table("a", "x integer") + "\n-- Dumped on Monday\n\n" + &table("b", "")));
    for other in [
        table("a", "x integer"),
        table("a", "x bigint") + &table("b", ""),
        table("a", "") + &table("b", "x integer"),
        table("a", "x integer") + &table("b", "") + &table("c", ""),
        table("a", "x integer") + &table("b", "") + &table("b", ""),
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

#[test]
fn a_long_row_and_a_long_statement_need_no_memory() {
    let mut scanner = Scanner::new();
    scanner.push(HEADER.as_bytes()).unwrap();
    scanner.push(label("FUNCTION", "f()").as_bytes()).unwrap();
    scanner.push(b"CREATE FUNCTION f() AS $$").unwrap();
    let block = vec![b'x'; 1024 * 1024];
    for _ in 0..64 {
        scanner.push(&block).unwrap();
        assert!(scanner.lexer.statement.kept_bytes() <= 2 * block.len());
    }
    scanner.push(b"$$;\nCOPY public.t (a) FROM stdin;\n").unwrap();
    for _ in 0..64 {
        scanner.push(&block).unwrap();
        assert_eq!(scanner.rows.as_ref().unwrap().kept_bytes(), 0);
    }
    scanner.push(b"\n\\.\n").unwrap();
    scanner.push(END.as_bytes()).unwrap();
    let found = scanner.finish().unwrap().dump;
    assert_eq!(found.tables[0].digest, digest_of_rows(&[&block.repeat(64)]));
    assert_eq!(found.objects.len(), 1);
}

proptest! {
    #[test]
    fn it_does_not_matter_where_the_chunks_end(cuts in prop::collection::vec(0..zoo().len(), 0..60), every in 1usize..9) {
        let stream = zoo();
        let mut turned = scan(&stream).unwrap().dump;
        turned.tables.iter_mut().find(|table| table.name == "public.turned").unwrap().columns.rotate_left(1);
        let whole = scan_in_pieces(stream.as_bytes(), Vec::new(), &turned);
        prop_assert_eq!(&whole, &scan_in_pieces(stream.as_bytes(), cuts, &turned));
        let steps = (0..stream.len()).step_by(every).collect();
        prop_assert_eq!(&whole, &scan_in_pieces(stream.as_bytes(), steps, &turned));
    }

    #[test]
    fn odd_streams_never_panic(bytes in "(COPY a \\(b\\) FROM stdin;\n|\\\\\\.|\n|\\$[a$]|'|\"|E'|/\\*|--|;|SELECT pg_catalog\\.(setval|lowrite|lo_open)\\(|\\PC){0,40}", random in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = scan(&bytes);
        let _ = scan(&random);
        let _ = scan([bytes.as_bytes(), &random].concat());
    }
}
