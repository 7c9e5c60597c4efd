//! A second S3 store that somebody else wrote (`moto`), for what the one in this process does not do: versions, tags, locks,
//! lifecycle rules; and as a second opinion on the rest.
//!
//! It checks neither signatures nor checksums. One server runs per test process; each test has a bucket of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use crate::lifeline::{self, Child};
use crate::programs;

const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// A bucket on the shared server.
pub struct Moto {
    port: u16,
    bucket: String,
}

/// An answer of the server.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Moto {
    /// A new bucket.
    pub fn new_bucket() -> Self {
        let moto = Self { port: shared_server(), bucket: format!("bucket-{}", lifeline::unique()) };
        moto.expect_ok("PUT", "", b"");
        moto
    }

    /// A new bucket that locks every object for a day.
    pub fn new_locked_bucket() -> Self {
        let moto = Self { port: shared_server(), bucket: format!("bucket-{}", lifeline::unique()) };
        let made = moto.request_with("PUT", "", "x-amz-bucket-object-lock-enabled: true\r\n", b"");
        assert_eq!(made.status, 200, "{}", made.text());
        let rule = b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
            <Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
        moto.expect_ok("PUT", "?object-lock", rule);
        moto
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Any request below the bucket: `?versioning` or a key with or without a query, percent-encoded as in a URL.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        self.request_with(method, path, "", body)
    }

    /// The same with more header lines.
    fn request_with(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("moto accepts connections");
        let (bucket, length) = (&self.bucket, body.len());
        let separator = if path.starts_with('?') { "" } else { "/" };
        // A signature that nobody checks: without one, moto treats the request as anonymous.
        let head = format!(
            "{method} /{bucket}{separator}{path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\nconnection: close\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/s3/aws4_request\r\n{headers}\r\n"
        );
        let mut answer = Vec::new();
        let exchanged =
            stream.write_all(&[head.as_bytes(), body].concat()).and_then(|()| stream.read_to_end(&mut answer));
        exchanged.unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        Reply::parse(&answer)
    }

    /// All keys, in the order of the listing.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut path = "?list-type=2".to_owned();
        loop {
            let page = self.expect_ok("GET", &path, b"").text();
            keys.extend(elements(&page, "Key"));
            let Some(token) = elements(&page, "NextContinuationToken").pop() else { return keys };
            path = format!("?list-type=2&continuation-token={}", percent_encode(&token));
        }
    }

    /// The ids of the multipart uploads under way.
    pub fn unfinished_uploads(&self) -> Vec<String> {
        elements(&self.expect_ok("GET", "?uploads", b"").text(), "UploadId")
    }

    /// The bytes of an object.
    pub fn read(&self, key: &str) -> Vec<u8> {
        self.expect_ok("GET", &percent_encode(key), b"").body
    }

    /// The headers of an object: `x-amz-storage-class`, `x-amz-server-side-encryption`, `x-amz-meta-…`.
    pub fn head(&self, key: &str) -> BTreeMap<String, String> {
        self.expect_ok("HEAD", &percent_encode(key), b"").headers
    }

    /// Puts an object there.
    pub fn seed(&self, key: &str, bytes: &[u8]) {
        self.expect_ok("PUT", &percent_encode(key), bytes);
    }

    /// Keeps every version of every object from now on.
    pub fn enable_versioning(&self) {
        let enabled = b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
        self.expect_ok("PUT", "?versioning", enabled);
    }

    /// The ids of all versions, delete markers included.
    pub fn versions(&self) -> Vec<String> {
        elements(&self.expect_ok("GET", "?versions", b"").text(), "VersionId")
    }

    fn expect_ok(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let reply = self.request(method, path, body);
        assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.text());
        reply
    }
}

impl Reply {
    fn parse(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP answer");
        let head = String::from_utf8_lossy(&answer[..end]);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Self { status, headers: lines.filter_map(header).collect(), body: answer[end + 4..].to_owned() }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn shared_server() -> u16 {
    static SERVER: OnceLock<(Child, u16)> = OnceLock::new();
    let (_, port) = SERVER.get_or_init(|| {
        let folder = lifeline::new_folder("moto", None);
        let mut command = lifeline::command(&programs::server_from_pypi("moto_server"), "KILL", None);
        command.args(["-H", "127.0.0.1", "-p", "0"]).current_dir(&folder);
        let process = Child::spawn_logged(command, &folder.join("log"));
        let port = process.wait_for_port(STARTS_WITHIN, announced_port);
        (process, port)
    });
    *port
}

/// From `* Running on http://127.0.0.1:PORT`.
fn announced_port(log: &Path) -> Option<u16> {
    let log = fs::read_to_string(log).ok()?;
    let (_, rest) = log.split_once("Running on http://127.0.0.1:")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The texts of all elements of this name. The server's XML is flat and regular enough for that.
fn elements(xml: &str, name: &str) -> Vec<String> {
    let unescape =
        |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let texts = xml.split(&open).skip(1).filter_map(|rest| rest.split_once(&close));
    texts.map(|(text, _)| unescape(text)).collect()
}

fn percent_encode(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    key.bytes().map(encode).collect()
}
