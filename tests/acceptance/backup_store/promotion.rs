//! Weekly and monthly copies: the slot rule, and what becomes of a backup that could not be copied.

use acceptance::store::{Fault, On, Operation};

use super::{on, only_mail, small, succeeds, with};

#[test]
fn a_refused_copy_is_told_and_the_next_run_fills_the_slot() {
    let sandbox = with(small(), on(Operation::CopyObject), Fault::refuse("AccessDenied"));
    let outcome = sandbox.command("backup").run().exits(3).prints("s3://shop-backups/db-backups/daily/");
    let outcome =
        outcome.says("not promoted to weekly: cannot copy the backup to s3://").says("not promoted to monthly");
    let keys = sandbox.store().keys();
    assert!(keys.len() == 1 && keys[0].starts_with("db-backups/daily/"), "{keys:?}");
    let letter = only_mail(&sandbox, &outcome);
    let text = letter.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "was backed up, but not copied to weekly and monthly",
        "The daily backup is whole and verified",
        "The next run fills the missing slot",
        "grant s3:GetObject and s3:PutObject on the prefix",
    ] {
        assert!(text.contains(expected), "expected in the mail: {expected}\n{}", letter.text);
    }
    sandbox.assert_no_litter();

    sandbox.store().clear_faults();
    sandbox.store().remove(&keys[0]);
    succeeds(&sandbox);
}

#[test]
fn one_refused_copy_does_not_keep_the_other() {
    let sandbox = with(small(), on(Operation::CopyObject).key("/weekly/"), Fault::refuse("AccessDenied"));
    sandbox.command("backup").run().exits(3).says("not promoted to weekly").never_says("not promoted to monthly");
    let tiers: Vec<bool> = ["/daily/", "/weekly/", "/monthly/"]
        .map(|tier| sandbox.store().keys().iter().any(|key| key.contains(tier)))
        .into();
    assert_eq!(tiers, [true, false, true]);
}

#[test]
fn the_second_backup_of_a_week_is_not_copied() {
    let sandbox = small();
    succeeds(&sandbox);
    let first = sandbox.store().keys();
    // The key is the second, so the next run needs the next one.
    let taken = first[0].clone();
    sandbox.store().remove(&taken);
    sandbox.command("backup").run().succeeds();
    let keys = sandbox.store().keys();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert_eq!(keys[1..], first[1..], "other copies than those of the first backup");
    assert_eq!(sandbox.store().requests(&on(Operation::CopyObject)).len(), 2);
}

#[test]
fn a_foreign_object_fills_no_slot() {
    let sandbox = small();
    for foreign in ["db-backups/weekly/notes.txt", "db-backups/monthly/2025/01/other_backup_20250101_020000.sql.gz"] {
        sandbox.store().seed(foreign, b"of somebody else");
    }
    sandbox.command("backup").run().succeeds().says("promoted to weekly").says("promoted to monthly");
}

#[test]
fn a_copy_that_cannot_be_verified_does_not_stay() {
    let denied = Fault::refuse("AccessDenied");
    let sandbox = with(small(), On::operation(Operation::HeadObject).key("/weekly/"), denied);
    sandbox.command("backup").run().exits(3).says("not promoted to weekly").says("was deleted again");
    assert!(!sandbox.store().keys().iter().any(|key| key.contains("/weekly/")));
    sandbox.assert_no_litter();
}

#[test]
fn a_copy_that_can_neither_be_verified_nor_deleted_is_named() {
    let sandbox = small();
    for operation in [Operation::HeadObject, Operation::DeleteObject] {
        sandbox.store().fault(on(operation).key("/weekly/"), Fault::refuse("AccessDenied"));
    }
    let outcome = sandbox.command("backup").run().exits(3);
    let letter = only_mail(&sandbox, &outcome);
    let text = letter.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("aws s3 rm 's3://shop-backups/db-backups/weekly/"), "{}", letter.text);
}
