//! Copies made by the store itself, from one key of ours to another.

use std::time::Duration;

use aws_sdk_s3::operation::copy_object::CopyObjectError;
use aws_sdk_s3::operation::upload_part_copy::UploadPartCopyError;
use aws_sdk_s3::types::CompletedPart;
use futures_util::{StreamExt, TryStreamExt};

use super::error::Attempt;
use super::read::Head;
use super::upload::Stored;
use super::way::{Verify, Way};
use super::{Ledger, Orphan, Store, StoreError, StoreErrorKind};

/// Where the store's own limits are. Tests set smaller ones.
#[derive(Debug, Clone, Copy)]
pub struct CopyLimits {
    /// The largest object that one request copies. S3: "up to 5 GB", which is 5 GiB.
    pub whole: u64,
    /// Bytes per part of a larger copy.
    pub part: u64,
}

impl Default for CopyLimits {
    fn default() -> Self {
        Self { whole: 5 << 30, part: 1 << 30 }
    }
}

/// Parts of a copy that the store works on at once.
const AT_ONCE: usize = 4;

/// How long it may take to abort a copy that failed.
const TIME_TO_ABORT: Duration = Duration::from_secs(30);

impl Store {
    /// Copies a verified object to a key where nothing stands, with its metadata, in the storage class and with the
    /// encryption that the settings name, and verifies the copy.
    pub async fn copy(
        &self,
        from: &Stored,
        to: &str,
        limits: CopyLimits,
        ledger: &impl Ledger,
    ) -> Result<Stored, StoreError> {
        self.check_free(to).await?;
        let copied = if from.bytes <= limits.whole {
            Way::first_taken(Verify::Md5, async |way| self.copy_whole(from, to, way).await).await.map(|_| ())
        } else {
            self.copy_in_parts(from, to, limits.part, ledger).await
        };
        let verified = self.head(to).await.and_then(|head| self.compare_copy(from, to, &head).map(|()| head));
        match (copied, verified) {
            (Ok(()), Ok(head)) => Ok(Stored { key: to.to_owned(), crc64: head.crc64, ..from.clone() }),
            (Ok(()), Err(error)) => {
                let remains = self.withdraw(to).await.err().map(Box::new);
                Err(StoreError { remains, ..error })
            }
            (Err(error), Ok(head)) if head.run.as_ref() == Some(&from.run) => {
                log::warn!("{error}; but the copy is there, whole: the answer was lost");
                Ok(Stored { key: to.to_owned(), crc64: head.crc64, ..from.clone() })
            }
            (Err(error), _) => Err(error),
        }
    }

    fn compare_copy(&self, from: &Stored, to: &str, head: &Head) -> Result<(), StoreError> {
        let mismatch = |reason| Err(StoreError::new(StoreErrorKind::Mismatch, self.to_copy(to), reason));
        match (&from.crc64, &head.crc64) {
            _ if head.bytes != from.bytes => {
                mismatch(format!("the copy has {} bytes, the original {}", head.bytes, from.bytes))
            }
            (Some(ours), Some(theirs)) if ours != theirs => {
                mismatch(format!("the copy has checksum {theirs}, the original {ours}"))
            }
            _ => Ok(()),
        }
    }

    fn to_copy(&self, to: &str) -> Attempt {
        Attempt::new(format!("copy the backup to {}", self.address(to)), "s3:GetObject and s3:PutObject on the prefix")
    }

    /// `BUCKET/KEY` as the header wants it, of an access point `ARN/object/KEY`. Keys of ours hold nothing else that an URL
    /// would read differently.
    fn source(&self, key: &str) -> String {
        let key = key.replace('%', "%25");
        if self.bucket.starts_with("arn:") {
            format!("{}/object/{key}", self.bucket)
        } else {
            format!("{}/{key}", self.bucket)
        }
    }

    async fn copy_whole(&self, from: &Stored, to: &str, way: Way) -> Result<(), StoreError> {
        let (encryption, kms_key) = self.server_side_encryption();
        let request = self
            .s3
            .copy_object()
            .bucket(&self.bucket)
            .key(to)
            .copy_source(self.source(&from.key))
            .set_storage_class(self.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_if_none_match(way.if_none_match());
        let copied = request.customize().config_override(self.patient::<CopyObjectError>()).send().await;
        copied.map(|_| ()).map_err(|error| StoreError::from_sdk(self.to_copy(to), &error))
    }

    async fn copy_in_parts(&self, from: &Stored, to: &str, part: u64, ledger: &impl Ledger) -> Result<(), StoreError> {
        let verify = if from.crc64.is_some() { Verify::Crc64 } else { Verify::Md5 };
        let (upload, verify) = self.begin(to, &from.run, verify).await?;
        ledger.begun(&upload);
        let copied = async {
            let parts = self.copy_parts(from, &upload, part).await?;
            let complete = async |way| self.complete(&upload, parts.clone(), from.crc64.as_deref(), way).await;
            Way::first_taken(verify, complete).await.map(|_| ())
        };
        let copied = copied.await;
        if copied.is_ok() || self.abort(&upload, true, TIME_TO_ABORT).await {
            ledger.ended(&upload);
        }
        copied
    }

    async fn copy_parts(&self, from: &Stored, upload: &Orphan, part: u64) -> Result<Vec<CompletedPart>, StoreError> {
        let starts = (0..from.bytes).step_by(part as usize);
        let mut parts: Vec<CompletedPart> = futures_util::stream::iter(starts.zip(1..))
            .map(|(start, number)| async move {
                let end = (start + part).min(from.bytes) - 1;
                let request = self
                    .s3
                    .upload_part_copy()
                    .bucket(&self.bucket)
                    .key(&upload.key)
                    .upload_id(&upload.upload_id)
                    .part_number(number)
                    .copy_source(self.source(&from.key))
                    .copy_source_range(format!("bytes={start}-{end}"));
                let copied = request.customize().config_override(self.patient::<UploadPartCopyError>()).send().await;
                let copied = copied.map_err(|error| StoreError::from_sdk(self.to_copy(&upload.key), &error))?;
                let e_tag = copied.copy_part_result.and_then(|result| result.e_tag);
                Ok::<_, StoreError>(CompletedPart::builder().part_number(number).set_e_tag(e_tag).build())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        parts.sort_by_key(|part| part.part_number);
        Ok(parts)
    }
}
