//! Downloading an object of any size: in order, with the next ranges already on their way, whole or not at all.
//!
//! The end comes only when every byte has passed, and only if they are the bytes that the store received: it keeps a
//! CRC-64/NVME of the whole object, which is compared. Where it keeps none, the length is all that it can prove, and
//! [`Source::is_checkable`] says so beforehand.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::checksum::Crc64;
use super::range::Range;
use super::{Store, StoreError, StoreErrorKind, Stored};

/// Bytes per request. Large enough that the time to the first byte does not count, small enough that a break costs little.
const RANGE: u64 = 4 << 20;

/// Ranges that are under way, or have arrived and wait for their turn: 16 MiB at most.
const AHEAD: usize = 4;

/// An object that is to be read.
#[derive(Debug, Clone)]
pub struct Source {
    store: Store,
    key: Arc<str>,
    bytes: u64,
    e_tag: Option<Arc<str>>,
    crc64: Option<String>,
    run: String,
    /// How many of its first bytes are here already.
    here: u64,
    /// Their checksum.
    whole: Crc64,
}

/// An object that is being read. Dropping it ends the requests under way.
#[derive(Debug)]
pub struct Download {
    source: Source,
    /// Where the next request begins.
    asked: u64,
    under_way: JoinSet<(u64, Result<Piece, StoreError>)>,
    /// By where they begin. What comes before a failure is handed on first, whenever the failure became known.
    arrived: BTreeMap<u64, Result<Piece, StoreError>>,
}

/// A range that has arrived.
#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    crc64: Crc64,
}

impl Store {
    /// Looks at the object that is to be read.
    pub async fn open(&self, key: &str) -> Result<Source, StoreError> {
        let head = self.head(key).await?;
        Ok(Source {
            store: self.clone(),
            key: key.into(),
            bytes: head.bytes,
            e_tag: head.e_tag.map(Arc::from),
            crc64: head.crc64,
            run: head.run.unwrap_or_default(),
            here: 0,
            whole: Crc64::new(),
        })
    }
}

impl Source {
    /// The size of the object.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The object, to be copied.
    pub fn stored(&self) -> Stored {
        Stored { key: self.key.to_string(), bytes: self.bytes, crc64: self.crc64.clone(), run: self.run.clone() }
    }

    /// Whether the store keeps a checksum of the whole object: without one, a download proves its length only.
    pub fn is_checkable(&self) -> bool {
        self.crc64.is_some()
    }

    /// Takes the object's next bytes from what an earlier download left. They are not asked for again, and count in the
    /// checksum.
    pub fn already(&mut self, bytes: &[u8]) {
        self.here += bytes.len() as u64;
        self.whole.append(&Crc64::of(bytes));
    }

    /// Starts to read what is not here yet.
    pub fn download(self) -> Download {
        let asked = self.here;
        let mut download = Download { source: self, asked, under_way: JoinSet::new(), arrived: BTreeMap::new() };
        download.ask();
        download
    }
}

impl Download {
    /// The next bytes of the object; `None`: it is here, all of it, and is what the store received. After an error there
    /// is nothing more to come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while self.source.here < self.source.bytes {
            if let Some(piece) = self.arrived.remove(&self.source.here) {
                let piece = piece?;
                self.source.here += piece.bytes.len() as u64;
                self.source.whole.append(&piece.crc64);
                self.ask();
                return Ok(Some(piece.bytes));
            }
            match self.under_way.join_next().await {
                Some(Ok((start, piece))) => {
                    self.arrived.insert(start, piece);
                }
                // No request is cancelled while the download goes on; if one panicked, so do we.
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                None => {
                    let reason = "the download had failed before";
                    return Err(StoreError::new(
                        StoreErrorKind::Other,
                        self.source.store.to_read(&self.source.key),
                        reason,
                    ));
                }
            }
        }
        self.check().map(|()| None)
    }

    /// How many bytes of the object are here, those that were here before included.
    pub fn position(&self) -> u64 {
        self.source.here
    }

    /// Asks for the next ranges, as many as may be held.
    fn ask(&mut self) {
        while self.asked < self.source.bytes && self.under_way.len() + self.arrived.len() < AHEAD {
            let (start, end) = (self.asked, self.source.bytes.min(self.asked + RANGE));
            let Source { store, key, e_tag, .. } = self.source.clone();
            self.under_way.spawn(async move {
                let read = store.read(Range { key: &key, start, end, e_tag: e_tag.as_deref() }).await;
                (start, read.map(|bytes| Piece { crc64: Crc64::of(&bytes), bytes }))
            });
            self.asked = end;
        }
    }

    /// Compares what came with what the store has.
    fn check(&self) -> Result<(), StoreError> {
        let Source { store, key, bytes, crc64, here, whole, .. } = &self.source;
        let mismatch = |reason| Err(StoreError::new(StoreErrorKind::Mismatch, store.to_read(key), reason));
        if here != bytes {
            return mismatch(format!("{here} bytes are here, the store has {bytes}"));
        }
        match crc64 {
            Some(theirs) if *theirs != whole.base64() => {
                mismatch(format!("checksum {} came, the store has {theirs}", whole.base64()))
            }
            _ => Ok(()),
        }
    }
}
