//! `cron`: a cron daemon runs, and the jobs are really started.
//!
//! No file is believed to say that the daemon runs: the processes themselves are looked at. And a daemon that runs may still
//! start nothing, because it dislikes its crontab: so the hourly health check writes down that it ran.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use backup_core::figures;
use backup_core::journal::{Journal, LastRun};
use backup_core::process::now;
use time::OffsetDateTime;

use crate::finding::{Advice, Finding, Name, Remark};

/// The names that cron daemons go by.
const DAEMONS: [&str; 4] = ["cron", "crond", "busybox-cron", "supercronic"];

/// A crontab that holds one of these starts our jobs.
const TOOLS: [&str; 5] = ["backup", "cleanup", "restore-test", "health-check", "logrotate"];

/// The health check runs every hour; it may take a minute, and the clock may jump by an hour.
const HOURLY_MEANS: Duration = Duration::from_mins(130);

/// The cleanup runs every week.
const WEEKLY_MEANS: Duration = Duration::from_hours(24 * 8);

#[derive(Debug)]
pub(crate) struct Facts {
    /// The crontab that the settings name.
    pub(crate) crontab: PathBuf,
    /// Whether it is there and starts our jobs.
    pub(crate) is_ours: bool,
    pub(crate) daemon: Option<Daemon>,
    /// How the last hourly run ended.
    pub(crate) hourly: Option<LastRun>,
    pub(crate) cleanup: Option<LastRun>,
    pub(crate) now: OffsetDateTime,
}

/// A cron daemon that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Daemon {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// For how long. `None`: the system does not say.
    pub(crate) up: Option<Duration>,
}

/// Looks at crontab and processes: this blocks.
pub(crate) fn look(crontab: &Path, journal: &Journal) -> Facts {
    Facts {
        crontab: crontab.to_owned(),
        is_ours: fs::read_to_string(crontab).is_ok_and(|text| starts_our_jobs(&text)),
        daemon: daemon_in(Path::new("/proc")).unwrap_or_default(),
        hourly: journal.read(crate::TOOL.name),
        cleanup: journal.read("cleanup"),
        now: now(),
    }
}

/// Whether a line that is no comment has one of our tools for a word, with or without a path.
fn starts_our_jobs(crontab: &str) -> bool {
    let lines = crontab.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    words.any(|word| word.contains('/') && TOOLS.iter().any(|tool| word.rsplit('/').next() == Some(tool)))
}

/// The cron daemon that has run the longest.
fn daemon_in(proc: &Path) -> io::Result<Option<Daemon>> {
    let uptime = fs::read_to_string(proc.join("uptime")).ok();
    let uptime: Option<f64> = uptime.and_then(|text| text.split_whitespace().next()?.parse().ok());
    let pids = fs::read_dir(proc)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let daemons = pids.filter_map(|pid| {
        let stat = fs::read_to_string(proc.join(pid.to_string()).join("stat")).ok()?;
        daemon(pid, &stat, uptime)
    });
    Ok(daemons.max_by_key(|daemon| daemon.up))
}

/// Reads `PID (NAME) STATE … STARTTIME …` (proc(5): the state is field 3, the start field 22, in ticks of which every
/// architecture of Linux shows 100 a second). What has ended and waits to be reaped runs no job.
fn daemon(pid: u32, stat: &str, uptime: Option<f64>) -> Option<Daemon> {
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if !DAEMONS.contains(&name) || matches!(state, "Z" | "X") {
        return None;
    }
    let started: Option<f64> = fields.nth(18).and_then(|ticks| ticks.parse().ok());
    let up = uptime.zip(started).map(|(uptime, ticks)| (uptime - ticks / 100.0).max(0.0));
    Some(Daemon { name: name.to_owned(), pid, up: up.map(Duration::from_secs_f64) })
}

pub(crate) fn judge(facts: &Facts) -> Finding {
    let mut remarks = vec![of_daemon(facts)];
    remarks.extend(facts.cleanup.as_ref().and_then(|run| of_cleanup(run, facts.now)));
    Finding::new(Name::Cron, remarks, Vec::new())
}

fn of_daemon(Facts { crontab, is_ours, daemon, hourly, now, .. }: &Facts) -> Remark {
    let crontab = crontab.display();
    if !is_ours {
        return Remark::ok(format!("{crontab} starts none of the tools here, so that no cron daemon is looked for"));
    }
    let Some(Daemon { name, pid, up }) = daemon else {
        return Remark::critical(
            format!("no cron daemon runs: nothing of {crontab} is started"),
            Advice { says: "Start the container again:".into(), command: Some("docker-compose restart backup".into()) },
        );
    };
    let runs = match up {
        Some(up) => format!("{name} (process {pid}) has run for {}", figures::duration(*up)),
        None => format!("{name} (process {pid}) runs"),
    };
    let silent_for = hourly.as_ref().map(|run| Duration::try_from(*now - run.ended).unwrap_or_default());
    // Whoever has just started the container, after a week without it, has not missed anything yet.
    let had_time = up.is_some_and(|up| up > HOURLY_MEANS);
    match silent_for {
        Some(silent) if silent <= HOURLY_MEANS => {
            Remark::ok(format!("{runs}; its last health check was {} ago", figures::duration(silent)))
        }
        _ if !had_time => Remark::ok(runs),
        silent => {
            let since = silent.map_or("never".to_owned(), |silent| format!("{} ago", figures::duration(silent)));
            Remark::critical(
                format!("{runs}, but starts nothing: the hourly health check last ran {since}"),
                format!(
                    "See what cron says of {crontab} in the container's log; a crontab with one bad line is ignored as a whole."
                ),
            )
        }
    }
}

fn of_cleanup(run: &LastRun, now: OffsetDateTime) -> Option<Remark> {
    let age = Duration::try_from(now - run.ended).unwrap_or_default();
    let ago = figures::duration(age);
    let again = || Advice::run("Run it, and see in cleanup.log what keeps it:", "cleanup");
    if run.exit_code != 0 {
        let why = run.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        return Some(Remark::warning(
            format!("the last cleanup, {ago} ago, ended with exit code {}{why}", run.exit_code),
            again(),
        ));
    }
    (age > WEEKLY_MEANS).then(|| Remark::warning(format!("the last cleanup was {ago} ago"), again()))
}
