//! The fence: what somebody who can write to the store would put into a dump, so that `psql` or the server does
//! something else than the scanner has seen.

use super::*;

fn fenced(dump: &str) -> Result<Scanned, ScanError> {
    let mut scanner = Scanner::fenced();
    scanner.push(dump.as_bytes())?;
    scanner.finish()
}

fn refused(body: &str) -> String {
    let whole = dump(&format!("{}{body}\n", label("TABLE", "t")));
    let Err(error) = fenced(&whole) else { panic!("let through: {body}") };
    // Wherever the chunks end, nothing of it is complete before it is refused.
    let mut scanner = Scanner::fenced();
    let one_by_one = whole.as_bytes().chunks(1).find_map(|byte| scanner.push(byte).err());
    // For the same reason, if not always with the same place: a byte may come before what says where it stands.
    let reason =
        |error: &ScanError| (std::mem::discriminant(error), error.to_string().chars().take(25).collect::<String>());
    assert_eq!(one_by_one.as_ref().map(reason), Some(reason(&error)), "{body}");
    error.to_string()
}

#[test]
fn what_psql_would_read_otherwise_is_refused() {
    for (what, bodies) in [
        (
            "more on the line where a statement ended",
            &[
                "COPY public.t (a) FROM stdin; \\! touch x\n1\n\\.",
                "COPY public.t (a) FROM stdin;SELECT 1;\n1\n\\.",
                "SET standard_conforming_strings = off; COMMENT ON TABLE t IS '\\' \\! touch x';",
                "SET client_encoding = 'UTF8'; -- \\! touch x",
            ][..],
        ),
        (
            "two texts in a row",
            &[
                "COMMENT ON TABLE t IS E'a'\r'\\' \\! touch x\n';",
                "COMMENT ON TABLE t IS E'a'\n'\\' \\! touch x\n';",
                "COMMENT ON TABLE t IS 'a' 'b';",
            ][..],
        ),
        (
            "a block comment",
            &["COMMENT ON TABLE t IS E'a'\n/* */'\\' \\! touch x\n';", "/* /* */", "SELECT 1 +/**/1;"][..],
        ),
        (
            "a comment inside of a statement",
            &["CREATE TABLE t -- \\! touch x\n();", "COMMENT ON TABLE t IS E'a' -- b\n'\\' \\! touch x\n';"][..],
        ),
        (
            "a number that runs into something else",
            &[
                "CREATE VIEW v AS SELECT 1e'\\' \\! touch x\n';",
                "CREATE VIEW v AS SELECT 1a$$ \\! touch x\n$$;",
                "CREATE VIEW v AS SELECT $1e'\\';",
            ][..],
        ),
        (
            "a dollar that begins no quote",
            &["CREATE VIEW v AS SELECT $e'\\' \\! touch x\n';", "CREATE VIEW v AS SELECT $;"][..],
        ),
        ("a text with Unicode escapes", &["COMMENT ON TABLE t IS U&'\\';", "COMMENT ON TABLE U&\"\\\" IS 'a';"][..]),
        ("a control character", &["CREATE TABLE\x0bt ();", "\x01", "CREATE TABLE t (\x7f);"][..]),
        (
            "a variable of psql",
            &[
                "COMMENT ON TABLE t IS :'USER';",
                "CREATE TABLE :DBNAME ();",
                "CREATE TABLE :\"DBNAME\" ();",
                "COMMENT ON TABLE t IS :{?USER};",
                "CREATE VIEW v AS SELECT 1:::PROMPT1;",
            ][..],
        ),
        (
            "a routine whose end psql does not find, because something in it is called BEGIN or END",
            &[
                "CREATE FUNCTION public.begin() RETURNS integer AS 'select 1';\nCOPY public.t (a) FROM stdin;\n\\! touch x\n\\.",
                "CREATE OR REPLACE FUNCTION f() RETURNS begin\n    BEGIN ATOMIC\n SELECT 2;\nEND;",
            ][..],
        ),
        ("a zero byte", &["COPY public.t (a) FROM stdin;\na\0\n\\.\n\\! touch x\n\\."][..]),
    ] {
        for body in bodies {
            let said = refused(body);
            assert!(said.starts_with(&format!("the dump holds {what}")), "{body}\n{said}");
        }
    }
}

#[test]
fn what_no_dump_holds_is_refused() {
    for statement in [
        "\\! touch x",
        "\\connect other",
        "\\unrestrict `touch x`",
        &format!("\\restrict {} \\! touch x", "a".repeat(70_000)),
        "\\restrict ",
        "CREATE TABLE t () \\; SELECT 1;",
        "SELECT 'touch x' \\gexec",
        "COPY (SELECT 1 FROM stdin) TO PROGRAM 'touch x';",
        "COPY public.t TO STDOUT;",
        "COPY public.t FROM PROGRAM 'touch x';",
        "COPY public.t FROM stdin WITH (FORMAT csv);",
        "COPY public.t FROM stdin WHERE f();",
        "COPY public.t (a FROM stdin;",
        "SELECT pg_catalog.set_config('client_encoding', 'SJIS', false);",
        "SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);",
        "SELECT pg_catalog.set_config(E'client\\137encoding', 'SJIS', false);",
        "SET NAMES 'SJIS';",
        "SET client_encoding = 'shift-jis';",
        "SET client_encoding = 'Windows932';",
        "SET client_encoding = E'SJI\\123';",
        "SET client_encoding TO 'SJIS';",
        "SET LOCAL client_encoding = 'SJIS';",
        "SET \"client_encoding\" = 'SJIS';",
        "SET standard_conforming_strings = 0;",
        "SET standard_conforming_strings TO off;",
        "SET ROLE postgres;",
        "SET role = 'postgres';",
        "SET session_preload_libraries = 'evil';",
        "SET plugin.option = 'x';",
        "RESET ALL;",
        "SELECT pg_catalog.pg_read_file('/etc/passwd');",
        "SELECT pg_catalog.lo_import('/etc/passwd');",
        "SELECT pg_catalog.setval('public.s', (SELECT evil()));",
        "SELECT pg_catalog.setval('public.s', evil());",
        "SELECT evil();",
        "SELECT * FROM pg_catalog.pg_ls_dir('/');",
        "DO $$ BEGIN EXECUTE 'x'; END $$;",
        "CALL evil();",
        "LOAD '/tmp/x.so';",
        "ALTER SYSTEM SET archive_command = 'touch x';",
        "ALTER DATABASE live SET search_path = evil;",
        "ALTER ROLE postgres SUPERUSER;",
        "ALTER USER postgres SUPERUSER;",
        "CREATE ROLE evil SUPERUSER;",
        "CREATE USER evil SUPERUSER;",
        "CREATE DATABASE evil;",
        "CREATE TABLESPACE evil LOCATION '/tmp';",
        "CREATE SUBSCRIPTION s CONNECTION 'host=evil' PUBLICATION p;",
        "DROP DATABASE live;",
        "DROP OWNED BY app;",
        "DROP ROLE app;",
        "GRANT postgres TO evil;",
        "GRANT ALL ON DATABASE live TO evil;",
        "GRANT SET ON PARAMETER session_preload_libraries TO evil;",
        "COMMENT ON DATABASE live IS 'x';",
        "ROLLBACK;",
        "COMMIT AND CHAIN;",
        "COMMIT PREPARED 'x';",
        "(SELECT 1);",
        "\"copy\" x;",
        "WITH x AS (SELECT 1) SELECT evil();",
        "EXECUTE x;",
        "VACUUM;",
    ] {
        let said = refused(statement);
        assert!(said.contains("which pg_dump never writes"), "{statement}\n{said}");
    }
}

/// Whatever `pg_dump` writes on purpose; real dumps go through the same fence in the acceptance tests.
#[test]
fn what_pg_dump_writes_passes() {
    for statement in [
        "SET transaction_timeout = 0;",
        "SET setting_of_the_future = 0;",
        "SET standard_conforming_strings = off;",
        "SET SESSION AUTHORIZATION 'app';",
        "RESET SESSION AUTHORIZATION;",
        "SET SESSION AUTHORIZATION DEFAULT;",
        "SELECT CASE WHEN EXISTS(SELECT 1 FROM pg_catalog.pg_largeobject_metadata WHERE oid = '5') THEN pg_catalog.lo_unlink('5') END;",
        "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '5';",
        "SELECT pg_catalog.lo_create('5');",
        "SELECT pg_catalog.setval('public.\"a \\ b\"', -5, true);",
        "SELECT * FROM pg_catalog.pg_restore_relation_stats(\n\t'version', '180000'::integer,\n\t'relpages', '1'::integer\n);",
        "SELECT * FROM pg_catalog.pg_restore_attribute_stats('most_common_freqs', '{0.1,1e-05}'::real[]);",
        "COPY public.t FROM stdin;\n1\n\\.",
        "COPY public.\"T\" (\"a b\", c) FROM stdin;\r\n1\t2\r\n\\.\r",
        "CREATE VIEW v AS SELECT a[1:n], a[1:2], b::text, a[lo:\"Hi\"], a[1:CASE WHEN true THEN 1 END], 1.5e10, 1e+05, x'1f', $$a$$, '-' || '';",
        "CREATE FUNCTION f(integer) RETURNS integer\n    BEGIN ATOMIC\n SELECT CASE WHEN ($1 > 1) THEN 1 ELSE 2 END;\nEND;",
        "CREATE OR REPLACE FUNCTION f() RETURNS integer AS $_$ /* */ -- \\! \n U&'' $e :'x' $_$;",
        "CREATE SUBSCRIPTION s CONNECTION 'host=a' PUBLICATION p WITH (connect = false, slot_name = 's');",
        "CREATE USER MAPPING FOR app SERVER s OPTIONS (password 'x');",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE ALL ON TABLES FROM app;",
        "ALTER LARGE OBJECT 5 OWNER TO app;",
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC;",
        "GRANT ALL ON TABLE public.t TO app;",
        "REFRESH MATERIALIZED VIEW public.m;",
        "SECURITY LABEL FOR dummy ON TABLE t IS 'x';",
        "INSERT INTO public.t VALUES (1, 'a');",
        "BEGIN;",
        "COMMIT;",
    ] {
        let whole = dump(&format!("{}{statement}\n", label("TABLE", "t")));
        if let Err(error) = fenced(&whole) {
            panic!("refused: {statement}\n{error}");
        }
        assert_eq!(fenced(&whole), scan(&whole), "{statement}");
    }
}
