//! What there is: every backup of the database, and which of them a restore test has proven.
//!
//! A listing tells it all, because the records of restore tests carry what they found in their keys. A copy in
//! recovery-tests names no database: it is shown where a record of ours stands beside it, and counted otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use backup_core::figures;
use backup_core::key::{BackupId, Claim, Layout, Outcome, RecordId, Tier, local_time};
use backup_core::process::{Context, Exit, Finish};
use backup_core::store::{Object, Store, StoreError};
use serde_json::{Value, json};
use time::PrimitiveDateTime;
use time::macros::format_description;

use crate::args::ListArgs;
use crate::error::Error;
use crate::settings::StoreOnly;

/// Runs `restore list`.
pub(crate) async fn run(args: ListArgs, context: &Context) -> Result<Finish, Error> {
    let settings = StoreOnly::read(&context.environment)?;
    let (layout, bounds) = (settings.layout(), context.bounds(settings.limits));
    let store = Store::new(&settings.store).await;
    let seen = bounds.hold(look(&store, &layout, args.tier)).await??;
    let now = local_time(context.started);
    let folder = store.address(&layout.prefix().as_folder());
    let entries = seen.entries(args.tier);
    seen.tell_of_others(&layout, &folder, entries.is_empty());
    let documents: Vec<Value> = entries.iter().map(|entry| entry.document(&store, now)).collect();
    let line = (!entries.is_empty()).then(|| table(&entries, now));
    Ok(Finish::new(Exit::Done, line, json!({ "database": layout.database().as_str(), "backups": documents })))
}

/// What stands under the prefix.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    backups: Vec<(BackupId, Object)>,
    records: Vec<RecordId>,
    /// Backups of others that share the prefix.
    others: BTreeMap<String, u64>,
}

/// A backup, as it is shown.
#[derive(Debug)]
pub(crate) struct Entry<'s> {
    pub(crate) taken: PrimitiveDateTime,
    tier: Tier,
    pub(crate) object: &'s Object,
    /// The last test of this backup that said something about it; or the last one.
    test: Option<RecordId>,
}

pub(crate) async fn look(store: &Store, layout: &Layout, tier: Option<Tier>) -> Result<Seen, StoreError> {
    let folders = match tier {
        None => vec![layout.prefix().as_folder()],
        // The records stand beside the copies.
        Some(Tier::RecoveryTests) => vec![layout.prefix().tier_folder(Tier::RecoveryTests)],
        Some(tier) => [tier, Tier::RecoveryTests].map(|tier| layout.prefix().tier_folder(tier)).into(),
    };
    let mut seen = Seen::default();
    for folder in folders {
        store.walk(&folder, |object| seen.add(layout.claim(&object.key), object)).await?;
    }
    Ok(seen)
}

impl Seen {
    fn add(&mut self, claim: Claim, object: Object) {
        match claim {
            Claim::Backup(id) => self.backups.push((id, object)),
            Claim::Record(record) => self.records.push(record),
            Claim::OtherBackup(database) => *self.others.entry(database.to_string()).or_default() += 1,
            Claim::OtherRecord(..) | Claim::Stranger => {}
        }
    }

    /// The newest first; of copies of one backup in the order of the tiers.
    pub(crate) fn entries(&self, tier: Option<Tier>) -> Vec<Entry<'_>> {
        let wanted = self.backups.iter().filter(|(id, _)| tier.is_none_or(|tier| tier == id.tier));
        let mut entries: Vec<Entry<'_>> = wanted
            .filter_map(|(id, object)| {
                let taken = match id.tier {
                    Tier::RecoveryTests => self.records.iter().find(|record| record.tested == id.taken)?.backup,
                    Tier::Daily | Tier::Weekly | Tier::Monthly => id.taken,
                };
                Some(Entry { taken, tier: id.tier, object, test: self.test_of(taken) })
            })
            .collect();
        entries
            .sort_by(|a, b| b.taken.cmp(&a.taken).then_with(|| (a.tier, &a.object.key).cmp(&(b.tier, &b.object.key))));
        entries
    }

    fn test_of(&self, taken: PrimitiveDateTime) -> Option<RecordId> {
        RecordId::that_counts(self.records.iter().filter(|record| record.backup == taken)).copied()
    }

    /// Whoever finds nothing may have asked for the wrong database.
    fn tell_of_others(&self, layout: &Layout, folder: &str, nothing_found: bool) {
        if nothing_found {
            log::warn!("there is no such backup of {} under {folder}", layout.database());
        }
        if !self.others.is_empty() {
            let others: Vec<String> = self
                .others
                .iter()
                .map(|(database, count)| format!("{database} ({})", figures::count(*count)))
                .collect();
            log::info!(
                "backups of other databases under {folder}: {}; DB_NAME says whose are listed",
                others.join(", ")
            );
        }
    }
}

impl Entry<'_> {
    /// Nothing for what the key puts into the future.
    fn age(&self, now: PrimitiveDateTime) -> Option<Duration> {
        let age = Duration::try_from(now - self.taken).ok()?;
        // Keys are whole seconds: a part of one would say nothing.
        Some(Duration::from_secs(age.as_secs().max(1)))
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.test.is_some_and(|test| test.outcome == Outcome::Passed)
    }

    fn tested(&self) -> String {
        let Some(test) = self.test else { return "not tested".to_owned() };
        let date = test.tested.date();
        match test.outcome {
            Outcome::Passed => format!("proven {date}"),
            Outcome::Failed => format!("FAILED {date}"),
            Outcome::Unproven => format!("restored {date}, unproven"),
            Outcome::Inconclusive => format!("inconclusive {date}"),
        }
    }

    fn document(&self, store: &Store, now: PrimitiveDateTime) -> Value {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        let instant = |at: PrimitiveDateTime| at.format(form).ok();
        json!({
            "key": self.object.key,
            "address": store.address(&self.object.key),
            "taken": instant(self.taken),
            "tier": self.tier,
            "bytes": self.object.bytes,
            "age_seconds": self.age(now).map(|age| age.as_secs()),
            "proven": self.is_proven(),
            "test": self.test.map(|test| json!({ "outcome": test.outcome, "tested": instant(test.tested) })),
        })
    }
}

/// Columns as wide as they have to be; the key last, to be copied.
fn table(entries: &[Entry<'_>], now: PrimitiveDateTime) -> String {
    let row = |entry: &Entry<'_>| {
        [
            figures::local(entry.taken),
            entry.tier.to_string(),
            figures::size(entry.object.bytes),
            entry.age(now).map_or_else(|| "in the future".to_owned(), figures::duration),
            entry.tested(),
            entry.object.key.clone(),
        ]
    };
    let head = ["TAKEN", "TIER", "SIZE", "AGE", "RESTORE TEST", "KEY"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(entries.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |[taken, tier, size, age, tested, key]: &[String; 6]| {
        let [w_taken, w_tier, w_size, w_age, w_tested] = widths;
        format!("{taken:<w_taken$}  {tier:<w_tier$}  {size:>w_size$}  {age:<w_age$}  {tested:<w_tested$}  {key}")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
