//! The parts of a multipart upload: numbered, several under way at once, each sent again with the same bytes.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use tokio::task::JoinSet;

use super::checksum::content_md5;
use super::part_size::MAX_PARTS;
use super::{PartSize, Store, StoreError, StoreErrorKind};

/// How the store verifies what it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// A checksum of the whole object, and of every part.
    Crc64,
    /// `Content-MD5` of every request.
    Md5,
}

/// A multipart upload that was begun.
#[derive(Debug)]
pub(super) struct Multipart {
    id: String,
    under_way: JoinSet<Result<CompletedPart, StoreError>>,
    done: Vec<CompletedPart>,
    numbers: i32,
}

impl Multipart {
    pub(super) fn new(id: String) -> Self {
        Self { id, under_way: JoinSet::new(), done: Vec::new(), numbers: 0 }
    }

    /// The store's name for the upload.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Sends the next part, once there is a place among those under way.
    pub(super) async fn send(&mut self, part: Part, size: PartSize, verify: Verify) -> Result<(), StoreError> {
        if self.numbers as u64 == MAX_PARTS {
            let reason = format!(
                "the dump outgrew {MAX_PARTS} parts of {} bytes, which were chosen for twice the size of the database",
                size.bytes
            );
            return Err(StoreError::new(StoreErrorKind::Other, part.attempt, reason));
        }
        if self.under_way.len() == size.at_once {
            self.collect_one().await?;
        }
        self.numbers += 1;
        self.under_way.spawn(part.send(self.id.clone(), self.numbers, verify));
        Ok(())
    }

    /// Waits for all parts.
    pub(super) async fn finish_parts(&mut self) -> Result<(), StoreError> {
        while !self.under_way.is_empty() {
            self.collect_one().await?;
        }
        self.done.sort_by_key(|part| part.part_number);
        Ok(())
    }

    /// The parts that the store has, in order once they are finished.
    pub(super) fn parts(&self) -> Vec<CompletedPart> {
        self.done.clone()
    }

    /// Stops what is under way.
    pub(super) async fn stop(&mut self) {
        self.under_way.shutdown().await;
    }

    async fn collect_one(&mut self) -> Result<(), StoreError> {
        match self.under_way.join_next().await {
            Some(Ok(part)) => self.done.push(part?),
            // A part's task is not cancelled while the upload goes on; if it panicked, so do we.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => {}
        }
        Ok(())
    }
}

/// A part on its way.
pub(super) struct Part {
    pub(super) store: Store,
    pub(super) key: String,
    pub(super) crc64: String,
    pub(super) body: Bytes,
    pub(super) attempt: String,
}

impl Part {
    async fn send(self, upload_id: String, number: i32, verify: Verify) -> Result<CompletedPart, StoreError> {
        let request = self
            .store
            .s3
            .upload_part()
            .bucket(&self.store.bucket)
            .key(&self.key)
            .upload_id(upload_id)
            .part_number(number);
        let part = CompletedPart::builder().part_number(number);
        let (request, part) = match verify {
            Verify::Crc64 => (request.checksum_crc64_nvme(&self.crc64), part.checksum_crc64_nvme(&self.crc64)),
            Verify::Md5 => (request.content_md5(content_md5(&self.body)), part),
        };
        let sent =
            request.body(ByteStream::from(self.body)).customize().config_override(self.store.patient()).send().await;
        let sent = sent.map_err(|error| StoreError::from_sdk(format!("{}, part {number}", self.attempt), &error))?;
        Ok(part.set_e_tag(sent.e_tag).build())
    }
}
