//! Everything that can end `notify`, and the exit code it ends with.

use std::path::PathBuf;

use backup_core::mail::SmtpError;
use backup_core::process::{Exit, Failure, Interrupted};
use backup_core::settings::ConfigError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("cannot read the details from stdin")]
    Details(#[source] std::io::Error),
    #[error("cannot write {}", path.display())]
    Preview { path: PathBuf, source: std::io::Error },
    #[error("BACKUP_NOTIFICATION_EMAIL is not set, so there is nobody to send a test mail to")]
    Nobody,
    #[error("the test mail was not accepted")]
    Test(#[source] SmtpError),
}

impl Failure for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Nobody => Exit::Config,
            Self::Interrupted(Interrupted(signal)) => Exit::Interrupted(*signal),
            Self::Details(_) | Self::Preview { .. } | Self::Test(_) => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Test(error) => Some(error.hint()),
            Self::Nobody => Some("Set it to your address, or name one with --to.".to_owned()),
            Self::Config(_) | Self::Interrupted(_) | Self::Details(_) | Self::Preview { .. } => None,
        }
    }
}
