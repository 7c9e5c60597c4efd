//! A bucket that keeps versions, in a store that somebody else wrote.

use acceptance::moto::Moto;

use super::*;

#[test]
fn what_is_deleted_is_hidden_and_the_report_says_so() {
    let (moto, mut sandbox) = (Moto::new_bucket(), sandbox());
    moto.enable_versioning();
    sandbox.env("S3_ENDPOINT_URL", &moto.endpoint()).env("S3_BUCKET_NAME", moto.bucket());
    sandbox.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "testtest");
    // It receives them now, which is not long before the newest was made: tonight's key is of the next minute at the most.
    let daily = |taken| layout(&sandbox).key(BackupId { taken, tier: Tier::Daily });
    let now = OffsetDateTime::now_utc();
    let tonight = PrimitiveDateTime::new(now.date(), now.time().replace_nanosecond(0).unwrap());
    let old: Vec<String> = (100..105).map(|days| daily(night(days))).collect();
    for key in old.iter().chain([&daily(tonight)]) {
        moto.seed(key, &[b'x'; 4_000]);
    }
    let outcome = cleanup(&sandbox).arg("--json").run().succeeds();
    assert_eq!(planned(&outcome, "delete"), old[2..].iter().cloned().collect());
    assert_eq!(outcome.json()["versions_kept"], true);
    assert_eq!(moto.keys().len(), 3);
    assert_eq!(moto.versions().len(), 6 + 3, "six objects and three markers");
    assert!(letter(&sandbox).text.contains("The bucket keeps versions"));
    let again = cleanup(&sandbox).arg("--json").run().succeeds();
    assert_eq!(planned(&again, "delete").len(), 0);
}
