//! The store's answer is lost, or is not the truth; or it does less than S3 does.

use acceptance::store::{Answer, Fault, Gate, On, Operation};
use time::{Duration, OffsetDateTime};

use super::{Failed, large, on, small, succeeds, with};

#[test]
fn a_lost_last_answer_is_settled_by_looking() {
    for (sandbox, operation) in [(small(), Operation::PutObject), (large(), Operation::CompleteMultipartUpload)] {
        succeeds(&with(sandbox, on(operation), Fault::LoseAnswer)).says("the answer was lost");
    }
}

#[test]
fn an_object_of_another_size_does_not_stay() {
    for sandbox in [small(), large()] {
        let other_size = Fault::alter(|answer| answer.body.truncate(123));
        let sandbox = with(sandbox, on(Operation::HeadObject), other_size);
        Failed { cause: "the store has 123 bytes, ", hint: "Do not trust the object" }
            .check(&sandbox)
            .says("was deleted again");
    }
}

#[test]
fn an_object_with_another_checksum_does_not_stay() {
    let other = Fault::alter(|answer| {
        for (_, value) in answer.headers.iter_mut().filter(|(name, _)| name == "x-amz-checksum-crc64nvme") {
            "AAAAAAAAAAA=".clone_into(value);
        }
    });
    let sandbox = with(large(), on(Operation::HeadObject), other);
    Failed { cause: "the store has checksum AAAAAAAAAAA=", hint: "Do not trust the object" }.check(&sandbox);
}

#[test]
fn an_object_that_is_not_there_after_all_is_no_backup() {
    let gone = Fault::Reply(Answer { status: 404, headers: Vec::new(), body: Vec::new() });
    let sandbox = with(small(), on(Operation::HeadObject), gone);
    let outcome = sandbox.command("backup").run().exits(1).says("cannot look at ").says("HTTP status 404");
    super::only_mail(&sandbox, &outcome);
    sandbox.assert_nothing_left_behind();
}

#[test]
fn an_object_in_the_way_is_left_as_it_is() {
    let sandbox = small();
    // Whichever second the run starts in.
    let database = sandbox.database().name();
    let now = OffsetDateTime::now_utc();
    let keys: Vec<String> = (0..30)
        .map(|second| {
            let (date, time) = ((now + Duration::seconds(second)).date(), (now + Duration::seconds(second)).time());
            let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
            let clock = format!("{:02}{:02}{:02}", time.hour(), time.minute(), time.second());
            format!(
                "db-backups/daily/{year}/{month:02}/{day:02}/{database}_backup_{year}{month:02}{day:02}_{clock}.sql.gz"
            )
        })
        .collect();
    for key in &keys {
        sandbox.store().seed(key, b"of somebody else");
    }
    let outcome = sandbox.command("backup").run();
    let failed = Failed { cause: "an object already stands under this key", hint: "was left as it is" };
    failed.check_told(&sandbox, outcome);
    assert_eq!(sandbox.store().keys(), keys);
    assert!(keys.iter().all(|key| sandbox.store().read(key) == b"of somebody else"));
}

#[test]
fn an_object_that_comes_in_the_way_during_the_run_is_left_as_it_is() {
    for (sandbox, operation) in [(small(), Operation::PutObject), (large(), Operation::CompleteMultipartUpload)] {
        // The store does not carry out the last request before the other object is there.
        let gate = Gate::closed();
        sandbox.store().fault(on(operation), Fault::Hold(gate.clone()));
        let running = sandbox.command("backup").spawn();
        sandbox.store().wait_for(&on(operation), 1, super::SOON);
        let key = sandbox.store().requests(&on(operation))[0].key.clone();
        sandbox.store().seed(&key, b"of somebody else");
        gate.open();
        let outcome = running.wait();
        let failed = Failed { cause: "PreconditionFailed", hint: "was left as it is" };
        failed.check_told(&sandbox, outcome).never_says("was deleted again");
        assert_eq!(sandbox.store().keys(), std::slice::from_ref(&key));
        assert_eq!(sandbox.store().read(&key), b"of somebody else");
        sandbox.assert_no_litter();
    }
}

#[test]
fn a_store_without_checksums_is_good_enough() {
    for sandbox in [small(), large()] {
        let sandbox = with(sandbox, On::any().has_header("x-amz-checksum-crc64nvme"), Fault::refuse("NotImplemented"));
        sandbox.store().fault(On::any().has_header("x-amz-checksum-algorithm"), Fault::refuse("NotImplemented"));
        succeeds(&sandbox).says("the store does not verify whole objects");
        let mail = sandbox.mail().messages()[0].letter();
        assert!(mail.text.contains("the stored size is the size that was sent"), "{}", mail.text);
    }
}

#[test]
fn a_store_without_if_none_match_is_good_enough() {
    for sandbox in [small(), large()] {
        let sandbox = with(sandbox, On::any().has_header("if-none-match"), Fault::refuse("NotImplemented"));
        succeeds(&sandbox).says("the store knows no If-None-Match");
        let mail = sandbox.mail().messages()[0].letter();
        assert!(mail.text.contains("the store verified the checksum of every byte"), "{}", mail.text);
    }
}

#[test]
fn every_request_that_writes_carries_what_the_settings_name() {
    for mut sandbox in [small(), large()] {
        sandbox.env("S3_STORAGE_CLASS", "STANDARD_IA").env("S3_SERVER_SIDE_ENCRYPTION", "aws:kms");
        sandbox.env("S3_SSE_KMS_KEY_ID", "alias/backups");
        succeeds(&sandbox);
        let writes = [Operation::PutObject, Operation::CreateMultipartUpload, Operation::CopyObject];
        let requests: Vec<_> = writes.into_iter().flat_map(|write| sandbox.store().requests(&on(write))).collect();
        assert_eq!(requests.len(), 3);
        for request in requests {
            for (name, value) in [
                ("x-amz-storage-class", "STANDARD_IA"),
                ("x-amz-server-side-encryption", "aws:kms"),
                ("x-amz-server-side-encryption-aws-kms-key-id", "alias/backups"),
            ] {
                assert_eq!(request.header(name), Some(value), "{request:?}");
            }
        }
    }
}
