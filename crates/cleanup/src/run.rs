//! One run, step by step: look, plan, delete, report, tell.

use std::path::PathBuf;

use backup_core::journal::{Journal, LastBackup, LastCleanup, TestRecord};
use backup_core::key::Layout;
use backup_core::process::{Arguments, Bounds, Context, Exit, Finish, chain, now};
use backup_core::settings;
use backup_core::store::{Store, StoreError};
use serde_json::json;

use crate::args::{Args, Mode};
use crate::document;
use crate::error::Error;
use crate::execute::{self, Done};
use crate::inventory::{Held, Inventory, Survey, What};
use crate::listing;
use crate::notice;
use crate::plan::{Clock, Plan, Policy};
use crate::report::{Report, Sources};
use crate::settings::Settings;
use crate::text;

/// Runs `cleanup`.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Finish, Error> {
    if settings::disabled(&context.environment) {
        log::info!("BACKUP_ENABLED is false: nothing is deleted");
        return Ok(Finish::new(Exit::Done, None, json!({ "skipped": "disabled" })));
    }
    let settings = Settings::read(&context.environment)?;
    for remark in settings.policy.retention.remarks() {
        log::warn!("{remark}");
    }
    let _lock = context.lock(&settings.places.state)?;
    let run = Run::new(&settings, context, &args).await;
    let mut done = Done::default();
    let ended = Box::pin(run.clean(&mut done)).await;
    if ended.is_err() && done.has_begun() {
        log::warn!("{}", notice::what_went(&done));
    }
    if args.may_notify() {
        notice::tell(&settings, context, &ended, &done, args.makes_report()).await;
    }
    let (plan, report) = ended?;
    Ok(run.finish(&plan, &report, &args))
}

/// What a run works with.
struct Run<'r> {
    settings: &'r Settings,
    store: Store,
    layout: Layout,
    journal: Journal,
    policy: Policy,
    bounds: Bounds,
    mode: Mode,
}

impl<'r> Run<'r> {
    async fn new(settings: &'r Settings, context: &Context, args: &Args) -> Self {
        let store = Store::new(&settings.store).await;
        let layout = Layout::new(settings.store.prefix.clone(), settings.database.name.clone());
        let journal = Journal::new(&settings.places.state);
        let last: Option<LastBackup> =
            journal.read(LastBackup::ENTRY).filter(|last: &LastBackup| last.is_of(&layout, &store.address("")));
        let stopped_after = LastBackup::age_limit(last.as_ref(), settings.policy.stopped_after);
        let policy = Policy { stopped_after, ..settings.policy };
        Self { store, layout, journal, policy, bounds: context.bounds(settings.limits), mode: args.mode(), settings }
    }

    /// Looks, plans, and does what the mode allows.
    async fn clean(&self, done: &mut Done) -> Result<(Plan, Report), Error> {
        let policy = &self.policy;
        let (Inventory { ours, foreign }, clock) = self.bounds.hold(Box::pin(self.look())).await??;
        let plan = Plan::new(ours, policy, &clock);
        let proof = self.bounds.hold(Box::pin(self.proof(&plan))).await?;
        match (&plan.halt, self.mode) {
            (Some(halt), Mode::Report) => log::warn!("a cleanup would delete nothing: {}", halt.says()),
            (Some(halt), Mode::Delete | Mode::DryRun) => {
                log::error!("nothing is deleted: {}", halt.says());
                log::error!("hint: {}", halt.hint());
            }
            (None, Mode::Report) => {}
            (None, mode) => self.bounds.hold(Box::pin(self.act(&plan, &clock, mode == Mode::Delete, done))).await?,
        }
        let sources = Sources {
            mode: self.mode,
            address: self.store.address(&self.layout.prefix().as_folder()),
            database: self.layout.database().to_string(),
            policy,
            clock: &clock,
            foreign,
            proof,
            before: self
                .journal
                .read(LastCleanup::ENTRY)
                .filter(|last: &LastCleanup| last.is_of(&self.layout, &self.store.address(""))),
        };
        let report = Report::new(&plan, done, sources);
        Ok((plan, report))
    }

    /// Everything under the prefix, and the time. All of it or an error: nothing is decided on half the truth.
    async fn look(&self) -> Result<(Inventory, Clock), StoreError> {
        let folder = self.layout.prefix().as_folder();
        let mut survey = Survey::new(&self.layout);
        self.store.walk(&folder, |object| survey.add(object)).await?;
        // Last, so that no time passes between the store's clock and ours. The SDK signs by the store's clock where ours is
        // wrong, so that no refusal has told of it.
        let store = self.store.check(&folder).await?;
        Ok((survey.finish(), Clock { now: now(), store }))
    }

    /// What the restore test of the newest proven backup wrote down. Nothing is decided by it, so that it may be missing.
    async fn proof(&self, plan: &Plan) -> Option<TestRecord> {
        let proven = plan.proven?;
        let record = plan.decisions.iter().find(|decision| decision.object.what == What::Record(proven))?;
        let Held { key, bytes, .. } = &record.object;
        let read = self.store.read_range(key, 0, (*bytes).min(TestRecord::LARGEST)).await;
        let not_read = |why: &dyn std::fmt::Display| log::warn!("cannot read the record {key}: {why}");
        let document = read.inspect_err(|error| not_read(error)).ok()?;
        TestRecord::parse(&document).inspect_err(|error| not_read(error)).ok()
    }

    async fn act(&self, plan: &Plan, clock: &Clock, really: bool, done: &mut Done) {
        let forgotten =
            execute::forgotten_uploads(&self.store, &self.layout, clock.now, self.settings.limits.run).await;
        if really {
            execute::delete(&self.store, plan, done).await;
            execute::abort(&self.store, forgotten, done).await;
        } else {
            done.aborted = forgotten.into_iter().map(|upload| upload.upload.key).collect();
        }
    }

    /// Writes down what is to be kept of the run, and makes its result.
    fn finish(&self, plan: &Plan, report: &Report, args: &Args) -> Finish {
        if self.mode != Mode::DryRun
            && let Err(error) = self.journal.write(LastCleanup::ENTRY, &report.journal_entry())
        {
            log::warn!("{}", chain(&error));
        }
        let file = if args.makes_report() { self.write_report(report) } else { None };
        let line = report.line();
        if self.mode != Mode::DryRun {
            log::info!("{line}");
        }
        let (line, document) = match (args.common.json, self.mode) {
            (true, _) => (None, document::of_run(report, plan, self.layout.database().as_str(), file.as_deref())),
            (false, Mode::DryRun) => (Some(listing::lines(plan, report, &self.policy) + &line), json!({})),
            (false, _) => (Some(line), json!({})),
        };
        Finish::new(report.exit(), line, document)
    }

    /// A report that cannot be written is a warning: the work is done.
    fn write_report(&self, report: &Report) -> Option<PathBuf> {
        let Settings { database, places, .. } = self.settings;
        match text::write(report, database.name.as_str(), &database.host, &places.logs) {
            Ok(path) => Some(path),
            Err(error) => {
                log::warn!("cannot write the storage report into {}: {error}", places.logs.display());
                None
            }
        }
    }
}
