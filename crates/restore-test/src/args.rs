//! The arguments as they are typed.

use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use backup_core::settings::Group;
use backup_core::store::Wanted;
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  restore-test                         test the newest backup: daily, else weekly, else monthly
  restore-test db-backups/daily/...    test the backup under this key; s3://BUCKET/KEY is understood too
  restore-test ./backup.sql.gz         test a file; nothing is written to the store
  restore-test --keep-scratch          leave the restored database to look at";

/// Restores a backup into a server of its own, and proves it equal to what was dumped.
///
/// The server is a throwaway PostgreSQL of the backup's major version on this machine. No connection is opened to the
/// live database. What is restored is dumped again and compared with what the backup says of itself, table by
/// table; then the test proves that it would have noticed.
#[derive(Debug, Parser)]
#[command(name = "restore-test", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to test: `latest`, a key, an address, or the path of a file
    #[arg(value_name = "BACKUP", default_value = "latest", value_parser = Wanted::typed)]
    pub(crate) backup: Wanted,
    /// Leave the scratch server's directory where it is, and say how to start it again
    #[arg(long)]
    pub(crate) keep_scratch: bool,
    /// Send no mail, whatever happens
    #[arg(long)]
    pub(crate) no_notify: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl Arguments for Args {
    const SETTINGS: &[Group] =
        &[Group::General, Group::Database, Group::Store, Group::Work, Group::Mail, Group::Places];

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn may_notify(&self) -> bool {
        !self.no_notify
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
