//! `backup`: dumps a PostgreSQL database, compresses it and streams it to S3, in one pass.

mod args;
mod before;
mod error;
mod footer;
mod loss;
mod notice;
mod output;
mod pipeline;
mod promote;
mod run;
mod settings;

use std::process::ExitCode;

use backup_core::mail::Kind;
use backup_core::process::{self, Tool};

const TOOL: Tool = Tool { name: "backup", log: "backup", failure: Kind::Failure };

fn main() -> ExitCode {
    process::run(&TOOL, run::run)
}
