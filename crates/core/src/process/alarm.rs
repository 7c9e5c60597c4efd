//! The mail of last resort: for a job that could not start, or broke where nobody expected it.
//!
//! Under cron nobody reads stderr. If the mail settings are good, whatever else is wrong, a person is told.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Exit, Tool, clock, logging};
use crate::journal::Journal;
use crate::mail::{Mailer, Origin, Report, Step};
use crate::settings::{Environment, Mail, Places, Reader};

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
pub(super) fn mail(tool: &Tool, exit: Exit, text: &str, hint: Option<&str>) {
    if std::io::stderr().is_terminal() {
        return;
    }
    let environment = Environment::of_this_process();
    let mut reader = Reader::new(&environment);
    let settings = Mail::read(&mut reader);
    let places = Places::read(&mut reader);
    let Ok((Some(settings), places)) = reader.finish(settings.zip(places)) else {
        log::warn!("nobody is told by mail: BACKUP_NOTIFICATION_EMAIL is not set, or the mail settings are wrong too");
        return;
    };
    let (journal, entry) = (Journal::new(&places.state), format!("alarm-{}", tool.name));
    let told = Told { at: clock::now(), words: logging::redact(text) };
    let last: Option<Told> = journal.read(&entry);
    if last.is_some_and(|last| last.words == told.words && (told.at - last.at).abs() < AGAIN_AFTER) {
        log::info!("a mail has told of this already");
        return;
    }
    let named = |name| environment.get(name).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
    let origin = Origin::new(tool.name, named("DB_NAME"), named("DB_HOST"), told.at);
    let (headline, safety) = match exit {
        Exit::Config => (
            "could not start: a setting is wrong.",
            "Nothing was touched. Until this is mended, the job does not run at all.",
        ),
        _ => ("broke off.", "What it was doing was not done, or not to the end."),
    };
    let report = Report::new(tool.failure.clone(), origin, format!("{} {headline}", tool.name))
        .safety(safety)
        .details("What is wrong", told.words.as_bytes())
        .steps("What to do", hint.map(Step::say))
        .steps("Then", [Step::run("Try again by hand:", format!("docker-compose exec backup {}", tool.name))]);
    let mailer = Mailer::new(settings, &places.state);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => drop(runtime.block_on(mailer.send(&report.render(), told.at))),
        Err(error) => return log::error!("cannot send a mail: {error}"),
    }
    if let Err(error) = journal.write(&entry, &told) {
        log::debug!("{error}: the next run tells of it again");
    }
}
