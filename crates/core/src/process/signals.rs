//! SIGTERM and SIGINT: a job is told, cleans up, and has a limit for it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A signal that ends a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM, as `docker stop` sends it.
    Terminate,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// The job was told to end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("ended by {0}")]
pub struct Interrupted(pub Signal);

/// Tells a job that a signal came.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<Option<Signal>>);

impl Interrupt {
    /// Starts to listen. The first signal counts; later ones change nothing.
    pub(super) fn listen() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            let came = tokio::select! {
                _ = terminate.recv() => Signal::Terminate,
                _ = interrupt.recv() => Signal::Interrupt,
            };
            log::warn!("{came} received: cleaning up");
            sender.send_replace(Some(came));
            // The channel must stay open for those who still wait on it.
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    /// Waits until a signal came.
    pub async fn came(&self) -> Signal {
        let mut receiver = self.0.clone();
        let came = receiver.wait_for(Option::is_some).await.ok().and_then(|signal| *signal);
        match came {
            Some(signal) => signal,
            // Nobody listens any more: the runtime is on its way down.
            None => std::future::pending().await,
        }
    }

    /// Does the work, unless a signal comes first; the work is then dropped where it stands.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        tokio::select! {
            biased;
            signal = self.came() => Err(Interrupted(signal)),
            done = work => Ok(done),
        }
    }

    /// Waits until a signal came and the time for cleaning up is over.
    pub(super) async fn overdue(&self, limit: Duration) -> Signal {
        let signal = self.came().await;
        tokio::time::sleep(limit).await;
        signal
    }
}
