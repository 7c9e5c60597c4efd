//! `restore-test`: restores a backup into a server of its own, and proves it equal to what was dumped.

mod args;
mod drill;
mod error;
mod notice;
mod proof;
mod record;
mod run;
mod settings;
mod verdict;

use std::process::ExitCode;

use backup_core::mail::Kind;
use backup_core::process::{self, Tool};

const TOOL: Tool = Tool { name: "restore-test", log: "restore-test", failure: Kind::RestoreTestFailure };

fn main() -> ExitCode {
    process::run(&TOOL, run::run)
}
