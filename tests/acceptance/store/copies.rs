//! Copies that the store makes.

use acceptance::moto::Moto;
use acceptance::store::{self, Fault, On, Operation};
use backup_core::store::{CopyLimits, Store, StoreError, StoreErrorKind, Stored};

use super::{KEY, Open, PART, RUN, block_on, bytes, foreign, local, upload, with_kms};

const TO: &str = "db-backups/weekly/2025/week-04/a%20b_backup_20250129_020000.sql.gz";

const WHOLE: CopyLimits = CopyLimits { whole: 1 << 30, part: 1 << 30 };
const IN_PARTS: CopyLimits = CopyLimits { whole: 1 << 20, part: PART as u64 };

async fn copy(store: &Store, from: &Stored, limits: CopyLimits) -> Result<Stored, StoreError> {
    let open = Open::default();
    let copied = store.copy(from, TO, limits, &open).await;
    assert_eq!(*open.0.borrow(), [], "uploads that were begun and neither completed nor aborted");
    copied
}

#[test]
fn a_copy_is_the_same_in_one_piece_and_in_parts() {
    let bytes = bytes(2 * PART + 1);
    for limits in [WHOLE, IN_PARTS] {
        let server = store::Store::start();
        let (stored, copied) = block_on(async {
            let store = Store::new(&local(&server)).await;
            let stored = upload(&store, &bytes).await.unwrap();
            (stored.clone(), copy(&store, &stored, limits).await.unwrap())
        });
        assert_eq!(copied, Stored { key: TO.to_owned(), ..stored });
        assert!(server.read(TO) == bytes, "other bytes are there");

        let moto = Moto::new_bucket();
        block_on(async {
            let store = Store::new(&with_kms(foreign(&moto))).await;
            let stored = upload(&store, &bytes).await.unwrap();
            copy(&store, &stored, limits).await.unwrap();
        });
        assert!(moto.read(TO) == bytes, "other bytes are there");
        let (from, to) = (moto.head(KEY), moto.head(TO));
        for (name, value) in [
            ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "alias/backups"),
            ("x-amz-meta-backup-run", RUN),
            ("content-type", "application/gzip"),
        ] {
            assert_eq!((from.get(name).map(String::as_str), to.get(name)), (Some(value), from.get(name)), "{name}");
        }
        assert!(moto.unfinished_uploads().is_empty());
    }
}

/// An upload and its copy, with this going wrong from the copy on.
fn copies_with(limits: CopyLimits, on: On, fault: Fault) -> (store::Store, Result<Stored, StoreError>) {
    let server = store::Store::start();
    let copied = block_on(async {
        let store = Store::new(&local(&server)).await;
        let stored = upload(&store, &bytes(PART + 1)).await.unwrap();
        server.fault(on, fault);
        copy(&store, &stored, limits).await
    });
    assert!(server.unfinished_uploads().is_empty(), "{}", server.transcript());
    (server, copied)
}

#[test]
fn an_answer_of_200_with_an_error_is_no_copy() {
    let (server, copied) =
        copies_with(WHOLE, On::operation(Operation::CopyObject), Fault::ok_with_error("InternalError"));
    assert_eq!(copied.unwrap_err().kind, StoreErrorKind::Busy);
    assert_eq!(server.requests(&On::operation(Operation::CopyObject)).len(), 2, "it is tried again");
    let once = On::operation(Operation::CopyObject).times(1);
    copies_with(WHOLE, once, Fault::ok_with_error("InternalError")).1.unwrap();
}

#[test]
fn a_copy_whose_answer_is_lost_counts() {
    let (server, copied) = copies_with(WHOLE, On::operation(Operation::CopyObject), Fault::LoseAnswer);
    copied.unwrap();
    assert_eq!(server.keys(), [KEY, TO]);
    let (server, copied) =
        copies_with(IN_PARTS, On::operation(Operation::CompleteMultipartUpload).key("weekly"), Fault::LoseAnswer);
    copied.unwrap();
    assert_eq!(server.keys(), [KEY, TO]);
}

#[test]
fn a_copy_that_differs_does_not_stay() {
    for limits in [WHOLE, IN_PARTS] {
        let shrunk = Fault::alter(|answer| answer.body.truncate(7));
        let other = Fault::alter(|answer| {
            for (name, value) in &mut answer.headers {
                if name == "x-amz-checksum-crc64nvme" {
                    "AAAAAAAAAAA=".clone_into(value);
                }
            }
        });
        for fault in [shrunk, other, Fault::refuse("AccessDenied")] {
            let (server, copied) = copies_with(limits, On::operation(Operation::HeadObject).key("weekly"), fault);
            copied.unwrap_err();
            assert_eq!(server.keys(), [KEY], "{}", server.transcript());
        }
    }
}

#[test]
fn a_copy_in_parts_that_fails_leaves_nothing() {
    let second = On::operation(Operation::UploadPartCopy).query("partNumber", "2");
    let (server, copied) = copies_with(IN_PARTS, second, Fault::refuse("AccessDenied"));
    let error = copied.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied);
    assert!(error.hint().unwrap().contains("s3:GetObject and s3:PutObject"), "{:?}", error.hint());
    assert_eq!(server.keys(), [KEY]);
}

#[test]
fn no_copy_overwrites() {
    for limits in [WHOLE, IN_PARTS] {
        let server = store::Store::start();
        let copied = block_on(async {
            let store = Store::new(&local(&server)).await;
            let stored = upload(&store, &bytes(PART + 1)).await.unwrap();
            server.seed(TO, b"of somebody else");
            copy(&store, &stored, limits).await
        });
        assert_eq!(copied.unwrap_err().kind, StoreErrorKind::Taken);
        assert_eq!(server.read(TO), b"of somebody else");
    }
}

#[test]
fn a_store_that_refuses_if_none_match_still_copies() {
    for limits in [WHOLE, IN_PARTS] {
        let (server, copied) =
            copies_with(limits, On::any().has_header("if-none-match"), Fault::refuse("NotImplemented"));
        copied.unwrap();
        assert_eq!(server.keys(), [KEY, TO]);
    }
}
