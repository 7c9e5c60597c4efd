//! The large object that a dump is writing.

use xxhash_rust::xxh3::Xxh3;

use crate::footer::{Digest, LargeObjects};

/// One large object, between its `lo_open` and its `lo_close`.
#[derive(Default)]
pub(super) struct LargeObject {
    hash: Xxh3,
    len: u64,
}

impl LargeObject {
    /// Begins the object with this oid, as the dump writes it.
    pub(super) fn open(&mut self, oid: &[u8]) {
        *self = Self::default();
        self.hash.update(oid);
        self.hash.update(b"\0");
    }

    /// Adds a piece, as the dump writes it: `\x00ff27`. How the dump cuts an object into pieces does not matter.
    pub(super) fn write(&mut self, text: &[u8]) {
        // Servers before 9.0 wrote another form, which then stands for itself.
        let bytes = text.strip_prefix(b"\\x").and_then(from_hex);
        let bytes = bytes.as_deref().unwrap_or(text);
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Adds the object to all others.
    pub(super) fn close(&mut self, all: &mut LargeObjects) {
        all.count += 1;
        all.bytes += self.len;
        all.digest.add(Digest::from_xxh3(self.hash.digest128()));
    }
}

/// The value of each hexadecimal digit, and for every other byte a value that no digit has.
const NIBBLES: [u8; 256] = {
    let mut values = [0x80; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit] as usize] = digit as u8;
        values[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut odd = 0;
    let bytes = pairs.iter().map(|[high, low]| {
        let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
        odd |= high | low;
        high << 4 | low
    });
    let bytes = bytes.collect();
    (rest.is_empty() && odd < 0x80).then_some(bytes)
}
