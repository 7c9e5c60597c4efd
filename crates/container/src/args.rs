//! The arguments as they are typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  container check                  check every setting, and say all that is wrong at once
  container job backup --dry-run   run a tool as cron does: as BACKUP_USER, with the container's variables
  container start                  what the image runs by itself";

/// The main process of the container, and the way in which its cron runs a job.
#[derive(Debug, Parser)]
#[command(name = "container", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where the container keeps what cron and its jobs read: gone with the container, for root only
    #[arg(long, value_name = "FOLDER", default_value = "/run/backup", global = true)]
    pub(crate) run_folder: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the settings, start cron, show the logs, and end the jobs in order when told to end
    Start(StartArgs),
    /// Check every setting, and say all that is wrong at once
    Check(ToolArgs),
    /// Wait until the database answers, and make a backup if the newest is too old
    CatchUp(ToolArgs),
    /// Run a program as `BACKUP_USER`, with the variables that the container was started with
    Job(JobArgs),
    /// Mail, as `BACKUP_USER`, what the container's main process has to tell
    #[command(hide = true)]
    Tell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// The schedule
    #[arg(long, value_name = "FILE", default_value = "/backup/crontab")]
    pub(crate) crontab: PathBuf,
    /// Start no backup, however old the newest is
    #[arg(long)]
    pub(crate) no_catch_up: bool,
    /// End the container when cron has not started a job so long after its time
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    pub(crate) late_after: Duration,
}

#[derive(Debug, Parser)]
pub(crate) struct ToolArgs {
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct JobArgs {
    /// The program, and what it is given
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

impl Arguments for ToolArgs {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    /// A container that is started again and again would mail again and again.
    fn may_notify(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_a_job_is_given_is_left_to_it() {
        let Command::Job(job) = Args::parse_from(["container", "job", "backup", "--if-older-than", "25h"]).command
        else {
            panic!("not a job")
        };
        assert_eq!(job.command, ["backup", "--if-older-than", "25h"]);
    }
}
