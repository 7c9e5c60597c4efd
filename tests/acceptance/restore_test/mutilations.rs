//! A table of mutilations: each must end in the right verdict with the right words.
//!
//! In the file: what stands in the store is no longer what was dumped. In the restore: the file is good, but what
//! arrives in the database is not, as a fault of `psql`, of the server or of the disk would have it.

use acceptance::store::{Fault, On, Operation};

use super::{Backup, ends, flat, gzip, shop};

/// What is done to the text of the backup, footer untouched, and what the test says.
#[test]
fn what_was_taken_from_the_file_is_named() {
    let text = shop().text();
    let row = "\n1\tMüller\\t& Söhne\\n№ 1\t1@example.org\t2024-02-29 12:00:00+00\n";
    assert!(text.contains(row), "{text}");
    let without = |from: &str, to: &str| {
        let start = text.find(from).unwrap_or_else(|| panic!("{from}"));
        let end = start + text[start..].find(to).unwrap() + to.len();
        format!("{}{}", &text[..start], &text[end..])
    };
    let order = "\n1\t2\tpaid\t1.01\t";
    assert!(text.contains(order));
    for (what, mutilated, says) in [
        ("a row gone", text.replacen(row, "\n", 1), "public.customers: 499 rows restored, 500 in the backup"),
        (
            "a row changed",
            text.replacen("\t1@example.org\t", "\tx@example.org\t", 1),
            "public.customers: 500 rows as in the backup, but not the same ones",
        ),
        (
            "a row twice",
            text.replacen(row, &format!("{row}{}", &row[1..]), 1),
            "public.customers: 501 rows restored, 500 in the backup",
        ),
        (
            "two values swapped",
            text.replacen("\t1@example.org\t", "\tSWAP\t", 1)
                .replacen("\t2@example.org\t", "\t1@example.org\t", 1)
                .replacen("\tSWAP\t", "\t2@example.org\t", 1),
            "public.customers: 500 rows as in the backup, but not the same ones",
        ),
        (
            "a table's data gone",
            without("COPY public.events_2025 ", "\n\\.\n"),
            "public.events_2025: the table is missing",
        ),
        ("an index gone", without("CREATE INDEX orders_state", ";\n"), "INDEX public.orders_state is missing"),
        (
            "a constraint gone",
            without("ALTER TABLE ONLY public.orders\n    ADD CONSTRAINT orders_pkey", ";\n"),
            "CONSTRAINT public.orders orders_pkey is missing",
        ),
        ("a trigger gone", without("CREATE TRIGGER stamped", ";\n"), "TRIGGER public.customers stamped is missing"),
        (
            "a sequence's value gone",
            without("SELECT pg_catalog.setval('public.customers_id_seq'", ";\n"),
            "public.customers_id_seq: the sequence is missing",
        ),
        (
            "a sequence set back",
            text.replacen("setval('public.customers_id_seq', 500,", "setval('public.customers_id_seq', 5,", 1),
            "public.customers_id_seq: the sequence stands at 5, in the backup at 500",
        ),
        (
            "a large object changed",
            text.replacen("\\x00ff0a5c", "\\x00ff0a5d", 1),
            "large objects: 1 with 12,000 bytes restored, 1 with 12,000 bytes in the backup, not the same",
        ),
        ("a definition changed", text.replacen("who pays;", "who paid;", 1), "is defined otherwise than in the backup"),
    ] {
        assert!(mutilated != text, "{what}: nothing was changed");
        let sandbox = shop().stored_as(&gzip(mutilated.as_bytes()));
        let (outcome, letter) = ends(&sandbox, 1, "failed", "the dump is not what its own footer says: ");
        outcome.says(says);
        assert!(letter.subject.starts_with("❌ Restore test FAILED: "), "{what}: {}", letter.subject);
        assert!(flat(&letter).contains("Do not rely on this backup."), "{what}: {}", letter.text);
    }
}

/// `psql` gets something else than it was given: the file is right, what arrives is not.
#[test]
fn what_did_not_arrive_in_the_database_is_named() {
    for (what, filter, says) in [
        ("a row gone", r"/^2024-06-01\t/d", "public.events_2024: 213 rows restored, 214 in the backup"),
        (
            "a row changed",
            r"s/\t1@example.org/\tx@example.org/",
            "public.customers: 500 rows as in the backup, but not the same ones",
        ),
        ("an index gone", "/^CREATE INDEX orders_state/d", "INDEX public.orders_state is missing"),
        ("a trigger gone", "/^CREATE TRIGGER stamped/d", "TRIGGER public.customers stamped is missing"),
        (
            "a sequence elsewhere",
            "s/\\(customers_id_seq., \\)500/\\15/",
            "public.customers_id_seq: the sequence stands at 5, in the backup at 500",
        ),
        (
            "a view gone",
            "/^CREATE VIEW public.open_orders/,/;$/d;/open_orders OWNER/d",
            "VIEW public.open_orders is missing",
        ),
    ] {
        let sandbox = shop().stored();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *--file=-*) LC_ALL=C sed -e '{filter}' | @REAL@ \"$@\";; *) exec @REAL@ \"$@\";; esac\n"
        );
        sandbox.shim("psql", &script);
        let (outcome, letter) = ends(&sandbox, 1, "failed", "what was restored is not what was dumped: ");
        outcome.says(says);
        assert!(flat(&letter).contains(says), "{what}: {}", letter.text);
    }
}

/// Nothing to prove is said of what equals the backup only.
#[test]
fn what_did_not_arrive_in_a_database_without_tables_is_named() {
    let database = acceptance::postgres::Cluster::shared().create_database();
    database.sql("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    let sandbox = Backup::of(&database).stored();
    sandbox.shim(
        "psql",
        "#!/bin/sh\ncase \"$*\" in *--file=-*) sed -e '/^CREATE FUNCTION/,/;$/d;/^ALTER FUNCTION/d' | @REAL@ \"$@\";; \
         *) exec @REAL@ \"$@\";; esac\n",
    );
    ends(&sandbox, 1, "failed", "FUNCTION public.one() is missing");
}

#[test]
fn a_file_that_is_cut_anywhere_is_never_called_good() {
    let bytes = &shop().bytes;
    let ends_of_members = [1, 10, 34, 35, 100].map(|before| bytes.len() - before);
    let everywhere = (1..12).map(|twelfth| bytes.len() * twelfth / 12);
    for at in everywhere.chain(ends_of_members).chain([1, 9, 10, 18]) {
        let sandbox = shop().stored_as(&bytes[..at]);
        let outcome = sandbox.command("restore-test").arg("--no-notify").run();
        let code = outcome.code;
        // Without its last 34 bytes, the file is whole, and so is its footer; only the way to it is longer.
        let expected = i32::from(at != bytes.len() - 34);
        assert_eq!(code, Some(expected), "cut after {at} of {} bytes\n{}", bytes.len(), outcome.report());
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let bytes = &shop().bytes;
    for eighth in 0..8 {
        let mut flipped = bytes.clone();
        // Beyond the ten bytes of a header, some of which mean nothing.
        let at = 20 + eighth * (bytes.len() - 60) / 8;
        flipped[at] ^= 0x10;
        let sandbox = shop().stored_as(&flipped);
        sandbox.command("restore-test").arg("--no-notify").run().exits(1);
    }
}

#[test]
fn damage_of_every_kind_is_told_in_words() {
    let text = shop().text();
    let footer = text.find("-- @backup ").unwrap();
    let (dump, lines) = text.split_at(footer);
    let cut_at_a_line = &dump[..dump.find("\nCREATE INDEX orders_state").unwrap()];
    let other = Backup::of(&{
        let database = acceptance::postgres::Cluster::shared().create_database();
        database.sql("CREATE TABLE another AS SELECT 1 AS a");
        database
    });
    let garbage = [&shop().bytes[..], b"garbage"].concat();
    for (bytes, says) in [
        (Vec::new(), "the dump is empty: not one byte arrived"),
        (b"no gzip at all".to_vec(), "the file is damaged: its compression breaks off after 0 bytes"),
        (gzip(b"SET lock_timeout = 0;\n"), "the dump ends without its end marker"),
        (gzip(cut_at_a_line.as_bytes()), "the dump ends without its end marker"),
        (garbage, "the file is damaged: its compression breaks off"),
        (gzip(format!("{dump}{lines}SET lock_timeout = 0;\n").as_bytes()), "something follows the end of the dump"),
        (
            gzip(format!("{dump}{}", &lines[..=lines.find("\n-- @backup table").unwrap()]).as_bytes()),
            "the footer is cut off",
        ),
        (gzip(text.replacen("\"rows\":500", "\"rows\":501", 1).as_bytes()), "the footer is damaged"),
        (other.bytes.clone(), "what stands under it is a backup of"),
    ] {
        let sandbox = shop().stored_as(&bytes);
        let (outcome, _) = ends(&sandbox, 1, "failed", says);
        outcome.never_says("passed");
    }
}

/// A proof is of the bytes as they were: what a later test finds is what counts.
#[test]
fn a_backup_that_just_failed_is_not_named_as_the_newest_proven() {
    let sandbox = shop().stored();
    sandbox.command("restore-test").arg("--no-notify").run().succeeds();
    sandbox.store().seed(&shop().key, &shop().bytes[..1_000]);
    // The first time the store does not take the record.
    let no_record = On::operation(Operation::PutObject).key(".failed.json").times(1);
    sandbox.store().fault(no_record, Fault::refuse("AccessDenied"));
    for says in ["the result was not written to the store", "FAILED"] {
        sandbox.command("restore-test").run().exits(1).says(says);
    }
    for mail in sandbox.mail().messages() {
        let letter = mail.letter();
        assert!(flat(&letter).contains("No backup of this database is proven."), "{}", letter.text);
    }
}

#[test]
fn yesterdays_backup_under_todays_key_is_found() {
    let sandbox = shop().stored();
    let database = shop().database.name();
    let key = format!("db-backups/daily/2025/01/29/{database}_backup_20250129_020000.sql.gz");
    sandbox.store().seed(&key, &shop().bytes);
    sandbox
        .command("restore-test")
        .arg(&key)
        .run()
        .exits(1)
        .says("the key says that it was taken Wed 2025-01-29 02:00:00");
}

#[test]
fn a_dump_that_does_not_restore_is_called_so_with_the_words_of_psql() {
    // A view that reads what only search_path finds: valid where it was made, and in no restore.
    let database = acceptance::postgres::Cluster::shared().create_database();
    database.sql(
        "CREATE TABLE prices (id int, n int);
        CREATE FUNCTION price(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n FROM prices WHERE id = $1';
        INSERT INTO prices VALUES (1, 10);
        CREATE TABLE t (id int);
        INSERT INTO t VALUES (1);
        CREATE INDEX by_price ON t (price(id));",
    );
    let sandbox = Backup::of(&database).stored();
    let (_, letter) = ends(&sandbox, 1, "failed", "the backup does not restore: psql failed after");
    assert!(flat(&letter).contains("relation \"prices\" does not exist"), "{}", letter.text);
}
