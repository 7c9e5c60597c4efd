//! What must hold on each server alike.

use acceptance::moto::Moto;
use acceptance::store::{self, On, Operation};
use backup_core::store::{CopyLimits, Store, StoreErrorKind, Stored};
use s3s::crypto::Checksum;

use super::{KEY, PART, RUN, block_on, bytes, foreign, local, upload, with_kms};

fn crc64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(s3s::crypto::Crc64Nvme::checksum(bytes))
}

/// Empty, small, one part to the byte, one byte more, parts to the byte, one byte more.
const SIZES: [usize; 7] = [0, 1, 100_000, PART, PART + 1, 3 * PART, 3 * PART + 1];

#[test]
fn what_was_sent_is_what_is_there_whatever_its_size() {
    for size in SIZES {
        let (bytes, server) = (bytes(size), store::Store::start());
        let stored = block_on(async { upload(&Store::new(&local(&server)).await, &bytes).await.unwrap() });
        let expected =
            Stored { key: KEY.to_owned(), bytes: size as u64, crc64: Some(crc64(&bytes)), run: RUN.to_owned() };
        assert_eq!(stored, expected, "{size}");
        assert!(server.read(KEY) == bytes, "{size}: other bytes are there");
        assert!(server.unfinished_uploads().is_empty());

        // One request for what fits into one part, else uniform parts but for the last.
        let parts: Vec<u64> = server.requests(&On::operation(Operation::UploadPart)).iter().map(|r| r.size).collect();
        let puts = server.requests(&On::operation(Operation::PutObject)).len();
        assert_eq!((puts, parts.len()), if size <= PART { (1, 0) } else { (0, size.div_ceil(PART)) }, "{size}");
        assert!(parts.iter().all(|&part| part == PART as u64 || part == (size % PART) as u64), "{parts:?}");

        let moto = Moto::new_bucket();
        let stored = block_on(async { upload(&Store::new(&foreign(&moto)).await, &bytes).await.unwrap() });
        assert_eq!(stored.bytes, size as u64);
        assert!(moto.read(KEY) == bytes, "{size}: other bytes are there");
        assert!(moto.unfinished_uploads().is_empty());
    }
}

#[test]
fn every_object_carries_what_the_settings_name() {
    for size in [10, PART + 1] {
        let moto = Moto::new_bucket();
        block_on(async { upload(&Store::new(&with_kms(foreign(&moto))).await, &bytes(size)).await.unwrap() });
        let head = moto.head(KEY);
        for (name, value) in [
            ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "alias/backups"),
            ("x-amz-meta-backup-run", RUN),
            ("content-type", "application/gzip"),
        ] {
            assert_eq!(head.get(name).map(String::as_str), Some(value), "{size}: {name} of {head:?}");
        }
    }
}

#[test]
fn a_bucket_under_object_lock_takes_backups_and_copies() {
    for size in [10, PART + 1] {
        let (moto, bytes) = (Moto::new_locked_bucket(), bytes(size));
        block_on(async {
            let store = Store::new(&foreign(&moto)).await;
            let stored = upload(&store, &bytes).await.unwrap();
            // moto asks for the header of `CopyObject` too, which has no body and for which AWS knows no such header.
            let (copy, limits) = (KEY.replace("daily", "weekly"), CopyLimits { whole: 0, part: PART as u64 });
            store.copy(&stored, &copy, limits, &super::Open::default()).await.unwrap();
            assert!(moto.read(&copy) == bytes, "{size}: other bytes are there");
        });
    }
}

#[test]
fn every_body_names_its_checksum_as_object_lock_wants_it() {
    for (size, operation) in [(10, Operation::PutObject), (PART + 1, Operation::UploadPart)] {
        let server = store::Store::start();
        block_on(async { upload(&Store::new(&local(&server)).await, &bytes(size)).await.unwrap() });
        for request in server.requests(&On::operation(operation)) {
            assert_eq!(request.header("x-amz-sdk-checksum-algorithm"), Some("CRC64NVME"), "{size}");
            assert!(request.header("x-amz-checksum-crc64nvme").is_some(), "{size}");
        }
    }
}

#[test]
fn nothing_is_overwritten() {
    for size in [10, PART + 1] {
        let server = store::Store::start();
        server.seed(KEY, b"of somebody else");
        let error = block_on(async { upload(&Store::new(&local(&server)).await, &bytes(size)).await.unwrap_err() });
        assert_eq!(error.kind, StoreErrorKind::Taken, "{error}");
        assert_eq!(server.read(KEY), b"of somebody else");
        assert!(server.unfinished_uploads().is_empty());

        let moto = Moto::new_bucket();
        moto.seed(KEY, b"of somebody else");
        let error = block_on(async { upload(&Store::new(&foreign(&moto)).await, &bytes(size)).await.unwrap_err() });
        assert_eq!(error.kind, StoreErrorKind::Taken, "{error}");
        assert_eq!(moto.read(KEY), b"of somebody else");
    }
}

#[test]
fn a_range_is_read_and_a_wrong_one_refused() {
    let (server, moto) = (store::Store::start(), Moto::new_bucket());
    server.seed(KEY, b"0123456789");
    moto.seed(KEY, b"0123456789");
    block_on(async {
        for settings in [local(&server), foreign(&moto)] {
            let store = Store::new(&settings).await;
            assert_eq!(store.read_range(KEY, 3, 7).await.unwrap(), b"3456");
            assert_eq!(store.read_range(KEY, 0, 10).await.unwrap(), b"0123456789");
            assert_eq!(store.read_range(KEY, 10, 10).await.unwrap(), b"");
            let error = store.read_range(KEY, 5, 20).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Mismatch, "{error}");
            let error = store.read_range("db-backups/none", 0, 1).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Missing, "{error}");
        }
    });
}

#[test]
fn an_upload_of_a_killed_run_is_aborted_once_and_for_all() {
    let moto = Moto::new_bucket();
    block_on(async {
        let store = Store::new(&foreign(&moto)).await;
        let open = super::Open::default();
        let mut upload = backup_core::store::Upload::new(&store, KEY.to_owned(), RUN.to_owned(), super::SMALL);
        upload.write(&bytes(2 * PART), &open).await.unwrap();
        drop(upload);
        let orphan = open.0.take().remove(0);
        assert_eq!(moto.unfinished_uploads(), std::slice::from_ref(&orphan.upload_id));
        assert!(store.abort_orphan(&orphan).await);
        assert!(moto.unfinished_uploads().is_empty());
        assert!(store.abort_orphan(&orphan).await, "an upload that is gone counts as aborted");
    });
}
