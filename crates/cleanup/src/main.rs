//! `cleanup`: deletes the backups whose time is over, and tells what the store holds.

mod args;
mod calendar;
mod document;
mod error;
mod execute;
mod growth;
mod inventory;
mod listing;
mod notice;
mod plan;
mod report;
mod run;
mod settings;
mod text;

use std::process::ExitCode;

use backup_core::mail::Kind;
use backup_core::process::{self, Tool};

const TOOL: Tool = Tool { name: "cleanup", log: "cleanup", failure: Kind::CleanupFailure };

fn main() -> ExitCode {
    process::run(&TOOL, run::run)
}
