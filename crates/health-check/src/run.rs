//! One run: look, tell, print.

use backup_core::mail::State;
use backup_core::process::{Arguments, Context, Exit, Finish, chain, now};
use backup_core::settings;

use crate::args::Args;
use crate::checks;
use crate::document;
use crate::error::Error;
use crate::finding::{Finding, worst};
use crate::gather;
use crate::metrics;
use crate::notice;
use crate::settings::Settings;
use crate::table;

/// Runs `health-check`.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Finish, Error> {
    if settings::disabled(&context.environment) {
        log::warn!("BACKUP_ENABLED is false: nothing is looked at");
        return Ok(finish(&[checks::settings::disabled()], Exit::Done));
    }
    let settings = Settings::read(&context.environment)?;
    if args.may_notify() {
        context.interrupt.or(notice::send_waiting(&settings)).await?;
    }
    let findings = context.interrupt.or(gather::findings(&args, &settings, context)).await?;
    let findings: Vec<Finding> = findings.into_iter().map(|finding| redacted(finding, context)).collect();
    for Finding { name, state, fact, .. } in &findings {
        let name = name.word();
        match state {
            State::Ok => log::debug!("{name}: {fact}"),
            State::Warning => log::warn!("{name}: {fact}"),
            State::Critical => log::error!("{name}: {fact}"),
        }
    }
    let mut exit = if worst(&findings) == State::Critical { Exit::Failed } else { Exit::Done };
    if let Some(file) = &args.metrics
        && let Err(error) = metrics::write(file, &findings, settings.database.name.as_str(), now())
    {
        log::error!("{}", chain(&error));
        exit = Exit::Failed;
    }
    if args.may_notify() {
        notice::tell(&settings, context, &findings).await;
    }
    Ok(finish(&findings, exit))
}

fn finish(findings: &[Finding], exit: Exit) -> Finish {
    Finish::new(exit, Some(table::lines(findings)), document::of(findings))
}

/// What servers and programs say ends up in mails and on screens.
fn redacted(mut finding: Finding, context: &Context) -> Finding {
    finding.fact = context.redact(&finding.fact);
    if let Some(advice) = &mut finding.advice {
        advice.says = context.redact(&advice.says);
    }
    finding
}
