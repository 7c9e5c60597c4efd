//! What cron should have started by now: a cron that runs may still start nothing, and nobody else would notice before the
//! health check, which cron is to start.
//!
//! Only what this process has seen of the clock is judged. Where the clock jumped, or the machine slept, or summer time has
//! just begun or ended, cron has rules of its own, and nothing is expected for a while.

use std::time::Duration;

use time::{OffsetDateTime, UtcOffset};

use crate::schedule::Schedule;
use crate::when::When;

/// After a change of the clocks, cron does not repeat, or makes up for, what lies in the hours around it.
const CLOCKS_CHANGE: time::Duration = time::Duration::hours(3);

/// The most minutes between two looks. After a longer gap, the clock has jumped or the machine has slept.
const LONGEST_GAP: i64 = 2;

/// The jobs of the schedule, and those of them that are awaited.
#[derive(Debug)]
pub(crate) struct Expected {
    jobs: Vec<(When, String)>,
    /// Job and minute, counted from 1970.
    awaited: Vec<(usize, i64)>,
    patience: i64,
    /// The last minute that was looked at.
    minute: Option<i64>,
}

impl Expected {
    /// The jobs that `container job` starts, which says so. A job is late after so many whole minutes, one at least.
    pub(crate) fn of(schedule: &Schedule, patience: Duration) -> Self {
        let jobs = schedule.entries.iter().filter_map(|entry| {
            let words = entry.command.strip_prefix("container job ")?;
            Some((When::read(&entry.when).ok()?, plain(words)?))
        });
        let patience = patience.as_secs().div_ceil(60).max(1) as i64;
        Self { jobs: jobs.collect(), awaited: Vec::new(), patience, minute: None }
    }

    /// Gives a job that should have been started, and was not. Is to be asked several times a minute; `offset` tells the local
    /// time of an instant, `started` when a job was last started, in seconds from 1970.
    pub(crate) fn late(
        &mut self,
        now: OffsetDateTime,
        offset: impl Fn(OffsetDateTime) -> Option<UtcOffset>,
        started: impl Fn(&str) -> Option<i64>,
    ) -> Option<&str> {
        let minute = now.unix_timestamp().div_euclid(60);
        let last = self.minute.replace(minute)?;
        if !(0..=LONGEST_GAP).contains(&(minute - last)) {
            self.awaited.clear();
            return None;
        }
        for begun in last + 1..=minute {
            self.expect(begun, &offset);
        }
        let started_since = |job: usize, due: i64| started(&self.jobs[job].1).is_some_and(|at| at >= due * 60);
        let (mut late, mut awaited) = (None, Vec::new());
        for (job, due) in self.awaited.drain(..) {
            if minute < due + self.patience {
                awaited.push((job, due));
            } else if !started_since(job, due) {
                late = late.or(Some(job));
            }
        }
        self.awaited = awaited;
        late.map(|job| self.jobs[job].1.as_str())
    }

    fn expect(&mut self, minute: i64, offset: &impl Fn(OffsetDateTime) -> Option<UtcOffset>) {
        let Ok(instant) = OffsetDateTime::from_unix_timestamp(minute * 60) else { return };
        let (Some(now), Some(before)) = (offset(instant), offset(instant - CLOCKS_CHANGE)) else { return };
        if now == before {
            let local = instant.to_offset(now);
            let due = (0..self.jobs.len()).filter(|job| self.jobs[*job].0.is_at(local));
            self.awaited.extend(due.map(|job| (job, minute)).collect::<Vec<_>>());
        }
    }
}

/// The words as the program will see them; none where a shell might change them.
fn plain(words: &str) -> Option<String> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || " \t-_./,:+@=".contains(c);
    words.chars().all(harmless).then(|| words.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Entry;
    use time::macros::{datetime, offset};

    fn expected(entries: &[(&str, &str)]) -> Expected {
        let entry = |(when, command): &(&str, &str)| Entry {
            when: (*when).into(),
            user: "root".into(),
            command: (*command).into(),
        };
        let schedule = Schedule { text: String::new(), entries: entries.iter().map(entry).collect() };
        Expected::of(&schedule, Duration::from_mins(10))
    }

    const START: OffsetDateTime = datetime!(2025-01-29 01:58:30 +00:00);
    const TWO: OffsetDateTime = datetime!(2025-01-29 02:00 +00:00);

    /// Looks twice a minute; gives the job that was found late, and when.
    fn watch(
        expected: &mut Expected,
        minutes: i64,
        started: Option<OffsetDateTime>,
    ) -> Option<(String, OffsetDateTime)> {
        (0..=2 * minutes).find_map(|half| {
            let now = START + time::Duration::seconds(30 * half);
            let at = started.filter(|at| *at <= now).map(OffsetDateTime::unix_timestamp);
            expected.late(now, |_| Some(offset!(UTC)), |_| at).map(|job| (job.to_owned(), now))
        })
    }

    #[test]
    fn a_job_that_is_not_started_is_late_after_ten_minutes() {
        let nightly = [("0 2 * * *", "container job backup")];
        let late = watch(&mut expected(&nightly), 30, None);
        assert_eq!(late, Some(("backup".to_owned(), TWO + time::Duration::minutes(10))));
        // One of the night before does not count.
        assert!(watch(&mut expected(&nightly), 30, Some(TWO - time::Duration::DAY)).is_some());
        assert_eq!(watch(&mut expected(&nightly), 30, Some(TWO + time::Duration::seconds(1))), None);
        // Not yet due, and not one of ours.
        assert_eq!(watch(&mut expected(&[("0 3 * * *", "container job backup")]), 30, None), None);
        assert_eq!(watch(&mut expected(&[("0 2 * * *", "/bin/true")]), 30, None), None);
        assert_eq!(watch(&mut expected(&[("@reboot", "container job backup")]), 30, None), None);
    }

    #[test]
    fn what_a_shell_might_change_is_not_expected() {
        assert_eq!(plain("logrotate  /etc/logrotate.d/backup").as_deref(), Some("logrotate /etc/logrotate.d/backup"));
        for words in ["sh -c 'date'", "backup $FLAGS", "backup >/dev/null", "backup; true", "backup *", "\"backup\""] {
            assert_eq!(plain(words), None, "{words}");
        }
    }

    #[test]
    fn a_clock_that_jumps_forgives_what_lies_between() {
        let mut expected = expected(&[("0 2 * * *", "container job backup")]);
        let utc = |_| Some(offset!(UTC));
        let never = |_: &str| None;
        for now in [START, TWO, TWO + time::Duration::MINUTE, TWO + time::Duration::hours(5)] {
            assert_eq!(expected.late(now, utc, never), None);
        }
        let later = TWO + time::Duration::hours(5) + time::Duration::MINUTE;
        assert_eq!(expected.late(later, utc, never), None);
        // And backwards: 02:00 comes again, and is awaited anew.
        assert_eq!(expected.late(START, utc, never), None);
        let late = (1..30).filter(|n| expected.late(START + time::Duration::minutes(*n), utc, never).is_some());
        assert_eq!(late.count(), 1);
    }

    #[test]
    fn nothing_is_expected_in_the_hours_after_the_clocks_change() {
        let change = datetime!(2025-10-26 01:00 +00:00);
        let berlin = |at: OffsetDateTime| Some(if at < change { offset!(+2) } else { offset!(+1) });
        let mut expected = expected(&[("0 2 * * *", "container job backup")]);
        let never = |_: &str| None;
        // 02:00 comes twice; cron runs the first.
        let late: Vec<_> = (-5..300)
            .map(|minute| change + time::Duration::minutes(minute))
            .filter(|now| expected.late(*now, berlin, never).is_some())
            .collect();
        assert!(late.is_empty(), "{late:?}");
    }
}
