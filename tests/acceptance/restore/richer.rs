//! The newest backup may have been made after the accident.

use acceptance::sandbox::Sandbox;
use backup_core::key::{Outcome, RecordId, Tier};
use time::PrimitiveDateTime;

use super::{backed_up, layout, night, restore, rewritten, seed};

/// The same backup as if it had been made on that night.
fn seed_as_of(sandbox: &Sandbox, taken: PrimitiveDateTime, object: &[u8]) -> String {
    let object = rewritten(object, |footer, _| footer.started = taken.assume_utc());
    seed(sandbox, Tier::Daily, taken, &object)
}

/// A full backup of three nights ago, and two of after an accident.
fn after_an_accident(accident: &str) -> (Sandbox, String) {
    let (sandbox, newest) = backed_up();
    let full = seed_as_of(&sandbox, night(3), &sandbox.store().read(&newest));
    sandbox.database().sql(accident);
    sandbox.command("backup").args(["--output", "damaged.sql.gz"]).run().succeeds();
    let damaged = std::fs::read(sandbox.home().join("damaged.sql.gz")).unwrap();
    for days in [1, 2] {
        seed_as_of(&sandbox, night(days), &damaged);
    }
    (sandbox, full)
}

fn before(days: i64) -> String {
    format!("{}T00:00:01Z", night(days).date())
}

#[test]
fn a_backup_before_that_held_more_tables_is_named() {
    let (sandbox, full) = after_an_accident("DROP TABLE orders, customers CASCADE");
    let outcome = restore(&sandbox, &["run", "--before", &before(2), "--into", "seen"]).run().succeeds();
    outcome
        .says("WARN the backup of ")
        .says("held 5 tables with 2,901 rows: public.customers, public.orders are not in this one")
        .says(&format!("to restore that one, name its key: {full}\n"));
    // The one before has lost as much, and of the one before that nobody knows that it is good.
    let arguments = ["run", "--before", &before(1), "--into", "unseen"];
    restore(&sandbox, &arguments).run().succeeds().never_says("WARN");
    let record = RecordId { tested: night(2), backup: night(3), outcome: Outcome::Passed };
    sandbox.store().seed(&layout(&sandbox).record_key(&record), b"{}");
    let arguments = ["run", "--before", &before(1), "--into", "seen_too"];
    restore(&sandbox, &arguments).run().succeeds().says(", proven by a restore test, held 5 tables");
    // Whoever names a key has chosen; and the newest of all lacks nothing.
    let chosen = layout(&sandbox).key(backup_core::key::BackupId { taken: night(2), tier: Tier::Daily });
    restore(&sandbox, &["run", &chosen, "--into", "chosen"]).run().succeeds().never_says("WARN");
    restore(&sandbox, &["run", "latest", "--into", "whole"]).run().succeeds().never_says("WARN");
}

#[test]
fn a_backup_before_that_held_twice_the_rows_is_named() {
    let (sandbox, full) = after_an_accident("DELETE FROM orders; DELETE FROM events");
    let outcome = restore(&sandbox, &["run", "--before", &before(2), "--into", "emptied"]).run().succeeds();
    outcome.says("held 5 tables with 2,901 rows: more than twice as many rows as this one").says(&full);
}
