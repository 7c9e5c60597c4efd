//! A backup that is not there: whoever typed it wants to know what is.

use backup_core::key::{BackupId, Layout, Tier};
use backup_core::store::{Object, Pick, Store, StoreError, StoreErrorKind, Wanted};

use crate::error::Error;

/// How many of the backups that there are the error names.
const NAMED: usize = 3;

/// The error, and what there is instead, where that can be told: the newest, or for whoever went too far back, the oldest.
pub(crate) async fn or_what_there_is(error: StoreError, wanted: &Wanted, store: &Store, layout: &Layout) -> Error {
    if error.kind != StoreErrorKind::Missing {
        return error.into();
    }
    let mut all: Vec<(Object, BackupId)> = Vec::new();
    for tier in Tier::OF_BACKUPS {
        // A store that cannot be asked now has been asked before: what is known has to do.
        all.extend(store.backups(layout, tier).await.unwrap_or_default());
    }
    all.sort_by_key(|(_, id)| (std::cmp::Reverse(id.taken), id.tier));
    all.dedup_by_key(|(_, id)| id.taken);
    let end = if matches!(wanted, Wanted::Stored(Pick::Before(_))) { "oldest" } else { "newest" };
    if end == "oldest" {
        all.reverse();
    }
    let there = all.into_iter().take(NAMED).map(|(object, _)| object.key).collect();
    Error::NotFound { missing: Box::new(error), end, there }
}
