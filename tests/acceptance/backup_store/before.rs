//! What a run knows of the backups before it: a store that could not be asked is not one that holds nothing, and a wrong clock
//! would make the keys lie.

use acceptance::sandbox::Sandbox;
use acceptance::store::{Fault, On, Operation};
use backup_core::key::{BackupId, Layout, Tier};

use super::{Failed, SOON, on, only_mail, small, with};

#[test]
fn a_store_that_cannot_be_asked_is_told_apart_from_an_empty_one() {
    let denied = || Fault::refuse("AccessDenied");
    let told = |sandbox: &Sandbox, arguments: &[&str]| {
        let outcome = sandbox.command("backup").args(arguments.iter().copied()).run();
        let failed = Failed { cause: "AccessDenied", hint: "grant s3:ListBucket" };
        let outcome = failed.check_told(sandbox, outcome);
        let text = only_mail(sandbox, &outcome).text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("The store could not be asked which backups it holds"), "{text}");
        text
    };
    let sandbox = with(small(), on(Operation::ListObjects), denied());
    let text = told(&sandbox, &[]);
    assert!(text.contains("whether there is one is not known"), "{text}");

    let sandbox = small();
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    sandbox.store().fault(on(Operation::ListObjects), denied());
    // Nor is one that cannot be asked taken for one that holds a young backup, or for one that holds none.
    let text = told(&sandbox, &["--if-older-than", "24h"]);
    assert!(text.contains("The last one that was made here is "), "{text}");
    assert!(text.contains("Last made here: s3://shop-backups/db-backups/daily/"), "{text}");
    // Nor does the last one of another database say anything.
    sandbox.command("backup").env("DB_NAME", "other").run().exits(1);
    let text = sandbox.mail().messages()[1].letter().text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("whether there is one is not known"), "{text}");
}

/// As cleanup and the health check see it.
#[test]
fn an_empty_object_under_a_key_of_ours_counts_for_no_backup() {
    let sandbox = small();
    let layout = Layout::new("db-backups".parse().unwrap(), sandbox.database().name().parse().unwrap());
    let now = time::OffsetDateTime::now_utc() - time::Duration::MINUTE;
    let taken = time::PrimitiveDateTime::new(now.date(), now.time().replace_nanosecond(0).unwrap());
    let stubs = Tier::OF_BACKUPS.map(|tier| layout.key(BackupId { taken, tier }));
    for stub in &stubs {
        sandbox.store().seed(stub, b"");
    }
    let outcome = sandbox.command("backup").env("DB_PORT", "1").run().exits(1);
    let text = only_mail(&sandbox, &outcome).text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("No earlier good backup could be found"), "{text}");

    sandbox.command("backup").args(["--if-older-than", "24h"]).run().succeeds().says("stored s3://");
    let copies = sandbox.store().keys().into_iter().filter(|key| !stubs.contains(key)).count();
    assert_eq!(copies, 3, "{:?}", sandbox.store().keys());
}

#[test]
fn clocks_that_disagree_end_the_run_before_anything_is_dumped() {
    for arguments in [&[][..], &["--if-older-than", "24h"], &["--dry-run"]] {
        let date = Fault::alter(|answer| {
            answer.headers.retain(|(name, _)| name != "date");
            answer.headers.push(("date".into(), "Sun, 06 Nov 1994 08:49:37 GMT".into()));
        });
        // Only the one that is asked for the time: the SDK would sign the next by this clock.
        let sandbox = with(small(), On::operation(Operation::ListObjects).query("max-keys", "1"), date);
        let outcome = sandbox.command("backup").args(arguments.iter().copied()).run();
        let outcome = outcome.ends_within(SOON).never_says("backing up");
        let cause = "the clocks do not agree: here it is ";
        if arguments == ["--dry-run"] {
            outcome.exits(1).says(cause);
        } else {
            let outcome = Failed { cause, hint: "Set this machine's clock" }.check_told(&sandbox, outcome);
            outcome.says("at the store Sun 1994-11-06 08:49:37");
        }
        sandbox.assert_nothing_left_behind();
    }
}
