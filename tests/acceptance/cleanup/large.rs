//! A hundred thousand objects: in bounded memory, page by page and batch by batch.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::*;
use crate::backup::memory::peak;

const OBJECTS: i64 = 100_000;
const PAGE: i64 = 1_000;

/// What the issue of a hundred thousand objects may take.
const MOST: u64 = 100 << 20;

/// A store that makes its listing up as it is asked for it, and deletes whatever it is told to.
struct Endless {
    layout: Layout,
    deleted: AtomicUsize,
    batches: AtomicUsize,
}

impl Endless {
    fn start(layout: Layout) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let store = Arc::new(Self { layout, deleted: AtomicUsize::new(0), batches: AtomicUsize::new(0) });
        let serving = Arc::clone(&store);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let store = Arc::clone(&serving);
                // A client that has gone away wants no answer.
                std::thread::spawn(move || store.serve(stream).ok());
            }
        });
        (store, address)
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        stream.read_line(&mut head)?;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let answer = self.answer(&head, &String::from_utf8(body).unwrap());
        let date = OffsetDateTime::now_utc().format(&Rfc2822).unwrap().replace("+0000", "GMT");
        let bytes = answer.len();
        write!(
            stream.get_mut(),
            "HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-type: application/xml\r\ncontent-length: {bytes}\r\n\
             connection: close\r\n\r\n{answer}"
        )
    }

    fn answer(&self, head: &str, body: &str) -> String {
        if head.starts_with("POST") {
            let keys: Vec<&str> =
                body.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0)).collect();
            self.deleted.fetch_add(keys.len(), Ordering::Relaxed);
            self.batches.fetch_add(1, Ordering::Relaxed);
            let deleted =
                keys.iter().fold(String::new(), |said, key| said + "<Deleted><Key>" + key + "</Key></Deleted>");
            return format!("<DeleteResult>{deleted}</DeleteResult>");
        }
        if head.contains("uploads") {
            return "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
                .to_owned();
        }
        let token = head
            .split_once("continuation-token=")
            .map_or("0", |(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
        self.page(token.parse().unwrap())
    }

    /// A backup a minute, the newest of them last night's.
    fn page(&self, from: i64) -> String {
        let to = (from + PAGE).min(OBJECTS);
        let mut page = format!("<ListBucketResult><IsTruncated>{}</IsTruncated>", to < OBJECTS);
        if to < OBJECTS {
            write!(page, "<NextContinuationToken>{to}</NextContinuationToken>").unwrap();
        }
        for number in from..to {
            let age = OBJECTS - 1 - number;
            let taken = if age == 0 { night(0) } else { night(60) - time::Duration::minutes(age) };
            let key = self.layout.key(BackupId { taken, tier: Tier::Daily });
            let received = taken.assume_utc().format(&Rfc3339).unwrap();
            write!(
                page,
                "<Contents><Key>{key}</Key><Size>4000</Size><LastModified>{received}</LastModified></Contents>"
            )
            .unwrap();
        }
        page + "</ListBucketResult>"
    }
}

#[test]
fn a_hundred_thousand_objects() {
    let mut sandbox = sandbox();
    let (store, address) = Endless::start(layout(&sandbox));
    sandbox.env("S3_ENDPOINT_URL", &address);
    let peak = peak(cleanup(&sandbox).args(["--quiet", "--no-notify"]));
    assert_eq!(store.deleted.load(Ordering::Relaxed), 100_000 - 3);
    assert_eq!(store.batches.load(Ordering::Relaxed), 100);
    assert!(peak < MOST, "{} MiB", peak >> 20);
}
