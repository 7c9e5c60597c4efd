//! Downloads arrive whole, in order, and are what the store received; or they end in an error that says why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use acceptance::moto::Moto;
use acceptance::store::{self, Answer, Fault, Gate, On, Operation};
use backup_core::store::{Store, StoreError, StoreErrorKind};

use super::{KEY, block_on, bytes, foreign, local, upload};

/// Bytes that the store is asked for at once.
const RANGE: usize = 4 << 20;

/// More ranges than are under way at once, and a bit.
const LARGE: usize = 5 * RANGE + 12_345;

/// A server that holds these bytes, as `backup` uploads them.
fn holding(bytes: &[u8]) -> store::Store {
    let server = store::Store::start();
    block_on(async { upload(&Store::new(&local(&server)).await, bytes).await.unwrap() });
    server
}

/// Reads on after the first `here` bytes, as a person who waits no longer than a second for a byte.
fn read_after(server: &store::Store, here: &[u8]) -> Result<Vec<u8>, StoreError> {
    read_with_patience(server, here, Duration::from_secs(1))
}

fn read_with_patience(server: &store::Store, here: &[u8], silence: Duration) -> Result<Vec<u8>, StoreError> {
    let mut settings = local(server);
    settings.stall_timeout = silence;
    block_on(async {
        let mut source = Store::new(&settings).await.open(KEY).await?;
        source.already(here);
        let mut download = source.download();
        let mut read = here.to_vec();
        while let Some(bytes) = download.next().await? {
            read.extend_from_slice(&bytes);
            assert_eq!(download.position(), read.len() as u64);
        }
        Ok(read)
    })
}

/// Reads with one fault, which must not be noticed.
fn arrives_in_spite_of(on: On, fault: &Fault) -> store::Store {
    let bytes = bytes(LARGE);
    let server = holding(&bytes);
    server.fault(on, fault.clone());
    let read = read_after(&server, &[]);
    let read = read.unwrap_or_else(|error| panic!("{fault:?}: {error}\n{}", server.transcript()));
    assert!(read == bytes, "{fault:?}: other bytes came");
    server
}

/// Reads with one fault that is there to stay.
fn fails_because_of(on: On, fault: Fault) -> StoreError {
    let server = holding(&bytes(LARGE));
    server.fault(on, fault);
    let started = Instant::now();
    let error =
        read_after(&server, &[]).map(|bytes| bytes.len()).expect_err("nothing that is not whole may look whole");
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
    assert!(error.to_string().starts_with("cannot read s3://"), "{error}");
    error
}

fn gets() -> On {
    On::operation(Operation::GetObject)
}

/// The range that ends here, and what is read on of it.
fn range_to(end: usize) -> On {
    gets().header("range", &format!("-{}", end - 1))
}

/// The range that begins here.
fn range_at(start: usize) -> On {
    gets().header("range", &format!("bytes={start}-"))
}

fn alter(change: impl Fn(&mut Answer) + Send + Sync + 'static) -> Fault {
    Fault::alter(change)
}

fn drop_header(answer: &mut Answer, name: &str) {
    answer.headers.retain(|(header, _)| header != name);
}

#[test]
fn what_was_sent_comes_back_whatever_its_size() {
    for size in [0, 1, RANGE - 1, RANGE, RANGE + 1, LARGE] {
        let bytes = bytes(size);
        let server = holding(&bytes);
        assert!(read_after(&server, &[]).unwrap() == bytes, "{size}: other bytes came");
        assert_eq!(server.requests(&gets()).len(), size.div_ceil(RANGE));
    }
}

#[test]
fn a_server_that_somebody_else_wrote_sends_it_too() {
    let (moto, bytes) = (Moto::new_bucket(), bytes(LARGE));
    moto.seed(KEY, &bytes);
    block_on(async {
        let source = Store::new(&foreign(&moto)).await.open(KEY).await.unwrap();
        assert_eq!((source.bytes(), source.is_checkable()), (LARGE as u64, false), "it keeps no checksum of its own");
        let (mut download, mut read) = (source.download(), Vec::new());
        while let Some(bytes) = download.next().await.unwrap() {
            read.extend_from_slice(&bytes);
        }
        assert!(read == bytes, "other bytes came");
    });
}

#[test]
fn what_is_here_already_is_not_asked_for_again() {
    let bytes = bytes(LARGE);
    let server = holding(&bytes);
    for here in [1, RANGE, LARGE - 1, LARGE] {
        assert!(read_after(&server, &bytes[..here]).unwrap() == bytes, "{here}: other bytes came");
        assert_eq!(server.requests(&range_at(here)).len(), usize::from(here < LARGE), "{}", server.transcript());
        assert!(server.requests(&range_at(0)).is_empty(), "{}", server.transcript());
    }
}

#[test]
fn what_is_here_already_counts_in_the_checksum() {
    let bytes = bytes(LARGE);
    let server = holding(&bytes);
    let mut damaged = bytes[..RANGE].to_vec();
    damaged[77] ^= 1;
    let error = read_after(&server, &damaged).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Mismatch, "{error}");
    assert!(error.to_string().contains(", the store has "), "{error}");

    let error = read_after(&server, &[&bytes[..], b"more"].concat()).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Mismatch, "{error}");
}

#[test]
fn a_break_is_read_on_from_where_it_was() {
    for fault in [Fault::CutAnswerAfter(3_000_000), Fault::StallAnswerAfter(3_000_000)] {
        let server = arrives_in_spite_of(range_at(RANGE).times(1), &fault);
        let again = server.requests(&range_at(RANGE + 3_000_000));
        assert_eq!(again.len(), 1, "{fault:?}: {}", server.transcript());
    }
}

#[test]
fn what_goes_wrong_once_is_asked_for_again() {
    for fault in [
        Fault::refuse("SlowDown"),
        Fault::refuse("InternalError"),
        Fault::LoseAnswer,
        Fault::Stall,
        Fault::CutAnswerAfter(0),
        alter(|answer| answer.body.truncate(100_000)),
    ] {
        arrives_in_spite_of(range_at(2 * RANGE).times(1), &fault);
    }
}

#[test]
fn a_link_that_breaks_all_the_time_is_read_on_as_long_as_something_comes() {
    // Forty breaks and more, at two tries.
    let server = arrives_in_spite_of(gets(), &Fault::CutAnswerAfter(500_000));
    assert!(server.requests(&gets()).len() >= 40);
}

#[test]
fn a_store_that_sends_nothing_is_asked_no_more_than_the_settings_say() {
    for (fault, kind) in [
        (Fault::CutAnswerAfter(10), StoreErrorKind::Unreachable),
        (Fault::StallAnswerAfter(10), StoreErrorKind::TimedOut),
        (alter(|answer| answer.body.truncate(10)), StoreErrorKind::Mismatch),
    ] {
        let error = fails_because_of(range_to(2 * RANGE), fault.clone());
        assert_eq!(error.kind, kind, "{fault:?}: {error}");
    }
}

#[test]
fn an_object_that_is_gone_or_forbidden_in_the_middle_is_told_so() {
    for (code, kind) in [("NoSuchKey", StoreErrorKind::Missing), ("AccessDenied", StoreErrorKind::Denied)] {
        let error = fails_because_of(range_at(4 * RANGE), Fault::refuse(code));
        assert_eq!(error.kind, kind, "{error}");
    }
}

#[test]
fn wrong_bytes_are_found_at_the_end() {
    let error = fails_because_of(range_at(3 * RANGE), alter(|answer| answer.body[4_711] ^= 0x20));
    assert_eq!(error.kind, StoreErrorKind::Mismatch, "{error}");
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn another_range_than_asked_for_is_refused() {
    let (asked, sent) = (format!("bytes {RANGE}-"), format!("bytes {}-", RANGE + 1));
    let another = sent.clone();
    let shifted = alter(move |answer| {
        for (name, value) in &mut answer.headers {
            if name == "content-range" {
                *value = value.replace(&asked, &another);
            }
        }
    });
    let error = fails_because_of(range_at(RANGE), shifted);
    assert!(error.to_string().contains(&format!("were asked for, the store sent {sent}")), "{error}");

    let longer = fails_because_of(range_at(RANGE), alter(|answer| answer.body.push(0)));
    assert!(longer.to_string().contains(&format!("more than the {RANGE} bytes")), "{longer}");
}

#[test]
fn a_store_that_ignores_ranges_is_taken_at_its_word_only_from_the_beginning() {
    let whole = || {
        alter(|answer| {
            answer.status = 200;
            drop_header(answer, "content-range");
        })
    };
    arrives_in_spite_of(range_at(0).times(1), &whole());
    let error = fails_because_of(range_at(RANGE), whole());
    assert!(error.to_string().ends_with("the store sends whole objects where a part is asked for"), "{error}");
}

#[test]
fn an_object_that_is_replaced_while_it_is_read_is_not_mixed_up() {
    // Once by a store that honours If-Match, once by one that does not know it.
    for honours in [true, false] {
        let bytes = bytes(LARGE);
        let server = holding(&bytes);
        let other: Arc<[u8]> = bytes.iter().map(|byte| !byte).collect();
        let gate = Gate::closed();
        if honours {
            server.fault(range_at(2 * RANGE), Fault::Hold(gate.clone()));
        } else {
            server.fault(range_at(2 * RANGE), {
                let other = Arc::clone(&other);
                alter(move |answer| {
                    answer.body = other[2 * RANGE..3 * RANGE].to_vec();
                    drop_header(answer, "etag");
                    answer.headers.push(("etag".into(), "\"0123456789abcdef0123456789abcdef\"".into()));
                })
            });
        }
        let error = std::thread::scope(|scope| {
            let reading = scope.spawn(|| read_with_patience(&server, &[], Duration::from_mins(1)));
            if honours {
                server.wait_for(&range_at(2 * RANGE), 1, Duration::from_mins(1));
                server.seed(KEY, &other);
                gate.open();
            }
            reading.join().unwrap().unwrap_err()
        });
        assert_eq!(error.kind, StoreErrorKind::Replaced, "{error}");
        assert!(error.to_string().ends_with("another object was put under this key while it was read"), "{error}");
    }
}

#[test]
fn what_comes_before_a_failure_arrives() {
    let bytes = bytes(LARGE);
    let server = holding(&bytes);
    server.fault(range_at(2 * RANGE), Fault::refuse("AccessDenied"));
    block_on(async {
        let mut download = Store::new(&local(&server)).await.open(KEY).await.unwrap().download();
        server.wait_for(&range_at(2 * RANGE), 1, Duration::from_mins(1));
        let mut read = Vec::new();
        let error = loop {
            match download.next().await {
                Ok(piece) => read.extend_from_slice(&piece.expect("it cannot come to its end")),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind, StoreErrorKind::Denied, "{error}");
        assert!(read == bytes[..2 * RANGE], "{} bytes came", read.len());
    });
}

#[test]
fn no_more_is_read_ahead_than_four_ranges() {
    let server = holding(&bytes(2 * LARGE));
    block_on(async {
        let mut download = Store::new(&local(&server)).await.open(KEY).await.unwrap().download();
        download.next().await.unwrap();
        server.wait_for(&gets(), 5, Duration::from_mins(1));
        // The next is asked for when the one before is taken, and not by time: reading it settles that no other was.
        download.next().await.unwrap();
        server.wait_for(&gets(), 6, Duration::from_mins(1));
        assert_eq!(server.requests(&gets()).len(), 6);
    });
}

#[test]
fn every_request_names_the_object_that_was_looked_at() {
    let server = holding(&bytes(LARGE));
    read_after(&server, &[]).unwrap();
    let gets = server.requests(&gets());
    assert!(gets.iter().all(|get| get.header("if-match").is_some()), "{gets:?}");
}
