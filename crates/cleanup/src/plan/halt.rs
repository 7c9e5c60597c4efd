//! What keeps a cleanup from deleting anything at all.

use std::time::Duration;

use backup_core::figures;
use backup_core::key::{BackupId, Tier, local_time};
use backup_core::store::ClocksDiffer;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::{Clock, Policy};
use crate::inventory::Held;

/// How far two clocks may differ. The store refuses signatures that are more than 15 minutes off, where it looks at all.
const ONE_HOUR: time::Duration = time::Duration::HOUR;

/// How much earlier than its own key says the store may have received a backup: local times of two zones differ by up
/// to 26 hours.
const TWO_DAYS: time::Duration = time::Duration::days(2);

/// Why nothing at all is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The store's clock and ours.
    ClocksDiffer(ClocksDiffer),
    /// A backup was made after now.
    FromTheFuture { key: String, made: PrimitiveDateTime },
    /// The store received the newest backup before it was made, or after now.
    ReceivedElsewhen { key: String, made: PrimitiveDateTime, received: OffsetDateTime },
    /// The newest daily backup is too old.
    Stopped { newest: PrimitiveDateTime, age: Duration, limit: Duration },
    /// There is no daily backup.
    NoDaily,
}

/// Looks for a reason, the worst first. The objects are sorted, the newest of a tier first.
pub(super) fn find(objects: &[Held], policy: &Policy, clock: &Clock) -> Option<Halt> {
    let ours = clock.now;
    if let Some(differ) = ClocksDiffer::beyond(ONE_HOUR, ours, clock.store) {
        return Some(Halt::ClocksDiffer(differ));
    }
    let local = local_time(ours);
    if let Some(held) = objects.iter().find(|held| held.made() - local > ONE_HOUR) {
        return Some(Halt::FromTheFuture { key: held.key.clone(), made: held.made() });
    }
    let newest = objects.iter().find(|held| matches!(held.backup(), Some(BackupId { tier: Tier::Daily, .. })));
    let Some(newest) = newest else { return Some(Halt::NoDaily) };
    let made = newest.made();
    let age = Duration::try_from(local - made).unwrap_or_default();
    if age > policy.stopped_after {
        return Some(Halt::Stopped { newest: made, age, limit: policy.stopped_after });
    }
    let stamped = made.assume_offset(ours.offset());
    newest
        .received
        .filter(|received| stamped - *received > TWO_DAYS || *received - ours > ONE_HOUR)
        .map(|received| Halt::ReceivedElsewhen { key: newest.key.clone(), made, received })
}

impl Halt {
    /// What is wrong, in one sentence.
    pub(crate) fn says(&self) -> String {
        match self {
            Self::ClocksDiffer(differ) => differ.to_string(),
            Self::FromTheFuture { key, made } => {
                format!(
                    "{key} was made on {}, which is still to come: a clock is, or was, wrong",
                    figures::local(*made)
                )
            }
            Self::ReceivedElsewhen { key, made, received } => format!(
                "{key} was made on {} by our clock, and received on {} by the store's",
                figures::local(*made),
                figures::instant(*received)
            ),
            Self::Stopped { newest, age, limit } => format!(
                "backups have stopped: the newest daily one is of {}, {} ago; the limit is {}",
                figures::local(*newest),
                figures::duration(*age),
                figures::duration(*limit)
            ),
            Self::NoDaily => "there is no daily backup: backups have stopped, or never started".to_owned(),
        }
    }

    /// What a person can do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::ClocksDiffer(_) | Self::ReceivedElsewhen { .. } => {
                "Set this machine's clock, and see whether the time zone (TZ) is right. While clocks disagree, nobody \
                 can tell what is old."
            }
            Self::FromTheFuture { .. } => {
                "If the clock was wrong when the backup was made, look whether you need it, and delete that one object by \
                 hand. After a change of TZ this mends itself within a day."
            }
            Self::Stopped { .. } | Self::NoDaily => {
                "What is left may be all there is. Make a backup and see why none was made (backup.log); the next \
                 cleanup then deletes as usual. The limit is HEALTH_MAX_BACKUP_AGE_HOURS and the time that the last backup took."
            }
        }
    }
}
