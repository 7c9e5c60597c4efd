//! The plan of a cleanup: for every object of ours, whether it stays or goes, and why.
//!
//! Planning is a pure function: no clock, no store, no log. What must never happen is decided here and nowhere else, in
//! this order: nothing goes where clocks disagree or backups have stopped; never the newest backup that a restore test
//! has proven; never one of the newest in its tier, as many as the minimum says; nothing before its time is over.

mod halt;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use backup_core::key::{BackupId, RecordId, Tier};
use backup_core::settings::Retention;
use serde::Serialize;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::calendar::Limit;
use crate::inventory::{Held, What};

pub(crate) use halt::Halt;

/// How long backups are kept, and from when on they count as stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) retention: Retention,
    pub(crate) stopped_after: Duration,
}

/// The time, here and at the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Local time.
    pub(crate) now: OffsetDateTime,
    /// What the store says at the same instant, if it says anything.
    pub(crate) store: Option<OffsetDateTime>,
}

/// What is to become of every object, tier by tier, the newest first.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) decisions: Vec<Decision>,
    /// Why nothing at all is deleted.
    pub(crate) halt: Option<Halt>,
    /// The restore test that proves the newest backup which one has proven.
    pub(crate) proven: Option<RecordId>,
}

/// What is to become of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) object: Held,
    pub(crate) verdict: Verdict,
}

/// Stay or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Keep(Reason),
    /// Its time is over, and nothing holds it.
    Delete,
}

/// Why an object stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// Its time is not over.
    InTime,
    /// It holds, or is the proof of, the newest backup that a restore test has proven.
    Proven,
    /// The newest of its tier.
    Newest,
    /// Without it the tier would hold fewer than the minimum.
    Minimum,
    /// A record stays with its copy.
    WithItsCopy,
    /// Its time is over, but nothing at all is deleted.
    Halted,
}

impl Plan {
    pub(crate) fn new(mut objects: Vec<Held>, policy: &Policy, clock: &Clock) -> Self {
        // The newest first; a record after the copy that it stands beside.
        objects.sort_by(|a, b| {
            let order = |held: &Held| (held.tier(), std::cmp::Reverse(held.made()), held.what);
            order(a).cmp(&order(b))
        });
        let halt = halt::find(&objects, policy, clock);
        let proven = newest_proven(&objects);
        let mut judge = Judge {
            policy,
            proven,
            is_halted: halt.is_some(),
            today: clock.now.date(),
            seen: HashMap::new(),
            copies: HashMap::new(),
            newest_record: true,
        };
        let decide = |object: Held| Decision { verdict: judge.verdict(&object), object };
        Self { decisions: objects.into_iter().map(decide).collect(), halt, proven }
    }

    /// What goes: backups first, so that a record is never gone before its copy.
    pub(crate) fn to_delete(&self) -> Vec<&Held> {
        let goes = self.decisions.iter().filter(|decision| decision.verdict == Verdict::Delete);
        let mut goes: Vec<&Held> = goes.map(|decision| &decision.object).collect();
        goes.sort_by_key(|held| matches!(held.what, What::Record(_)));
        goes
    }
}

/// Decides object by object, in the order of the plan.
struct Judge<'p> {
    policy: &'p Policy,
    proven: Option<RecordId>,
    is_halted: bool,
    today: time::Date,
    /// Backups so far, by tier.
    seen: HashMap<Tier, u32>,
    /// What becomes of the copies of restore tests.
    copies: HashMap<PrimitiveDateTime, Verdict>,
    newest_record: bool,
}

impl Judge<'_> {
    fn verdict(&mut self, object: &Held) -> Verdict {
        let held_by = match object.what {
            What::Backup(id) => self.holds_backup(object, id),
            What::Record(record) => match self.copies.get(&record.tested) {
                Some(Verdict::Delete) => return Verdict::Delete,
                Some(Verdict::Keep(_)) => return Verdict::Keep(Reason::WithItsCopy),
                None => self.holds_record(record),
            },
        };
        let limit = Limit::of(object.tier(), &self.policy.retention);
        let verdict = match held_by {
            _ if !limit.is_over(object.made().date(), self.today) => Verdict::Keep(Reason::InTime),
            Some(reason) => Verdict::Keep(reason),
            None if self.is_halted => Verdict::Keep(Reason::Halted),
            None => Verdict::Delete,
        };
        if let What::Backup(BackupId { taken, tier: Tier::RecoveryTests }) = object.what {
            self.copies.insert(taken, verdict);
        }
        verdict
    }

    fn holds_backup(&mut self, object: &Held, id: BackupId) -> Option<Reason> {
        object.backup()?;
        let seen = self.seen.entry(id.tier).or_default();
        *seen += 1;
        let is_proven = self.proven.is_some_and(|proven| match id.tier {
            Tier::RecoveryTests => id.taken == proven.tested,
            Tier::Daily | Tier::Weekly | Tier::Monthly => id.taken == proven.backup,
        });
        match *seen {
            _ if is_proven => Some(Reason::Proven),
            1 => Some(Reason::Newest),
            seen if seen <= self.policy.retention.minimum_keep => Some(Reason::Minimum),
            _ => None,
        }
    }

    /// A record without its copy still tells what is proven, and the newest tells when a test was last made.
    fn holds_record(&mut self, record: RecordId) -> Option<Reason> {
        let is_newest = std::mem::take(&mut self.newest_record);
        if self.proven == Some(record) {
            return Some(Reason::Proven);
        }
        is_newest.then_some(Reason::Newest)
    }
}

/// The record of the newest backup that a restore test has proven and that is still there, in whatever tier.
fn newest_proven(objects: &[Held]) -> Option<RecordId> {
    let (copies, originals): (Vec<BackupId>, Vec<BackupId>) =
        objects.iter().filter_map(Held::backup).partition(|id| id.tier == Tier::RecoveryTests);
    let taken = |ids: Vec<BackupId>| ids.into_iter().map(|id| id.taken).collect::<HashSet<_>>();
    let (copies, originals) = (taken(copies), taken(originals));
    let tests = objects.iter().filter_map(|held| match held.what {
        What::Record(record) => Some(record),
        What::Backup(_) => None,
    });
    RecordId::proofs(tests)
        .filter(|record| originals.contains(&record.backup) || copies.contains(&record.tested))
        .max_by_key(|record| (record.backup, record.tested))
}
