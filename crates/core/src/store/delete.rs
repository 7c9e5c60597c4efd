//! Deleting many objects: in batches, each refusal by its key.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::delete_objects::{DeleteObjectsError, DeleteObjectsOutput};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures_util::StreamExt;

use super::checksum::content_md5;
use super::{Attempt, Store, StoreError, StoreErrorKind};

/// The most keys that one request may name (S3: `DeleteObjects`), and so the most whose fate can be unknown.
const BATCH: usize = 1000;

/// The most objects that are being deleted at any moment.
pub const DELETED_AT_ONCE: u64 = BATCH as u64;

/// The permission that deleting takes.
const PERMISSION: &str = "s3:DeleteObject on the prefix";

/// Objects that are deleted at the same time, where the store knows no batches.
const AT_ONCE: usize = 8;

/// Before each new try of keys that the store was too busy for. The SDK retries requests, not the keys inside them.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// An object that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// The bucket keeps versions: the object is hidden behind a marker, and its bytes are still there.
    pub hidden: bool,
}

/// Keys whose fate is not known yet, and why not.
struct Unsettled<'k> {
    keys: Vec<&'k str>,
    error: StoreError,
}

impl Store {
    /// Deletes the objects, the current versions where the bucket keeps versions, and tells of each by its key what
    /// became of it. One that was gone already counts as deleted.
    pub async fn delete(&self, keys: &[&str], mut told: impl FnMut(&str, Result<Deleted, StoreError>)) {
        let mut in_batches = true;
        // Once the store is out of reach, the SDK has tried for a minute: with all that is left, it would for hours.
        let mut out_of_reach: Option<StoreError> = None;
        for batch in keys.chunks(BATCH) {
            let unsettled = match &out_of_reach {
                Some(error) => Err(Unsettled { keys: batch.to_vec(), error: error.clone() }),
                None if in_batches => self.delete_batch(batch, &mut told).await,
                None => {
                    self.delete_singly(batch, &mut told).await;
                    Ok(())
                }
            };
            let Err(Unsettled { keys, error }) = unsettled else { continue };
            if knows_no_batches(error.kind) {
                log::warn!("{error}: deleting one by one");
                in_batches = false;
                self.delete_singly(&keys, &mut told).await;
                continue;
            }
            for key in keys {
                told(key, Err(StoreError { attempt: self.attempt_to_delete(key), ..error.clone() }));
            }
            out_of_reach = Some(error).filter(|error| error.kind != StoreErrorKind::Denied);
        }
    }

    async fn delete_batch<'k>(
        &self,
        keys: &[&'k str],
        told: &mut impl FnMut(&str, Result<Deleted, StoreError>),
    ) -> Result<(), Unsettled<'k>> {
        let mut left = keys.to_vec();
        let mut pauses = PAUSES.iter();
        loop {
            let mut answer = match self.ask_to_delete(&left).await {
                Ok(answer) => answer,
                Err(error) => return Err(Unsettled { keys: left, error }),
            };
            let mut again = Vec::new();
            let pause = pauses.next();
            for key in left {
                match answer.of(self, key) {
                    Err(error) if error.kind == StoreErrorKind::Busy && pause.is_some() => again.push(key),
                    settled => told(key, settled),
                }
            }
            left = again;
            match pause {
                Some(pause) if !left.is_empty() => tokio::time::sleep(*pause).await,
                _ => return Ok(()),
            }
        }
    }

    async fn ask_to_delete(&self, keys: &[&str]) -> Result<Answer, StoreError> {
        let attempt = || Attempt::new(format!("delete {} objects in s3://{}", keys.len(), self.bucket), PERMISSION);
        let failed = |error: &SdkError<_>| StoreError::from_sdk(attempt(), error);
        let identifiers = keys.iter().map(|key| ObjectIdentifier::builder().key(*key).build());
        let identifiers: Result<Vec<_>, _> = identifiers.collect();
        let delete = identifiers.and_then(|keys| Delete::builder().set_objects(Some(keys)).build());
        let delete = delete.map_err(|error| StoreError::new(StoreErrorKind::Other, attempt(), error.to_string()))?;
        let request = self.s3.delete_objects().bucket(&self.bucket).delete(delete).customize();
        let request = request.config_override(self.patient::<DeleteObjectsError>()).mutate_request(|request| {
            // The SDK sends a newer checksum, which AWS takes as well; older stores insist on this one.
            if let Some(md5) = request.body().bytes().map(content_md5) {
                request.headers_mut().insert("content-md5", md5);
            }
        });
        request.send().await.map(Answer::new).map_err(|error| failed(&error))
    }

    async fn delete_singly(&self, keys: &[&str], told: &mut impl FnMut(&str, Result<Deleted, StoreError>)) {
        let delete = |key| async move {
            let deleted = self.s3.delete_object().bucket(&self.bucket).key(key).send().await;
            let settled = match deleted {
                Ok(deleted) => Ok(Deleted { hidden: deleted.delete_marker == Some(true) }),
                Err(error) => match StoreError::from_sdk(self.attempt_to_delete(key), &error) {
                    error if error.kind == StoreErrorKind::Missing => Ok(Deleted { hidden: false }),
                    error => Err(error),
                },
            };
            (key, settled)
        };
        let mut settled = futures_util::stream::iter(keys.iter().copied()).map(delete).buffer_unordered(AT_ONCE);
        while let Some((key, settled)) = settled.next().await {
            told(key, settled);
        }
    }

    fn attempt_to_delete(&self, key: &str) -> Attempt {
        Attempt::new(format!("delete {}", self.address(key)), PERMISSION)
    }
}

/// Whether the store refused the request for what it is, so that single ones may do better.
fn knows_no_batches(kind: StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::NotSupported | StoreErrorKind::Other | StoreErrorKind::Mismatch)
}

/// The answer to a batch, by key.
struct Answer {
    deleted: HashMap<String, Deleted>,
    refused: HashMap<String, (String, String)>,
}

impl Answer {
    fn new(answer: DeleteObjectsOutput) -> Self {
        let deleted = answer.deleted.unwrap_or_default().into_iter();
        let refused = answer.errors.unwrap_or_default().into_iter();
        Self {
            deleted: deleted
                .filter_map(|object| Some((object.key?, Deleted { hidden: object.delete_marker == Some(true) })))
                .collect(),
            refused: refused
                .filter_map(|error| {
                    Some((error.key?, (error.code.unwrap_or_default(), error.message.unwrap_or_default())))
                })
                .collect(),
        }
    }

    fn of(&mut self, store: &Store, key: &str) -> Result<Deleted, StoreError> {
        let attempt = || store.attempt_to_delete(key);
        match (self.refused.remove(key), self.deleted.remove(key)) {
            (Some((code, message)), _) => Err(StoreError::from_code(attempt(), &code, &message)),
            (None, Some(deleted)) => Ok(deleted),
            (None, None) => {
                let reason = "the store did not say what became of it";
                Err(StoreError::new(StoreErrorKind::Other, attempt(), reason))
            }
        }
    }
}
