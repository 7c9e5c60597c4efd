//! Stores that refuse a header get the safest that they take.

use acceptance::store::{self, Answer, Fault, On, Operation, SeenRequest};
use backup_core::store::{Store, StoreErrorKind};

use super::{KEY, PART, block_on, bytes, local, upload};

const CHECKSUM: &str = "x-amz-checksum-crc64nvme";

/// The ways in which stores refuse what they do not know.
fn refusals() -> [Fault; 3] {
    [
        Fault::refuse("NotImplemented"),
        Fault::refuse("InvalidRequest"),
        Fault::Reply(Answer { status: 501, headers: Vec::new(), body: Vec::new() }),
    ]
}

/// The last request of this kind that was answered well.
fn taken(server: &store::Store, operation: Operation) -> SeenRequest {
    let requests = server.requests(&On::operation(operation));
    requests.into_iter().rfind(|request| request.status == Some(200)).expect("one was taken")
}

/// Uploads to a server with these rules, which must go well.
fn uploads_in_spite_of(size: usize, refused: &[On], fault: &Fault) -> (store::Store, bool) {
    let server = store::Store::start();
    for on in refused {
        server.fault(on.clone(), fault.clone());
    }
    let bytes = bytes(size);
    let stored = block_on(async { upload(&Store::new(&local(&server)).await, &bytes).await });
    let stored = stored.unwrap_or_else(|error| panic!("{error}\n{}", server.transcript()));
    assert!(server.read(KEY) == bytes, "other bytes are there");
    assert!(server.unfinished_uploads().is_empty());
    (server, stored.crc64.is_some())
}

#[test]
fn checksums_refused_on_a_put() {
    for fault in refusals() {
        let (server, verified) = uploads_in_spite_of(1_000, &[On::any().has_header(CHECKSUM)], &fault);
        let put = taken(&server, Operation::PutObject);
        assert!(put.header("content-md5").is_some(), "{put:?}");
        assert_eq!(put.header("if-none-match"), Some("*"), "the store takes this one");
        assert!(!verified);
    }
}

#[test]
fn checksums_refused_when_an_upload_is_begun() {
    for fault in refusals() {
        let refused = On::operation(Operation::CreateMultipartUpload).has_header("x-amz-checksum-algorithm");
        let (server, _) = uploads_in_spite_of(2 * PART + 1, &[refused], &fault);
        for part in server.requests(&On::operation(Operation::UploadPart)) {
            assert!(part.header("content-md5").is_some() && part.header(CHECKSUM).is_none(), "{part:?}");
        }
        let complete = taken(&server, Operation::CompleteMultipartUpload);
        assert!(complete.header(CHECKSUM).is_none(), "{complete:?}");
        assert_eq!(complete.header("if-none-match"), Some("*"));
    }
}

#[test]
fn checksums_refused_on_parts_only() {
    let refused = On::operation(Operation::UploadPart).has_header(CHECKSUM);
    let (server, _) = uploads_in_spite_of(3 * PART, &[refused], &Fault::refuse("NotImplemented"));
    let parts = server.requests(&On::operation(Operation::UploadPart));
    let good: Vec<_> = parts.iter().filter(|part| part.status == Some(200)).collect();
    assert_eq!(good.len(), 3);
    assert!(good.iter().all(|part| part.header("content-md5").is_some()));
    assert!(taken(&server, Operation::CompleteMultipartUpload).header(CHECKSUM).is_none());
}

#[test]
fn checksums_refused_at_completion_only() {
    let refused = On::operation(Operation::CompleteMultipartUpload).has_header(CHECKSUM);
    let (server, _) = uploads_in_spite_of(PART + 1, &[refused], &Fault::refuse("InvalidRequest"));
    assert_eq!(taken(&server, Operation::CompleteMultipartUpload).header("if-none-match"), Some("*"));
}

#[test]
fn if_none_match_refused_costs_no_checksum() {
    for (size, operation) in [(1_000, Operation::PutObject), (PART + 1, Operation::CompleteMultipartUpload)] {
        for fault in refusals() {
            let (server, verified) = uploads_in_spite_of(size, &[On::any().has_header("if-none-match")], &fault);
            let request = taken(&server, operation);
            assert!(request.header(CHECKSUM).is_some() && request.header("if-none-match").is_none(), "{request:?}");
            assert!(verified);
        }
    }
}

#[test]
fn both_refused() {
    let refused = [On::any().has_header("if-none-match"), On::any().has_header(CHECKSUM)];
    let (server, _) = uploads_in_spite_of(1_000, &refused, &Fault::refuse("NotImplemented"));
    assert_eq!(server.requests(&On::operation(Operation::PutObject)).len(), 4);
}

#[test]
fn where_if_none_match_is_refused_the_key_is_looked_for() {
    let server = store::Store::start();
    server.fault(On::any().has_header("if-none-match"), Fault::refuse("NotImplemented"));
    server.seed(KEY, b"of somebody else");
    let error = block_on(async { upload(&Store::new(&local(&server)).await, b"ours").await.unwrap_err() });
    assert_eq!(error.kind, StoreErrorKind::Taken);
    assert_eq!(server.read(KEY), b"of somebody else");
}

#[test]
fn what_is_refused_in_every_way_is_told_in_the_stores_words() {
    let server = store::Store::start();
    server.fault(On::operation(Operation::PutObject), Fault::refuse("InvalidRequest"));
    let error = block_on(async { upload(&Store::new(&local(&server)).await, b"ours").await.unwrap_err() });
    assert!(error.to_string().ends_with("InvalidRequest: the test asked for InvalidRequest"), "{error}");
    assert!(server.keys().is_empty());
}
