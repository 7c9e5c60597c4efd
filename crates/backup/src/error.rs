//! Everything that can end a backup, and the exit code it ends with.

use std::path::PathBuf;

use backup_core::postgres::PostgresError;
use backup_core::process::{Cut, Exit, Failure, LockError};
use backup_core::settings::ConfigError;
use backup_core::sql_scan::ScanError;
use backup_core::store::{ClocksDiffer, Remains, StoreError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Locked(#[from] LockError),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the dump is not whole: {0}")]
    Dump(#[from] ScanError),
    #[error(transparent)]
    Cut(#[from] Cut),
    #[error(transparent)]
    Clocks(#[from] ClocksDiffer),
    #[error("the dump holds no table, and the backup before it {before} ({earlier}): it is not stored")]
    Empty { earlier: String, before: String },
    #[error("{failure}; {remains}")]
    Remains { failure: Box<Self>, remains: Remains },
    #[error("cannot write {}", path.display())]
    Output { path: PathBuf, source: std::io::Error },
    #[error("whoever reads stdout closed it before the backup was written")]
    StdoutClosed,
    #[error("stdout is closed: nothing that is written there would arrive")]
    StdoutNotOpen,
    #[error("stdout is a terminal, which cannot take a compressed dump")]
    StdoutIsTerminal,
}

impl Failure for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Locked(error) => error.exit(),
            Self::Cut(cut) => cut.exit(),
            Self::Remains { failure, .. } => failure.exit(),
            Self::Clocks(_)
            | Self::Empty { .. }
            | Self::Postgres(_)
            | Self::Store(_)
            | Self::Dump(_)
            | Self::Output { .. }
            | Self::StdoutClosed
            | Self::StdoutNotOpen
            | Self::StdoutIsTerminal => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Postgres(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Dump(_) => Some(
                "pg_dump ended as if all were well, but its output is cut. Look for wrappers around pg_dump, and into the \
                 database server's log."
                    .to_owned(),
            ),
            Self::Cut(cut) => cut.hint(),
            Self::Clocks(_) => Some(format!("{} The key of a backup made now would lie about its age.", ClocksDiffer::HINT)),
            Self::Empty { .. } => Some(
                "Look into the database: is it the right one (DB_HOST, DB_NAME), and where are its tables? Until then the \
                 backups before it are what there is. If it is meant to be empty, run backup --allow-empty once."
                    .to_owned(),
            ),
            Self::Remains { failure, remains } => {
                let hints: Vec<String> = failure.hint().into_iter().chain([remains.hint()]).collect();
                Some(hints.join(" "))
            }
            Self::StdoutNotOpen | Self::StdoutIsTerminal => Some("Redirect it (--output - > FILE), or name a file (--output FILE).".to_owned()),
            Self::Config(_) | Self::Locked(_) | Self::Output { .. } | Self::StdoutClosed => None,
        }
    }
}
