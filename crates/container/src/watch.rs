//! While the container runs: shows the logs, notices when cron ends or starts nothing, and ends everything in order
//! when told to.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use backup_core::process::{Exit, now};
use log::Level;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use time::UtcOffset;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use crate::expected::Expected;
use crate::follow::Follow;
use crate::output::{say, say_failure, show};
use crate::processes::{Scope, tools};
use crate::run_folder::RunFolder;
use crate::tell::start_telling;

/// How often logs and processes are looked at: a line is shown as soon as a person would see it.
const GLANCE: Duration = Duration::from_millis(250);

/// A tool that was told to end is gone within ten seconds; Docker is told to wait for longer than this.
const TIME_TO_END: Duration = Duration::from_secs(15);

/// The container's main process, once everything has been started.
pub(crate) struct Watch {
    pub(crate) cron: Pid,
    pub(crate) run: RunFolder,
    pub(crate) schedule: OnDisk,
    pub(crate) expected: Expected,
    pub(crate) follow: Option<Follow>,
    pub(crate) scope: Scope,
    /// The job that cron has not started.
    pub(crate) silent: Option<String>,
}

/// The schedule as it was when cron was given it.
pub(crate) struct OnDisk {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Watch {
    /// Watches cron until it ends, or until this process is told to end; then ends the jobs that still run.
    pub(crate) fn run(mut self) -> Result<Exit, Error> {
        let failed = |source| Error::System { attempt: "listen to signals", source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
            let ended = tokio::select! {
                why = self.until_nothing_would_run() => Err(why),
                _ = terminate.recv() => Ok("SIGTERM"),
                _ = interrupt.recv() => Ok("SIGINT"),
            };
            if let Ok(name) = ended {
                say(Level::Info, &format!("{name} received: no more jobs; those that run are told to end"));
            }
            // It may have ended just now; and one that was stopped hears of it only when it goes on.
            let _ = kill(self.cron, Signal::SIGTERM).and_then(|()| kill(self.cron, Signal::SIGCONT));
            self.end_jobs().await;
            ended.map(|_| Exit::Done)
        })
    }

    /// Gives what keeps the jobs from being started.
    async fn until_nothing_would_run(&mut self) -> Error {
        let mut minute = Instant::now();
        loop {
            self.show_logs();
            if let Some(how) = self.reap() {
                return Error::CronEnded { how };
            }
            if self.silent.is_none() {
                self.look_for_late_jobs();
            }
            // A backup, or a restore that somebody began by hand, is worth more than a cron that works a little earlier.
            if let Some(job) = self.silent.take_if(|_| tools(self.scope).is_empty()) {
                return Error::CronSilent { job };
            }
            if minute.elapsed() >= Duration::from_mins(1) {
                minute = Instant::now();
                self.compare_schedule();
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Says in the log that a job is late, and mails it at once.
    fn look_for_late_jobs(&mut self) {
        let offset = |at| UtcOffset::local_offset_at(at).ok();
        let late = self.expected.late(now(), offset, |job| self.run.last_start(job));
        if let Some(job) = late.map(str::to_owned) {
            let error = Error::CronSilent { job: job.clone() };
            say_failure(&error);
            // It is reaped with the others.
            drop(start_telling(&error));
            self.silent = Some(job);
        }
    }

    /// Whoever edits the schedule of a running container is told that cron does not see that.
    fn compare_schedule(&mut self) {
        let OnDisk { path, text } = &mut self.schedule;
        if let Ok(now) = std::fs::read_to_string(&*path)
            && now != *text
        {
            let path = path.display();
            say(
                Level::Warn,
                &format!(
                    "{path} has changed: it is checked and used from the next start (docker-compose restart backup)"
                ),
            );
            *text = now;
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
