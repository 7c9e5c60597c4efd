//! The arguments as they are typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use backup_core::settings::{Group, Recipients};
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  notify TEST \"Hello\"                            does mail work? tells of every step
  notify SUCCESS \"Export done\" \"42 files\"        a message with details
  notify FAILURE \"Import failed\" - < import.log  details from stdin, of any size
  notify REPORT \"Week 4\" --attach report.pdf     any other word is a general notice
  notify FAILURE \"Disk full\" --preview mail.html writes the mail to a file, sends nothing";

static TYPES_AND_EXIT_CODES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "\
Types:
  SUCCESS  SUCCESS_WITH_WARNING  FAILURE         of a backup
  CLEANUP_FAILURE  STORAGE_REPORT                of the retention
  RESTORE_TEST_SUCCESS  RESTORE_TEST_FAILURE  RESTORE_TEST_INCONCLUSIVE
  HEALTH_ALERT  HEALTH_RECOVERED
  TEST                                           tells of every step to the mail server

{EXIT_CODES}"
    )
});

/// Sends a mail of the backup system, to whom its settings name.
///
/// What the server refuses for the time being is tried again once, then kept, and sent by the next tool that runs.
#[derive(Debug, Parser)]
#[command(name = "notify", version, after_help = TYPES_AND_EXIT_CODES.as_str(), before_help = EXAMPLES)]
pub(crate) struct Args {
    /// One of the types below, or any other word for a general notice
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
    const SETTINGS: &[Group] = &[Group::General, Group::Database, Group::Mail, Group::Places];

    /// What became of its mail is written down by the mailer.
    fn is_the_job(&self) -> bool {
        false
    }

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
