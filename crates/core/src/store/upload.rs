//! Uploading a stream whose length nobody knows yet, so that an object appears only when all of it is there.
//!
//! What fits into one part goes in one `PutObject`, everything else in a multipart upload of uniform parts, several under
//! way at once. Parts stay in memory until the store has them, so that a retry sends the same bytes.
//!
//! The store is asked to verify: a CRC-64/NVME of every part and of the whole object, which it compares with what it
//! received and keeps. A store that does not know these headers gets `Content-MD5`, and the log says so. `If-None-Match: *`
//! keeps it from overwriting; and because stores refuse or ignore that header, the key is looked for right before.

use std::time::Duration;

use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::checksum::{Crc64, content_md5};
use super::error::Attempt;
use super::multipart::{CONTENT_TYPE, Multipart};
use super::read::{Head, RUN};
use super::way::{Verify, Way};
use super::{Ledger, PartSize, Remains, Store, StoreError, StoreErrorKind};

/// An object that the store has, whole, and that was compared with what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Its CRC-64/NVME, if the store verified it.
    pub crc64: Option<String>,
    /// The mark of the run that wrote it.
    pub run: String,
}

/// An upload under way. Dropping it leaves an unfinished upload in the store: end it with [`Upload::complete`] or
/// [`Upload::abort`].
#[derive(Debug)]
pub struct Upload {
    store: Store,
    key: String,
    run: String,
    part_size: PartSize,
    filling: BytesMut,
    multipart: Option<Multipart>,
    whole: Crc64,
    bytes: u64,
    /// The last request has been sent: an object of ours may stand under the key that has not been verified.
    ending: bool,
}

impl Upload {
    /// An upload to a key where nothing stands. Nothing is sent yet. `run` marks the object as written by this run.
    pub fn new(store: &Store, key: String, run: String, part_size: PartSize) -> Self {
        Self {
            store: store.clone(),
            key,
            run,
            part_size,
            filling: BytesMut::with_capacity(part_size.bytes),
            multipart: None,
            whole: Crc64::new(),
            bytes: 0,
            ending: false,
        }
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the next bytes, and waits while too many parts are under way. A part that failed, even after all its
    /// tries, ends it with the next bytes.
    pub async fn write(&mut self, mut bytes: &[u8], ledger: &impl Ledger) -> Result<(), StoreError> {
        if let Some(multipart) = &mut self.multipart {
            multipart.check()?;
        }
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            // Only when more comes is a full part known not to be the whole object.
            if self.filling.len() == self.part_size.bytes {
                let part = std::mem::replace(&mut self.filling, BytesMut::new()).freeze();
                self.send(part, ledger).await?;
                self.filling = BytesMut::with_capacity(self.part_size.bytes);
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.part_size.bytes - self.filling.len()));
            self.filling.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Sends a part, once there is a place among those under way; begins the upload with the first.
    async fn send(&mut self, part: Bytes, ledger: &impl Ledger) -> Result<(), StoreError> {
        self.whole.append(&Crc64::of(&part));
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => {
                let (upload, verify) = self.store.begin(&self.key, &self.run, Verify::Crc64).await?;
                ledger.begun(&upload);
                none.insert(Multipart::new(upload, verify))
            }
        };
        multipart.send(&self.store, part, self.part_size).await
    }

    /// Ends the upload: from here on the object is there, whole and compared with what was sent.
    pub async fn complete(&mut self, ledger: &impl Ledger) -> Result<Stored, StoreError> {
        let last = std::mem::take(&mut self.filling).freeze();
        let ended =
            if self.multipart.is_some() { self.end_multipart(last, ledger).await } else { self.put(last).await };
        if let Err(error) = ended {
            self.settle(error).await?;
        }
        let verified = match self.store.head(&self.key).await.and_then(|head| self.compare(head)) {
            Ok(stored) => Ok(stored),
            // Nothing that looks like a backup may be less than one.
            Err(error) => {
                Err(StoreError { remains: self.store.withdraw(&self.key).await.err().map(Box::new), ..error })
            }
        };
        if let Some(multipart) = self.multipart.take() {
            ledger.ended(&multipart.upload);
        }
        self.ending = false;
        verified
    }

    /// Gives the upload up: the store forgets what it has of it. After [`Upload::complete`] went well, there is nothing to
    /// give up. An error tells what may be left.
    pub async fn abort(&mut self, within: Duration, ledger: &impl Ledger) -> Result<(), Remains> {
        let deadline = Instant::now() + within;
        if let Some(mut multipart) = self.multipart.take() {
            let under_way = multipart.stop().await;
            if self.store.abort(&multipart.upload, under_way, within).await {
                ledger.ended(&multipart.upload);
            }
        }
        if !std::mem::take(&mut self.ending) {
            return Ok(());
        }
        // The last request may have been carried out although nobody waited for its answer.
        let withdraw = async {
            match self.store.head(&self.key).await {
                Ok(head) if self.is_ours(&head) => self.store.withdraw(&self.key).await,
                Err(error) if error.kind != StoreErrorKind::Missing => {
                    log::error!("{error}");
                    Err(self.store.remains(&self.key))
                }
                Ok(_) | Err(_) => Ok(()),
            }
        };
        let withdrawn = tokio::time::timeout_at(deadline, withdraw).await;
        withdrawn.unwrap_or_else(|_| Err(self.store.remains(&self.key)))
    }

    async fn put(&mut self, body: Bytes) -> Result<(), StoreError> {
        self.whole.append(&Crc64::of(&body));
        self.store.check_free(&self.key).await?;
        self.ending = true;
        let way = Way::first_taken(Verify::Crc64, async |way| self.put_once(body.clone(), way).await).await?;
        note(way);
        Ok(())
    }

    async fn put_once(&self, body: Bytes, way: Way) -> Result<(), StoreError> {
        let store = &self.store;
        let (encryption, kms_key) = store.server_side_encryption();
        let request = store
            .s3
            .put_object()
            .bucket(&store.bucket)
            .key(&self.key)
            .content_type(CONTENT_TYPE)
            .metadata(RUN, &self.run)
            .set_storage_class(store.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_if_none_match(way.if_none_match());
        let request = match way.verify {
            // The algorithm by name too: a bucket under Object Lock insists on it (S3 API: `PutObject`).
            Verify::Crc64 => {
                request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_crc64_nvme(self.whole.base64())
            }
            Verify::Md5 => request.content_md5(content_md5(&body)),
        };
        let request = request.body(ByteStream::from(body)).customize();
        let sent = request.config_override(store.patient::<PutObjectError>()).send().await;
        sent.map(|_| ()).map_err(|error| StoreError::from_sdk(store.to_write(&self.key), &error))
    }

    async fn end_multipart(&mut self, last: Bytes, ledger: &impl Ledger) -> Result<(), StoreError> {
        if !last.is_empty() {
            self.send(last, ledger).await?;
        }
        let Some(multipart) = &mut self.multipart else { unreachable!("called for multipart uploads only") };
        let parts = multipart.finish_parts().await?;
        self.store.check_free(&self.key).await?;
        self.ending = true;
        let whole = self.whole.base64();
        let way = Way::first_taken(multipart.verify, async |way| {
            self.store.complete(&multipart.upload, parts.clone(), Some(&whole), way).await
        });
        note(way.await?);
        Ok(())
    }

    /// The last answer was an error, or was lost: an object that this run wrote, whole, settles it.
    async fn settle(&self, error: StoreError) -> Result<(), StoreError> {
        if !self.ending {
            return Err(error);
        }
        match self.store.head(&self.key).await {
            Ok(head) if self.is_ours(&head) && head.bytes == self.bytes => {
                log::warn!("{error}; but the object is there, whole: the answer was lost");
                Ok(())
            }
            Ok(head) if !self.is_ours(&head) && error.kind != StoreErrorKind::Taken => Err(self.store.taken(&self.key)),
            _ => Err(error),
        }
    }

    /// By the mark of the run; a store that keeps no metadata is believed by the checksum of every byte.
    fn is_ours(&self, head: &Head) -> bool {
        match &head.run {
            Some(run) => *run == self.run,
            None => head.crc64.as_ref().is_some_and(|theirs| *theirs == self.whole.base64()),
        }
    }

    /// Compares what the store has with what was sent.
    fn compare(&self, head: Head) -> Result<Stored, StoreError> {
        let mismatch = |reason| {
            let attempt =
                Attempt::new(format!("verify {}", self.store.address(&self.key)), "s3:GetObject on the prefix");
            Err(StoreError::new(StoreErrorKind::Mismatch, attempt, reason))
        };
        if head.bytes != self.bytes {
            return mismatch(format!("the store has {} bytes, {} were sent", head.bytes, self.bytes));
        }
        let ours = self.whole.base64();
        match &head.crc64 {
            Some(theirs) if *theirs != ours => mismatch(format!("the store has checksum {theirs}, {ours} was sent")),
            _ => Ok(Stored { key: self.key.clone(), bytes: self.bytes, crc64: head.crc64, run: self.run.clone() }),
        }
    }
}

/// Tells what the store does not do for us.
fn note(way: Way) {
    if way.verify == Verify::Md5 {
        log::info!("the store does not verify whole objects: requests went with Content-MD5, sizes are compared");
    }
    if !way.guarded {
        log::info!("the store knows no If-None-Match: the key was looked for right before");
    }
}
