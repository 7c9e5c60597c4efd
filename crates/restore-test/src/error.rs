//! Everything that can end a restore test without a verdict, and the exit code it ends with.

use backup_core::process::{Cut, Exit, Failure, LockError};
use backup_core::settings::ConfigError;
use backup_core::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Locked(#[from] LockError),
    /// Before a backup was found.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cut(#[from] Cut),
}

impl Failure for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Locked(error) => error.exit(),
            Self::Cut(cut) => cut.exit(),
            Self::Store(_) => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Cut(cut) => cut.hint(),
            Self::Config(_) | Self::Locked(_) => None,
        }
    }
}
