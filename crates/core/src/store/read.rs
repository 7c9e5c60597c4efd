//! Reading back: what the store says of an object, and its end.

use aws_sdk_s3::types::ChecksumMode;

use super::{Store, StoreError, StoreErrorKind};

/// What the store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) bytes: u64,
    /// CRC-64/NVME of the whole object, where the store keeps it.
    pub(super) crc64: Option<String>,
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
        let request = self.s3.head_object().bucket(&self.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let head = request.send().await;
        let head = head.map_err(|error| StoreError::from_sdk(format!("look at {}", self.address(key)), &error))?;
        Ok(Head {
            bytes: head.content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
            crc64: head.checksum_crc64_nvme.filter(|crc| is_crc64(crc)),
            run: head.metadata.and_then(|mut metadata| metadata.remove(RUN)),
        })
    }

    /// The bytes from `start` to `end` (not included) of an object.
    pub async fn read_range(&self, key: &str, start: u64, end: u64) -> Result<Vec<u8>, StoreError> {
        let attempt = || format!("read {}", self.address(key));
        let limit = self.small_request() * 10;
        let read = async {
            let range = format!("bytes={start}-{}", end.saturating_sub(1));
            let answer = self.s3.get_object().bucket(&self.bucket).key(key).range(range).send().await;
            let answer = answer.map_err(|error| StoreError::from_sdk(attempt(), &error))?;
            let body = answer.body.collect().await;
            body.map(aws_smithy_types::byte_stream::AggregatedBytes::to_vec)
                .map_err(|error| StoreError::new(StoreErrorKind::Unreachable, attempt(), error.to_string()))
        };
        let timed_out = || StoreError::new(StoreErrorKind::TimedOut, attempt(), "the store did not answer in time");
        let bytes = tokio::time::timeout(limit, read).await.map_err(|_| timed_out())??;
        if bytes.len() as u64 == end - start {
            Ok(bytes)
        } else {
            let reason = format!("{} bytes came instead of {}", bytes.len(), end - start);
            Err(StoreError::new(StoreErrorKind::Mismatch, attempt(), reason))
        }
    }
}
