//! The arguments as they are typed.

use std::path::PathBuf;

use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use clap::Parser;

use crate::finding::Name;

const EXAMPLES: &str = "\
Examples:
  health-check                             look at everything, and mail what changed
  health-check --no-notify                 look at everything, and tell nobody: the container's HEALTHCHECK
  health-check --only database,storage     look at these two
  health-check --metrics /var/lib/node_exporter/backup.prom
                                           write figures for Prometheus too";

/// Looks whether backups are made, can be restored, and whether a person would be told.
///
/// Ends with 0 where nothing is broken (warnings included), else with 1. Mails what has got worse, reminds of
/// what lasts, and tells when it is over.
#[derive(Debug, Parser)]
#[command(name = "health-check", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Look at these only, with commas between
    #[arg(long, value_name = "CHECK", value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Name>,
    /// Write the figures into this file, in the text format of Prometheus
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
    /// Send no mail, and do not log in to the mail server
    #[arg(long)]
    pub(crate) no_notify: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl Args {
    /// Whether this check is asked for.
    pub(crate) fn wants(&self, name: Name) -> bool {
        self.only.is_empty() || self.only.contains(&name)
    }
}

impl Arguments for Args {
    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn may_notify(&self) -> bool {
        !self.no_notify
    }

    /// The hourly run, by which is known that jobs are started at all; not a look by hand or by Docker.
    fn is_the_job(&self) -> bool {
        !self.no_notify && self.only.is_empty()
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
