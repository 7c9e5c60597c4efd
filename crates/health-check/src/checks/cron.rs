//! `cron`: a cron daemon runs, and the jobs are really started.
//!
//! No file is believed to say that the daemon runs: the processes themselves are looked at. And a daemon that runs may still
//! start nothing, because it dislikes its crontab: so the hourly health check writes down that it ran.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use backup_core::figures;
use backup_core::journal::{Journal, LastRun};
use backup_core::process::{Killed, killed, now};
use time::OffsetDateTime;

use super::disk::write_in;
use super::since;
use crate::finding::{Advice, Finding, Name, Remark};

/// The names that cron daemons go by.
const DAEMONS: [&str; 4] = ["cron", "crond", "busybox-cron", "supercronic"];

/// The tools that cron starts. A crontab that names one of them starts our jobs.
const JOBS: [&str; 4] = ["backup", "cleanup", "restore-test", "health-check"];

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
    pub(crate) killed_cleanup: Option<Killed>,
    /// Runs can write down that they ran.
    pub(crate) can_be_noted: bool,
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
pub(crate) fn look(crontab: &Path, journal: &Journal, state: &Path) -> Facts {
    Facts {
        crontab: crontab.to_owned(),
        is_ours: is_ours(crontab),
        daemon: daemon_in(Path::new("/proc")).unwrap_or_default(),
        hourly: journal.read(crate::TOOL.name),
        cleanup: journal.read("cleanup"),
        killed_cleanup: killed(state, "cleanup"),
        can_be_noted: write_in(state).is_ok(),
        now: now(),
    }
}

/// Whether jobs of ours are started by it. One that is there and cannot be read, or a link that leads nowhere, is taken
/// for ours: better a needless question than a silent night.
fn is_ours(crontab: &Path) -> bool {
    match fs::read_to_string(crontab) {
        Ok(text) => starts_our_jobs(&text),
        Err(_) => fs::symlink_metadata(crontab).is_ok(),
    }
}

/// Whether a line that is no comment has one of our tools for a word, with or without a path.
fn starts_our_jobs(crontab: &str) -> bool {
    let lines = crontab.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    words.any(|word| JOBS.iter().any(|job| word.rsplit('/').next() == Some(job)))
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
    remarks.extend(facts.killed_cleanup.as_ref().and_then(of_killed_cleanup));
    remarks.extend(facts.cleanup.as_ref().and_then(|run| of_cleanup(run, facts.now)));
    Finding::new(Name::Cron, remarks, Vec::new())
}

fn of_daemon(Facts { crontab, is_ours, daemon, hourly, can_be_noted, now, .. }: &Facts) -> Remark {
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
    let silent_for = hourly.as_ref().map(|run| since(run.ended, *now));
    // Whoever has just started the container, after a week without it, has not missed anything yet.
    let had_time = up.is_none_or(|up| up > HOURLY_MEANS);
    match silent_for {
        Some(silent) if silent <= HOURLY_MEANS => {
            Remark::ok(format!("{runs}; its last health check was {} ago", figures::duration(silent)))
        }
        _ if !had_time => Remark::ok(runs),
        _ if !can_be_noted => Remark::warning(
            format!("{runs}; whether it starts anything is not known, because runs cannot write down that they ran"),
            "See what the check of the disk says.",
        ),
        silent => {
            let last = silent.map_or("never".to_owned(), |silent| format!("{} ago", figures::duration(silent)));
            Remark::critical(
                format!("{runs}, but starts nothing: the hourly health check last ran {last}"),
                format!(
                    "See what cron says of {crontab} in the container's log; a crontab with one bad line is ignored as a whole."
                ),
            )
        }
    }
}

/// What a later one came to is told in its place.
fn of_killed_cleanup(killed: &Killed) -> Option<Remark> {
    killed.is_last.then(|| {
        let at = figures::instant(killed.started);
        Remark::warning(
            format!(
                "the cleanup of {at} was killed before its end: it deleted no more than it should, but perhaps less"
            ),
            Advice::run("Run it again:", "cleanup"),
        )
    })
}

fn of_cleanup(run: &LastRun, now: OffsetDateTime) -> Option<Remark> {
    let age = since(run.ended, now);
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

#[cfg(test)]
mod tests {
    use backup_core::mail::State;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-01-29 12:00 UTC);

    fn hours_ago(hours: i64, exit_code: u8) -> LastRun {
        let ended = NOW - time::Duration::hours(hours);
        LastRun { started: ended, ended, exit_code, error: None }
    }

    fn facts(up: Option<u64>, hourly: Option<LastRun>) -> Facts {
        let daemon = up.map(|hours| Daemon { name: "cron".into(), pid: 7, up: Some(Duration::from_hours(hours)) });
        Facts {
            crontab: "/etc/crontab".into(),
            is_ours: true,
            daemon,
            hourly,
            cleanup: None,
            killed_cleanup: None,
            can_be_noted: true,
            now: NOW,
        }
    }

    #[test]
    fn a_daemon_that_runs_must_also_start_something() {
        for (up, hourly, state) in [
            (None, Some(hours_ago(1, 0)), State::Critical),
            (Some(400), Some(hours_ago(1, 1)), State::Ok),
            (Some(400), Some(hours_ago(3, 0)), State::Critical),
            (Some(400), None, State::Critical),
            (Some(1), Some(hours_ago(300, 0)), State::Ok),
            (Some(1), None, State::Ok),
        ] {
            assert_eq!(judge(&facts(up, hourly.clone())).state, state, "{up:?} {hourly:?}");
        }
        let blind = Facts { can_be_noted: false, ..facts(Some(400), None) };
        assert_eq!(judge(&blind).state, State::Warning);
        // Where the system does not say since when the daemon runs, its silence is believed.
        let daemon = Some(Daemon { name: "cron".into(), pid: 7, up: None });
        assert_eq!(judge(&Facts { daemon, ..facts(None, None) }).state, State::Critical);
        let elsewhere = judge(&Facts { is_ours: false, ..facts(None, None) });
        assert_eq!(elsewhere.state, State::Ok);
        assert!(elsewhere.fact.starts_with("/etc/crontab starts none of the tools here"));
    }

    #[test]
    fn a_cleanup_that_failed_or_stays_away_is_worth_a_look() {
        for (cleanup, state) in [
            (None, State::Ok),
            (Some(hours_ago(7 * 24, 0)), State::Ok),
            (Some(hours_ago(9 * 24, 0)), State::Warning),
            (Some(hours_ago(1, 1)), State::Warning),
        ] {
            assert_eq!(judge(&Facts { cleanup, ..facts(Some(9), Some(hours_ago(0, 0))) }).state, state);
        }
        for (is_last, state) in [(true, State::Warning), (false, State::Ok)] {
            let killed_cleanup = Some(Killed { started: NOW, is_last });
            assert_eq!(judge(&Facts { killed_cleanup, ..facts(Some(9), Some(hours_ago(0, 0))) }).state, state);
        }
    }

    #[test]
    fn a_crontab_is_ours_if_it_starts_one_of_the_tools() {
        assert!(starts_our_jobs("SHELL=/bin/sh\n0 2 * * * backup /usr/local/bin/backup --quiet\n"));
        assert!(starts_our_jobs("@hourly health-check"));
        let debian = "17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n# 0 2 * * * root backup\n";
        assert!(!starts_our_jobs(debian));
    }

    #[test]
    fn processes_are_read_as_the_kernel_writes_them() {
        let stat = |name: &str, state: &str| {
            format!(
                "7 ({name}) {state} 1 7 7 0 -1 4194560 110 0 0 0 0 0 0 0 20 0 1 0 360000 4116480 500 18446744073709551615 1\n"
            )
        };
        let cron = Daemon { name: "cron".into(), pid: 7, up: Some(Duration::from_hours(2)) };
        assert_eq!(daemon(7, &stat("cron", "S"), Some(10_800.0)), Some(cron));
        assert_eq!(daemon(7, &stat("cron", "Z"), Some(10_800.0)), None);
        assert_eq!(daemon(7, &stat("a) (cron", "S"), None), None);
        assert_eq!(daemon(7, &stat("crontab", "S"), None), None);
        assert_eq!(daemon(7, "", None), None);
    }
}
