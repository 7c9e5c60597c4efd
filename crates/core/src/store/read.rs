//! Reading back: what the store says of an object, and its end.

use aws_sdk_s3::types::ChecksumMode;

use super::error::Attempt;
use super::range::{GET, Range};
use super::{Store, StoreError, StoreErrorKind};

/// What the store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) bytes: u64,
    /// CRC-64/NVME of the whole object, where the store keeps it.
    pub(super) crc64: Option<String>,
    /// Its entity tag: another object under the same key has another one.
    pub(super) e_tag: Option<String>,
    /// The mark of the run that wrote it.
    pub(super) run: Option<String>,
}

/// Eight bytes in base64. A checksum of the parts' checksums has the number of parts behind a hyphen, and some stores
/// answer with another checksum under this name: neither says anything about the whole object.
fn is_crc64(text: &str) -> bool {
    aws_smithy_types::base64::decode(text).is_ok_and(|bytes| bytes.len() == 8)
}

/// The user metadata under which an object carries the mark of the run that wrote it.
pub(super) const RUN: &str = "backup-run";

impl Store {
    /// Looks at an object.
    pub(super) async fn head(&self, key: &str) -> Result<Head, StoreError> {
        let attempt = || Attempt::new(format!("look at {}", self.address(key)), GET);
        let request = self.s3.head_object().bucket(&self.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let head = request.send().await.map_err(|error| StoreError::from_sdk(attempt(), &error))?;
        let bytes = head.content_length.and_then(|bytes| u64::try_from(bytes).ok());
        let no_size = || StoreError::new(StoreErrorKind::NotS3, attempt(), "the answer does not name the size");
        Ok(Head {
            bytes: bytes.ok_or_else(no_size)?,
            crc64: head.checksum_crc64_nvme.filter(|crc| is_crc64(crc)),
            e_tag: head.e_tag,
            run: head.metadata.and_then(|mut metadata| metadata.remove(RUN)),
        })
    }

    /// The bytes from `start` to `end` (not included) of an object. They are held in memory.
    pub async fn read_range(&self, key: &str, start: u64, end: u64) -> Result<Vec<u8>, StoreError> {
        if start >= end {
            return Ok(Vec::new());
        }
        let read = self.read(Range { key, start, end, e_tag: None });
        let timed_out =
            || StoreError::new(StoreErrorKind::TimedOut, self.to_read(key), "the store did not answer in time");
        let bytes = tokio::time::timeout(self.small_request() * 10, read).await.map_err(|_| timed_out())??;
        Ok(bytes.into())
    }
}
