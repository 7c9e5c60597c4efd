//! A backup, read to its end: bytes → gunzip → scanner → `psql`, in one pass, with nothing on disk.
//!
//! A chunk is scanned before `psql` sees it, so that nothing is carried out that no dump holds, and `psql` is not told
//! to commit here: whoever restores does that, once [`read`] has given a [`Whole`] backup, and only then. Whole is what
//! came to the end of its gzip members, of its dump and of its footer, and holds exactly what the footer says.
//!
//! `pg_dump` writes `BEGIN;` and `COMMIT;` around large objects, which would end the transaction that the restore is: they are
//! handed on as blanks.

mod guess;
mod redump;
mod subject;

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

pub use guess::is_of_this_machine;
pub use redump::{RedumpError, redump};
pub use subject::{Announced, IdentityError, Subject};

use crate::footer::{DumpFacts, Footer, FooterError};
use crate::gzip;
use crate::postgres::{Client, PostgresError, RestoreStream};
use crate::process::Progress;
use crate::sql_scan::{LONGEST_KEY, ScanError, Scanned, Scanner};
use crate::store::{Download, StoreError};

/// Bytes of the dump that are scanned and handed on at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that wait for `psql`: 4 MiB.
const CHUNKS_WAITING: usize = 16;

/// Bytes of a file that are read at a time.
const FILE_BYTES: usize = 1 << 20;

/// What is kept of the beginning of the stream, for [`Whole::beginning`].
const BEGINNING_BYTES: usize = 1 << 20;

/// Where a backup comes from.
#[derive(Debug)]
pub enum Input {
    /// The store.
    Store(Box<Download>),
    /// A file on this machine.
    File(PathBuf, File),
    /// Somebody who reads it himself, and whose own error counts before what is missing here.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Input {
    /// Opens a file.
    pub async fn file(path: PathBuf) -> Result<Self, ReadError> {
        match File::open(&path).await {
            Ok(file) => Ok(Self::File(path, file)),
            Err(source) => Err(ReadError::File { path, source }),
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self {
            Self::Store(download) => Ok(download.next().await?),
            Self::File(path, file) => {
                let mut bytes = Vec::with_capacity(FILE_BYTES);
                let read = file.take(FILE_BYTES as u64).read_to_end(&mut bytes).await;
                read.map_err(|source| ReadError::File { path: path.clone(), source })?;
                Ok((!bytes.is_empty()).then(|| bytes.into()))
            }
            Self::Pieces(pieces) => Ok(pieces.recv().await),
        }
    }
}

/// A backup that was read to its end, and that holds what it says of itself.
#[derive(Debug)]
pub struct Whole {
    /// What the dump holds.
    pub facts: DumpFacts,
    /// What the backup says of itself. `None`: it was made by another tool, and nothing vouches for what it holds.
    pub footer: Option<Footer>,
    /// Its size as stored.
    pub stored_bytes: u64,
    /// The first bytes, as stored.
    pub beginning: Vec<u8>,
}

/// Why a backup was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store did not give it, or gave something else than it received.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The gzip stream is damaged, cut off, or none.
    #[error("the file is damaged: its compression breaks off after {dump_bytes} bytes of the dump")]
    Gzip {
        /// What had come out by then.
        dump_bytes: u64,
        /// What the decoder said.
        source: io::Error,
    },
    /// What is in it is no whole dump.
    #[error(transparent)]
    Dump(#[from] ScanError),
    /// What it says of itself cannot be read.
    #[error(transparent)]
    Footer(#[from] FooterError),
    /// It does not hold what it says.
    #[error("the dump is not what its own footer says: {}", differences.join("; "))]
    NotItsFooter {
        /// What differs, the first of it.
        differences: Vec<String>,
    },
    /// It holds what this `psql` might take for a command.
    #[error(
        "the dump holds the word \\unrestrict in its data, and psql before {mended} can be made to run a shell command that stands \
         behind it (CVE-2026-18408)"
    )]
    HiddenCommand {
        /// The release that cannot.
        mended: String,
    },
    /// `psql` refused it.
    #[error(transparent)]
    Restore(#[from] PostgresError),
}

/// Differences that are named.
const NAMED: usize = 5;

/// Restores a backup in one transaction, which ends only when the backup was whole: all of it, or nothing. `first` is carried
/// out before it, in the same transaction.
pub async fn restore(
    client: &Client,
    input: Input,
    first: &[String],
    progress: Arc<Progress>,
) -> Result<Whole, ReadError> {
    let mut psql = RestoreStream::start(client).await?;
    let restored = async {
        for statement in first {
            psql.write(statement.as_bytes()).await?;
            psql.write(b"\n").await?;
        }
        read(input, Some(&mut psql), progress).await
    };
    match restored.await {
        Ok(whole) => Ok(psql.commit().await.map(|()| whole)?),
        Err(error) => {
            psql.stop().await;
            Err(error)
        }
    }
}

/// Reads a backup to its end, and hands it on to `psql`, if there is one. Whatever goes wrong, the restore must then be
/// stopped.
pub async fn read(
    input: Input,
    restore: Option<&mut RestoreStream>,
    progress: Arc<Progress>,
) -> Result<Whole, ReadError> {
    let (compressed, for_decoder) = mpsc::channel(2);
    let (chunks, mut for_psql) = mpsc::channel::<Vec<u8>>(CHUNKS_WAITING);
    let weak_psql = restore.as_ref().and_then(|psql| psql.obeys_hidden_commands().map(str::to_owned));
    let reading = tokio::task::spawn_blocking(move || decode(Received::new(for_decoder), &chunks, weak_psql));

    let feed = pass_on(input, compressed);
    let restore = async {
        let mut psql = restore;
        while let Some(chunk) = for_psql.recv().await {
            if let Some(psql) = &mut psql {
                psql.write(&chunk).await?;
            }
            progress.read(chunk.len() as u64);
        }
        // Closed on both sides, the decoder does not wait for us.
        drop(for_psql);
        Ok::<_, ReadError>(())
    };
    let passed = tokio::try_join!(feed, restore);
    // A thread that only computes is never cancelled; if it panicked, so do we.
    let decoded = reading.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    let ((stored_bytes, beginning), ()) = passed?;
    if stored_bytes == 0 {
        return Err(ScanError::Empty.into());
    }
    let Decoded { facts, footer } = decoded?;
    Ok(Whole { facts, footer, stored_bytes, beginning })
}

/// Hands the stored bytes to the decoder. One that does not want more has its own error.
async fn pass_on(mut input: Input, decoder: mpsc::Sender<Bytes>) -> Result<(u64, Vec<u8>), ReadError> {
    let (mut bytes, mut beginning) = (0, Vec::new());
    while let Some(piece) = input.next().await? {
        bytes += piece.len() as u64;
        let room = BEGINNING_BYTES.saturating_sub(beginning.len());
        beginning.extend_from_slice(&piece[..piece.len().min(room)]);
        if decoder.send(piece).await.is_err() {
            break;
        }
    }
    Ok((bytes, beginning))
}

struct Decoded {
    facts: DumpFacts,
    footer: Option<Footer>,
}

fn decode(compressed: Received, psql: &mpsc::Sender<Vec<u8>>, weak_psql: Option<String>) -> Result<Decoded, ReadError> {
    let mut hidden = weak_psql.map(|mended| (Word::new(br"\unrestrict"), mended));
    let mut decoder = gzip::reader(compressed);
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
        return Ok(Decoded { facts, footer: None });
    }
    let footer = Footer::parse(&lines)?;
    if footer.dump != facts {
        let comparison = footer.dump.compare(&facts);
        let named = comparison.differences.iter().map(ToString::to_string);
        let respelled = comparison.respelled.iter().map(|object| format!("{object} is defined otherwise"));
        let differences = named.chain(respelled).take(NAMED).collect();
        return Err(ReadError::NotItsFooter { differences });
    }
    Ok(Decoded { facts, footer: Some(footer) })
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

impl Received {
    fn new(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { pieces, current: Bytes::new() }
    }
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
