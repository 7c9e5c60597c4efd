//! Uploading a stream whose length nobody knows yet, so that an object appears only when all of it is there.
//!
//! What fits into one part goes in one `PutObject`, everything else in a multipart upload of uniform parts, several under
//! way at once. Parts stay in memory until the store has them, so that a retry sends the same bytes.
//!
//! The store is asked to verify: a CRC-64/NVME of every part and of the whole object, which it compares with what it
//! received and keeps. A store that does not know these headers gets `Content-MD5`, and the log says so. `If-None-Match: *`
//! keeps it from overwriting; a store that refuses this header is asked for the key right before instead.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::checksum::{Crc64, content_md5};
use super::parts::{Multipart, Part, Verify};
use super::read::{Head, RUN};
use super::{PartSize, Store, StoreError, StoreErrorKind};

pub(super) const CONTENT_TYPE: &str = "application/gzip";

/// How long aborting may take: a stopped tool has ten seconds in all.
const TIME_TO_ABORT: Duration = Duration::from_secs(5);

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

/// An upload that was begun and, if its process was killed, never ended: what it takes to abort it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// The bucket it is in.
    pub bucket: String,
    /// The key it would have had.
    pub key: String,
    /// The store's name for it.
    pub upload_id: String,
}

/// An upload under way. Dropping it leaves an unfinished upload in the store: end it with [`Upload::complete`] or
/// [`Upload::abort`].
#[derive(Debug)]
pub struct Upload {
    store: Store,
    key: String,
    run: String,
    part_size: PartSize,
    verify: Verify,
    filling: BytesMut,
    multipart: Option<Multipart>,
    whole: Crc64,
    bytes: u64,
}

impl Upload {
    /// An upload to a key where nothing stands. Nothing is sent yet. `run` marks the object as written by this run.
    pub fn new(store: &Store, key: String, run: String, part_size: PartSize) -> Self {
        Self {
            store: store.clone(),
            key,
            run,
            part_size,
            verify: Verify::Crc64,
            filling: BytesMut::with_capacity(part_size.bytes),
            multipart: None,
            whole: Crc64::new(),
            bytes: 0,
        }
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the next bytes, and waits while too many parts are under way. Says when an upload was begun that would have
    /// to be aborted if this process were killed.
    pub async fn write(&mut self, mut bytes: &[u8], begun: impl Fn(&Orphan)) -> Result<(), StoreError> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            // Only when more comes is a full part known not to be the whole object.
            if self.filling.len() == self.part_size.bytes {
                let part = std::mem::replace(&mut self.filling, BytesMut::new()).freeze();
                self.begin(&begun).await?;
                self.send(part).await?;
                self.filling = BytesMut::with_capacity(self.part_size.bytes);
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.part_size.bytes - self.filling.len()));
            self.filling.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Ends the upload: from here on the object is there, whole and compared with what was sent.
    pub async fn complete(&mut self) -> Result<Stored, StoreError> {
        let last = std::mem::take(&mut self.filling).freeze();
        match self.multipart {
            None => self.put(last).await?,
            Some(_) => self.complete_multipart(last).await?,
        }
        self.multipart = None;
        self.verify_stored().await
    }

    /// Gives the upload up: the store forgets what it has of it. After [`Upload::complete`] went well, there is nothing to
    /// give up.
    pub async fn abort(&mut self) {
        if let Some(mut multipart) = self.multipart.take() {
            // A part that arrives after the end of the upload would stay.
            multipart.stop().await;
            self.store.abort_upload(&self.key, multipart.id()).await;
        }
    }

    fn attempt(&self) -> String {
        format!("write {}", self.store.address(&self.key))
    }

    fn fall_back(&mut self, why: &StoreError) {
        log::info!(
            "the store does not verify whole objects ({}): parts go with Content-MD5, sizes are compared",
            why.reason
        );
        self.verify = Verify::Md5;
    }

    /// Begins a multipart upload, once.
    async fn begin(&mut self, begun: impl Fn(&Orphan)) -> Result<(), StoreError> {
        if self.multipart.is_some() {
            return Ok(());
        }
        let id = match self.create(self.verify).await {
            Err(error) if error.kind == StoreErrorKind::NotSupported && self.verify == Verify::Crc64 => {
                self.fall_back(&error);
                self.create(self.verify).await?
            }
            created => created?,
        };
        begun(&Orphan { bucket: self.store.bucket.clone(), key: self.key.clone(), upload_id: id.clone() });
        self.multipart = Some(Multipart::new(id));
        Ok(())
    }

    async fn create(&self, verify: Verify) -> Result<String, StoreError> {
        let (encryption, kms_key) = self.store.server_side_encryption();
        let request = self
            .store
            .s3
            .create_multipart_upload()
            .bucket(&self.store.bucket)
            .key(&self.key)
            .content_type(CONTENT_TYPE)
            .metadata(RUN, &self.run)
            .set_storage_class(self.store.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key);
        let request = match verify {
            Verify::Crc64 => {
                request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject)
            }
            Verify::Md5 => request,
        };
        let created = request.send().await.map_err(|error| StoreError::from_sdk(self.attempt(), &error))?;
        let no_id =
            || StoreError::new(StoreErrorKind::Other, self.attempt(), "the store began an upload without naming it");
        created.upload_id.ok_or_else(no_id)
    }

    /// Sends a part, once there is a place among those under way.
    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        let crc = Crc64::of(&part);
        self.whole.append(&crc);
        let (store, key, attempt) = (self.store.clone(), self.key.clone(), self.attempt());
        let Some(multipart) = &mut self.multipart else { unreachable!("parts are sent after begin") };
        let part = Part { store, key, crc64: crc.base64(), body: part, attempt };
        multipart.send(part, self.part_size, self.verify).await
    }

    async fn put(&mut self, body: Bytes) -> Result<(), StoreError> {
        self.whole.append(&Crc64::of(&body));
        let mut guarded = true;
        loop {
            let Err(error) = self.put_once(body.clone(), guarded).await else { return Ok(()) };
            match error.kind {
                StoreErrorKind::NotSupported if self.verify == Verify::Crc64 => self.fall_back(&error),
                StoreErrorKind::NotSupported if guarded => {
                    self.store.check_free(&self.key).await?;
                    guarded = false;
                }
                _ => return self.settle(error).await,
            }
        }
    }

    async fn put_once(&self, body: Bytes, guarded: bool) -> Result<(), StoreError> {
        let (encryption, kms_key) = self.store.server_side_encryption();
        let request = self
            .store
            .s3
            .put_object()
            .bucket(&self.store.bucket)
            .key(&self.key)
            .content_type(CONTENT_TYPE)
            .metadata(RUN, &self.run)
            .set_storage_class(self.store.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_if_none_match(guarded.then(|| "*".to_owned()));
        let request = match self.verify {
            Verify::Crc64 => request.checksum_crc64_nvme(self.whole.base64()),
            Verify::Md5 => request.content_md5(content_md5(&body)),
        };
        let sent = request.body(ByteStream::from(body)).customize().config_override(self.store.patient()).send().await;
        sent.map(|_| ()).map_err(|error| StoreError::from_sdk(self.attempt(), &error))
    }

    async fn complete_multipart(&mut self, last: Bytes) -> Result<(), StoreError> {
        if !last.is_empty() {
            self.send(last).await?;
        }
        let Some(multipart) = &mut self.multipart else { unreachable!("called for multipart uploads only") };
        multipart.finish_parts().await?;
        let mut guarded = true;
        loop {
            let Err(error) = self.complete_once(guarded).await else { return Ok(()) };
            match error.kind {
                StoreErrorKind::NotSupported if guarded => {
                    self.store.check_free(&self.key).await?;
                    guarded = false;
                }
                _ => return self.settle(error).await,
            }
        }
    }

    async fn complete_once(&self, guarded: bool) -> Result<(), StoreError> {
        let Some(multipart) = &self.multipart else { unreachable!("called for multipart uploads only") };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(multipart.parts())).build();
        let request = self
            .store
            .s3
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(&self.key)
            .upload_id(multipart.id())
            .multipart_upload(parts)
            .set_if_none_match(guarded.then(|| "*".to_owned()));
        let request = match self.verify {
            Verify::Crc64 => request.checksum_crc64_nvme(self.whole.base64()).checksum_type(ChecksumType::FullObject),
            Verify::Md5 => request,
        };
        let completed = request.customize().config_override(self.store.patient()).send().await;
        completed.map(|_| ()).map_err(|error| StoreError::from_sdk(self.attempt(), &error))
    }

    /// The last answer was an error, or was lost: an object that this run wrote, whole, settles it.
    async fn settle(&self, error: StoreError) -> Result<(), StoreError> {
        match self.store.head(&self.key).await {
            Ok(head) if head.run.as_ref() == Some(&self.run) && head.bytes == self.bytes => {
                log::warn!("{error}; but the object is there, whole: the answer was lost");
                Ok(())
            }
            Ok(_) if error.kind != StoreErrorKind::Taken => Err(self.store.taken(&self.key)),
            _ => Err(error),
        }
    }

    /// Compares what the store has with what was sent. What cannot be verified does not stay: nothing that looks like a
    /// backup may be less than one.
    async fn verify_stored(&self) -> Result<Stored, StoreError> {
        let verified = self.store.head(&self.key).await.and_then(|head| self.compare(head));
        if verified.is_err() {
            self.withdraw().await;
        }
        verified
    }

    fn compare(&self, head: Head) -> Result<Stored, StoreError> {
        let mismatch = |reason| {
            Err(StoreError::new(StoreErrorKind::Mismatch, format!("verify {}", self.store.address(&self.key)), reason))
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

    async fn withdraw(&self) {
        let deleted = self.store.s3.delete_object().bucket(&self.store.bucket).key(&self.key).send().await;
        match deleted {
            Ok(_) => log::warn!("{} was deleted again", self.store.address(&self.key)),
            Err(error) => {
                let error = StoreError::from_sdk(format!("delete {}", self.store.address(&self.key)), &error);
                log::error!(
                    "{error}: an object that was not verified stays under the key of a backup; delete it by hand"
                );
            }
        }
    }
}

impl Store {
    /// Aborts an upload that a killed run left behind. `true`: it is gone.
    pub async fn abort_orphan(&self, orphan: &Orphan) -> bool {
        orphan.bucket == self.bucket && self.abort_upload(&orphan.key, &orphan.upload_id).await
    }

    /// Aborts an upload and says so where that fails: what the store keeps of it costs money until it is gone.
    pub(super) async fn abort_upload(&self, key: &str, upload_id: &str) -> bool {
        let request = self.s3.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload_id);
        let aborted = tokio::time::timeout(TIME_TO_ABORT, request.send()).await;
        let error = match aborted {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => {
                StoreError::from_sdk(format!("abort the unfinished upload of {}", self.address(key)), &error)
            }
            Err(_) => StoreError::new(
                StoreErrorKind::TimedOut,
                format!("abort the unfinished upload of {}", self.address(key)),
                "the store did not answer in time",
            ),
        };
        if error.kind == StoreErrorKind::Missing {
            return true;
        }
        log::warn!("{error}");
        log::warn!(
            "hint: what was uploaded stays in the store, unseen, and is paid for. Grant s3:AbortMultipartUpload on the prefix, \
             or give the bucket a lifecycle rule with AbortIncompleteMultipartUpload."
        );
        false
    }
}
