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
        let digits = text.strip_prefix(b"\\x");
        let bytes: Option<Vec<u8>> = digits.and_then(|digits| {
            digits.chunks(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(*pair.get(1)?)?)).collect()
        });
        // Servers before 9.0 wrote another form, which then stands for itself.
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

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
