//! PostgreSQL through its own programs: which are there, what the server is, a dump as a stream, a restore as a stream, and a
//! server of our own to restore into.
//!
//! Programs get a connection string without a password; the password goes by their environment, which only their user can
//! read. Sessions are pinned to UTC and to hexadecimal `bytea`, so that the same rows are always dumped as the same bytes.

mod client;
mod dump;
mod hints;
mod psql_weakness;
mod restore;
mod scratch;
mod server;

pub use client::{Client, Program, Version};
pub use dump::DumpStream;
pub use psql_weakness::mended_psql;
pub use restore::RestoreStream;
pub use scratch::{Locale, Programs, Scratch, ScratchError};
pub use server::{Server, ServerRole};

use crate::child::ChildError;

/// Why PostgreSQL's programs did not do their work.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// A program is nowhere to be found.
    #[error("cannot find {program} in {looked_in}")]
    NotFound {
        /// The program.
        program: &'static str,
        /// Where it was looked for.
        looked_in: String,
    },
    /// A program's version could not be read from what it says of itself.
    #[error("cannot tell the version of {program} from `{said}`")]
    OddVersion {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// A program could not be started or waited for.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// A program's output could not be read.
    #[error("cannot read from {program}")]
    Unreadable {
        /// The program.
        program: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server could not be asked.
    #[error("cannot ask the database server: {}", words(how, said))]
    NotAnswered {
        /// How psql ended.
        how: String,
        /// What it said.
        said: String,
        /// The connection itself failed: another try may help.
        no_connection: bool,
    },
    /// The server's answer is not what was asked for.
    #[error("cannot understand the database server's answer")]
    OddAnswer(#[source] serde_json::Error),
    /// The server did not answer in time.
    #[error("the database server accepted the connection but gave no answer within {}s", limit.as_secs())]
    NoAnswer {
        /// How long was waited.
        limit: std::time::Duration,
    },
    /// `pg_dump` cannot dump a server of a newer major version than its own.
    #[error("pg_dump is version {client}, the server is {server}: a dump by an older version is refused by PostgreSQL")]
    ClientTooOld {
        /// The version of `pg_dump`.
        client: Version,
        /// The version of the server.
        server: Version,
    },
    /// `pg_dump` failed.
    #[error("pg_dump failed after {bytes} bytes: {}", words(how, said))]
    DumpFailed {
        /// How it ended.
        how: String,
        /// The end of its stderr.
        said: String,
        /// What it had sent by then.
        bytes: u64,
    },
    /// `psql` did not restore what it was given.
    #[error("psql failed after {bytes} bytes: {}", words(how, said))]
    NotRestored {
        /// How it ended.
        how: String,
        /// The end of its stderr.
        said: String,
        /// What it had taken by then.
        bytes: u64,
        /// A statement of the dump failed; anything else is a matter of the machine.
        in_the_script: bool,
    },
    /// `pg_dump` sent nothing for too long.
    #[error("pg_dump sent nothing for {}s, after {bytes} bytes: it was stopped", limit.as_secs())]
    DumpStalled {
        /// How long was waited.
        limit: std::time::Duration,
        /// What it had sent by then.
        bytes: u64,
    },
}

/// What a program said, as one line without its own name, or how it ended where it said nothing.
fn words(how: &str, said: &str) -> String {
    if said.is_empty() {
        return how.to_owned();
    }
    let lines = said.lines().map(|line| line.trim().trim_start_matches("psql: ").trim_start_matches("pg_dump: "));
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches("error: ")).collect();
    format!("{} ({how})", lines.join(" "))
}

impl PostgresError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some("Set PG_BIN_DIR to the directory of the PostgreSQL programs.".to_owned()),
            Self::ClientTooOld { server, .. } => Some(format!(
                "Install the client programs of PostgreSQL {} and let PG_BIN_DIR name their directory; for the container \
                 image, build it with POSTGRES_MAJOR={}.",
                server.major, server.major
            )),
            Self::NotAnswered { said, .. } | Self::DumpFailed { said, .. } | Self::NotRestored { said, .. } => {
                hints::for_words(said).map(str::to_owned)
            }
            Self::NoAnswer { .. } => Some(
                "Something listens at DB_HOST and DB_PORT but does not answer as PostgreSQL does. Is it the database?"
                    .to_owned(),
            ),
            Self::DumpStalled { .. } => Some(
                "Look for what holds the session up: SELECT * FROM pg_stat_activity WHERE application_name = 'backup'. \
                 BACKUP_STALL_TIMEOUT sets how long is waited."
                    .to_owned(),
            ),
            Self::OddVersion { .. } | Self::Child(_) | Self::Unreadable { .. } | Self::OddAnswer(_) => None,
        }
    }

    /// A table that vanished while it was being dumped: the next try sees the database without it.
    pub fn is_vanished_relation(&self) -> bool {
        match self {
            Self::DumpFailed { said, .. } => {
                (said.contains("relation") && said.contains("does not exist"))
                    || said.contains("could not open relation with OID")
            }
            _ => false,
        }
    }
}
