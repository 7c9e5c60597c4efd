//! Why there is no scratch server. None of it says anything about a backup.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::child::ChildError;
use crate::figures;
use crate::postgres::{PostgresError, words};

/// Why there is no scratch server.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The server programs of this version are nowhere to be found.
    #[error("PostgreSQL {major}, its server programs included, is not on this machine{}", others_found(others))]
    NoPrograms {
        /// The major version that was looked for.
        major: u32,
        /// Those that are there.
        others: BTreeSet<u32>,
    },
    /// We are root, whom the server refuses to run as, and there is nobody else.
    #[error("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")]
    NoUser,
    /// The disk is too small.
    #[error(
        "{} has {} free, and a restore needs about {}",
        path.display(),
        figures::size(*free),
        figures::size(*needed)
    )]
    NoRoom {
        /// The temp directory.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// The directory could not be made or read.
    #[error("cannot use {} for a scratch server", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The user that the server runs as cannot get there.
    #[error("the user {user}, as whom the scratch server runs where we are root, may not enter {}", path.display())]
    OutOfReach {
        /// The directory that keeps it out.
        path: PathBuf,
        /// The user.
        user: String,
    },
    /// `initdb` failed.
    #[error("cannot make a scratch server: {}", words(how, said))]
    Initdb {
        /// How it ended.
        how: String,
        /// What it said.
        said: String,
    },
    /// The server ended at once.
    #[error("the scratch server does not start: {}", words(how, said))]
    Server {
        /// How it ended.
        how: String,
        /// What it said.
        said: String,
    },
    /// Something took too long.
    #[error("{program} was not done within {}s: it was stopped", limit.as_secs())]
    Slow {
        /// What.
        program: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// A program could not be started.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The server does not answer as it should.
    #[error("the scratch server is not usable: {0}")]
    Postgres(#[from] PostgresError),
}

fn others_found(others: &BTreeSet<u32>) -> String {
    if others.is_empty() {
        return String::new();
    }
    let others: Vec<String> = others.iter().map(u32::to_string).collect();
    format!(" (there is {})", others.join(", "))
}

impl ScratchError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoPrograms { major, .. } => Some(format!(
                "Install it (on Debian: apt-get install postgresql-{major}), or build the container image with \
                 POSTGRES_MAJOR={major}; PG_BIN_DIR may name the folder of its programs."
            )),
            Self::NoUser => Some("Set BACKUP_USER to a user that is not root.".to_owned()),
            Self::NoRoom { .. } => {
                Some("Let BACKUP_TEMP_DIR name a directory on a larger disk, or make room there.".to_owned())
            }
            Self::OutOfReach { path, .. } => Some(format!(
                "Let others pass through it (chmod o+x {}), or let BACKUP_TEMP_DIR name another directory.",
                path.display()
            )),
            Self::Directory { .. } | Self::Initdb { .. } => Some(
                "The user that the tool runs as must be able to reach and write BACKUP_TEMP_DIR, and must be known to the \
                 system (an entry in /etc/passwd)."
                    .to_owned(),
            ),
            Self::Server { .. } | Self::Slow { .. } | Self::Child(_) | Self::Postgres(_) => None,
        }
    }
}
