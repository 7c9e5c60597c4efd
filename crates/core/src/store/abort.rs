//! Taking back: uploads that will not be completed, and objects that turned out not to be what was sent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Attempt;
use super::{Remains, Store, StoreError, StoreErrorKind};

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

/// Keeps track of uploads, so that one whose process was killed can be aborted later.
pub trait Ledger {
    /// An upload was begun: if this process were killed now, it would have to be aborted.
    fn begun(&self, upload: &Orphan);

    /// It was completed or aborted.
    fn ended(&self, upload: &Orphan);
}

/// How long aborting what an earlier run left behind may take.
const TIME_TO_ABORT: Duration = Duration::from_secs(5);

/// How often an upload is aborted whose parts may still be arriving, and the pause between.
const ABORTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

impl Store {
    /// Aborts an upload that a killed run left behind. `true`: it is gone.
    pub async fn abort_orphan(&self, orphan: &Orphan) -> bool {
        orphan.bucket == self.bucket && self.abort(orphan, false, TIME_TO_ABORT).await
    }

    /// Aborts an upload and says so where that fails: what the store keeps of it costs money until it is gone. `true`: it is
    /// gone.
    ///
    /// A part that was under way when it was aborted may still be kept (S3 API: `AbortMultipartUpload`, "it might be
    /// necessary to abort a given multipart upload multiple times"); so such an upload is aborted until the store no longer
    /// knows it.
    pub(super) async fn abort(&self, upload: &Orphan, parts_under_way: bool, within: Duration) -> bool {
        let attempt = Attempt::new(
            format!("abort the unfinished upload of {}", self.address(&upload.key)),
            "s3:AbortMultipartUpload on the prefix",
        );
        let times = if parts_under_way { ABORTS } else { 1 };
        let aborted = tokio::time::timeout(within, async {
            for time in 1..=times {
                let request = self.s3.abort_multipart_upload().bucket(&self.bucket).key(&upload.key);
                match request.upload_id(&upload.upload_id).send().await {
                    Ok(_) if time < times => tokio::time::sleep(PAUSE).await,
                    Ok(_) => {}
                    Err(error) => return Err(StoreError::from_sdk(attempt.clone(), &error)),
                }
            }
            Ok(())
        });
        let error = match aborted.await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) if error.kind == StoreErrorKind::Missing => return true,
            Ok(Err(error)) => error,
            Err(_) => StoreError::new(StoreErrorKind::TimedOut, attempt, "the store did not answer in time"),
        };
        log::warn!("{error}");
        log::warn!(
            "hint: what was uploaded stays in the store, unseen, and is paid for; the next run tries again to abort it. Grant \
             s3:AbortMultipartUpload on the prefix, or give the bucket a lifecycle rule with AbortIncompleteMultipartUpload."
        );
        false
    }

    /// Deletes an object that we wrote and that is not what it should be. What stays is told, and is for a person to delete.
    pub(super) async fn withdraw(&self, key: &str) -> Result<(), Remains> {
        match self.s3.delete_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => {
                log::warn!("{} was deleted again", self.address(key));
                Ok(())
            }
            Err(error) => {
                let attempt = Attempt::new(format!("delete {}", self.address(key)), "s3:DeleteObject on the prefix");
                log::error!("{}", StoreError::from_sdk(attempt, &error));
                Err(self.remains(key))
            }
        }
    }

    /// What may stand under a key.
    pub(super) fn remains(&self, key: &str) -> Remains {
        Remains(self.address(key))
    }
}
