//! What a test finds, and where the line runs between a bad backup and a machine that lacks something.
//!
//! A backup is called bad only for what is in it. What this machine, its disk or the network lacks is inconclusive: never a pass, never
//! called a bad backup.

use backup_core::footer::{FooterError, ObjectName};
use backup_core::key::Outcome;
use backup_core::postgres::{PostgresError, ScratchError};
use backup_core::process::{Exit, chain};
use backup_core::restore::{IdentityError, ReadError, RedumpError, is_of_this_machine};
use backup_core::store::StoreErrorKind;

use crate::drill::Drill;

/// What the test found.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Restored, and equal to what the backup says of itself.
    Proven {
        /// Objects whose definition PostgreSQL spells anew.
        respelled: Vec<ObjectName>,
        /// How the test proved itself.
        drill: Drill,
    },
    /// Restored, but the backup says nothing that it could be compared with.
    Unproven,
    /// Not restored, or different.
    Failed {
        /// In a sentence.
        what: String,
        /// The differences, one by one.
        differences: Vec<String>,
    },
    /// It could not be told.
    Inconclusive {
        /// In a sentence.
        why: String,
        /// What to do about it.
        hint: String,
    },
}

/// Where nothing better is known.
const LOOK_INTO_THE_LOG: &str = "The scratch server ended or lacked something: memory, disk, an extension, a locale. Its last \
    words are in the log with --verbose.";

impl Verdict {
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), differences: Vec::new() }
    }

    pub(crate) fn inconclusive(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Inconclusive { why: why.into(), hint: hint.into() }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Proven { .. } => Outcome::Passed,
            Self::Unproven => Outcome::Unproven,
            Self::Failed { .. } => Outcome::Failed,
            Self::Inconclusive { .. } => Outcome::Inconclusive,
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Proven { .. } => Exit::Done,
            Self::Failed { .. } => Exit::Failed,
            Self::Unproven | Self::Inconclusive { .. } => Exit::Partly,
        }
    }

    /// The same words, but no blame on the backup.
    pub(crate) fn excused(self, reason: &str, hint: &str) -> Self {
        match self {
            Self::Failed { what, .. } => Self::inconclusive(format!("{what}; but {reason}"), hint),
            other => other,
        }
    }
}

impl From<ReadError> for Verdict {
    fn from(error: ReadError) -> Self {
        let why = chain(&error);
        match &error {
            ReadError::Store(store) if store.kind != StoreErrorKind::Mismatch => {
                let hint = store.hint();
                Self::inconclusive(why, hint.unwrap_or_else(|| "See that the store can be read.".to_owned()))
            }
            ReadError::File { .. } => {
                Self::inconclusive(why, "See that the file is there, and that this user may read it.")
            }
            ReadError::Footer(FooterError::OtherFormat { .. }) => {
                Self::inconclusive(why, "It was made by a newer version of these tools: test it with that version.")
            }
            ReadError::HiddenCommand { mended } => {
                Self::inconclusive(why, format!("Update PostgreSQL's programs on this machine to {mended} or later."))
            }
            ReadError::Restore(error) => restore_failed(error),
            ReadError::Store(_)
            | ReadError::Gzip { .. }
            | ReadError::Dump(_)
            | ReadError::Footer(_)
            | ReadError::NotItsFooter { .. } => Self::failed(why),
        }
    }
}

impl From<ScratchError> for Verdict {
    fn from(error: ScratchError) -> Self {
        Self::inconclusive(chain(&error), error.hint().unwrap_or_else(|| LOOK_INTO_THE_LOG.to_owned()))
    }
}

impl From<IdentityError> for Verdict {
    fn from(error: IdentityError) -> Self {
        Self::failed(error.to_string())
    }
}

/// What ends `pg_dump` of the scratch server is the server, or the machine.
impl From<RedumpError> for Verdict {
    fn from(error: RedumpError) -> Self {
        let why = chain(&error);
        match error {
            RedumpError::NotDumped(_) => Self::inconclusive(why, LOOK_INTO_THE_LOG),
            RedumpError::NotWhole(_) => Self::failed(why),
        }
    }
}

impl From<PostgresError> for Verdict {
    fn from(error: PostgresError) -> Self {
        RedumpError::from(error).into()
    }
}

/// What `psql` says of a restore that it stopped.
fn restore_failed(error: &PostgresError) -> Verdict {
    match error {
        PostgresError::NotRestored { said, in_the_script: true, .. } if !is_of_this_machine(said) => {
            Verdict::failed(format!("the backup does not restore: {}", chain(error)))
        }
        _ => Verdict::inconclusive(format!("the restore broke off: {}", chain(error)), LOOK_INTO_THE_LOG),
    }
}
