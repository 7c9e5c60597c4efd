//! A backup brought back as a new database.

use std::time::{Duration, Instant};

use acceptance::postgres::Cluster;
use acceptance::sandbox::Sandbox;
use acceptance::store::{Fault, On, Operation};
use backup_core::key::Tier;
use nix::sys::signal::Signal;

use super::{back_up, backed_up, backed_up_in_bulk, counts, databases, layout, night, restore, seed};
use crate::shop::{ROWS, fill};

fn new_name(sandbox: &Sandbox) -> String {
    format!("{}_new", sandbox.database().name())
}

#[test]
fn the_backup_comes_back_beside_the_original() {
    let (sandbox, key) = backed_up();
    let (live, new) = (sandbox.database(), new_name(&sandbox));
    let before = counts(live);
    // What came after the backup is not in it.
    live.sql("INSERT INTO customers (name) VALUES ('later')");
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().succeeds();
    let restored = live.cluster().database(&new);
    assert_eq!(counts(&restored), before);
    outcome
        .prints(&format!(
            "restored s3://shop-backups/{key} into {new}: 5 tables, 2,901 rows, every one equal to the backup"
        ))
        .says(&format!("it will be restored into a new database, {new}"))
        .says("it holds 5 tables with 2,901 rows")
        .logs("restore.log", "every one equal to the backup")
        .never_says("WARN");
    assert_eq!(live.query("SELECT count(*) FROM customers WHERE name = 'later'"), "1", "the live one was touched");
    assert_eq!(databases(&sandbox, live.name()), [live.name(), &new]);
    sandbox.assert_no_litter();
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_script_gets_json() {
    let (sandbox, _) = backed_up();
    let new = new_name(&sandbox);
    let document = restore(&sandbox, &["run", "latest", "--into", &new, "--json"]).run().succeeds().json();
    assert_eq!((&document["proven"], &document["rows"]), (&true.into(), &ROWS.into()), "{document:#}");
    assert_eq!((&document["database"], &document["replaced"]), (&new.into(), &false.into()), "{document:#}");
}

#[test]
fn the_last_one_before_an_instant_is_found() {
    let (sandbox, key) = backed_up();
    let new = new_name(&sandbox);
    let object = sandbox.store().read(&key);
    let (older, oldest) = (seed(&sandbox, Tier::Daily, night(3), b"x"), seed(&sandbox, Tier::Monthly, night(40), b"x"));
    let found = |before: &str| {
        let outcome = restore(&sandbox, &["run", "--into", &new, "--before", before]).run().exits(1);
        outcome.stderr
    };
    let day = |days: i64| night(days).date().to_string();
    assert!(found(&day(2)).contains(&older));
    assert!(found(&format!("{} 00:00:01", day(3))).contains(&older));
    assert!(found(&day(3)).contains(&oldest), "before means before");
    assert!(found("2001-01-01").contains("none of the 5 of the database"));
    assert!(!object.is_empty() && layout(&sandbox).parse(&key).is_some());
    restore(&sandbox, &["run", "--into", "n", "--before", "tomorrow"]).run().exits(2).says("2025-01-29 14:00");
    restore(&sandbox, &["run", "--into", "n"]).run().exits(2);
    restore(&sandbox, &["run", "latest", "--before", "2025-01-01", "--into", "n"]).run().exits(2);
}

#[test]
fn a_database_that_exists_is_refused_and_left_alone() {
    let (sandbox, _) = backed_up();
    let name = sandbox.database().name();
    sandbox.database().sql("INSERT INTO customers (name) VALUES ('later')");
    let before = counts(sandbox.database());
    let outcome = restore(&sandbox, &["run", "latest", "--into", name]).run().exits(1).prints_nothing();
    outcome.says(&format!("the database {name} exists")).says("--replace=NAME");
    assert_eq!(counts(sandbox.database()), before);
    for own in ["postgres", "template1"] {
        let refused = restore(&sandbox, &["run", "latest", "--into", own, &format!("--replace={own}")]).run();
        refused.exits(1).says("the server's own database");
    }
}

#[test]
fn roles_that_are_missing_are_named_and_made_when_asked() {
    let (sandbox, _) = {
        let sandbox = Sandbox::on(Cluster::start().create_database());
        fill(sandbox.database());
        sandbox.database().sql(
            "CREATE ROLE ghost_team; CREATE ROLE \"Ghost's app\" LOGIN PASSWORD 'x' IN ROLE ghost_team; \
             ALTER TABLE orders OWNER TO \"Ghost's app\"; GRANT SELECT ON customers TO ghost_team;",
        );
        back_up(sandbox)
    };
    let original = sandbox.database();
    original.sql("DROP OWNED BY \"Ghost's app\", ghost_team CASCADE; DROP ROLE \"Ghost's app\", ghost_team;");
    let roles = || original.query("SELECT string_agg(rolname, ',' ORDER BY 1) FROM pg_roles WHERE rolname ~* '^ghost'");

    let refused = restore(&sandbox, &["run", "latest", "--into", "again"]).run().exits(1);
    refused.says("roles that the server does not have: Ghost's app, ghost_team").says("--create-roles");
    assert_eq!((roles(), databases(&sandbox, "again").len()), (String::new(), 0));

    let made = restore(&sandbox, &["run", "latest", "--into", "again", "--create-roles"]).run().succeeds();
    made.says("roles that will be created, without passwords: Ghost's app, ghost_team")
        .says("have no password yet, and cannot log in with one before: ALTER ROLE \"Ghost's app\" PASSWORD '...';\n")
        .says("the one that .env has (DB_PASSWORD)");
    assert_eq!(roles(), "Ghost's app,ghost_team");
    let again = original.cluster().database("again");
    assert_eq!(again.query("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'"), "Ghost's app");
    assert_eq!(original.query("SELECT pg_has_role('Ghost''s app', 'ghost_team', 'member')"), "t");
}

#[test]
fn a_file_is_brought_back_too() {
    let (sandbox, _) = backed_up();
    let new = new_name(&sandbox);
    restore(&sandbox, &["fetch", "latest", "-o", "f.sql.gz"]).run().succeeds();
    restore(&sandbox, &["run", "./f.sql.gz", "--into", &new]).run().succeeds();
    assert_eq!(counts(&sandbox.database().cluster().database(&new)), counts(sandbox.database()));
    for typed in ["./none.sql.gz", "lates"] {
        let refused = restore(&sandbox, &["run", typed, "--into", "n"]).run().exits(2).prints_nothing();
        refused.says("there is no such file").says("name `latest`, a key as `restore list` shows it");
    }
}

#[test]
fn what_stands_under_the_wrong_key_is_refused() {
    let (sandbox, key) = backed_up();
    let new = new_name(&sandbox);
    let moved = seed(&sandbox, Tier::Daily, night(1), &sandbox.store().read(&key));
    let outcome = restore(&sandbox, &["run", &moved, "--into", &new]).run().exits(1).prints_nothing();
    outcome.says("the key says that it was taken").says("restore list");
    assert!(databases(&sandbox, &new).is_empty());
}

#[test]
fn a_refusal_of_the_server_leaves_nothing() {
    let (mut sandbox, _) = backed_up();
    let new = new_name(&sandbox);
    let weak = sandbox.database().cluster().create_role("NOSUPERUSER");
    sandbox.log_in_as(&weak);
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(1).prints_nothing();
    outcome
        .says(&format!("{} may not create databases", weak.user))
        .says("-e DB_USER=postgres -e DB_PASSWORD backup restore run");
    assert!(databases(&sandbox, &new).is_empty());

    // It may make a database, but not give things away.
    sandbox.database().sql(&format!("ALTER ROLE {} CREATEDB", weak.user));
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(1).prints_nothing();
    outcome.says("psql failed after").says("superuser").says("which this run had made, is gone again");
    assert!(databases(&sandbox, &new).is_empty());
    sandbox.assert_no_litter();
}

#[test]
fn a_store_that_breaks_off_in_the_middle_leaves_nothing() {
    let (sandbox, _) = backed_up_in_bulk();
    let new = new_name(&sandbox);
    let second = On::operation(Operation::GetObject).header("range", "bytes=8388608-");
    sandbox.store().fault(second, Fault::refuse("AccessDenied"));
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(1).prints_nothing();
    outcome.says("s3:GetObject").says("is gone again");
    assert!(databases(&sandbox, &new).is_empty());
    sandbox.assert_no_litter();
}

#[test]
fn a_download_that_breaks_off_while_psql_waits_ends_the_run() {
    let (sandbox, _) = backed_up_in_bulk();
    let new = new_name(&sandbox);
    // It takes nothing in: all that lies between it and the store is full when the download fails.
    sandbox.shim("psql", "#!/bin/sh\ncase \"$*\" in *--file=-*) exec sleep 1000;; *) exec @REAL@ \"$@\";; esac\n");
    let second = On::operation(Operation::GetObject).header("range", "bytes=8388608-");
    sandbox.store().fault(second, Fault::refuse("AccessDenied"));
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(1).prints_nothing();
    outcome.says("s3:GetObject").says("is gone again");
    assert!(databases(&sandbox, &new).is_empty());
    sandbox.assert_no_litter();
}

#[test]
fn what_reads_the_dump_may_not_write_files() {
    if !backup_core::child::Confinement::is_possible() {
        return;
    }
    let (sandbox, _) = backed_up();
    let new = new_name(&sandbox);
    let there = sandbox.home().join("escaped");
    sandbox.shim(
        "psql",
        &format!("#!/bin/sh\ncase \"$*\" in *--file=-*) echo x > {};; esac\nexec @REAL@ \"$@\"\n", there.display()),
    );
    restore(&sandbox, &["run", "latest", "--into", &new]).run().succeeds();
    assert!(!there.exists(), "psql could write to a file");
}

#[test]
fn a_signal_in_the_middle_leaves_nothing() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let (sandbox, _) = backed_up_in_bulk();
        let second = On::operation(Operation::GetObject).header("range", "bytes=8388608-");
        sandbox.store().fault(second, Fault::StallAnswerAfter(0));
        let new = new_name(&sandbox);
        let mut running =
            restore(&sandbox, &["run", "latest", "--into", &new]).env("BACKUP_STALL_TIMEOUT", "1h").spawn();
        running.wait_until("made the database", |_| databases(&sandbox, &new).len() == 1);
        let copies = || {
            let question =
                format!("SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '{new}%' AND query ~ '^COPY'");
            sandbox.database().query(&question)
        };
        running.wait_until("began to copy", |_| copies() == "1");
        let signalled = Instant::now();
        running.signal(signal);
        running.wait().exits(code).prints_nothing();
        assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
        assert!(databases(&sandbox, &new).is_empty());
        sandbox.assert_no_litter();
    }
}

#[test]
fn what_is_restored_otherwise_is_told_and_left_to_be_looked_at() {
    let (sandbox, _) = backed_up();
    let new = new_name(&sandbox);
    // As if the server had swallowed a row: it is missing in the dump of what was restored.
    sandbox.shim("pg_dump", "#!/bin/bash\nset -o pipefail\n@REAL@ \"$@\" | sed '/^7\\t8\\t/d'\n");
    let outcome = restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(1).prints_nothing();
    outcome
        .says(&format!("what was restored into {new}_restoring_"))
        .says("public.orders: 1,999 rows restored, 2,000 in the backup")
        .says("It is left under that name, to be looked at");
    let left = databases(&sandbox, &new);
    assert!(left.len() == 1 && left[0].starts_with(&format!("{new}_restoring_")), "{left:?}");
}

#[test]
fn only_one_at_a_time() {
    let (sandbox, _) = backed_up();
    let new = new_name(&sandbox);
    let looks = On::operation(Operation::HeadObject);
    let before = sandbox.store().requests(&looks).len();
    sandbox.store().fault(looks.clone(), Fault::Stall);
    let running = restore(&sandbox, &["run", "latest", "--into", &new]).env("BACKUP_STALL_TIMEOUT", "1h").spawn();
    sandbox.store().wait_for(&looks, before + 1, Duration::from_mins(1));
    restore(&sandbox, &["run", "latest", "--into", &new]).run().exits(75).says("another run of restore");
    restore(&sandbox, &["list"]).run().succeeds();
    running.signal(Signal::SIGTERM);
    running.wait().exits(143);
}
