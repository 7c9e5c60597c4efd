//! The arguments as they are typed.

use std::path::PathBuf;
use std::time::Duration;

use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use backup_core::settings::Group;
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  backup                            make a backup now
  backup --dry-run                  check settings, store and database, write nothing
  backup --if-older-than 24h        make one only if the newest is older than that
  backup --output - | gunzip | less look at a dump without storing it";

/// Dumps a PostgreSQL database, compresses it and streams it to S3.
///
/// The object appears in the store only when the dump is whole; the first backup of a week and of a month is copied to the
/// weekly and monthly folders. Prints the address of the backup.
#[derive(Debug, Parser)]
#[command(name = "backup", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Check everything and say what would be written, but write nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Do nothing if a backup newer than this stands in the store (for example 24h)
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub(crate) if_older_than: Option<Duration>,
    /// Write the backup to this file instead of the store; - is stdout
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["dry_run", "if_older_than"])]
    pub(crate) output: Option<PathBuf>,
    /// Store a dump without any table even where the backup before had some
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Send no mail, whatever happens
    #[arg(long)]
    pub(crate) no_notify: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl Arguments for Args {
    const SETTINGS: &[Group] =
        &[Group::General, Group::Database, Group::Store, Group::Work, Group::Mail, Group::Places];

    fn is_the_job(&self) -> bool {
        !self.dry_run && self.output.is_none()
    }

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn may_notify(&self) -> bool {
        !self.no_notify && !self.dry_run
    }

    fn conflict(&self) -> Option<&'static str> {
        let to_stdout = self.output.as_ref().is_some_and(|file| file.as_os_str() == "-");
        (to_stdout && self.common.json).then_some("--json and --output - would both write to stdout")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Args::command().debug_assert();
    }
}
