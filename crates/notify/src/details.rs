//! The details of a message, of any size: their beginning, their end, and how much there is between.
//!
//! Whoever writes them is always heard to the end, so that no pipeline breaks for want of a reader.

use std::io::{self, ErrorKind, Read};

use backup_core::mail::Between;

/// As much of each end is kept: a mail shows six kilobytes of it.
const KEPT: usize = 1 << 20;

const PIECE: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Details {
    pub(crate) first: Vec<u8>,
    pub(crate) between: Between,
    pub(crate) last: Vec<u8>,
}

impl Details {
    /// Those that somebody typed.
    pub(crate) fn typed(text: &[u8]) -> Self {
        Self { first: text.to_vec(), ..Self::default() }
    }

    /// Reads to the end, in bounded memory.
    pub(crate) fn read(mut from: impl Read) -> io::Result<Self> {
        let mut details = Self::default();
        from.by_ref().take(KEPT as u64).read_to_end(&mut details.first)?;
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(details.ended()),
                Ok(count) => details.add(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What was kept whole is one piece.
    fn ended(mut self) -> Self {
        if self.between == Between::default() {
            self.first.append(&mut self.last);
        }
        self
    }

    fn add(&mut self, piece: &[u8]) {
        self.last.extend_from_slice(piece);
        // Only now and then, because what is left has to be moved.
        if self.last.len() >= 2 * KEPT {
            let gone = self.last.drain(..self.last.len() - KEPT);
            self.between.add(gone.as_slice());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_kept_and_nothing_is_lost_from_the_count() {
        for lines in [0, 1, 100_000, 1_000_000] {
            let text = (0..lines).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
            let Details { first, between, last } = Details::read(text.as_bytes()).unwrap();
            assert!(text.as_bytes().starts_with(&first) && text.as_bytes().ends_with(&last));
            assert_eq!(first.len() as u64 + between.bytes + last.len() as u64, text.len() as u64);
            let counted = [&first, &last].map(|part| String::from_utf8_lossy(part).matches('\n').count() as u64);
            assert_eq!(counted[0] + between.lines + counted[1], lines);
            assert!(first.len() + last.len() <= 3 * KEPT);
        }
    }
}
