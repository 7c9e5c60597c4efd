//! The arguments as they are typed.

use std::ffi::OsString;
use std::path::PathBuf;

use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use backup_core::settings::Recipients;
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  notify TEST \"Hello\"                            does mail work? tells of every step to the server
  notify SUCCESS \"Export done\" \"42 files\"        a message with details
  notify FAILURE \"Import failed\" - < import.log  details from stdin, any size; a mail shows both ends
  notify REPORT \"Week 4\" --attach report.pdf     any other word is a general notice
  notify FAILURE \"Disk full\" --preview mail.html  write the mail to a file, send nothing

Settings come from the environment and from a .env file; .env.example lists them all.";

/// Sends a mail of the backup system to BACKUP_NOTIFICATION_EMAIL.
///
/// What the server refuses for the time being is tried again once, then kept, and sent by the next tool that runs.
#[derive(Debug, Parser)]
#[command(name = "notify", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
pub(crate) struct Args {
    /// SUCCESS, FAILURE, CLEANUP_FAILURE, RESTORE_TEST_SUCCESS, RESTORE_TEST_FAILURE, RESTORE_TEST_INCONCLUSIVE,
    /// STORAGE_REPORT, HEALTH_ALERT, HEALTH_RECOVERED, TEST, or any other word
    #[arg(value_name = "TYPE")]
    pub(crate) kind: OsString,
    /// What happened, in a sentence
    pub(crate) message: OsString,
    /// More of it; - reads stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) details: Option<OsString>,
    /// A file to go with the mail, as --attach
    pub(crate) attachment: Option<PathBuf>,
    /// A file to go with the mail; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// Send to this address instead (or several, with commas between)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<Recipients>,
    /// Write the mail's HTML to this file and send nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) preview: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl Arguments for Args {
    fn common(&self) -> &CommonArgs {
        &self.common
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
