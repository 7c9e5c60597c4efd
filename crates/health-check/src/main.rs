//! `health-check`: looks whether backups are made, can be restored, and whether a person would be told.

mod alert;
mod args;
mod checks;
mod document;
mod error;
mod figure;
mod finding;
mod gather;
mod metrics;
mod notice;
mod run;
mod settings;
mod table;
mod watch;

use std::process::ExitCode;

use backup_core::mail::Kind;
use backup_core::process::{self, Tool};

const TOOL: Tool = Tool { name: "health-check", log: "health", failure: Kind::HealthAlert };

fn main() -> ExitCode {
    process::run(&TOOL, run::run)
}
