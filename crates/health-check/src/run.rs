//! One run: look, tell, print.

use backup_core::mail::State;
use backup_core::process::{Arguments, Context, Exit, Finish, chain, now};
use backup_core::settings::{self, Database, Reader};

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
        let findings = [checks::settings::disabled()];
        // Figures of the time before would go on saying that all is well.
        let name = Database::read_name(&mut Reader::new(&context.environment));
        let name = name.map(|name| name.to_string()).unwrap_or_default();
        let exit = if write_metrics(&args, &findings, &name) { Exit::Done } else { Exit::Failed };
        return Ok(finish(&findings, exit));
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
    if !write_metrics(&args, &findings, settings.database.name.as_str()) {
        exit = Exit::Failed;
    }
    if args.may_notify() {
        notice::tell(&settings, context, &findings).await;
    }
    Ok(finish(&findings, exit))
}

/// Whether they are written, where that is asked for.
fn write_metrics(args: &Args, findings: &[Finding], database: &str) -> bool {
    let Some(file) = &args.metrics else { return true };
    metrics::write(file, findings, database, now()).inspect_err(|error| log::error!("{}", chain(error))).is_ok()
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
