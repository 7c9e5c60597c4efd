//! A real S3 API server in this process, that can be told to misbehave and remembers what it was asked.
//!
//! The server is `s3s` (signatures, the protocol) over `s3s-fs` (objects as files in a folder) with a layer of our own between them
//! for what `s3s-fs` lacks (see `shelf`), on 127.0.0.1 at a free port, with one bucket and one key pair. In front of it stands a layer that records each request and applies the faults that a test has
//! set. One test has one store, so no test sees another's requests, faults or objects.

mod fault;
mod request;
mod server;
mod shelf;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use fault::{Answer, Fault, Gate};
pub use request::{On, Operation, SeenRequest};

use crate::runtime::Background;
use crate::{lifeline, postgres};
use server::Desk;
use shelf::Shelf;

/// The bucket that every store has.
pub const BUCKET: &str = "shop-backups";

/// A running S3 server; it stops, and its objects go, when this is dropped.
pub struct Store {
    folder: PathBuf,
    shelf: Shelf,
    port: u16,
    access_key: String,
    secret_key: String,
    desk: Arc<Desk>,
    _server: Background,
}

/// A multipart upload that is still under way, or was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// The id that the server gave it.
    pub id: String,
    /// The key that the object would have.
    pub key: String,
    /// How many parts have arrived.
    pub parts: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Store {
    /// Starts a server with an empty [`BUCKET`] and keys of its own.
    pub fn start() -> Self {
        let access_key = format!("AKIA{}", postgres::canary("key").to_uppercase());
        let secret_key = format!("s3+/{}==", postgres::canary("aws"));
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), access_key, secret_key)
    }

    /// Starts a server that listens here, for others than this machine too, to whoever has these keys.
    pub fn start_at(address: SocketAddr, access_key: String, secret_key: String) -> Self {
        let folder = lifeline::new_folder("s3", None);
        fs::create_dir(folder.join(BUCKET)).expect("the new folder can be written");
        let desk = Arc::new(Desk::default());
        let shelf = Shelf::new(&folder);
        let (port, server) = server::start(address, shelf.clone(), &access_key, &secret_key, Arc::clone(&desk));
        Self { folder, shelf, port, access_key, secret_key, desk, _server: server }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The only access key that it knows.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret of that key: a word to look for in outputs, with characters that a URL would have to escape.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// Where its objects are kept as files.
    pub fn folder(&self) -> PathBuf {
        self.bucket()
    }

    /// From now on, this goes wrong with these requests. Of several rules that fit, the first one set counts.
    pub fn fault(&self, on: On, fault: Fault) {
        self.desk.add(on, fault);
    }

    /// From now on, nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.desk.clear();
    }

    /// The requests so far that fit, oldest first.
    pub fn requests(&self, on: &On) -> Vec<SeenRequest> {
        self.desk.seen(on)
    }

    /// Waits until so many fitting requests have arrived; fails the test if they do not come in time.
    pub fn wait_for(&self, on: &On, count: usize, within: Duration) {
        assert!(
            self.desk.wait_for(on, count, within),
            "the store did not see {count} requests like {on:?} within {within:?}; it saw:\n{}",
            self.desk.transcript()
        );
    }

    /// Every request so far, one a line, for a test that failed.
    pub fn transcript(&self) -> String {
        self.desk.transcript()
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        shelf::keys(&self.bucket()).expect("the server's folder is there")
    }

    /// The bytes of an object.
    pub fn read(&self, key: &str) -> Vec<u8> {
        fs::read(self.path(key)).unwrap_or_else(|e| panic!("read the object {key}: {e}"))
    }

    /// Puts an object there, as if somebody had uploaded it just now.
    pub fn seed(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        // Moved into place: whoever reads the object that stands there now reads it to its end.
        let whole = self.folder.join(format!("seed-{}", lifeline::unique()));
        fs::create_dir_all(path.parent().expect("a key is below the bucket"))
            .and_then(|()| fs::write(&whole, bytes))
            .and_then(|()| fs::rename(&whole, &path))
            .unwrap_or_else(|e| panic!("seed the object {key}: {e}"));
        self.shelf.forget(BUCKET, key);
    }

    /// Puts an object there that was last modified at this time.
    pub fn seed_at(&self, key: &str, bytes: &[u8], modified: SystemTime) {
        self.seed(key, bytes);
        let file = fs::File::options().write(true).open(self.path(key)).expect("just written");
        file.set_modified(modified).expect("the time can be set");
    }

    /// Removes an object behind everybody's back.
    pub fn remove(&self, key: &str) {
        fs::remove_file(self.path(key)).unwrap_or_else(|e| panic!("remove the object {key}: {e}"));
    }

    /// The multipart uploads that were begun and neither completed nor aborted.
    pub fn unfinished_uploads(&self) -> Vec<UnfinishedUpload> {
        let uploads = self.shelf.unfinished().into_iter();
        uploads.map(|(id, key, parts, bytes)| UnfinishedUpload { id, key, parts, bytes }).collect()
    }

    /// Begins a multipart upload that nobody will finish, as if at this time, and gives its id.
    pub fn seed_upload(&self, key: &str, begun: SystemTime) -> String {
        self.shelf.begin(BUCKET, key, &self.access_key, begun)
    }

    fn bucket(&self) -> PathBuf {
        self.folder.join(BUCKET)
    }

    fn path(&self, key: &str) -> PathBuf {
        self.bucket().join(key)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What is left goes with the folder of the process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
