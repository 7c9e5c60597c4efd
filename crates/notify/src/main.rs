//! `notify`: sends a mail of the backup system, or shows where the way to the mail server is blocked.

mod args;
mod attachments;
mod details;
mod error;
mod run;
mod settings;

use std::process::ExitCode;

use backup_core::mail::Kind;
use backup_core::process::{self, Tool};

const TOOL: Tool = Tool { name: "notify", log: "notify", failure: Kind::Failure };

fn main() -> ExitCode {
    process::run(&TOOL, run::run)
}
