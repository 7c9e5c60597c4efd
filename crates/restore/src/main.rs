//! `restore`: lists the backups, fetches one, brings a database back.

mod args;
mod error;
mod fetch;
mod find;
mod list;
mod restore;
mod run;
mod settings;

use std::process::ExitCode;

use backup_core::mail::Kind;
use backup_core::process::{self, Tool};

// Whoever restores is there to see how it ends: nothing is ever mailed.
const TOOL: Tool = Tool { name: "restore", log: "restore", failure: Kind::Failure };

fn main() -> ExitCode {
    process::run(&TOOL, run::run)
}
