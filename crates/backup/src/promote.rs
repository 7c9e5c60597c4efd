//! Promotion: the first backup of a week and of a month is copied to its folder, by the store itself.
//!
//! The rule is the slot, not the day: if Sunday's or the 1st's run failed, the next success fills it. A stub fills none.

use backup_core::key::{BackupId, Layout, Tier};
use backup_core::process::{Bounds, Cut};
use backup_core::store::{CopyLimits, Store, StoreError, Stored};
use backup_core::unfinished::Unfinished;

/// A tier that the backup was, or should have been, promoted to.
#[derive(Debug)]
pub(crate) struct Promotion {
    pub(crate) tier: Tier,
    pub(crate) key: String,
    pub(crate) address: String,
    pub(crate) result: Result<(), NotPromoted>,
}

/// Why a backup that stands in daily was not copied on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPromoted {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run was ended meanwhile. What was stored before stays.
    #[error(transparent)]
    Cut(#[from] Cut),
}

impl NotPromoted {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Cut(cut) => cut.hint(),
        }
    }
}

/// The tiers whose slot is free for this backup, with the key it would have there.
pub(crate) async fn free_slots(
    store: &Store,
    layout: &Layout,
    id: BackupId,
) -> Result<Vec<(Tier, String)>, StoreError> {
    let mut free = Vec::new();
    for tier in Tier::PROMOTED {
        let id = BackupId { tier, ..id };
        let in_slot = store.list(&layout.slot(id)).await?;
        if !in_slot.iter().any(|object| layout.parse(&object.key).is_some() && !object.is_stub()) {
            free.push((tier, layout.key(id)));
        }
    }
    Ok(free)
}

/// Copies the backup to every free slot. One that fails does not keep the others from being tried.
pub(crate) async fn promote(
    store: &Store,
    stored: &Stored,
    slots: Vec<(Tier, String)>,
    unfinished: &Unfinished,
    bounds: &Bounds,
) -> Vec<Promotion> {
    let mut promotions = Vec::new();
    for (tier, key) in slots {
        let copied = bounds.hold(store.copy(stored, &key, CopyLimits::default(), unfinished)).await;
        let copied = copied.map_err(NotPromoted::from).and_then(|copied| Ok(copied?));
        let address = store.address(&key);
        match &copied {
            Ok(_) => log::info!("promoted to {tier}: {address}"),
            Err(error) => log::error!("not promoted to {tier}: {error}"),
        }
        promotions.push(Promotion { tier, key, address, result: copied.map(|_| ()) });
    }
    promotions
}
