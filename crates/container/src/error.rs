//! Everything that can keep the container from its work, and the exit code it ends with.

use std::path::PathBuf;

use backup_core::process::{Exit, Failure, Interrupted, StartError, chain};
use backup_core::settings::ConfigError;

use crate::schedule::Mistakes;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("BACKUP_USER is {user}, but this process was not started by root: cron's jobs could not become that user")]
    NotRoot { user: String },
    /// What is wrong has been said by the check itself.
    #[error("the container does not start: a setting is wrong")]
    Settings { wrong: String },
    #[error("the container does not start: settings and schedule are wrong")]
    SettingsAndCrontab { wrong: String, crontab: Mistakes },
    #[error("cannot check the settings: {how}")]
    Unchecked { how: String },
    #[error(transparent)]
    Crontab(#[from] Mistakes),
    #[error("cannot start {program}")]
    NotStarted { program: String, source: std::io::Error },
    #[error("cannot {attempt} {}", path.display())]
    File { attempt: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot {attempt}")]
    System { attempt: &'static str, source: std::io::Error },
    #[error("cron has ended ({how}): no job would run any more, so the container ends")]
    CronEnded { how: String },
    #[error("cron runs, but has not started `{job}` when it was time to")]
    CronSilent { job: String },
}

impl Error {
    /// All that a person needs to know, for a mail: also what has been said by others.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Settings { wrong } => wrong.clone(),
            Self::SettingsAndCrontab { wrong, crontab } => format!("{wrong}\n{crontab}"),
            error => chain(error),
        }
    }

    /// Whether there was a container that worked.
    pub(crate) fn ended_it(&self) -> bool {
        matches!(self, Self::CronEnded { .. } | Self::CronSilent { .. })
    }
}

impl Failure for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::NotRoot { .. }
            | Self::Settings { .. }
            | Self::SettingsAndCrontab { .. }
            | Self::Crontab(_) => Exit::Config,
            Self::Start(error) => error.exit(),
            Self::Interrupted(Interrupted(signal)) => Exit::Interrupted(*signal),
            Self::Unchecked { .. }
            | Self::NotStarted { .. }
            | Self::File { .. }
            | Self::System { .. }
            | Self::CronEnded { .. }
            | Self::CronSilent { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotRoot { .. } => Some(
                "Start the container without `user:`; its jobs run as BACKUP_USER all the same. Where nothing may start as \
                 root, let something else keep the schedule, and run each tool by itself: docker/kubernetes.yaml does."
                    .to_owned(),
            ),
            Self::CronSilent { .. } => Some(
                "Nothing would run any more, so the container ends as soon as no tool is at work; its restart policy starts it again."
                    .to_owned(),
            ),
            Self::Crontab(_) | Self::SettingsAndCrontab { .. } => Some("Mend that line: as it is, cron would ignore the whole file without a word.".to_owned()),
            Self::File { attempt: "write", .. } => {
                Some("With a read-only root file system, /run must be a tmpfs, as in docker/compose.yaml.".to_owned())
            }
            _ => None,
        }
    }
}
