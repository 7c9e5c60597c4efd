//! How the last run of each tool ended: written down for the health check, whatever became of the run.

use time::OffsetDateTime;

use super::{Exit, Tool, chain, clock};
use crate::journal::{Journal, LastRun};
use crate::settings::{Environment, Places, Reader};

/// Replaces the entry of this tool. A run that found another one under way says nothing about the job.
pub(super) fn write_down(
    tool: &Tool,
    environment: &Environment,
    started: OffsetDateTime,
    exit: Exit,
    error: Option<&str>,
) {
    let Some(places) = Places::read(&mut Reader::new(environment)).filter(|_| exit != Exit::Locked) else { return };
    let run = LastRun { started, ended: clock::now(), exit_code: exit.code(), error: error.map(str::to_owned) };
    if let Err(error) = Journal::new(&places.state).write(tool.name, &run) {
        log::warn!("{}: the health check will not know how this run ended", chain(&error));
    }
}
