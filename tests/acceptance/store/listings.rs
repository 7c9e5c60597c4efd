//! Listings: whole and true, or an error.

use acceptance::moto::Moto;
use acceptance::store::{self, Answer, Fault, On, Operation};
use backup_core::store::{Store, StoreErrorKind};

use super::{block_on, foreign, local, server_with};

fn listing() -> On {
    On::operation(Operation::ListObjects)
}

/// An XML answer to a listing.
fn page(elements: &str) -> Fault {
    let body =
        format!("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{elements}</ListBucketResult>");
    Fault::Reply(Answer { status: 200, headers: Vec::new(), body: body.into_bytes() })
}

const OBJECT: &str = "<Contents><Key>p/1</Key><Size>1</Size></Contents>";

#[test]
fn more_than_a_page_is_listed_in_order() {
    let keys: Vec<String> = (0..2_345).map(|n| format!("p/{n:05}")).collect();
    let server = store::Store::start();
    for key in &keys {
        server.seed(key, b"12");
    }
    block_on(async {
        let store = Store::new(&local(&server)).await;
        let objects = store.list("p/").await.unwrap();
        assert!(objects.iter().map(|object| &object.key).eq(&keys));
        assert!(objects.iter().all(|object| object.bytes == 2 && object.modified.is_some()));
        assert_eq!(store.list("p/023").await.unwrap().len(), 45);
        assert_eq!(store.list("none/").await.unwrap(), []);
    });
    assert_eq!(server.requests(&listing()).len(), 3 + 1 + 1);
}

#[test]
fn keys_of_any_kind_are_listed_and_found_exactly() {
    let keys = ["p/a b", "p/a%20b", "p/a+b", "p/a&<>\"'b", "p/ключ", "p/a", "p/ab"];
    let (server, moto) = (store::Store::start(), Moto::new_bucket());
    for key in keys {
        server.seed(key, b"1");
        moto.seed(key, b"1");
    }
    let mut sorted = keys.map(str::to_owned);
    sorted.sort();
    block_on(async {
        for settings in [local(&server), foreign(&moto)] {
            let store = Store::new(&settings).await;
            let listed: Vec<String> = store.list("p/").await.unwrap().into_iter().map(|object| object.key).collect();
            assert_eq!(listed, sorted);
            for key in keys {
                assert_eq!(store.find(key).await.unwrap().unwrap().key, key);
                assert_eq!(store.check_free(key).await.unwrap_err().kind, StoreErrorKind::Taken);
            }
            assert_eq!(store.find("p/").await.unwrap(), None, "a prefix of keys is not a key");
            store.check_free("p/A").await.unwrap();
            store.check("p/").await.unwrap();
        }
    });
}

#[test]
fn a_listing_that_ends_early_or_goes_in_circles_is_no_listing() {
    for (elements, reason) in [
        (
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>{OBJECT}"),
            "goes in circles",
        ),
        (format!("<IsTruncated>true</IsTruncated>{OBJECT}"), "no way to ask for it"),
        ("<IsTruncated>false</IsTruncated><Contents><Key>p/1</Key></Contents>".to_owned(), "no key or no size"),
    ] {
        let server = server_with(listing(), page(&elements));
        let error = block_on(async { Store::new(&local(&server)).await.list("p/").await.unwrap_err() });
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().starts_with("cannot list s3://shop-backups/p/: "), "{error}");
    }
}

#[test]
fn a_circle_of_several_pages_is_seen_too() {
    let server = store::Store::start();
    for (asked, next) in [("a", "b"), ("b", "a")] {
        let elements =
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>{OBJECT}");
        server.fault(listing().query("continuation-token", asked), page(&elements));
    }
    server.fault(listing(), page("<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken>"));
    let error = block_on(async { Store::new(&local(&server)).await.list("p/").await.unwrap_err() });
    assert!(error.to_string().contains("goes in circles"), "{error}");
}

#[test]
fn a_page_that_fails_leaves_no_half_listing() {
    let server = store::Store::start();
    for n in 0..1_001 {
        server.seed(&format!("p/{n}"), b"1");
    }
    server.fault(listing().has_query("continuation-token"), Fault::refuse("AccessDenied"));
    let error = block_on(async { Store::new(&local(&server)).await.list("p/").await.unwrap_err() });
    assert_eq!(error.kind, StoreErrorKind::Denied);
}

#[test]
fn what_speaks_no_s3_is_told_apart() {
    let html = Answer { status: 200, headers: Vec::new(), body: b"<!DOCTYPE html><html><body>Console".to_vec() };
    let server = server_with(On::any(), Fault::Reply(html));
    let error = block_on(async { Store::new(&local(&server)).await.list("p/").await.unwrap_err() });
    assert_eq!(error.kind, StoreErrorKind::NotS3, "{error}");
    assert!(error.hint().unwrap().contains("S3_ENDPOINT_URL"));
}
