//! The test reaches nothing but its own scratch server, whatever the environment and the backup hold.

use std::fs;

use acceptance::postgres::Cluster;

use super::{Backup, ends, gzip, shop};

#[test]
fn the_live_database_is_not_even_connected_to() {
    let cluster = Cluster::start();
    let database = cluster.create_database();
    crate::shop::fill(&database);
    let backup = Backup::of(&database);
    let mut sandbox = backup.stored();
    let (host, port) = ("127.0.0.1", cluster.port().to_string());
    for (name, value) in [
        ("PGHOST", host),
        ("PGPORT", &port),
        ("PGDATABASE", database.name()),
        ("PGUSER", &cluster.superuser().user),
        ("PGPASSWORD", &cluster.superuser().password),
        ("PGOPTIONS", "-c search_path=nowhere"),
        ("PGSERVICE", "none"),
        ("PGDATA", "/nowhere"),
        ("PSQLRC", "/nowhere"),
    ] {
        sandbox.env(name, value);
    }
    let before = cluster.log().matches("connection received").count();
    let name_before = cluster.log().matches(database.name()).count();
    sandbox.command("restore-test").run().succeeds();
    let log = cluster.log();
    assert_eq!(log.matches("connection received").count(), before, "{log}");
    assert_eq!(log.matches(database.name()).count(), name_before, "{log}");
}

/// With the live server gone there is still a test: it needs the store alone.
#[test]
fn it_works_where_the_database_is_down() {
    let mut sandbox = shop().stored();
    sandbox.env("DB_PORT", "1");
    ends(&sandbox, 0, "passed", "every row equals the original");
}

/// Commands that a dump never holds, and that would reach out of the database.
#[test]
fn what_reaches_beyond_the_database_is_refused_before_it_is_done() {
    let text = shop().text();
    let footer = text.find("-- @backup ").unwrap();
    let at = text.find("CREATE TYPE").unwrap();
    for command in [
        "\\! touch @TRAP@",
        "\\connect postgres",
        "COPY public.trap FROM PROGRAM 'touch @TRAP@';",
        "COPY (SELECT 1) TO '@TRAP@';",
        "SELECT 1 \\! touch @TRAP@",
        "\\o @TRAP@",
        "CREATE TABLE public.trap (a text);\nCOPY public.trap (a) FROM stdin; \\! touch @TRAP@\n\\.",
        "CREATE TABLE public.stdin (a text);\nCOPY (SELECT a FROM stdin) TO PROGRAM 'touch @TRAP@';",
    ] {
        let sandbox = shop().stored();
        let trap = sandbox.home().join("trap");
        let command = command.replace("@TRAP@", &trap.display().to_string());
        let hostile = format!("{}{command}\n{}", &text[..at], &text[at..footer]);
        sandbox.store().seed(&shop().key, &gzip(hostile.as_bytes()));
        let (outcome, _) = ends(&sandbox, 1, "failed", "which pg_dump never writes");
        assert!(!trap.exists(), "{command}\n{}", outcome.report());
    }
}

/// What a function of the dump does when it is called, the scanner cannot see: there the kernel stands.
#[test]
fn what_the_server_would_do_for_a_dump_stays_in_the_scratch_directory() {
    let text = shop().text();
    let footer = text.find("-- @backup ").unwrap();
    let at = text.find("CREATE TYPE").unwrap();
    let secret = shop().stored();
    let (open, readable) = (secret.home().join("open"), secret.write("secret.txt", "a secret of this machine"));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let denied = "Permission denied";
    for (what, statement, says) in [
        ("a program", "COPY trap FROM PROGRAM 'touch @OPEN@/trap'", "could not execute command"),
        ("a file to write", "COPY trap TO '@OPEN@/trap'", denied),
        ("a file to read", "COPY trap FROM '@SECRET@'", denied),
        ("the variables of another process", "SELECT pg_read_binary_file('/proc/1/environ')", denied),
    ] {
        let statement = statement
            .replace("@OPEN@", &open.display().to_string())
            .replace("@SECRET@", &readable.display().to_string());
        let block = format!(
            "CREATE TABLE public.trap (a text);\nSET search_path = public;\nCREATE FUNCTION public.spring() RETURNS text \
             LANGUAGE plpgsql AS $_$ BEGIN EXECUTE $x$ {statement} $x$; RETURN ''; END $_$;\n\
             INSERT INTO public.trap VALUES (public.spring());\n"
        );
        let hostile = format!("{}{block}{}", &text[..at], &text[at..footer]);
        let sandbox = shop().stored_as(&gzip(hostile.as_bytes()));
        let (outcome, _) = ends(&sandbox, 1, "failed", says);
        assert!(!open.join("trap").exists(), "{what}\n{}", outcome.report());
    }
}
