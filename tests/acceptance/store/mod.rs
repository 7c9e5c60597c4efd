//! The store module, against every S3 server that can be had here, and against what none of them does by itself.

mod conformance;
mod copies;
mod downloads;
mod fallbacks;
mod listings;
mod waits;

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use acceptance::store::{BUCKET, Fault, On};
use acceptance::{moto, store};
use backup_core::settings::{AccessKeys, Encryption, Secret, Store as Settings};
use backup_core::store::{Ledger, Orphan, PartSize, Store, StoreError, Stored, Upload};

/// S3: the smallest part, the last one aside.
const PART: usize = 5 << 20;

/// As little of everything as the server takes.
const SMALL: PartSize = PartSize { bytes: PART, at_once: 3, at_most: 10_000 };

const KEY: &str = "db-backups/daily/2025/01/29/a%20b_backup_20250129_020000.sql.gz";
const RUN: &str = "1738116000-42";

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// Short waits, few tries, and the keys of the server.
fn settings(endpoint: &str, bucket: &str, id: &str, secret: &str) -> Settings {
    Settings {
        bucket: bucket.parse().unwrap(),
        prefix: "db-backups".parse().unwrap(),
        region: "us-east-1".to_owned(),
        keys: Some(AccessKeys {
            id: Secret::new(id.to_owned()),
            secret: Secret::new(secret.to_owned()),
            session_token: None,
        }),
        endpoint: Some(endpoint.parse().unwrap()),
        path_style: true,
        storage_class: None,
        encryption: None,
        max_parts: 10_000,
        tries: 2,
        connect_timeout: Duration::from_secs(2),
        stall_timeout: Duration::from_secs(5),
    }
}

/// The server in this process.
fn local(server: &store::Store) -> Settings {
    settings(&server.endpoint(), BUCKET, server.access_key(), server.secret_key())
}

/// A server that somebody else wrote.
fn foreign(server: &moto::Moto) -> Settings {
    settings(&server.endpoint(), server.bucket(), "test", "test")
}

fn with_kms(mut settings: Settings) -> Settings {
    settings.storage_class = Some("STANDARD_IA".to_owned());
    settings.encryption =
        Some(Encryption { algorithm: "aws:kms".to_owned(), kms_key: Some("alias/backups".to_owned()) });
    settings
}

/// Uploads that were begun and not ended.
#[derive(Default)]
struct Open(RefCell<Vec<Orphan>>);

impl Ledger for Open {
    fn begun(&self, upload: &Orphan) {
        self.0.borrow_mut().push(upload.clone());
    }

    fn ended(&self, upload: &Orphan) {
        self.0.borrow_mut().retain(|open| open != upload);
    }
}

/// Bytes without a pattern that a part could share with another.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(count);
    bytes
}

/// Uploads as `backup` does: in pieces that fit no part, ended well or given up.
async fn upload(store: &Store, bytes: &[u8]) -> Result<Stored, StoreError> {
    let open = Open::default();
    let mut upload = Upload::new(store, KEY.to_owned(), RUN.to_owned(), SMALL);
    let sent = async {
        for piece in bytes.chunks(1_000_003) {
            upload.write(piece, &open).await?;
        }
        upload.complete(&open).await
    };
    let sent = sent.await;
    if sent.is_err() {
        let _ = upload.abort(Duration::from_secs(5), &open).await;
    }
    assert_eq!(*open.0.borrow(), [], "uploads that were begun and neither completed nor aborted");
    sent
}

/// A server with one fault.
fn server_with(on: On, fault: Fault) -> store::Store {
    let server = store::Store::start();
    server.fault(on, fault);
    server
}
