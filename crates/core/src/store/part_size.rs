//! How large the parts of an upload are: uniform, and chosen before the first one.
//!
//! S3 takes at most 10,000 parts per upload, some stores 1,000 (`S3_MAX_PARTS`), each of 5 MiB to 5 GiB but the last.
//! Some stores refuse parts of unequal length, so the size cannot grow on the way; it is chosen so that twice the size
//! of the database would fit.

const MIB: u64 = 1 << 20;

/// The size of every part but the last, and how many of them are under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSize {
    /// Bytes per part.
    pub bytes: usize,
    /// Parts under way at once.
    pub at_once: usize,
    /// The most parts that the store takes.
    pub at_most: u32,
}

impl PartSize {
    const SMALLEST: u64 = 8 * MIB;
    const LARGEST: u64 = 5 * 1024 * MIB;

    /// For a database of so many bytes. Its compressed dump is smaller than the database but in the rarest cases; twice
    /// the size of the database allows for those.
    pub fn for_database(bytes: u64, at_most: u32) -> Self {
        let needed = bytes.saturating_mul(2).div_ceil(u64::from(at_most));
        let bytes = needed.next_multiple_of(MIB).clamp(Self::SMALLEST, Self::LARGEST);
        // Two large parts are enough to keep the network busy, and more of them would cost memory.
        Self { bytes: bytes as usize, at_once: if bytes > 16 * MIB { 2 } else { 3 }, at_most }
    }
}

/// The memory that an upload with this part size may take, with so many compression threads: the parts under way, the one
/// that is being filled, and for each block in compression its input, its output and its compressor.
pub fn memory_bytes(part: PartSize, threads: usize) -> u64 {
    let parts = part.bytes as u64 * (part.at_once as u64 + 1);
    let blocks = (threads as u64 + 3) * 4 * MIB;
    parts + blocks + 48 * MIB
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn parts_grow_with_the_database() {
        for (database, part_mib, at_once) in
            [(0, 8, 3), (39 * GIB, 8, 3), (100 * GIB, 21, 2), (1024 * GIB, 210, 2), (u64::MAX, 5120, 2)]
        {
            let part = PartSize::for_database(database, 10_000);
            assert_eq!((part.bytes as u64 / MIB, part.at_once), (part_mib, at_once), "{database}");
        }
    }

    #[test]
    fn memory_stays_below_160_mib_at_the_defaults() {
        assert!(memory_bytes(PartSize::for_database(10 * GIB, 10_000), 2) < 160 * MIB);
    }

    proptest! {
        #[test]
        fn the_parts_suffice_up_to_the_largest_object_that_they_can_make(database in 0u64..5 << 40, at_most in 1_025u32..10_001) {
            let database = database / 10_000 * u64::from(at_most) / 2;
            let part = PartSize::for_database(database, at_most);
            prop_assert!(part.bytes as u64 * u64::from(at_most) >= database * 2);
            prop_assert!(part.bytes as u64 >= 5 * MIB);
        }
    }
}
