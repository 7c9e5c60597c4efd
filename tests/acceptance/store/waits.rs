//! Waits end, what moves is waited for, and what may come right is tried again.

use std::time::{Duration, Instant};

use acceptance::store::{self, Answer, Fault, On, Operation};
use backup_core::store::{PartSize, Store, StoreError, StoreErrorKind, Stored, Upload};

use super::{KEY, Open, PART, RUN, SMALL, block_on, bytes, local, upload};

/// Uploads to a server with one fault; silence of a second counts as the end.
fn uploads_with(size: usize, on: On, fault: Fault) -> (store::Store, Result<Stored, StoreError>) {
    let server = super::server_with(on, fault);
    let mut settings = local(&server);
    settings.stall_timeout = Duration::from_secs(1);
    let stored = block_on(async { upload(&Store::new(&settings).await, &bytes(size)).await });
    (server, stored)
}

#[test]
fn what_goes_wrong_once_is_tried_again_with_the_same_bytes() {
    let too_many = Fault::Reply(Answer { status: 429, headers: Vec::new(), body: Vec::new() });
    for fault in [
        Fault::refuse("SlowDown"),
        Fault::refuse("InternalError"),
        Fault::refuse("BadDigest"),
        Fault::refuse("XAmzContentSHA256Mismatch"),
        Fault::refuse("RequestTimeout"),
        too_many,
        Fault::ResetAfter(0),
        Fault::ResetAfter(1_000_000),
        Fault::FlipByte(1_234_567),
        Fault::Stall,
        Fault::LoseAnswer,
    ] {
        let (server, stored) = uploads_with(2 * PART + 1, On::part(2).times(1), fault.clone());
        stored.unwrap_or_else(|error| panic!("{fault:?}: {error}\n{}", server.transcript()));
        assert!(server.read(KEY) == bytes(2 * PART + 1), "{fault:?}: other bytes are there");
        let tries = server.requests(&On::part(2));
        assert_eq!(tries.len(), 2, "{fault:?}");
        for header in ["x-amz-content-sha256", "x-amz-checksum-crc64nvme"] {
            assert!(tries[0].header(header).is_some(), "{tries:?}");
            assert_eq!(tries[0].header(header), tries[1].header(header), "{fault:?}");
        }
    }
}

#[test]
fn a_small_object_is_tried_again_too() {
    for fault in [Fault::refuse("SlowDown"), Fault::FlipByte(7), Fault::ResetAfter(0), Fault::Stall, Fault::LoseAnswer]
    {
        let (server, stored) = uploads_with(1_000, On::operation(Operation::PutObject).times(1), fault.clone());
        stored.unwrap_or_else(|error| panic!("{fault:?}: {error}\n{}", server.transcript()));
        assert_eq!(server.keys(), [KEY]);
    }
}

#[test]
fn a_last_answer_that_never_comes_is_settled_by_looking() {
    for (size, operation) in [(1_000, Operation::PutObject), (PART + 1, Operation::CompleteMultipartUpload)] {
        let (server, stored) = uploads_with(size, On::operation(operation), Fault::LoseAnswer);
        stored.unwrap_or_else(|error| panic!("{operation:?}: {error}\n{}", server.transcript()));
        assert_eq!(server.keys(), [KEY]);
        assert!(server.unfinished_uploads().is_empty());
    }
}

#[test]
fn a_store_that_falls_silent_is_not_waited_for() {
    for on in [On::part(1), On::operation(Operation::CompleteMultipartUpload)] {
        let started = Instant::now();
        let (server, stored) = uploads_with(PART + 1, on, Fault::Stall);
        let error = stored.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::TimedOut, "{error}");
        assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
        assert!(server.keys().is_empty() && server.unfinished_uploads().is_empty());
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_waited_for() {
    let server = super::server_with(On::operation(Operation::ListObjects), Fault::StallAnswerAfter(20));
    let mut settings = local(&server);
    settings.stall_timeout = Duration::from_secs(1);
    let started = Instant::now();
    block_on(async { Store::new(&settings).await.list("p/").await.unwrap_err() });
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
}

#[test]
fn a_slow_link_is_waited_for_as_long_as_it_moves() {
    // 90 MiB at 6 MB/s take more than twice as long as nothing may move. What lies in buffers, on the loopback more than 10 MB,
    // looks silent while it drains, and at this pace does so within the limit.
    let server = super::server_with(On::part(1), Fault::Throttle(6_000_000));
    let mut settings = local(&server);
    settings.stall_timeout = Duration::from_secs(6);
    let started = Instant::now();
    block_on(async {
        let store = Store::new(&settings).await;
        let open = Open::default();
        let part = PartSize { bytes: 18 * PART, at_once: 1, at_most: 10_000 };
        let mut upload = Upload::new(&store, KEY.to_owned(), RUN.to_owned(), part);
        upload.write(&bytes(18 * PART + 1), &open).await.unwrap();
        upload.complete(&open).await.unwrap();
    });
    assert!(started.elapsed() > Duration::from_secs(14), "it was not slow: {:?}", started.elapsed());
    assert_eq!(server.requests(&On::part(1)).len(), 1, "it was tried again, though it moved");
}

#[test]
fn throttling_does_not_use_up_the_tries_of_later_parts() {
    // Each part needs three tries: more than 100 repetitions, each of which costs the SDK's own budget of 500 five or more.
    let server = store::Store::start();
    for part in 1..=60 {
        server.fault(On::part(part).times(2), Fault::refuse("SlowDown"));
    }
    let mut settings = local(&server);
    settings.tries = 4;
    block_on(async {
        let store = Store::new(&settings).await;
        let tiny = PartSize { bytes: 1_000, at_once: 60, at_most: 10_000 };
        let open = Open::default();
        let mut upload = Upload::new(&store, KEY.to_owned(), RUN.to_owned(), tiny);
        upload.write(&bytes(60_001), &open).await.unwrap();
        // Parts of this size cannot be completed; that all of them arrive is what counts.
        let error = upload.complete(&open).await.unwrap_err();
        assert!(error.to_string().contains("EntityTooSmall"), "{error}");
        let _ = upload.abort(Duration::from_secs(5), &open).await;
    });
    assert_eq!(server.requests(&On::operation(Operation::UploadPart)).len(), 60 * 3 + 1);
}

#[test]
fn a_part_that_failed_ends_the_upload_with_the_next_bytes() {
    let server = super::server_with(On::part(1), Fault::refuse("AccessDenied"));
    block_on(async {
        let open = Open::default();
        let store = Store::new(&local(&server)).await;
        let mut upload = Upload::new(&store, KEY.to_owned(), RUN.to_owned(), SMALL);
        upload.write(&bytes(PART + 1), &open).await.unwrap();
        let refused = On::part(1);
        let deadline = Instant::now() + Duration::from_secs(10);
        let error = loop {
            assert!(Instant::now() < deadline, "no error came");
            // A byte now and then, as of a slow dump: two places are still free.
            match upload.write(b"x", &open).await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => break error,
            }
        };
        assert_eq!(server.requests(&refused).len(), 1);
        assert!(error.to_string().starts_with("cannot upload part 1 of s3://"), "{error}");
        let _ = upload.abort(Duration::from_secs(5), &open).await;
    });
    assert!(server.unfinished_uploads().is_empty());
}
