//! What ends a run before its work does: a signal, or the time that a whole run may take.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::{Context, Exit, Interrupt, Interrupted};
use crate::settings::Limits;

/// Bounds the work of one run.
#[derive(Debug, Clone)]
pub struct Bounds {
    interrupt: Interrupt,
    limit: Duration,
    end: Instant,
}

/// The work was cut off.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum Cut {
    /// By a signal.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Because it took too long.
    #[error("the run was not done within {} and was stopped", humantime::format_duration(*.0))]
    Overdue(Duration),
}

impl Context {
    /// The bounds of this run, from now on.
    pub fn bounds(&self, limits: Limits) -> Bounds {
        Bounds { interrupt: self.interrupt.clone(), limit: limits.run, end: Instant::now() + limits.run }
    }
}

impl Bounds {
    /// Does the work, unless a signal comes or the time is up; the work is then dropped where it stands.
    pub async fn hold<T>(&self, work: impl Future<Output = T>) -> Result<T, Cut> {
        let in_time = async { tokio::time::timeout_at(self.end, work).await.map_err(|_| Cut::Overdue(self.limit)) };
        self.interrupt.or(in_time).await?
    }
}

impl Cut {
    /// The exit code it ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Interrupted(Interrupted(signal)) => Exit::Interrupted(*signal),
            Self::Overdue(_) => Exit::Failed,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Interrupted(_) => None,
            Self::Overdue(_) => Some("BACKUP_RUN_TIMEOUT sets how long a run may take.".to_owned()),
        }
    }
}
