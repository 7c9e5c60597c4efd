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
    let mut worse = Vec::new();
    for &Finding { name, state, .. } in findings {
        let known = problems.remove(&name);
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
    } else if before.is_some_and(Open::is_critical) && !open.is_critical() {
        Some(Say::Eased)
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
