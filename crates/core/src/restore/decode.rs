//! The half that only computes: gunzip → scanner → what `psql` is given, chunk by chunk, on a thread of its own.

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::ReadError;
use crate::footer::{DumpFacts, Footer};
use crate::gzip;
use crate::sql_scan::{LONGEST_KEY, Scanned, Scanner};

/// Bytes of the dump that are scanned and handed on at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Differences that are named.
const NAMED: usize = 5;

/// Reads the stored bytes to their end, gives `psql` what they hold, and tells what that was. `weak_psql`: the release in which
/// this `psql` no longer obeys a command that is hidden in the data.
pub(super) fn decode(
    compressed: mpsc::Receiver<Bytes>,
    psql: &mpsc::Sender<Vec<u8>>,
    weak_psql: Option<String>,
) -> Result<(DumpFacts, Option<Footer>), ReadError> {
    let mut hidden = weak_psql.map(|mended| (Word::new(br"\unrestrict"), mended));
    let mut decoder = gzip::reader(Received { pieces: compressed, current: Bytes::new() });
    let mut scanner = Scanner::fenced();
    let mut held = Vec::new();
    let (mut position, mut ended) = (0u64, false);
    while !ended {
        let mut chunk = std::mem::take(&mut held);
        let carried = chunk.len();
        chunk.resize(carried + CHUNK_BYTES, 0);
        let read = fill(&mut decoder, &mut chunk[carried..])
            .map_err(|source| ReadError::Gzip { dump_bytes: position + carried as u64, source })?;
        ended = read < CHUNK_BYTES;
        chunk.truncate(carried + read);
        if !ended {
            held = chunk.split_off(chunk.len() - begun_line(&chunk));
        }
        scanner.push(&chunk)?;
        for range in scanner.left_out() {
            let at = |byte: u64| byte.saturating_sub(position) as usize;
            chunk[at(range.start)..at(range.end)].fill(b' ');
        }
        if let Some((word, mended)) = &mut hidden
            && word.is_in(&chunk)
        {
            return Err(ReadError::HiddenCommand { mended: mended.clone() });
        }
        position += chunk.len() as u64;
        // psql has ended, and whoever feeds it knows why: nothing more is wanted.
        let _ = psql.blocking_send(chunk);
    }
    let Scanned { dump: facts, footer: lines } = scanner.finish()?;
    if lines.is_empty() {
        return Ok((facts, None));
    }
    let footer = Footer::parse(&lines)?;
    if footer.dump != facts {
        let comparison = footer.dump.compare(&facts);
        let named = comparison.differences.iter().map(ToString::to_string);
        let respelled = comparison.respelled.iter().map(|object| format!("{object} is defined otherwise"));
        let differences = named.chain(respelled).take(NAMED).collect();
        return Err(ReadError::NotItsFooter { differences });
    }
    Ok((facts, Some(footer)))
}

/// Fills the buffer, as far as the stream goes.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// How many bytes at the end of the chunk may be the beginning of what is left out and has to be seen as a whole: `BEGIN;`,
/// `COMMIT;`, `\restrict KEY`, `\unrestrict KEY`.
fn begun_line(chunk: &[u8]) -> usize {
    let line = memchr::memrchr(b'\n', chunk).map_or(chunk, |newline| &chunk[newline + 1..]);
    let word_begun = |word: &[u8]| line.len() < word.len() && word.starts_with(line);
    let key_begun = |word: &[u8]| line.starts_with(word) && line.len() < word.len() + LONGEST_KEY;
    let commands = [&br"\restrict "[..], br"\unrestrict "];
    let begun = [&b"BEGIN;"[..], b"COMMIT;"].into_iter().chain(commands).any(word_begun);
    if begun || commands.into_iter().any(key_begun) { line.len() } else { 0 }
}

/// A word that is looked for in a stream, wherever its chunks end.
struct Word {
    word: &'static [u8],
    /// The end of what came before, shorter than the word.
    before: Vec<u8>,
}

impl Word {
    fn new(word: &'static [u8]) -> Self {
        Self { word, before: Vec::new() }
    }

    fn is_in(&mut self, chunk: &[u8]) -> bool {
        let most = self.word.len() - 1;
        self.before.extend_from_slice(&chunk[..chunk.len().min(most)]);
        let found = [&self.before, chunk].into_iter().any(|bytes| memchr::memmem::find(bytes, self.word).is_some());
        if chunk.len() >= most {
            self.before = chunk[chunk.len() - most..].to_vec();
        } else {
            self.before.drain(..self.before.len().saturating_sub(most));
        }
        found
    }
}

/// The stored bytes as the decoder reads them.
struct Received {
    pieces: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.current = piece,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_wherever_the_chunks_end() {
        for (text, there) in [("a\\unrestrict b", true), ("a\\unrestric b", false)] {
            for size in 1..text.len() {
                let mut word = Word::new(br"\unrestrict");
                let found = text.as_bytes().chunks(size).filter(|chunk| word.is_in(chunk)).count();
                assert_eq!(found > 0, there, "{text} by {size}");
            }
        }
    }

    #[test]
    fn the_beginning_of_what_is_left_out_is_held_back_until_it_is_whole() {
        for (chunk, held) in [
            ("", 0),
            ("\n", 0),
            ("x\nB", 1),
            ("BEGIN", 5),
            ("BEGIN;", 0),
            ("x\nBEGIN;\nCOMMIT", 6),
            ("x BEGIN", 0),
            ("\nBEGAN", 0),
            ("x\n\\", 1),
            ("x\n\\restrict", 9),
            ("\\unrestrict Key", 15),
            ("\\unrestrict Key\n", 0),
            ("\\restricted", 0),
            ("\\.", 0),
        ] {
            assert_eq!(begun_line(chunk.as_bytes()), held, "{chunk:?}");
        }
    }
}
