//! One run, step by step: find, restore, prove, write down, tell.

use std::time::Duration;

use backup_core::figures;
use backup_core::journal::Journal;
use backup_core::key::{Layout, RecordId, key_time};
use backup_core::process::{Arguments, Bounds, Context, Exit, Finish};
use backup_core::restore::Subject;
use backup_core::settings;
use backup_core::store::Store;
use serde_json::json;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::args::Args;
use crate::error::Error;
use crate::notice;
use crate::proof::Learned;
use crate::record::{self, Written};
use crate::settings::Settings;
use crate::verdict::Verdict;

/// Runs `restore-test`.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Finish, Error> {
    if settings::disabled(&context.environment) {
        log::info!("BACKUP_ENABLED is false: nothing is tested");
        return Ok(Finish::new(Exit::Done, None, json!({ "skipped": "disabled" })));
    }
    let settings = Settings::read(&context.environment)?;
    let _lock = context.lock(&settings.places.state)?;
    let run = Run::new(&settings, context, args.keep_scratch).await;
    let ended = Box::pin(run.test(&args)).await;
    if args.may_notify() {
        notice::tell(&run, context, &ended).await;
    }
    Ok(ended?.finish())
}

/// What a run works with.
pub(crate) struct Run<'r> {
    pub(crate) settings: &'r Settings,
    pub(crate) store: Store,
    pub(crate) layout: Layout,
    pub(crate) keep_scratch: bool,
    journal: Journal,
    bounds: Bounds,
    started: OffsetDateTime,
    /// What marks the record as written by this run.
    mark: String,
}

/// A test that came to a verdict.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) subject: Subject,
    pub(crate) learned: Learned,
    pub(crate) verdict: Verdict,
    pub(crate) written: Written,
    pub(crate) started: OffsetDateTime,
}

impl<'r> Run<'r> {
    async fn new(settings: &'r Settings, context: &Context, keep_scratch: bool) -> Self {
        Self {
            store: Store::new(&settings.store).await,
            layout: Layout::new(settings.store.prefix.clone(), settings.database.name.clone()),
            journal: Journal::new(&settings.places.state),
            bounds: context.bounds(settings.limits),
            started: context.started,
            mark: context.mark(),
            keep_scratch,
            settings,
        }
    }

    async fn test(&self, args: &Args) -> Result<Report, Error> {
        let found = Subject::find(&args.backup, &self.store, &self.layout, self.tested());
        let subject = self.bounds.hold(found).await??;
        log::info!("testing {} ({})", subject.address, figures::size(subject.bytes));
        let mut learned = Learned::default();
        let verdict = self.bounds.hold(Box::pin(self.examine(&subject, &mut learned))).await?;
        let started = self.started;
        let mut report = Report { subject, learned, verdict, written: Written::default(), started };
        report.log();
        let written =
            record::write_down(&report, &self.store, &self.layout, &self.journal, self.tested(), self.mark.clone());
        report.written = self.bounds.hold(written).await?;
        Ok(report)
    }

    /// The instant that the keys of this test carry.
    fn tested(&self) -> PrimitiveDateTime {
        key_time(self.started)
    }
}

impl Report {
    /// The verdict in a sentence.
    pub(crate) fn finding(&self) -> String {
        match &self.verdict {
            Verdict::Proven { .. } => format!(
                "restored in {}, and every row equals the original: {} tables, {} rows",
                figures::duration(self.learned.restore.unwrap_or_default()),
                figures::count(self.tables()),
                figures::count(self.rows())
            ),
            Verdict::Unproven => {
                "restored, but unproven: the backup carries no footer that it could be compared with, so \
                                  it was made by another tool"
                    .to_owned()
            }
            Verdict::Failed { what, .. } => what.clone(),
            Verdict::Inconclusive { why, .. } => why.clone(),
        }
    }

    /// What it found of a backup of ours, as the record's key has it.
    pub(crate) fn id(&self) -> Option<RecordId> {
        let backup = self.subject.of_ours()?.taken;
        Some(RecordId { tested: key_time(self.started), backup, outcome: self.verdict.outcome() })
    }

    /// The instant of the data.
    pub(crate) fn as_of(&self) -> Option<OffsetDateTime> {
        Some(self.learned.announced.as_ref()?.footer.as_ref()?.started)
    }

    pub(crate) fn tables(&self) -> u64 {
        self.learned.announced.as_ref().map_or(0, |announced| announced.facts.tables.len() as u64)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.learned.announced.as_ref().map_or(0, |announced| announced.facts.total_rows())
    }

    fn log(&self) {
        let finding = self.finding();
        match &self.verdict {
            Verdict::Proven { respelled, .. } => {
                log::info!("passed: {finding}");
                if !respelled.is_empty() {
                    log::info!("PostgreSQL spells {} definitions anew, which is no loss", respelled.len());
                }
            }
            Verdict::Unproven => log::warn!("{finding}"),
            Verdict::Failed { differences, .. } => {
                log::error!("FAILED: {finding}");
                for difference in differences.iter().skip(1) {
                    log::error!("also: {difference}");
                }
            }
            Verdict::Inconclusive { hint, .. } => {
                log::error!("inconclusive: {finding}");
                log::error!("hint: {hint}");
            }
        }
        if let Some(command) = &self.learned.kept {
            log::info!("the scratch server is kept; to start it again: {command}");
        }
    }

    fn finish(self) -> Finish {
        let word = self.verdict.outcome().to_string();
        let line = format!("{}: {}: {}", word.to_uppercase(), self.subject.address, self.finding());
        let (differences, drill) = match &self.verdict {
            Verdict::Failed { differences, .. } => (differences.clone(), Vec::new()),
            Verdict::Proven { drill, .. } => (Vec::new(), drill.noticed.clone()),
            Verdict::Unproven | Verdict::Inconclusive { .. } => (Vec::new(), Vec::new()),
        };
        let hint = match &self.verdict {
            Verdict::Inconclusive { hint, .. } => Some(hint),
            _ => None,
        };
        let document = json!({
            "verdict": word,
            "backup": self.subject.address,
            "finding": self.finding(),
            "hint": hint,
            "differences": differences,
            "read_whole": self.learned.whole,
            "restore_seconds": self.learned.restore.as_ref().map(Duration::as_secs_f64),
            "tables": self.tables(),
            "rows": self.rows(),
            "server_version": self.learned.server.as_ref().map(ToString::to_string),
            "drill": drill,
            "copy": self.written.copy,
            "record": self.written.record,
            "troubles": self.written.troubles,
            "scratch_kept": self.learned.kept,
        });
        let exit = match self.verdict.exit() {
            // Proven, but the copy or the record is missing where others look for the proof.
            Exit::Done if !self.written.troubles.is_empty() => Exit::Partly,
            exit => exit,
        };
        Finish::new(exit, Some(line), document)
    }
}
