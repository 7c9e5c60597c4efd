mod facts;
mod hostile;

use proptest::prelude::*;

use super::*;
use crate::footer::{Digest, ObjectName};

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

/// The digest of the object that these statements define.
fn definition(statements: &[&str]) -> Digest {
    statements.iter().fold(Digest::default(), |before, statement| {
        Digest::of(&[before.to_bytes(), Digest::of(statement.as_bytes()).to_bytes()].concat())
    })
}

fn digest_of_rows(rows: &[&[u8]]) -> Digest {
    let mut sum = Digest::default();
    for row in rows {
        sum.add(Digest::of(row));
    }
    sum
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
        ("a dollar quote that almost ends", format!("SELECT $ab$ {TRAP} $a $a$ab $ab ab$ $a$ab$;")),
        ("a parameter", "CREATE FUNCTION f(integer) RETURN $1 + 1;".to_owned()),
        ("a parameter before a dollar quote", format!("SELECT $1$a${TRAP}$a$;")),
        ("a quoted name", format!("CREATE TABLE \"a\"\"{TRAP}\" ();")),
        ("a rule", "CREATE RULE r AS ON INSERT TO t DO ALSO ( SELECT 1; SELECT ')'; );".to_owned()),
        ("a function in standard SQL", "CREATE FUNCTION f() RETURNS integer\n    BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n SELECT 2;\nEND;".to_owned()),
        ("a procedure in standard SQL", "CREATE OR REPLACE PROCEDURE p(INOUT a integer)\n BEGIN ATOMIC\n SELECT ';';\nEND;".to_owned()),
        ("a function called begin", "CREATE FUNCTION public.begin() RETURNS integer AS 'select 1';".to_owned()),
    ] {
        let (one, after) = (label("TABLE", "t"), label("TABLE", "after"));
        let body = format!("{one}{statement}\n\n{after}CREATE TABLE public.after ();\n\n");
        let found = scan(dump(&body)).unwrap_or_else(|error| panic!("{what}: {error}")).dump;
        assert_eq!(found.tables, [], "{what}");
        assert_eq!(found.objects.len(), 2, "{what}");
        let name = ObjectName { kind: "TABLE".into(), schema: "public".into(), name: "t".into() };
        assert_eq!(found.object(&name).unwrap().digest, definition(&[&statement]), "{what}");
    }
}

#[test]
fn comments_are_no_part_of_a_statement() {
    for (statement, code) in [
        ("SELECT 1/* ; /* ' */ ; \" $$ \n\\.\n*/ + 1;", "SELECT 1 + 1;"),
        ("SELECT 1-- ; ' \" $$ /* \\\n+ 1;", "SELECT 1+ 1;"),
        ("SELECT 1 +-- ;\n1 */* ; */ 1;", "SELECT 1 +1 * 1;"),
        ("-- Owner: nobody\n/* before */ SELECT 1 - -1 / 2;", "SELECT 1 - -1 / 2;"),
    ] {
        let found = facts(&format!("{}{statement}\n", label("TABLE", "t")));
        assert_eq!(found.tables, []);
        assert_eq!(found.objects[0].digest, definition(&[code]), "{statement}");
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
        (&whole.replace("\\unrestrict Key", "\\unrestrict Other"), &text_after),
        (
            &whole.replace("\n\n\\unrestrict Key\n\n", ""),
            "the dump is cut off in its last lines, just after its end marker",
        ),
        (
            &whole.replace("\\unrestrict Key\n\n", "/* "),
            "the dump is cut off in its last lines, just after its end marker",
        ),
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
        (
            &format!("{HEADER}COPY public.t ({}) FROM stdin;\n", "a,".repeat(40_000)),
            "a statement is too long to be understood: pg_dump writes none like it",
        ),
    ] {
        assert_eq!(scan(stream).unwrap_err().to_string(), words);
    }
    scan(format!("{whole}\n-- a comment\n/* another */\n")).unwrap();
}

#[test]
fn what_reaches_beyond_the_database_is_refused() {
    for command in [
        "\\connect other",
        "\\! touch x",
        "\\restrict other",
        "\\unrestrict other",
        "\\unrestrict `touch x`",
        "SELECT 1 \\! touch x",
        "SELECT 'touch x' \\gexec",
        "COPY public.t FROM PROGRAM 'touch x';",
        "COPY public.t (a) FROM '/etc/passwd';",
        "COPY public.t TO '/tmp/x';",
        "ROLLBACK;",
        "COMMIT AND CHAIN;",
        "END;",
        "start transaction;",
    ] {
        let error = scan(dump(&format!("{}{command}\n", label("TABLE", "t")))).unwrap_err();
        let shown = command.strip_prefix("SELECT 1 ").unwrap_or(command);
        let shown = shown.strip_prefix("SELECT 'touch x' ").unwrap_or(shown);
        let expected = format!("the dump holds `{shown}` of TABLE public.t, which pg_dump never writes");
        assert!(error.to_string().starts_with(&expected.replace('\\', r"\\")), "{error}\n{expected}");
    }
}

#[test]
fn what_a_restore_leaves_out_is_told_where_it_stands() {
    let stream = dump("BEGIN;\n\nSELECT pg_catalog.lo_create('5');\nCOMMIT;\nCREATE FUNCTION f() AS $$BEGIN;$$;\n");
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    for line in stream.split_inclusive('\n') {
        scanner.push(line.as_bytes()).unwrap();
        found.extend_from_slice(scanner.left_out());
    }
    let words = found.iter().map(|range| &stream[range.start as usize..range.end as usize]);
    assert_eq!(words.collect::<Vec<_>>(), ["\\restrict Key", "BEGIN;", "COMMIT;", "\\unrestrict Key"]);
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
