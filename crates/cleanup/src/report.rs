//! What the store holds, what went, and why: the figures, before anything is written about them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use backup_core::figures;
use backup_core::journal::{LastCleanup, TestRecord};
use backup_core::key::{RecordId, Tier, local_time};
use backup_core::process::Exit;
use backup_core::store::StoreError;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::args::Mode;
use crate::calendar::Limit;
use crate::execute::Done;
use crate::growth::{Forecast, Growth, originals};
use crate::inventory::{Foreign, Held, Tally, What};
use crate::plan::{Clock, Halt, Plan, Policy, Reason, Verdict};

/// The figures of a run, after it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) mode: Mode,
    /// `s3://BUCKET/PREFIX/`.
    pub(crate) address: String,
    pub(crate) database: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) halt: Option<Halt>,
    pub(crate) tiers: Vec<TierReport>,
    pub(crate) newest: Option<PrimitiveDateTime>,
    pub(crate) proven: Option<Proven>,
    pub(crate) refused: Vec<(String, StoreError)>,
    pub(crate) aborted_uploads: Vec<String>,
    pub(crate) left_uploads: Vec<String>,
    /// The bucket keeps versions of what is deleted, as the store has shown.
    pub(crate) hidden: bool,
    pub(crate) growth: Growth,
    pub(crate) forecast: Option<Forecast>,
    pub(crate) foreign: Foreign,
    /// What the run before found.
    pub(crate) before: Option<LastCleanup>,
}

/// One tier.
#[derive(Debug)]
pub(crate) struct TierReport {
    pub(crate) tier: Tier,
    pub(crate) limit: Limit,
    /// What stands after the run.
    pub(crate) standing: Tally,
    pub(crate) oldest: Option<PrimitiveDateTime>,
    pub(crate) newest: Option<PrimitiveDateTime>,
    /// What went; or would go, where nothing was deleted.
    pub(crate) gone: Tally,
    /// What the store refused to delete.
    pub(crate) refused: Tally,
    /// What stays although its time is over, by reason.
    pub(crate) held: BTreeMap<Reason, Tally>,
    /// Records of restore tests.
    pub(crate) records: Tally,
}

/// The newest backup that a restore test has proven.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) id: RecordId,
    /// What the test wrote down, if that could be read.
    pub(crate) record: Option<TestRecord>,
}

/// What a report is made from, beside the plan.
pub(crate) struct Sources<'s> {
    pub(crate) mode: Mode,
    pub(crate) address: String,
    pub(crate) database: String,
    pub(crate) policy: &'s Policy,
    pub(crate) clock: &'s Clock,
    pub(crate) foreign: Foreign,
    pub(crate) proof: Option<TestRecord>,
    pub(crate) before: Option<LastCleanup>,
}

impl Report {
    pub(crate) fn new(plan: &Plan, done: &Done, sources: Sources<'_>) -> Self {
        let Sources { mode, address, database, policy, clock, foreign, proof, before } = sources;
        let mut tiers: HashMap<Tier, TierReport> = HashMap::new();
        for decision in &plan.decisions {
            let tier = decision.object.tier();
            let report = tiers.entry(tier).or_insert_with(|| TierReport::new(tier, policy));
            report.add(&decision.object, decision.verdict, mode, done);
        }
        let tiers = Tier::ALL.map(|tier| tiers.remove(&tier).unwrap_or_else(|| TierReport::new(tier, policy))).into();
        let stays = plan.decisions.iter().filter(|decision| decision.verdict != Verdict::Delete);
        let stays = stays.map(|decision| &decision.object);
        let growth = Growth::of(stays.clone(), clock.now.date());
        let refused = done.standing.iter().filter_map(|(key, error)| Some((key.clone(), error.clone()?)));
        let mut refused: Vec<_> = refused.collect();
        refused.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            mode,
            address,
            database,
            at: clock.now,
            halt: plan.halt.clone(),
            tiers,
            newest: originals(stays.clone()).map(|(id, _)| id.taken).max(),
            proven: plan.proven.map(|id| Proven { id, record: proof }),
            refused,
            aborted_uploads: done.aborted.clone(),
            left_uploads: done.left.clone(),
            hidden: done.hidden,
            forecast: growth.forecast(stays, &policy.retention),
            growth,
            foreign,
            before,
        }
    }

    /// What stands, all tiers together.
    pub(crate) fn standing(&self) -> Tally {
        [self.backups(), self.records()].into_iter().sum()
    }

    /// What went, or would go.
    pub(crate) fn gone(&self) -> Tally {
        self.tiers.iter().map(|tier| tier.gone).sum()
    }

    /// Backups that stand.
    pub(crate) fn backups(&self) -> Tally {
        self.tiers.iter().map(|tier| tier.standing).sum()
    }

    /// The records of restore tests that stand.
    pub(crate) fn records(&self) -> Tally {
        self.tiers.iter().map(|tier| tier.records).sum()
    }

    /// How old the newest backup is, and the newest that is proven, in a sentence each.
    pub(crate) fn safety(&self) -> String {
        let newest = match self.newest {
            Some(newest) => format!("The newest backup is {} old.", self.age(newest)),
            None => "There is no backup.".to_owned(),
        };
        let proven = match &self.proven {
            Some(proven) => format!("The newest that a restore test has proven is {} old.", self.age(proven.id.backup)),
            None => "None of them is proven by a restore test.".to_owned(),
        };
        format!("{newest} {proven}")
    }

    fn age(&self, made: PrimitiveDateTime) -> String {
        figures::duration(Duration::try_from(local_time(self.at) - made).unwrap_or_default())
    }

    /// `3 backups were deleted`, `would be deleted`, `are due`: as far as it is true in this mode.
    pub(crate) fn deleted_words(&self, tally: Tally) -> String {
        let verb = match self.mode {
            Mode::Delete => "deleted",
            Mode::Report => "due for deletion",
            Mode::DryRun => "would be deleted",
        };
        match tally.count {
            0 => format!("none {verb}"),
            count => format!("{} {verb}, {}", figures::count(count), figures::size(tally.bytes)),
        }
    }

    /// The result in one line.
    pub(crate) fn line(&self) -> String {
        let (stands, gone) = (self.standing(), self.gone());
        let kept = match self.mode {
            Mode::Delete => stands,
            // What is to go still stands.
            Mode::Report | Mode::DryRun => Tally { count: stands.count - gone.count, bytes: stands.bytes - gone.bytes },
        };
        let mut line = format!(
            "{}: {}; {} kept, {}",
            self.address,
            self.deleted_words(gone),
            figures::count(kept.count),
            figures::size(kept.bytes)
        );
        if !self.refused.is_empty() {
            line.push_str("; ");
            line.push_str(&figures::count(self.refused.len() as u64));
            line.push_str(" refused by the store");
        }
        if let Some(halt) = &self.halt {
            line.push_str("; nothing is deleted: ");
            line.push_str(&halt.says());
        }
        line
    }

    pub(crate) fn exit(&self) -> Exit {
        match (&self.halt, self.mode) {
            (Some(_), Mode::Delete | Mode::DryRun) => Exit::Failed,
            _ if !self.refused.is_empty() => Exit::Partly,
            _ => Exit::Done,
        }
    }

    /// What is written down for the next run.
    pub(crate) fn journal_entry(&self) -> LastCleanup {
        let Tally { count: objects, bytes } = self.standing();
        let deleted = if self.mode == Mode::Delete { self.gone().count } else { 0 };
        LastCleanup {
            at: self.at,
            address: self.address.clone(),
            database: self.database.clone(),
            objects,
            bytes,
            deleted,
        }
    }
}

impl TierReport {
    fn new(tier: Tier, policy: &Policy) -> Self {
        Self {
            tier,
            limit: Limit::of(tier, &policy.retention),
            standing: Tally::default(),
            oldest: None,
            newest: None,
            gone: Tally::default(),
            refused: Tally::default(),
            held: BTreeMap::new(),
            records: Tally::default(),
        }
    }

    fn add(&mut self, object: &Held, verdict: Verdict, mode: Mode, done: &Done) {
        let stands = match verdict {
            Verdict::Delete if mode != Mode::Delete => {
                self.gone.add(object.bytes);
                true
            }
            Verdict::Delete => match done.standing.get(&object.key) {
                None => {
                    self.gone.add(object.bytes);
                    false
                }
                Some(refused) => {
                    if refused.is_some() {
                        self.refused.add(object.bytes);
                    }
                    true
                }
            },
            Verdict::Keep(Reason::InTime | Reason::WithItsCopy) => true,
            Verdict::Keep(reason) => {
                self.held.entry(reason).or_default().add(object.bytes);
                true
            }
        };
        if !stands {
            return;
        }
        if matches!(object.what, What::Record(_)) {
            return self.records.add(object.bytes);
        }
        self.standing.add(object.bytes);
        // Objects come the newest first.
        self.newest = self.newest.or(Some(object.made()));
        self.oldest = Some(object.made());
    }
}

impl Reason {
    /// Why it stays although its time is over.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::InTime => "its time is not over",
            Self::Proven => "the newest that a restore test has proven",
            Self::Newest => "the newest of its tier",
            Self::Minimum => "one of the fewest to keep",
            Self::WithItsCopy => "the record of a copy that stays",
            Self::Halted => "its time is over, but nothing is deleted",
        }
    }
}
