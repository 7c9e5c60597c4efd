//! Everything that can keep a health check from looking at all, and the exit code it ends with.
//!
//! What it finds is never an error, but its result.

use backup_core::process::{Exit, Failure, Interrupted};
use backup_core::settings::ConfigError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Failure for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Interrupted(Interrupted(signal)) => Exit::Interrupted(*signal),
        }
    }
}
