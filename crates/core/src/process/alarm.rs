//! The mail of last resort: for a job that could not start, or broke where nobody expected it.
//!
//! Under cron nobody reads stderr. If the mail settings are good, whatever else is wrong, a person is told.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Exit, Interrupt, Interrupted, Tool, clock, logging};
use crate::journal::Journal;
use crate::mail::{Mailer, Origin, Report, Step};
use crate::settings::{Database, Environment, Mail, Places, Reader};

/// A tool that runs every hour does not mail the same words every hour. Less than a day, so that a nightly job tells every
/// night.
const AGAIN_AFTER: Duration = Duration::hours(20);

/// What was last told of a tool.
#[derive(Serialize, Deserialize)]
struct Told {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    words: String,
}

/// Tells of the failure, unless a person at a terminal has just read it.
///
/// # Errors
///
/// A signal came: whoever sent it does not wait for a mail server. The mail waits for the next tool that runs.
pub(super) fn mail(
    tool: &Tool,
    environment: &Environment,
    exit: Exit,
    text: &str,
    hint: Option<&str>,
) -> Result<(), Interrupted> {
    let (headline, in_short, safety) = match exit {
        Exit::Config => (
            "could not start: a setting is wrong.",
            "a setting is wrong",
            "Nothing was touched. Until this is mended, the job does not run at all.",
        ),
        _ => ("broke off.", "broke off", "What it was doing was not done, or not to the end."),
    };
    let mend = (exit == Exit::Config).then(|| {
        Step::run("Mend it in the .env file of the backup service, and have it used:", "docker-compose up -d backup")
    });
    tell(tool, environment, text, Forgetful::Mails, |origin, words| {
        Report::new(tool.failure.clone(), origin, format!("{} {headline}", tool.name))
            .safety(safety)
            .in_subject(in_short)
            .details("What is wrong", words.as_bytes())
            .steps("What to do", hint.map(Step::say).into_iter().chain(mend))
            .steps("Then", [Step::tool("Try again by hand:", tool.name)])
    })
}

/// What to do where nothing can be written, so that nobody will know what has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgetful {
    /// For what happens once a night: tell.
    Mails,
    /// For what may happen every minute: tell only in three minutes of the day, from 09:00.
    WaitsForNine,
}

/// Mails what is wrong, once a day for the same words, unless a person at a terminal has just read it. The report is made of
/// the words without any secret.
///
/// # Errors
///
/// A signal came first.
pub fn tell(
    tool: &Tool,
    environment: &Environment,
    text: &str,
    forgetful: Forgetful,
    report: impl FnOnce(Origin, &str) -> Report,
) -> Result<(), Interrupted> {
    if std::io::stderr().is_terminal() {
        return Ok(());
    }
    let mut reader = Reader::new(environment);
    let settings = Mail::read(&mut reader);
    let places = Places::read(&mut reader);
    let Ok((Some(settings), places)) = reader.finish(|| settings.zip(places)) else {
        log::warn!("nobody is told by mail: BACKUP_NOTIFICATION_EMAIL is not set, or the mail settings are wrong too");
        return Ok(());
    };
    let mailer = Mailer::new(settings, &places.state);
    // A state directory that cannot be written is no reason to mail the same every hour.
    let memory = [&places.state, &places.logs, &places.temp].map(|folder| Journal::new(folder));
    let entry = format!("alarm-{}", tool.name);
    let told = Told { at: clock::now(), words: logging::redact(text) };
    let last = memory.iter().filter_map(|journal| journal.read::<Told>(&entry)).max_by_key(|told| told.at);
    if last.is_some_and(|last| last.words == told.words && (told.at - last.at).abs() < AGAIN_AFTER) {
        log::info!("a mail has told of this already");
        // It may still wait, and no other run may get far enough to send it.
        return until_a_signal(mailer.send_waiting(told.at)).unwrap_or(Ok(()));
    }
    let memory = memory.iter().find(|journal| journal.is_writable());
    let is_nine = told.at.hour() == 9 && told.at.minute() < 3;
    if memory.is_none() && forgetful == Forgetful::WaitsForNine && !is_nine {
        log::warn!("no directory can be written to note that somebody was told: that is done from 09:00 to 09:03 only");
        return Ok(());
    }
    // By the names that all mails use, with defaults and fallbacks. If these settings are wrong, that is told elsewhere.
    let database = Database::read_name(&mut Reader::new(environment)).map(|name| name.to_string());
    let host = Database::read_host(&mut Reader::new(environment));
    let origin = Origin::new(tool.name, database.unwrap_or_default(), host.unwrap_or_default(), told.at);
    let message = report(origin, &told.words).render();
    let sent = match until_a_signal(mailer.send(&message, told.at)) {
        Ok(sent) => sent.map(drop),
        Err(error) => {
            log::error!("cannot send a mail: {error}");
            return Ok(());
        }
    };
    // What was not sent waits for the next run.
    if let Some(Err(error)) = memory.map(|journal| journal.write(&entry, &told)) {
        log::debug!("{error}: the next run tells of it again");
    }
    sent
}

/// Does the work, unless a signal comes first, where no runtime is at work any more.
fn until_a_signal<T>(work: impl Future<Output = T>) -> std::io::Result<Result<T, Interrupted>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Ok(Interrupt::listen()?.or(work).await) })
}
