//! The arguments as they are typed.

use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  cleanup                delete what the retention says, and report what the store holds
  cleanup --dry-run      print every backup, what would become of it, and why; change nothing
  cleanup --report-only  report what the store holds; delete nothing";

/// Deletes the backups whose time is over, and tells what the store holds.
///
/// Keeps a minimum of backups in every tier, the newest, and the newest that a restore test has proven,
/// whatever their age; deletes nothing at all where backups have stopped or clocks disagree.
#[derive(Debug, Parser)]
#[command(name = "cleanup", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Args {
    /// Print what would become of every backup, and why, but change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Make the storage report, but delete nothing
    #[arg(long, conflicts_with_all = ["dry_run", "no_report"])]
    pub(crate) report_only: bool,
    /// Delete, but make no storage report
    #[arg(long)]
    pub(crate) no_report: bool,
    /// Send no mail, whatever happens
    #[arg(long)]
    pub(crate) no_notify: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// What a run is allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Delete.
    Delete,
    /// Look, and report.
    Report,
    /// Look, and print the plan.
    DryRun,
}

impl Args {
    pub(crate) fn mode(&self) -> Mode {
        match self {
            Self { dry_run: true, .. } => Mode::DryRun,
            Self { report_only: true, .. } => Mode::Report,
            _ => Mode::Delete,
        }
    }

    pub(crate) fn makes_report(&self) -> bool {
        !self.no_report && !self.dry_run
    }
}

impl Arguments for Args {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn is_the_job(&self) -> bool {
        self.mode() == Mode::Delete
    }

    fn may_notify(&self) -> bool {
        !self.no_notify && !self.dry_run
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
