//! When a person is told: what has got worse, at once; what lasts, now and then; that it is over.
//!
//! A pure function of what was known, what was found and the time. What a run did not look at stays as it was known.
//! A fault is one conversation: its mails belong together, from the first to the one that says that it is over.
//!
//! What comes and goes must not mail each time. A check that gets worse soon after it got better is told once more, as one that
//! comes and goes; from then on it counts as broken until it has been well for some hours.

use std::cmp::Ordering;
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

/// What gets worse within this time of having got better comes and goes.
const RELAPSE: Duration = Duration::from_hours(24);

/// What comes and goes is over when it has been well for so long.
pub(crate) const WELL_FOR: Duration = Duration::from_hours(6);

/// Everything that is remembered from one run to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    #[serde(flatten)]
    pub(crate) open: Option<Open>,
    /// When each check last got better, for as long as that matters.
    #[serde(default)]
    better: BTreeMap<Name, At>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct At(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

/// What is known to be wrong, and was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Open {
    /// The mails that tell of it.
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
    #[serde(default)]
    pub(crate) comes_and_goes: bool,
    /// It is better now, and not yet for long enough.
    #[serde(default, with = "time::serde::rfc3339::option")]
    better_since: Option<OffsetDateTime>,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Say {
    /// These got worse, and those are not broken any more.
    Alert { worse: Vec<Name>, over: Vec<Name> },
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
    known: &Known,
    findings: &[Finding],
    now: OffsetDateTime,
    reminder: Duration,
) -> (Known, Option<Say>) {
    let before = known.open.as_ref();
    let mut better = known.better.clone();
    better.retain(|_, At(then)| !is_due(*then, now, RELAPSE));
    let mut problems = before.map(|open| open.problems.clone()).unwrap_or_default();
    let (mut worse, mut over) = (Vec::new(), Vec::new());
    for &Finding { name, state, .. } in findings {
        let known = problems.remove(&name);
        let was = known.as_ref().map_or(State::Ok, |known| known.state);
        if let Some(known) = known.as_ref().filter(|known| known.comes_and_goes && state < was) {
            let since = known.better_since.unwrap_or(now);
            if !is_due(since, now, WELL_FOR) {
                problems.insert(name, Problem { better_since: Some(since), ..known.clone() });
                continue;
            }
        }
        let comes_and_goes = match state.cmp(&was) {
            Ordering::Less => {
                better.insert(name, At(now));
                if was == State::Critical {
                    over.push(name);
                }
                false
            }
            Ordering::Equal => known.as_ref().is_some_and(|known| known.comes_and_goes),
            Ordering::Greater => {
                worse.push(name);
                better.contains_key(&name) || known.as_ref().is_some_and(|known| known.comes_and_goes)
            }
        };
        if state > State::Ok {
            let since = known.map_or(now, |known| known.since);
            problems.insert(name, Problem { state, since, comes_and_goes, better_since: None });
        }
    }
    if problems.is_empty() {
        return (Known { open: None, better }, before.map(|_| Say::Recovered));
    }
    let (thread, since, told) = match before {
        Some(open) => (open.thread.clone(), open.since, open.told),
        None => (Thread::new(now), now, now),
    };
    let mut open = Open { thread, since, told, problems };
    let say = if !worse.is_empty() {
        Some(Say::Alert { worse, over })
    } else if !over.is_empty() {
        Some(if open.is_critical() { Say::Partly { over } } else { Say::Eased })
    } else {
        let interval = if open.is_critical() { reminder } else { reminder * WARNINGS_ARE_SELDOM };
        is_due(told, now, interval).then_some(Say::Reminder)
    };
    if say.is_some() {
        open.told = now;
    }
    (Known { open: Some(open), better }, say)
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
        let mut known = Known::default();
        let mut said = Vec::new();
        for (hour, states) in hours {
            let (next, say) = decide(&known, &found(states), NOON + time::Duration::hours(*hour), DAY);
            known = next;
            said.push(say);
        }
        said
    }

    fn alert(worse: &[Name]) -> Say {
        Say::Alert { worse: worse.to_vec(), over: Vec::new() }
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
    fn what_is_over_is_told_with_what_is_new() {
        use State::{Critical, Ok};
        let said = told(&[
            (0, &[(Name::Database, Critical), (Name::Cron, Ok)]),
            (1, &[(Name::Database, Ok), (Name::Cron, Critical)]),
        ]);
        let over = Say::Alert { worse: vec![Name::Cron], over: vec![Name::Database] };
        assert_eq!(said, [Some(alert(&[Name::Database])), Some(over)]);
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
        let (known, _) = decide(&Known::default(), &bad, NOON, DAY);
        let say = |now| decide(&known, &bad, now, DAY).1;
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
        let (known, _) = decide(&Known::default(), &found(&[(Name::Cron, State::Critical)]), NOON, DAY);
        let later = NOON + time::Duration::hours(5);
        let (after, _) = decide(&known, &found(&[(Name::Disk, State::Critical)]), later, DAY);
        let (over, _) = decide(&after, &found(&[(Name::Disk, State::Ok), (Name::Cron, State::Ok)]), later, DAY);
        for known in [&known, &after, &over] {
            assert_eq!(serde_json::from_str::<Known>(&serde_json::to_string(known).unwrap()).unwrap(), *known);
        }
        let (first, second) = (known.open.unwrap(), after.open.unwrap());
        assert_eq!((&first.thread, first.since), (&second.thread, second.since));
        assert_eq!(second.problems[&Name::Disk].since, later);
    }

    #[test]
    fn what_comes_and_goes_each_hour_is_told_twice_then_every_day_and_when_it_stays_well() {
        for (good, bad) in
            [(State::Ok, State::Critical), (State::Ok, State::Warning), (State::Warning, State::Critical)]
        {
            let hours: Vec<[(Name, State); 1]> =
                (0..60).map(|hour| [(Name::Database, if hour < 49 && hour % 2 == 1 { bad } else { good })]).collect();
            let hours: Vec<(i64, &[(Name, State)])> =
                hours.iter().enumerate().map(|(hour, states)| (hour as i64, &states[..])).collect();
            let said = told(&hours);
            let told_at: Vec<usize> =
                said.iter().enumerate().filter(|(_, say)| say.is_some()).map(|(hour, _)| hour).collect();
            // The first fault at once, its end, that it is back; then no more than a reminder a day, and the end.
            assert!(said[1] == Some(alert(&[Name::Database])) && said[3] == said[1], "{told_at:?}");
            assert!(said[54].is_some(), "{told_at:?}");
            let reminders = if bad == State::Critical { vec![27] } else { Vec::new() };
            let quiet: Vec<usize> = told_at.into_iter().filter(|hour| (4..48).contains(hour)).collect();
            assert_eq!(quiet, reminders, "{good:?} {bad:?}");
        }
    }

    #[test]
    fn what_comes_back_after_days_is_a_new_fault() {
        let (bad, good): (&[_], &[_]) = (&[(Name::Database, State::Critical)], &[(Name::Database, State::Ok)]);
        let said = told(&[(0, bad), (1, good), (30, bad), (31, good)]);
        let new = Some(alert(&[Name::Database]));
        assert_eq!(said, [new.clone(), Some(Say::Recovered), new, Some(Say::Recovered)]);
    }
}
