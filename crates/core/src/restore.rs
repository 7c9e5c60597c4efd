//! A backup, read to its end: bytes → gunzip → scanner → `psql`, in one pass, with nothing on disk.
//!
//! A chunk is scanned before `psql` sees it, so that nothing is carried out that no dump holds, and `psql` is not told
//! to commit here: whoever restores does that, once [`read`] has given a [`Whole`] backup, and only then. Whole is what
//! came to the end of its gzip members, of its dump and of its footer, and holds exactly what the footer says.
//!
//! `pg_dump` writes `BEGIN;` and `COMMIT;` around large objects, which would end the transaction that the restore is: they are
//! handed on as blanks.

mod decode;
mod guess;
mod redump;
mod subject;

use std::io;
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
use crate::postgres::{Client, PostgresError, RestoreStream};
use crate::process::Progress;
use crate::sql_scan::ScanError;
use crate::store::{Download, StoreError};
use decode::decode;

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
    let reading = tokio::task::spawn_blocking(move || decode(for_decoder, &chunks, weak_psql));

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
    let (facts, footer) = decoded?;
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
