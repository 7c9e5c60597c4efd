//! When a person is told: what has got worse, at once; what lasts, now and then; that it is over.
//!
//! A pure function of what was known, what was found and the time. What a run did not look at stays as it was known.
//! A fault is one conversation: its mails belong together, from the first to the one that says that it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use backup_core::mail::{State, Thread};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::finding::{Finding, Name};

/// The checks run every hour, but never to the second: what is due in a few minutes is due.
const TOLERANCE: Duration = Duration::from_mins(5);

/// What is only odd is recalled so many times as seldom as what is broken.
const WARNINGS_ARE_SELDOM: u32 = 7;

/// What is known to be wrong, and was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    /// The row of mails.
    pub(crate) thread: Thread,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) since: OffsetDateTime,
    /// When a mail last told of it.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) told: OffsetDateTime,
    /// Never empty.
    pub(crate) problems: BTreeMap<Name, Problem>,
}

/// A check that is not well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Problem {
    pub(crate) state: State,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) since: OffsetDateTime,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Say {
    /// These got worse.
    Alert { worse: Vec<Name> },
    /// Nothing has got worse, and what is wrong has lasted for long.
    Reminder,
    /// These are not broken any more, others are.
    Partly { over: Vec<Name> },
    /// Nothing is broken any more; what is left over is only odd.
    Eased,
    /// All is well again.
    Recovered,
}

impl Open {
    fn is_critical(&self) -> bool {
        self.problems.values().any(|problem| problem.state == State::Critical)
    }
}

/// What is known from now on, and what is to be told now.
pub(crate) fn decide(
    before: Option<&Open>,
    findings: &[Finding],
    now: OffsetDateTime,
    reminder: Duration,
) -> (Option<Open>, Option<Say>) {
    let mut problems = before.map(|open| open.problems.clone()).unwrap_or_default();
    let (mut worse, mut over) = (Vec::new(), Vec::new());
    for &Finding { name, state, .. } in findings {
        let known = problems.remove(&name);
        if state < State::Critical && known.as_ref().is_some_and(|known| known.state == State::Critical) {
            over.push(name);
        }
        if state == State::Ok {
            continue;
        }
        if known.as_ref().is_none_or(|known| known.state < state) {
            worse.push(name);
        }
        problems.insert(name, Problem { state, since: known.map_or(now, |known| known.since) });
    }
    if problems.is_empty() {
        return (None, before.map(|_| Say::Recovered));
    }
    let (thread, since, told) = match before {
        Some(open) => (open.thread.clone(), open.since, open.told),
        None => (Thread::new(now), now, now),
    };
    let mut open = Open { thread, since, told, problems };
    let say = if !worse.is_empty() {
        Some(Say::Alert { worse })
    } else if !over.is_empty() {
        Some(if open.is_critical() { Say::Partly { over } } else { Say::Eased })
    } else {
        let interval = if open.is_critical() { reminder } else { reminder * WARNINGS_ARE_SELDOM };
        is_due(told, now, interval).then_some(Say::Reminder)
    };
    if say.is_some() {
        open.told = now;
    }
    (Some(open), say)
}

/// Whether it is time again. A clock that was set back must not keep us silent for years.
fn is_due(told: OffsetDateTime, now: OffsetDateTime, interval: Duration) -> bool {
    (now - told).unsigned_abs() + TOLERANCE >= interval
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::finding::Remark;

    const NOON: OffsetDateTime = datetime!(2025-01-29 12:00 UTC);
    const DAY: Duration = Duration::from_hours(24);

    fn found(states: &[(Name, State)]) -> Vec<Finding> {
        let finding =
            |&(name, state): &(Name, State)| Finding::new(name, [Remark { state, ..Remark::ok("") }], Vec::new());
        states.iter().map(finding).collect()
    }

    /// Hours since noon with what was found then, and what was told.
    fn told(hours: &[(i64, &[(Name, State)])]) -> Vec<Option<Say>> {
        let mut open = None;
        let mut said = Vec::new();
        for (hour, states) in hours {
            let (next, say) = decide(open.as_ref(), &found(states), NOON + time::Duration::hours(*hour), DAY);
            open = next;
            said.push(say);
        }
        said
    }

    fn alert(worse: &[Name]) -> Say {
        Say::Alert { worse: worse.to_vec() }
    }

    #[test]
    fn a_fault_is_told_at_once_then_every_day_then_its_end() {
        use State::{Critical, Ok};
        let (bad, good): (&[_], &[_]) = (&[(Name::Database, Critical)], &[(Name::Database, Ok)]);
        let said =
            told(&[(0, good), (1, bad), (2, bad), (24, bad), (25, bad), (26, bad), (49, bad), (50, good), (51, good)]);
        let (new, again, over) = (Some(alert(&[Name::Database])), Some(Say::Reminder), Some(Say::Recovered));
        assert_eq!(said, [None, new, None, None, again.clone(), None, again, over, None]);
    }

    #[test]
    fn what_gets_worse_is_told_and_what_is_not_broken_any_more() {
        use State::{Critical, Ok, Warning};
        let said = told(&[
            (0, &[(Name::Disk, Warning), (Name::Cron, Ok)]),
            (1, &[(Name::Disk, Critical), (Name::Cron, Critical)]),
            (2, &[(Name::Disk, Warning), (Name::Cron, Critical)]),
            (3, &[(Name::Disk, Warning), (Name::Cron, Ok)]),
            (4, &[(Name::Disk, Warning), (Name::Cron, Ok)]),
            (5, &[(Name::Disk, Ok), (Name::Cron, Ok)]),
        ]);
        let expected = [
            Some(alert(&[Name::Disk])),
            Some(alert(&[Name::Disk, Name::Cron])),
            Some(Say::Partly { over: vec![Name::Disk] }),
            Some(Say::Eased),
            None,
            Some(Say::Recovered),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn warnings_are_recalled_every_week() {
        let odd: &[_] = &[(Name::Settings, State::Warning)];
        let said = told(&[(0, odd), (25, odd), (167, odd), (168, odd), (192, odd)]);
        assert_eq!(said, [Some(alert(&[Name::Settings])), None, None, Some(Say::Reminder), None]);
    }

    #[test]
    fn a_run_that_comes_a_little_early_is_in_time_and_a_clock_set_back_is_no_silence() {
        let bad = found(&[(Name::Cron, State::Critical)]);
        let (open, _) = decide(None, &bad, NOON, DAY);
        let say = |now| decide(open.as_ref(), &bad, now, DAY).1;
        assert_eq!(say(NOON + time::Duration::minutes(24 * 60 - 4)), Some(Say::Reminder));
        assert_eq!(say(NOON + time::Duration::minutes(24 * 60 - 6)), None);
        assert_eq!(say(NOON - time::Duration::days(400)), Some(Say::Reminder));
    }

    #[test]
    fn what_was_not_looked_at_stays_as_it_was_known() {
        let (database, storage) = (&[(Name::Database, State::Critical)], &[(Name::Storage, State::Ok)]);
        assert_eq!(told(&[(0, database), (1, storage), (2, database)]), [Some(alert(&[Name::Database])), None, None]);
    }

    #[test]
    fn the_mails_of_one_fault_are_one_conversation_and_what_is_known_reads_back() {
        let (first, _) = decide(None, &found(&[(Name::Cron, State::Critical)]), NOON, DAY);
        let later = NOON + time::Duration::hours(5);
        let (second, _) = decide(first.as_ref(), &found(&[(Name::Disk, State::Critical)]), later, DAY);
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!((&first.thread, first.since), (&second.thread, second.since));
        assert_eq!(second.problems[&Name::Disk].since, later);
        assert_eq!(serde_json::from_str::<Open>(&serde_json::to_string(&second).unwrap()).unwrap(), second);
    }
}
