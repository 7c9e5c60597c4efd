//! What a person is told of a run.

use std::time::Duration;

use backup_core::figures;
use backup_core::footer::Changes;
use backup_core::key::key_time;
use backup_core::mail::{Fact, Kind, Mailer, Report as Mail, Step};
use backup_core::process::{Context, Cut, Exit, Failure, Signal, chain, now};
use backup_core::settings::NotifyOn;
use time::OffsetDateTime;

use crate::before::Before;
use crate::error::Error;
use crate::loss::{Loss, NAMED_TABLES};
use crate::run::{Ended, Report};
use crate::settings::Settings;

/// How long the search for the newest good backup may take, after a failure that may be the store's.
const TIME_TO_LOOK: Duration = Duration::from_secs(20);

/// The same when the tool was told to end, and has ten seconds for everything.
const TIME_TO_LOOK_IN_A_HURRY: Duration = Duration::from_secs(2);

/// Mails how the run ended, to whom the settings name; or, where there is nothing to say, what still waits to be sent.
pub(crate) async fn tell(settings: &Settings, context: &Context, ended: &Result<Ended, Error>) {
    let Some(mail) = &settings.mail else {
        if matches!(ended, Ok(Ended::Made(_)) | Err(_)) {
            log::info!("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told");
        }
        return;
    };
    let mailer = Mailer::new(mail.clone(), &settings.places.state);
    let report = match ended {
        Ok(Ended::Made(report)) if report.exit() != Exit::Done => partly(report, settings, context),
        Ok(Ended::Made(report)) if mail.notify_on == NotifyOn::All || !report.losses().is_empty() => {
            success(report, settings, context)
        }
        Err(error) => failure(error, settings, context).await,
        Ok(Ended::Made(_) | Ended::Recent { .. } | Ended::DryRun { .. }) => {
            return context.interrupt.or_keep(mailer.send_waiting(now())).await;
        }
    };
    let message = report.render();
    context.interrupt.or_keep(async { drop(mailer.send(&message, now()).await) }).await;
}

fn success(report: &Report, settings: &Settings, context: &Context) -> Mail {
    let name = &settings.database.name;
    let losses = report.losses();
    let (kind, headline) = match losses.as_slice() {
        [] => (Kind::Success, format!("{name} was backed up.")),
        _ => (Kind::SuccessWithWarning, format!("{name} was backed up. Is it meant to hold less than before?")),
    };
    let mail = Mail::new(kind, context.origin(&settings.database), headline).safety(safety(report));
    let mail = mail.in_subject(losses.first().map_or_else(|| figures::size(report.stored_bytes), Loss::in_short));
    what_was_made(what_changed(odd(mail, report), report), report)
}

/// Losses first: a table that is gone is worth more than any figure. `pg_dump` ends well and still says what it left out or could
/// not tell: nobody would look for that in a log.
fn odd(mail: Mail, report: &Report) -> Mail {
    let mail = report.losses().iter().fold(mail, |mail, loss| mail.warning(loss.to_string()));
    if report.warnings.is_empty() {
        return mail;
    }
    let mail = mail.warning("pg_dump ended well, but not without a warning. Does the dump hold all that it should?");
    mail.details("What pg_dump says", report.warnings.as_bytes())
}

fn partly(report: &Report, settings: &Settings, context: &Context) -> Mail {
    let tiers: Vec<String> = report.not_promoted().map(|promotion| promotion.tier.to_string()).collect();
    let headline = format!("{} was backed up, but not copied to {}.", settings.database.name, tiers.join(" and "));
    let mut mail = Mail::new(Kind::SuccessWithWarning, context.origin(&settings.database), headline)
        .safety("The daily backup is whole and verified. The next run fills the missing slot.")
        .in_subject("stored, not promoted");
    for promotion in report.not_promoted() {
        if let Err(error) = &promotion.result {
            mail = mail.warning(error.to_string());
            mail = mail.steps("What to do", error.hint().map(Step::say));
        }
    }
    what_was_made(odd(mail, report), report)
}

fn safety(report: &Report) -> &'static str {
    match (&report.address, report.verified_by_store) {
        (_, true) => "The data is safe: the dump is whole, and the store verified the checksum of every byte.",
        (_, false) => "The data is safe: the dump is whole, and the stored size is the size that was sent.",
    }
}

fn what_changed(mail: Mail, report: &Report) -> Mail {
    let Some((before, changes)) = &report.changes else { return mail };
    mail.facts("Since the last backup", changed_facts(*before, changes))
}

fn changed_facts(before: OffsetDateTime, changes: &Changes) -> Vec<Fact> {
    let mut facts = vec![
        Fact::at("Last backup", before),
        Fact::size_change("Dump", changes.bytes_before, changes.bytes_after),
        Fact::count_change("Rows", changes.rows_before, changes.rows_after),
    ];
    if !changes.tables_new.is_empty() {
        facts.push(Fact::new("New tables", figures::names(&changes.tables_new, NAMED_TABLES)));
    }
    facts
}

fn what_was_made(mail: Mail, report: &Report) -> Mail {
    let dump = &report.footer.dump;
    let seconds = report.took.as_secs_f64().max(0.001);
    let mut facts = vec![
        Fact::size("Stored", report.stored_bytes),
        Fact::size("Dump", dump.bytes),
        Fact::count("Tables", report.footer.table_count() as u64),
        Fact::count("Rows", report.footer.total_rows()),
        Fact::at("Data as of", report.footer.started),
        Fact::took("Took", report.took).beside(format!("{}/s", figures::size((dump.bytes as f64 / seconds) as u64))),
    ];
    facts.extend(report.address.iter().map(|address| Fact::new("Backup", address)));
    let promoted = report.promotions.iter().filter(|promotion| promotion.result.is_ok());
    facts.extend(promoted.map(|promotion| Fact::new("Copied to", &promotion.address)));
    if let (Some(server), Some(client)) = (&dump.server_version, &dump.pg_dump_version) {
        facts.push(Fact::new("PostgreSQL", format!("server {server}, pg_dump {client}")));
    }
    mail.facts("The backup", facts)
}

async fn failure(error: &Error, settings: &Settings, context: &Context) -> Mail {
    let text = context.redact(&chain(error));
    let headline = format!("{} was NOT backed up: {text}", settings.database.name);
    let limit = if matches!(error, Error::Cut(Cut::Interrupted(_))) { TIME_TO_LOOK_IN_A_HURRY } else { TIME_TO_LOOK };
    let before = Before::look(settings, key_time(context.started), limit).await;
    let mail = before.tell(Mail::new(Kind::Failure, context.origin(&settings.database), headline));
    let mut steps: Vec<Step> = error.hint().map(|hint| Step::say(context.redact(&hint))).into_iter().collect();
    steps.push(Step::tool("Check everything without writing anything:", "backup --dry-run"));
    steps.push(match error.exit() {
        Exit::Interrupted(Signal::Interrupt | Signal::Terminate) => {
            Step::tool("It was stopped from outside. Make the backup now:", "backup")
        }
        _ => Step::tool("Then make the backup now, without waiting for the next night:", "backup"),
    });
    let mut facts = before.facts(context);
    facts.push(Fact::new("Next attempt", "with the next scheduled run (crontab), or where the container starts and the newest backup is older than 25 hours"));
    mail.steps("What to do", steps).facts("What is safe", facts).log_tail("The end of the log", &context.log_tail())
}
