//! This machine's clock against the store's. Keys carry our time, and what is old is told by it: with a wrong clock they lie.

use time::{Duration, OffsetDateTime};

use crate::figures;

/// The two clocks do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clocks do not agree: here it is {}, at the store {}", figures::instant(*ours), figures::instant(*store))]
pub struct ClocksDiffer {
    /// What time it is here.
    pub ours: OffsetDateTime,
    /// What time it is at the store, in our offset.
    pub store: OffsetDateTime,
}

impl ClocksDiffer {
    /// What a person can do about it.
    pub const HINT: &'static str = "Set this machine's clock (is time synchronised?), or that of the store, if that one is wrong, and see \
                                    whether the time zone (TZ) is right.";

    /// The difference, if it is larger than this. A store that does not tell the time is believed.
    pub fn beyond(limit: Duration, ours: OffsetDateTime, store: Option<OffsetDateTime>) -> Option<Self> {
        let store = store?.to_offset(ours.offset());
        ((ours - store).abs() > limit).then_some(Self { ours, store })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn clocks_may_differ_up_to_the_limit_in_both_directions_and_in_any_zone() {
        let limit = Duration::minutes(15);
        let ours = datetime!(2025-01-29 02:00 +01:00);
        let at = |store| ClocksDiffer::beyond(limit, ours, store);
        for agreed in [None, Some(datetime!(2025-01-29 01:15 UTC)), Some(datetime!(2025-01-29 00:45 UTC))] {
            assert_eq!(at(agreed), None, "{agreed:?}");
        }
        for wrong in [datetime!(2025-01-29 01:15:01 UTC), datetime!(2025-01-29 00:44:59 UTC)] {
            assert!(at(Some(wrong)).is_some(), "{wrong}");
        }
        assert_eq!(
            at(Some(datetime!(2025-01-29 05:00 UTC))).map(|differ| differ.to_string()).as_deref(),
            Some(
                "the clocks do not agree: here it is Wed 2025-01-29 02:00:00 +01:00, at the store \
                 Wed 2025-01-29 06:00:00 +01:00"
            )
        );
    }
}
