//! Copies made by the store itself, from one key of ours to another.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt};

use super::upload::{Orphan, Stored};
use super::{Store, StoreError, StoreErrorKind};

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

impl Store {
    /// Copies a verified object to a key where nothing stands, with its metadata, in the storage class and with the
    /// encryption that the settings name, and verifies the copy. Says when an upload was begun that would have to be
    /// aborted if this process were killed.
    pub async fn copy(
        &self,
        from: &Stored,
        to: &str,
        limits: CopyLimits,
        begun: impl Fn(&Orphan),
    ) -> Result<Stored, StoreError> {
        self.check_free(to).await?;
        if from.bytes <= limits.whole {
            self.copy_whole(from, to).await?;
        } else {
            self.copy_in_parts(from, to, limits.part, begun).await?;
        }
        let head = self.head(to).await?;
        let same_checksum = match (&from.crc64, &head.crc64) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        if head.bytes == from.bytes && same_checksum {
            return Ok(Stored { key: to.to_owned(), ..from.clone() });
        }
        let reason = format!("the copy has {} bytes, the original {}", head.bytes, from.bytes);
        Err(StoreError::new(StoreErrorKind::Mismatch, self.attempt(to), reason))
    }

    fn attempt(&self, to: &str) -> String {
        format!("copy the backup to {}", self.address(to))
    }

    /// `BUCKET/KEY` as the header wants it. Keys of ours hold nothing else that an URL would read differently.
    fn source(&self, key: &str) -> String {
        format!("{}/{}", self.bucket, key.replace('%', "%25"))
    }

    async fn copy_whole(&self, from: &Stored, to: &str) -> Result<(), StoreError> {
        let (encryption, kms_key) = self.server_side_encryption();
        let request = self
            .s3
            .copy_object()
            .bucket(&self.bucket)
            .key(to)
            .copy_source(self.source(&from.key))
            .set_storage_class(self.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key);
        let copied = request.customize().config_override(self.patient()).send().await;
        copied.map(|_| ()).map_err(|error| StoreError::from_sdk(self.attempt(to), &error))
    }

    async fn copy_in_parts(
        &self,
        from: &Stored,
        to: &str,
        part: u64,
        begun: impl Fn(&Orphan),
    ) -> Result<(), StoreError> {
        let (encryption, kms_key) = self.server_side_encryption();
        let created = self
            .s3
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(to)
            .content_type(super::upload::CONTENT_TYPE)
            .metadata(super::read::RUN, &from.run)
            .set_storage_class(self.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .send()
            .await
            .map_err(|error| StoreError::from_sdk(self.attempt(to), &error))?;
        let id = created.upload_id.unwrap_or_default();
        begun(&Orphan { bucket: self.bucket.clone(), key: to.to_owned(), upload_id: id.clone() });
        let copied = self.copy_parts(from, to, part, &id).await;
        if copied.is_err() {
            self.abort_upload(to, &id).await;
        }
        copied
    }

    async fn copy_parts(&self, from: &Stored, to: &str, part: u64, id: &str) -> Result<(), StoreError> {
        let starts = (0..from.bytes).step_by(part as usize);
        let mut parts: Vec<CompletedPart> = futures_util::stream::iter(starts.zip(1..))
            .map(|(start, number)| async move {
                let end = (start + part).min(from.bytes) - 1;
                let request = self
                    .s3
                    .upload_part_copy()
                    .bucket(&self.bucket)
                    .key(to)
                    .upload_id(id)
                    .part_number(number)
                    .copy_source(self.source(&from.key))
                    .copy_source_range(format!("bytes={start}-{end}"));
                let copied = request.customize().config_override(self.patient()).send().await;
                let copied = copied.map_err(|error| StoreError::from_sdk(self.attempt(to), &error))?;
                let e_tag = copied.copy_part_result.and_then(|result| result.e_tag);
                Ok::<_, StoreError>(CompletedPart::builder().part_number(number).set_e_tag(e_tag).build())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        parts.sort_by_key(|part| part.part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request =
            self.s3.complete_multipart_upload().bucket(&self.bucket).key(to).upload_id(id).multipart_upload(parts);
        let completed = request.customize().config_override(self.patient()).send().await;
        completed.map(|_| ()).map_err(|error| StoreError::from_sdk(self.attempt(to), &error))
    }
}
