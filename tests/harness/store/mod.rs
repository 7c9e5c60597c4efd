//! A real S3 API server in this process, that can be told to misbehave and remembers what it was asked.
//!
//! The server is `s3s` (signatures, the protocol) over `s3s-fs` (objects as files in a folder), on 127.0.0.1 at a free port, with one
//! bucket and one key pair. In front of it stands a layer that records each request and applies the faults that a test has
//! set. One test has one store, so no test sees another's requests, faults or objects.

mod fault;
mod request;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use fault::{Answer, Fault};
pub use request::{On, Operation, SeenRequest};

use crate::runtime::Background;
use crate::{lifeline, postgres};
use server::Desk;

/// The bucket that every store has.
pub const BUCKET: &str = "shop-backups";

/// A running S3 server; it stops, and its objects go, when this is dropped.
pub struct Store {
    folder: PathBuf,
    port: u16,
    access_key: String,
    secret_key: String,
    desk: Arc<Desk>,
    _server: Background,
}

impl Store {
    /// Starts a server with an empty [`BUCKET`].
    pub fn start() -> Self {
        let folder = lifeline::new_folder("s3", None);
        fs::create_dir(folder.join(BUCKET)).expect("the new folder can be written");
        let access_key = format!("AKIA{}", postgres::canary("key").to_uppercase());
        let secret_key = format!("s3+/{}==", postgres::canary("aws"));
        let desk = Arc::new(Desk::default());
        let (port, server) = server::start(&folder, &access_key, &secret_key, Arc::clone(&desk));
        Self { folder, port, access_key, secret_key, desk, _server: server }
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
        let mut keys = Vec::new();
        collect_keys(&self.bucket(), "", &mut keys);
        keys.sort();
        keys
    }

    /// The bytes of an object.
    pub fn read(&self, key: &str) -> Vec<u8> {
        fs::read(self.path(key)).unwrap_or_else(|e| panic!("read the object {key}: {e}"))
    }

    /// Puts an object there, as if somebody had uploaded it just now.
    pub fn seed(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().expect("a key is below the bucket"))
            .and_then(|()| fs::write(&path, bytes))
            .unwrap_or_else(|e| panic!("seed the object {key}: {e}"));
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

    /// The ids of multipart uploads that were begun and neither completed nor aborted.
    pub fn unfinished_uploads(&self) -> Vec<String> {
        // s3s-fs keeps a file `.upload-ID.json` beside the buckets for each.
        let entries = fs::read_dir(&self.folder).expect("the server's folder is there");
        let names =
            entries.map(|entry| entry.expect("it can be read to its end").file_name().to_string_lossy().into_owned());
        names.filter_map(|name| Some(name.strip_prefix(".upload-")?.strip_suffix(".json")?.to_owned())).collect()
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

fn collect_keys(folder: &Path, prefix: &str, keys: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("list {}: {e}", folder.display()));
    for entry in entries {
        let entry = entry.expect("the folder can be read to its end");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("the entry is there").is_dir() {
            collect_keys(&entry.path(), &format!("{name}/"), keys);
        } else {
            keys.push(name);
        }
    }
}
