//! While the container runs: shows the logs, notices when cron ends, and ends everything in order when told to.

use std::time::{Duration, Instant};

use backup_core::process::Exit;
use log::Level;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::follow::Follow;
use crate::output::{say, show};
use crate::processes::{Scope, tools};

/// How often logs and processes are looked at: a line is shown as soon as a person would see it.
const GLANCE: Duration = Duration::from_millis(250);

/// A tool that was told to end is gone within ten seconds; Docker is told to wait for longer than this.
const TIME_TO_END: Duration = Duration::from_secs(15);

/// Watches cron until it ends, or until this process is told to end; then ends the jobs that still run.
pub(crate) fn watch(cron: Pid, follow: Option<Follow>, scope: Scope) -> Result<Exit, Error> {
    let failed = |source| Error::System { attempt: "listen to signals", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut watch = Watch { cron, follow, scope };
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let ended = tokio::select! {
            how = watch.until_cron_ends() => Err(Error::CronEnded { how }),
            _ = terminate.recv() => Ok("SIGTERM"),
            _ = interrupt.recv() => Ok("SIGINT"),
        };
        if let Ok(name) = ended {
            say(Level::Info, &format!("{name} received: no more jobs; those that run are told to end"));
            // It may have ended just now.
            let _ = kill(cron, Signal::SIGTERM);
        }
        watch.end_jobs().await;
        ended.map(|_| Exit::Done)
    })
}

struct Watch {
    cron: Pid,
    follow: Option<Follow>,
    scope: Scope,
}

impl Watch {
    /// Gives how it ended, in words.
    async fn until_cron_ends(&mut self) -> String {
        loop {
            self.show_logs();
            if let Some(how) = self.reap() {
                return how;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn end_jobs(&mut self) {
        let deadline = Instant::now() + TIME_TO_END;
        let mut told = Vec::new();
        loop {
            self.reap();
            let running = tools(self.scope);
            if running.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                say(Level::Error, &format!("{} of the jobs did not end in time; they are killed", running.len()));
                break;
            }
            // One may have been about to start when the others were told.
            for tool in running.into_iter().filter(|tool| !told.contains(tool)).collect::<Vec<_>>() {
                // It may have ended by itself.
                let _ = kill(tool, Signal::SIGTERM);
                told.push(tool);
            }
            self.show_logs();
            tokio::time::sleep(GLANCE).await;
        }
        self.show_logs();
    }

    fn show_logs(&mut self) {
        if let Some(follow) = &mut self.follow {
            follow.look(show);
        }
    }

    /// Takes note of every process that has ended, ours and those that were left to us. Gives how cron ended, if it did.
    fn reap(&self) -> Option<String> {
        let mut cron = None;
        loop {
            let how = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(process, code)) => (process, format!("exit code {code}")),
                Ok(WaitStatus::Signaled(process, signal, _)) => (process, signal.to_string()),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return cron,
                Ok(_) | Err(_) => continue,
            };
            if how.0 == self.cron {
                cron = Some(how.1);
            }
        }
    }
}
