//! Where the compressed bytes go: the store, a file, or stdout.

use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::files::folder_of;
use backup_core::process::stdout_is_closed;
use backup_core::store::{Remains, Stored, Upload};
use backup_core::unfinished::Unfinished;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::error::Error;

pub(crate) enum Sink<'u> {
    Store(Box<Upload>, &'u Unfinished),
    /// `half` is `None` once it has its name.
    File {
        half: Option<NamedTempFile>,
        writer: tokio::fs::File,
        path: PathBuf,
    },
    Stdout(tokio::io::Stdout),
}

/// What was written, whole.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    Stored(Stored),
    File(PathBuf),
    Stdout,
}

impl Sink<'_> {
    /// A file, which appears under its name only when it is whole, and only where nothing stands; `-` is stdout.
    pub(crate) fn output(path: &Path) -> Result<Self, Error> {
        if path.as_os_str() == "-" {
            return if std::io::stdout().is_terminal() {
                Err(Error::StdoutIsTerminal)
            } else if stdout_is_closed() {
                Err(Error::StdoutNotOpen)
            } else {
                Ok(Self::Stdout(tokio::io::stdout()))
            };
        }
        let failed = |source| Error::Output { path: path.to_owned(), source };
        if path.exists() {
            return Err(failed(ErrorKind::AlreadyExists.into()));
        }
        let half = NamedTempFile::with_prefix_in(".backup-", folder_of(path)).map_err(failed)?;
        // Written on another thread, so that a disk that hangs does not keep a signal from ending the run.
        let writer = tokio::fs::File::from_std(half.reopen().map_err(failed)?);
        Ok(Self::File { half: Some(half), writer, path: path.to_owned() })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Store(upload, unfinished) => Ok(upload.write(bytes, *unfinished).await?),
            Self::File { writer, path, .. } => {
                writer.write_all(bytes).await.map_err(|source| Error::Output { path: path.clone(), source })
            }
            Self::Stdout(stdout) => stdout.write_all(bytes).await.map_err(stdout_error),
        }
    }

    /// Ends it well: from here on the backup is there.
    pub(crate) async fn complete(&mut self) -> Result<Written, Error> {
        match self {
            Self::Store(upload, unfinished) => Ok(Written::Stored(upload.complete(*unfinished).await?)),
            Self::File { half, writer, path } => {
                let failed = |source| Error::Output { path: path.clone(), source };
                // What a write left to the other thread fails here.
                writer.flush().await.map_err(failed)?;
                writer.sync_all().await.map_err(failed)?;
                if let Some(half) = half.take() {
                    // Replaces nothing that came to stand under the name meanwhile.
                    half.persist_noclobber(&*path).map_err(|error| failed(error.error))?;
                }
                Ok(Written::File(path.clone()))
            }
            Self::Stdout(stdout) => stdout.flush().await.map(|()| Written::Stdout).map_err(stdout_error),
        }
    }

    /// Takes back what can be taken back in this time. An error tells what may be left.
    pub(crate) async fn abort(&mut self, within: Duration) -> Result<(), Remains> {
        match self {
            Self::Store(upload, unfinished) => upload.abort(within, *unfinished).await,
            Self::File { .. } | Self::Stdout(_) => Ok(()),
        }
    }
}

fn stdout_error(source: std::io::Error) -> Error {
    match source.kind() {
        ErrorKind::BrokenPipe => Error::StdoutClosed,
        _ => Error::Output { path: "stdout".into(), source },
    }
}
