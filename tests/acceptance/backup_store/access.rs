//! The store says no: wrong keys, missing permissions.

use acceptance::proxy::{Network, Proxy};
use acceptance::store::{Fault, On, Operation};

use super::{Failed, SOON, large, on, only_mail, small, with};

fn denied() -> Fault {
    Fault::refuse("AccessDenied")
}

#[test]
fn listing_is_denied() {
    let sandbox = with(small(), on(Operation::ListObjects), denied());
    let cause = "cannot list s3://shop-backups/db-backups/daily/: AccessDenied";
    Failed { cause, hint: "grant s3:ListBucket on the bucket" }.check(&sandbox).never_says("pg_dump");
}

#[test]
fn writing_is_denied() {
    let sandbox = with(small(), on(Operation::PutObject), denied());
    Failed { cause: "cannot write s3://shop-backups/db-backups/daily/", hint: "grant s3:PutObject on the prefix" }
        .check(&sandbox);
    let sandbox = with(large(), on(Operation::CreateMultipartUpload), denied());
    let cause = "cannot begin the upload of s3://shop-backups/db-backups/daily/";
    Failed { cause, hint: "grant s3:PutObject on the prefix" }.check(&sandbox);
    let sandbox = with(large(), on(Operation::UploadPart), denied());
    Failed { cause: "cannot upload part ", hint: "grant s3:PutObject on the prefix" }.check(&sandbox);
    let sandbox = with(large(), on(Operation::CompleteMultipartUpload), denied());
    let cause = "cannot complete the upload of s3://shop-backups/db-backups/daily/";
    Failed { cause, hint: "grant s3:PutObject on the prefix" }.check(&sandbox);
}

#[test]
fn looking_at_the_stored_object_is_denied() {
    for sandbox in [small(), large()] {
        let sandbox = with(sandbox, on(Operation::HeadObject), denied());
        Failed {
            cause: "cannot look at s3://shop-backups/db-backups/daily/",
            hint: "grant s3:GetObject on the prefix",
        }
        .check(&sandbox)
        .says("was deleted again");
    }
}

#[test]
fn aborting_is_denied_so_the_next_run_tries_again() {
    let sandbox = with(large(), On::part(2), denied());
    sandbox.store().fault(on(Operation::AbortMultipartUpload), denied());
    let outcome = sandbox.command("backup").run();
    let failed = Failed { cause: "cannot upload part 2 of ", hint: "grant s3:PutObject on the prefix" };
    failed
        .check_told(&sandbox, outcome)
        .logs("backup.log", "cannot abort the unfinished upload of ")
        .logs("backup.log", "Grant s3:AbortMultipartUpload on the prefix")
        .logs("backup.log", "lifecycle rule with AbortIncompleteMultipartUpload");
    assert_eq!(sandbox.store().unfinished_uploads().len(), 1);
    assert!(sandbox.store().keys().is_empty());

    sandbox.store().clear_faults();
    super::succeeds(&sandbox);
}

#[test]
fn an_unverified_object_that_cannot_be_deleted_is_named() {
    let sandbox = with(small(), on(Operation::HeadObject), denied());
    sandbox.store().fault(on(Operation::DeleteObject), denied());
    let outcome = sandbox.command("backup").run();
    let outcome = Failed { cause: "cannot look at ", hint: "grant s3:GetObject on the prefix" }
        .check_told(&sandbox, outcome)
        .says("cannot delete s3://shop-backups/db-backups/daily/");
    let key = &sandbox.store().keys()[0];
    let letter = only_mail(&sandbox, &outcome);
    let text = letter.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        format!("s3://shop-backups/{key} may hold an unverified object, which could not be deleted again"),
        format!("aws s3 rm 's3://shop-backups/{key}'"),
        // What the run itself left is not the newest good backup.
        "No earlier good backup could be found".to_owned(),
    ] {
        assert!(text.contains(&expected), "expected in the mail: {expected}\n{}", letter.text);
    }
}

#[test]
fn the_keys_are_wrong() {
    let hint = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let mut sandbox = small();
    sandbox.env("AWS_SECRET_ACCESS_KEY", "canarywrongsecret");
    Failed { cause: "SignatureDoesNotMatch", hint }.check(&sandbox).ends_within(SOON);
    let mut sandbox = small();
    sandbox.env("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN");
    Failed { cause: "NotSignedUp", hint }.check(&sandbox).ends_within(SOON);
    let sandbox = with(small(), On::any(), Fault::refuse("InvalidAccessKeyId"));
    Failed { cause: "InvalidAccessKeyId", hint }.check(&sandbox).ends_within(SOON);
    let sandbox = with(large(), On::part(2), Fault::refuse("ExpiredToken"));
    Failed { cause: "ExpiredToken", hint: "AWS_SESSION_TOKEN" }.check(&sandbox);
}

#[test]
fn there_are_no_keys_at_all() {
    let hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let cause = "cannot list s3://shop-backups/db-backups/daily/: no credentials";
    let mut sandbox = small();
    sandbox.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY");
    Failed { cause, hint }.check(&sandbox).ends_within(SOON);

    // On a machine of a cloud, they are asked for over the network, where nobody may answer.
    let silent = Proxy::to(1);
    silent.set(Network::BlackHole);
    let mut sandbox = small();
    sandbox.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY").unset("AWS_EC2_METADATA_DISABLED");
    sandbox.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://127.0.0.1:{}", silent.port()));
    Failed { cause, hint }.check(&sandbox).ends_within(SOON);
    assert!(silent.connections() > 0, "nobody asked");
}
