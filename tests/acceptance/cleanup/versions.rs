//! Buckets that keep versions, lock objects, or forbid: in a store that somebody else wrote.

use acceptance::moto::Moto;

use super::*;

/// A sandbox whose store is this bucket.
fn sandbox_of(moto: &Moto) -> Sandbox {
    let mut sandbox = sandbox();
    sandbox.env("S3_ENDPOINT_URL", &moto.endpoint()).env("S3_BUCKET_NAME", moto.bucket());
    sandbox.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "testtest");
    sandbox
}

/// Tonight's backup and five that are past every limit, of which the minimum holds two: gives the three that are to go.
fn seed_in(moto: &Moto, sandbox: &Sandbox) -> BTreeSet<String> {
    // It receives them now, which is not long before the newest was made: tonight's key is of the next minute at the most.
    let daily = |taken| layout(sandbox).key(BackupId { taken, tier: Tier::Daily });
    let now = OffsetDateTime::now_utc();
    let tonight = PrimitiveDateTime::new(now.date(), now.time().replace_nanosecond(0).unwrap());
    let old: Vec<String> = (100..105).map(|days| daily(night(days))).collect();
    for key in old.iter().chain([&daily(tonight)]) {
        moto.seed(key, &[b'x'; 4_000]);
    }
    old[2..].iter().cloned().collect()
}

#[test]
fn what_is_deleted_is_hidden_and_the_report_says_so() {
    let moto = Moto::new_bucket();
    moto.enable_versioning();
    let sandbox = sandbox_of(&moto);
    let expired = seed_in(&moto, &sandbox);
    let outcome = cleanup(&sandbox).arg("--json").run().succeeds();
    assert_eq!(planned(&outcome, "delete"), expired);
    assert_eq!(outcome.json()["versions_kept"], true);
    assert_eq!(moto.keys().len(), 3);
    assert_eq!(moto.versions().len(), 6 + 3, "six objects and three markers");
    assert!(letter(&sandbox).text.contains("The bucket keeps versions"));
    let again = cleanup(&sandbox).arg("--json").run().succeeds();
    assert_eq!(planned(&again, "delete").len(), 0);
}

#[test]
fn what_is_locked_is_hidden_and_still_there() {
    let moto = Moto::new_bucket();
    moto.enable_versioning();
    let lock = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    assert_eq!(moto.request("PUT", "?object-lock", lock).status, 200);
    let sandbox = sandbox_of(&moto);
    seed_in(&moto, &sandbox);
    for key in moto.keys() {
        let held = moto.request("PUT", &format!("{key}?legal-hold"), b"<LegalHold><Status>ON</Status></LegalHold>");
        assert_eq!(held.status, 200, "{}", held.text());
    }
    let locked = moto.versions();
    cleanup(&sandbox).run().succeeds().prints("3 deleted");
    assert_eq!(moto.keys().len(), 3);
    let versions = moto.versions();
    assert_eq!((locked.len(), versions.len()), (6, 6 + 3));
    assert!(locked.iter().all(|version| versions.contains(version)), "not a byte of what is locked is gone");
    assert!(letter(&sandbox).text.contains("The bucket keeps versions"));
}

#[test]
fn what_the_bucket_forbids_to_delete_is_said_by_key_and_the_rest_goes() {
    let moto = Moto::new_bucket();
    let sandbox = sandbox_of(&moto);
    let expired = seed_in(&moto, &sandbox);
    let kept = expired.first().unwrap();
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
        "Resource": format!("arn:aws:s3:::{}/{kept}", moto.bucket()),
    }]});
    assert!((200..300).contains(&moto.request("PUT", "?policy", policy.to_string().as_bytes()).status));
    let outcome = cleanup(&sandbox).arg("--json").run().exits(3);
    assert_eq!(outcome.json()["refused"][0]["key"], *kept);
    outcome.says(&format!("cannot delete s3://{}/{kept}: AccessDenied", moto.bucket()));
    assert_eq!(moto.keys().len(), 6 - 2);
    let letter = letter(&sandbox);
    assert!(letter.subject.contains("1 refused") && letter.text.contains(kept), "{}", letter.text);
}
