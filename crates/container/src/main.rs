//! `container`: the main process of the container, and the way in which its cron runs a job.
//!
//! It decides nothing about backups: it checks the settings, starts cron, shows the tools' logs, and ends what runs when the
//! container ends.

mod args;
mod catch_up;
mod check;
mod error;
mod expected;
mod field;
mod follow;
mod job;
mod output;
mod places;
mod processes;
mod run_folder;
mod schedule;
mod start;
mod tell;
mod watch;
mod when;

use std::process::ExitCode;

use backup_core::mail::Kind;
use backup_core::process::{self, Tool};
use backup_core::settings::EVERY_GROUP;

use args::{Args, Command};

const TOOL: Tool = Tool { name: "container", log: "container", failure: Kind::Failure };

fn main() -> ExitCode {
    let Args { run_folder, command } = process::parse(&EVERY_GROUP).unwrap_or_else(|usage| usage.exit());
    match command {
        Command::Start(args) => start::run(&args, &run_folder),
        Command::Check(args) => process::run_parsed(&TOOL, args, check::run),
        Command::CatchUp(args) => process::run_parsed(&TOOL, args, catch_up::run),
        Command::Job(args) => job::run(&args, &run_folder),
        Command::Tell => tell::run(),
    }
}
