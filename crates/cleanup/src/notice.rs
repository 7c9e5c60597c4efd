//! What a person is told of a run.

use backup_core::figures;
use backup_core::mail::{Attachment, Bar, Fact, Kind, Mailer, Report as Mail, Step};
use backup_core::process::{Context, Exit, Failure, chain, now};
use backup_core::store::StoreErrorKind;

use crate::args::Mode;
use crate::error::Error;
use crate::execute::Done;
use crate::growth::WEEKS;
use crate::inventory::Tally;
use crate::plan::{Halt, Plan};
use crate::report::{Proven, Report, TierReport};
use crate::settings::Settings;
use crate::text;

/// Mails how the run ended, to whom the settings name; or, where there is nothing to say, what still waits to be sent.
pub(crate) async fn tell(
    settings: &Settings,
    context: &Context,
    ended: &Result<(Plan, Report), Error>,
    done: &Done,
    reports: bool,
) {
    let Some(mail) = &settings.mail else {
        return log::info!("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told");
    };
    let mailer = Mailer::new(mail.clone(), &settings.places.state);
    let letter = Letter { settings, context };
    let report = match ended {
        Ok((_, report)) => match (&report.halt, report.exit()) {
            (Some(halt), Exit::Failed) => letter.halted(report, halt),
            (_, Exit::Partly) => letter.refused(report),
            _ if reports => letter.storage_report(report),
            _ => return context.interrupt.or_keep(mailer.send_waiting(now())).await,
        },
        Err(error) => letter.failure(error, done),
    };
    let message = report.render();
    context.interrupt.or_keep(async { drop(mailer.send(&message, now()).await) }).await;
}

struct Letter<'l> {
    settings: &'l Settings,
    context: &'l Context,
}

impl Letter<'_> {
    fn begin(&self, kind: Kind, headline: impl AsRef<str>) -> Mail {
        Mail::new(kind, self.context.origin(&self.settings.database), headline)
    }

    fn storage_report(&self, report: &Report) -> Mail {
        let (stands, gone) = (report.backups(), report.gone());
        let name = &self.settings.database.name;
        let what_went = match (report.mode, gone.count) {
            (Mode::Delete, 0) => "nothing was to be deleted".to_owned(),
            (Mode::Delete, 1) => "1 object was deleted, as the retention says".to_owned(),
            (Mode::Delete, count) => format!("{} were deleted, as the retention says", objects(count)),
            (Mode::Report | Mode::DryRun, 1) => "1 object is due for deletion".to_owned(),
            (Mode::Report | Mode::DryRun, count) => format!("{} are due for deletion", objects(count)),
        };
        let headline = format!(
            "The store holds {} of {name}, {}; {what_went}.",
            backups(stands.count),
            figures::size(stands.bytes)
        );
        let mut mail = self.begin(Kind::StorageReport, headline).safety(report.safety()).in_subject(brief(report));
        if let Some(halt) = &report.halt {
            mail = mail.warning(format!("A cleanup would delete nothing now: {}. {}", halt.says(), halt.hint()));
        }
        let foreign = report.foreign.total();
        if foreign.count > 0 {
            mail = mail.warning(format!(
                "Not ours: {} under {}, {}. What is not ours is never deleted.",
                objects(foreign.count),
                report.address,
                figures::size(foreign.bytes)
            ));
        }
        let file = text::text(report, name.as_str(), &self.settings.database.host);
        figures_of(mail, report)
            .paragraph(if report.hidden { text::HIDDEN } else { text::VERSIONS })
            .paragraph("This report comes with every cleanup. Should it stay away, something is wrong.")
            .attach(Attachment::new(text::file_name(report.at), file.into_bytes()))
    }

    fn halted(&self, report: &Report, halt: &Halt) -> Mail {
        let stands = report.backups();
        let safety = format!(
            "Nothing was deleted, not even what is past its time: {} of {}, {}, are still there. {}",
            backups(stands.count),
            self.settings.database.name,
            figures::size(stands.bytes),
            report.safety()
        );
        let mail = self
            .begin(Kind::CleanupFailure, format!("Nothing is deleted: {}.", halt.says()))
            .safety(safety)
            .in_subject("nothing deleted");
        let mut steps = vec![Step::say(halt.hint())];
        if matches!(halt, Halt::Stopped { .. } | Halt::NoDaily) {
            steps.push(Step::tool("Make a backup now:", "backup"));
        }
        steps.push(Step::tool("Then clean up:", "cleanup"));
        figures_of(mail.steps("What to do", steps), report).log_tail("The end of the log", &self.context.log_tail())
    }

    fn refused(&self, report: &Report) -> Mail {
        let refused = report.refused.len() as u64;
        let headline = format!("The cleanup is not complete: the store refused to delete {}.", objects(refused));
        let mail = self
            .begin(Kind::CleanupFailure, headline)
            .safety(format!("Nothing is lost that should be kept. {}", report.safety()))
            .in_subject(format!("{} refused", figures::count(refused)));
        let mut hints: Vec<String> = report.refused.iter().filter_map(|(_, error)| error.hint()).collect();
        hints.sort();
        hints.dedup();
        let mut steps: Vec<Step> = hints.iter().map(Step::say).collect();
        if report.refused.iter().any(|(_, error)| error.kind == StoreErrorKind::Denied) {
            steps.push(Step::say(
                "If the rights are there, the bucket may forbid it itself: a bucket policy, Object Lock, a legal hold or \
                 MFA delete. What is locked goes when its lock ends; each cleanup tries again.",
            ));
        }
        steps.push(Step::tool("Try again:", "cleanup"));
        let refusals = report.refused.iter().map(|(key, error)| Fact::new("Not deleted", key).beside(&error.reason));
        let mail = mail.steps("What to do", steps).facts("Refused", refusals);
        figures_of(mail, report).log_tail("The end of the log", &self.context.log_tail())
    }

    fn failure(&self, error: &Error, done: &Done) -> Mail {
        let text = self.context.redact(&chain(error));
        let name = &self.settings.database.name;
        let safety = what_went(done);
        let mut steps: Vec<Step> = error.hint().map(|hint| Step::say(self.context.redact(&hint))).into_iter().collect();
        steps.push(Step::tool("See what would be deleted, and change nothing:", "cleanup --dry-run"));
        steps.push(Step::tool("Then clean up:", "cleanup"));
        self.begin(Kind::CleanupFailure, format!("The backups of {name} were not cleaned up: {text}"))
            .safety(safety)
            .steps("What to do", steps)
            .log_tail("The end of the log", &self.context.log_tail())
    }
}

/// What a run that did not come to its end has deleted, as far as anybody knows.
pub(crate) fn what_went(done: &Done) -> String {
    match (done.deleted, done.unsettled()) {
        (0, 0) => "Nothing was deleted: all backups are still there.".to_owned(),
        (deleted, 0) => format!("{} deleted, all past their time; the rest is for the next cleanup.", objects(deleted)),
        (deleted, unsettled) => format!(
            "{} deleted for certain, and perhaps up to {} more: the store was asked, and its answer did not come. All of \
             them were past their time; the rest is for the next cleanup.",
            objects(deleted),
            figures::count(unsettled)
        ),
    }
}

/// What the subject says: how much there is, and how that moved.
fn brief(report: &Report) -> String {
    let bytes = report.standing().bytes;
    let size = figures::size(bytes);
    let before = report.before.as_ref().map(|before| before.bytes).filter(|before| *before > 0 && *before != bytes);
    match before {
        Some(before) if before < bytes => format!("{size}, +{}", figures::size(bytes - before)),
        Some(before) => format!("{size}, -{}", figures::size(before - bytes)),
        None => size,
    }
}

fn figures_of(mail: Mail, report: &Report) -> Mail {
    let mut stored: Vec<Fact> = report.tiers.iter().map(|tier| tier_fact(tier, report)).collect();
    stored.push(Fact::size("In all", report.standing().bytes));
    if let Some(before) = &report.before {
        let moved = Fact::size_change("Since the last look", before.bytes, report.standing().bytes);
        stored.push(moved.beside(format!("which was on {}", figures::instant(before.at))));
    }
    if let Some(proven) = &report.proven {
        stored.push(proven_fact(proven));
    }
    let held = report.tiers.iter().flat_map(|tier| {
        let name = tier.tier.to_string();
        tier.held.iter().map(move |(reason, tally)| Fact::new(&name, in_words(tally)).beside(reason.words()))
    });
    let mail = mail.facts("What is stored", stored).facts("Kept beyond their time", held);
    not_ours(growth(mail, report), report)
}

fn tier_fact(tier: &TierReport, report: &Report) -> Fact {
    let TierReport { standing, oldest, newest, gone, limit, .. } = tier;
    let value = format!("{}, {}", backups(standing.count), figures::size(standing.bytes));
    let mut beside = match (oldest, newest) {
        (Some(oldest), Some(newest)) if oldest == newest => format!("{}; ", newest.date()),
        (Some(oldest), Some(newest)) => format!("{} to {}; ", oldest.date(), newest.date()),
        _ => String::new(),
    };
    beside.push_str(&report.deleted_words(*gone));
    if gone.count > 0 {
        beside.push_str(", older than ");
        beside.push_str(&limit.words());
    }
    let mut name = tier.tier.to_string().replace('-', " ");
    name[..1].make_ascii_uppercase();
    Fact::new(name, value).beside(beside)
}

fn proven_fact(Proven { id, record }: &Proven) -> Fact {
    let restore = record.as_ref().and_then(|record| record.restore_seconds).filter(|seconds| *seconds >= 0.0);
    let fact = Fact::new("Newest proven", figures::local(id.backup));
    let tested = format!("tested on {}", figures::local(id.tested));
    match restore.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok()) {
        Some(took) => fact.beside(format!("{tested}; the restore took {}", figures::duration(took))),
        None => fact.beside(tested),
    }
}

fn growth(mail: Mail, report: &Report) -> Mail {
    let bars = report.growth.weeks.iter().map(|week| {
        let label = week.begins.to_string();
        match week.bytes {
            Some(bytes) => Bar::size(label, bytes),
            None => Bar::new(label, 0, "none"),
        }
    });
    let mail = mail.bars(format!("One backup, by week, over {WEEKS} weeks"), bars);
    let Some(forecast) = &report.forecast else {
        return mail.paragraph("Backups of three weeks are needed to tell how fast they grow.");
    };
    let rate = text::rate(report.growth.per_week.unwrap_or_default());
    mail.facts(
        "At this rate",
        [
            Fact::new("One backup grows", format!("{rate} a week")),
            Fact::size("One backup in a year", forecast.one_backup),
            Fact::size("All of ours in a year", forecast.all),
        ],
    )
}

fn not_ours(mail: Mail, report: &Report) -> Mail {
    let foreign = &report.foreign;
    let mut rows: Vec<Fact> = foreign
        .databases
        .iter()
        .map(|(database, tally)| Fact::new(format!("Of {database}"), in_words(tally)).beside("another database"))
        .collect();
    if foreign.unclaimed.count > 0 {
        let remark = "copies of restore tests; no record says of which database";
        rows.push(Fact::new("Unclaimed", in_words(&foreign.unclaimed)).beside(remark));
    }
    // Keys are long: they stand in the wide column.
    let by_size =
        |(key, bytes): &(String, u64)| Fact::new(figures::size(*bytes), key).beside(figures::exact_bytes(*bytes));
    rows.extend(foreign.largest.iter().map(by_size));
    let named = foreign.largest.len() as u64;
    if foreign.strangers.count > named {
        let rest = foreign.strangers.count - named;
        rows.push(Fact::new("Others", format!("{} more", figures::count(rest))));
    }
    mail.facts("Objects that are not ours", rows)
}

/// `3 objects, 1.2 MiB`.
fn in_words(tally: &Tally) -> String {
    format!("{}, {}", objects(tally.count), figures::size(tally.bytes))
}

fn backups(count: u64) -> String {
    figures::counted(count, "backup")
}

fn objects(count: u64) -> String {
    figures::counted(count, "object")
}
