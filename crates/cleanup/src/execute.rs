//! Carrying out a plan: deleting what it says, and what nobody will finish.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use backup_core::figures;
use backup_core::key::{Layout, Tier};
use backup_core::store::{DELETED_AT_ONCE, Deleted, Store, StoreError, StoreErrorKind, UnfinishedUpload};
use time::OffsetDateTime;

use crate::inventory::{Held, What};
use crate::plan::Plan;

/// An upload younger than this may still be under way, or older ones too where `BACKUP_RUN_TIMEOUT` allows longer runs.
const SHORTEST_AGE: Duration = Duration::from_hours(24);

/// What a run has done, so far.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) deleted: u64,
    /// What the store has been, or is about to be, asked to delete.
    asked: u64,
    /// What was to go and still stands, by key: refused, with the store's reason; or the record of a copy that was.
    pub(crate) standing: HashMap<String, Option<StoreError>>,
    /// The bucket keeps versions: what was deleted is hidden, and its bytes are still there.
    pub(crate) hidden: bool,
    /// Keys of unfinished uploads that were aborted.
    pub(crate) aborted: Vec<String>,
    /// Keys of those that could not be.
    pub(crate) left: Vec<String>,
}

impl Done {
    /// Whether the store has been asked to delete anything.
    pub(crate) fn has_begun(&self) -> bool {
        self.asked > 0
    }

    /// Objects that may be gone or not: the run was cut off before the store answered.
    pub(crate) fn unsettled(&self) -> u64 {
        let refused = self.standing.values().filter(|error| error.is_some()).count() as u64;
        (self.asked - self.deleted - refused).min(DELETED_AT_ONCE)
    }
}

/// Deletes what the plan says. Whatever becomes of an object is noted at once, so that a run that is cut off knows what
/// it has done.
pub(crate) async fn delete(store: &Store, plan: &Plan, done: &mut Done) {
    let to_delete = plan.to_delete();
    let split = to_delete.partition_point(|held| matches!(held.what, What::Backup(_)));
    let (backups, records) = to_delete.split_at(split);
    delete_all(store, backups, done).await;
    // While a copy stands, its record tells whose it is and what it proves.
    let standing = backups.iter().filter(|held| done.standing.contains_key(&held.key));
    let copies: HashSet<_> =
        standing.filter(|held| held.tier() == Tier::RecoveryTests).map(|held| held.made()).collect();
    let (spared, records): (Vec<&Held>, Vec<&Held>) =
        records.iter().partition(|record| copies.contains(&record.made()));
    done.standing.extend(spared.into_iter().map(|record| (record.key.clone(), None)));
    delete_all(store, &records, done).await;
}

async fn delete_all(store: &Store, objects: &[&Held], done: &mut Done) {
    let keys: Vec<&str> = objects.iter().map(|held| held.key.as_str()).collect();
    done.asked += keys.len() as u64;
    let told = |key: &str, result: Result<Deleted, StoreError>| match result {
        Ok(Deleted { hidden }) => {
            log::info!("deleted {}", store.address(key));
            done.deleted += 1;
            done.hidden |= hidden;
        }
        Err(error) => {
            log::error!("{error}");
            done.standing.insert(key.to_owned(), Some(error));
        }
    };
    store.delete(&keys, told).await;
}

/// Uploads to keys of ours that nobody will finish any more. Where the store does not let us look, that is said and is no
/// failure: backups abort their own. A copy of another database's restore test, which has no name, is as forgotten as ours.
pub(crate) async fn forgotten_uploads(
    store: &Store,
    layout: &Layout,
    now: OffsetDateTime,
    longest_run: Duration,
) -> Vec<UnfinishedUpload> {
    match store.unfinished_uploads(&layout.prefix().as_folder()).await {
        Ok(unfinished) => {
            let oldest_under_way = now - SHORTEST_AGE.max(longest_run);
            let is_forgotten = |upload: &UnfinishedUpload| {
                layout.parse(&upload.upload.key).is_some() && upload.begun < oldest_under_way
            };
            unfinished.into_iter().filter(is_forgotten).collect()
        }
        Err(error) if matches!(error.kind, StoreErrorKind::Denied | StoreErrorKind::NotSupported) => {
            log::info!(
                "unfinished uploads are not looked for: {error} (it takes s3:ListBucketMultipartUploads; a lifecycle rule \
                 with AbortIncompleteMultipartUpload does the same)"
            );
            Vec::new()
        }
        Err(error) => {
            log::warn!("unfinished uploads are not looked for: {error}");
            Vec::new()
        }
    }
}

/// Aborts them. One that cannot be aborted is in the log, with what to do, and is tried again next time.
pub(crate) async fn abort(store: &Store, forgotten: Vec<UnfinishedUpload>, done: &mut Done) {
    for UnfinishedUpload { upload, begun } in forgotten {
        if store.abort_orphan(&upload).await {
            log::info!(
                "aborted the unfinished upload of {}, begun {}",
                store.address(&upload.key),
                figures::instant(begun)
            );
            done.aborted.push(upload.key);
        } else {
            done.left.push(upload.key);
        }
    }
}
