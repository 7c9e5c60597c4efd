//! The rows of one COPY block, counted and hashed out of the chunks in which they pass.
//!
//! A row is a line. COPY's text format writes a line break inside of a value as `\n`, and the line `\.` is never a value,
//! whose backslash would be doubled. A row is hashed where it lies; of one that is cut between chunks, however long, only the
//! state of the hash is carried over. The exception is a table whose columns have another order than expected: its rows
//! are put together first, and the longest one sets the memory.

use xxhash_rust::xxh3::Xxh3;

use crate::footer::Digest;

/// A COPY block that is open.
pub(super) struct Rows {
    /// Which table, as the caller counts them.
    pub(super) table: usize,
    /// Rows so far.
    pub(super) count: u64,
    /// The sum of their digests.
    pub(super) digest: Digest,
    /// Whether the line of the COPY statement itself has ended.
    begun: bool,
    /// Whether that line went on after the statement, which `psql` carries out after the rows.
    pub(super) line_went_on: bool,
    /// Where in a row the field stands that is expected in this place.
    order: Option<Vec<usize>>,
    /// The row that is cut between chunks.
    cut: CutRow,
}

#[derive(Default)]
struct CutRow {
    hash: Box<Xxh3>,
    len: u64,
    /// Enough to tell the end line from a row.
    head: [u8; 3],
    /// The whole row, if its fields have to change places.
    whole: Vec<u8>,
}

impl Rows {
    /// Just after the statement that opened the block.
    pub(super) fn new(table: usize, order: Option<Vec<usize>>) -> Self {
        Self {
            table,
            count: 0,
            digest: Digest::default(),
            begun: false,
            line_went_on: false,
            order,
            cut: CutRow::default(),
        }
    }

    /// Reads to the end of the block or of the bytes, and says how many bytes that took and whether the block ended.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[start..newline];
            start = newline + 1;
            if !self.begun {
                self.begun = true;
                self.line_went_on |= line.iter().any(|byte| *byte != b'\r');
            } else if self.line_ends_block(line) {
                return (start, true);
            }
        }
        let rest = &bytes[start..];
        if !self.begun {
            self.line_went_on |= rest.iter().any(|byte| *byte != b'\r');
        } else if !rest.is_empty() {
            self.cut.extend(rest, self.order.is_some());
        }
        (bytes.len(), false)
    }

    /// The memory that it takes, beyond a fixed part.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.cut.whole.capacity()
    }

    /// Takes a line, the part before it included.
    fn line_ends_block(&mut self, line: &[u8]) -> bool {
        let digest = if self.cut.len > 0 {
            self.cut.extend(line, self.order.is_some());
            if self.cut.is_end() {
                return true;
            }
            let digest = match &self.order {
                Some(order) => rearranged(&self.cut.whole, order),
                None => Digest::from_xxh3(self.cut.hash.digest128()),
            };
            self.cut.clear();
            digest
        } else if is_end(line) {
            return true;
        } else {
            match &self.order {
                Some(order) => rearranged(line, order),
                None => Digest::of(line),
            }
        };
        self.digest.add(digest);
        self.count += 1;
        false
    }
}

impl CutRow {
    fn extend(&mut self, bytes: &[u8], keep: bool) {
        for (place, byte) in self.head.iter_mut().skip(self.len as usize).zip(bytes) {
            *place = *byte;
        }
        self.len += bytes.len() as u64;
        if keep {
            self.whole.extend_from_slice(bytes);
        } else {
            self.hash.update(bytes);
        }
    }

    fn is_end(&self) -> bool {
        self.head.get(..self.len as usize).is_some_and(is_end)
    }

    fn clear(&mut self) {
        self.hash.reset();
        self.len = 0;
        self.whole.clear();
    }
}

/// `\.`, as `psql` reads it: a carriage return may follow.
fn is_end(line: &[u8]) -> bool {
    line.len() <= 3 && matches!(line, b"\\." | b"\\.\r")
}

/// The digest of the row with its fields in the expected order. A tab inside of a value is written `\t`, so that every
/// tab divides two fields.
fn rearranged(row: &[u8], order: &[usize]) -> Digest {
    let fields: Vec<&[u8]> = row.split(|byte| *byte == b'\t').collect();
    if fields.len() != order.len() {
        return Digest::of(row);
    }
    let mut hash = Xxh3::new();
    for (place, from) in order.iter().enumerate() {
        if place > 0 {
            hash.update(b"\t");
        }
        hash.update(fields[*from]);
    }
    Digest::from_xxh3(hash.digest128())
}
