//! Uploads that were begun and never finished: unseen by listings, and paid for.

use std::collections::HashSet;

use aws_sdk_s3::types::EncodingType;
use time::OffsetDateTime;

use super::list::decode;
use super::{Attempt, Orphan, Store, StoreError, StoreErrorKind};

/// An upload that is under way, or was forgotten.
#[derive(Debug, Clone)]
pub struct UnfinishedUpload {
    /// What to abort.
    pub upload: Orphan,
    /// When it was begun, by the store's clock.
    pub begun: OffsetDateTime,
}

impl Store {
    /// The multipart uploads to keys that start so. Needs a right of its own (`s3:ListBucketMultipartUploads`).
    pub async fn unfinished_uploads(&self, prefix: &str) -> Result<Vec<UnfinishedUpload>, StoreError> {
        let words = format!("look for unfinished uploads under {}", self.address(prefix));
        let attempt = || Attempt::new(words.clone(), "s3:ListBucketMultipartUploads on the bucket");
        let mut found = Vec::new();
        let mut marker = (None, None);
        let mut markers = HashSet::new();
        loop {
            let request = self.s3.list_multipart_uploads().bucket(&self.bucket).prefix(prefix);
            let request = request.encoding_type(EncodingType::Url);
            let request = request.set_key_marker(marker.0.clone()).set_upload_id_marker(marker.1.clone());
            let page = request.send().await.map_err(|error| StoreError::from_sdk(attempt(), &error))?;
            let encoded = page.encoding_type == Some(EncodingType::Url);
            let read = |key: String| if encoded { decode(&key) } else { key };
            found.extend(page.uploads.unwrap_or_default().into_iter().filter_map(|upload| {
                let begun = OffsetDateTime::from_unix_timestamp(upload.initiated?.secs()).ok()?;
                let (key, upload_id) = (read(upload.key?), upload.upload_id?);
                Some(UnfinishedUpload { upload: Orphan { bucket: self.bucket.clone(), key, upload_id }, begun })
            }));
            if page.is_truncated != Some(true) {
                return Ok(found);
            }
            let next = (page.next_key_marker.map(read), page.next_upload_id_marker);
            if next.0.is_none() || !markers.insert(next.clone()) {
                let reason = "the store says that there is more, and not how to ask for it";
                return Err(StoreError::new(StoreErrorKind::Other, attempt(), reason));
            }
            marker = next;
        }
    }
}
