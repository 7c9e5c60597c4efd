//! SIGTERM and SIGINT: a job is told, cleans up, and has a limit for it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long after a signal the mail about a run may still be on its way: a little less than the run may.
const TIME_FOR_A_MAIL: Duration = Duration::from_secs(8);

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
pub struct Interrupt(watch::Receiver<Option<(Signal, Instant)>>);

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
            sender.send_replace(Some((came, Instant::now())));
            // The channel must stay open for those who still wait on it.
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    /// Waits until a signal came.
    pub async fn came(&self) -> Signal {
        self.came_at().await.0
    }

    async fn came_at(&self) -> (Signal, Instant) {
        let mut receiver = self.0.clone();
        let came = receiver.wait_for(Option::is_some).await.ok().and_then(|came| *came);
        match came {
            Some(came) => came,
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

    /// Sends the mail about a run that has its result. Once a signal came it has some seconds left; then it stays where it is
    /// kept, for the next tool that runs.
    pub async fn or_keep(&self, mail: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = mail => {}
            _ = self.overdue(TIME_FOR_A_MAIL) => log::warn!("the mail is not sent yet: it is kept for the next tool that runs"),
        }
    }

    /// Waits until a signal came and the time for cleaning up is over.
    pub(super) async fn overdue(&self, limit: Duration) -> Signal {
        let (signal, at) = self.came_at().await;
        tokio::time::sleep_until(at + limit).await;
        signal
    }
}
