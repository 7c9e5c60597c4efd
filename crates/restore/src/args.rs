//! The arguments as they are typed.

mod instant;

use std::io::IsTerminal;
use std::path::PathBuf;

use backup_core::key::{DatabaseName, Tier};
use backup_core::process::{Arguments, CommonArgs, EXIT_CODES};
use backup_core::settings::Group;
use backup_core::store::{Pick, WHAT_NAMES_ONE, Wanted};
use clap::{Parser, Subcommand};
use time::PrimitiveDateTime;

const EXAMPLES: &str = "\
Examples:
  restore list                          what there is, newest first, and what of it is proven
  restore fetch latest                  the newest backup, verified, into this folder
  restore fetch latest -o - | gunzip    the same as a stream
  restore run latest --into try_it      the newest backup as a new database
  restore run --before '2025-01-29 14:00' --into shop --replace=shop
                                        the last backup before that, in the place of an existing database";

const LIST_EXAMPLES: &str = "\
Examples:
  restore list                  every backup of DB_NAME, newest first
  restore list --tier monthly   one folder only
  restore list --json           for a script";

const FETCH_EXAMPLES: &str = "\
Examples:
  restore fetch latest                             the newest: daily, weekly or monthly
  restore fetch db-backups/daily/2025/01/29/...    the one under this key, as `restore list` shows it
  restore fetch latest -o before.sql.gz            under another name; go on with it if it broke off
  restore fetch latest -o - | gunzip | less        to stdout

stdout gets everything but the last piece before that is verified: look at the exit code, or set -o pipefail.";

const RUN_EXAMPLES: &str = "\
Examples:
  restore run latest --into try_it                   a new database beside the others
  restore run --before 2025-01-29 --into try_it      the last backup before that day, local time
  restore run --before 2025-01-29T14:00:00Z --into try_it
                                                     before an instant that a log in UTC has
  restore run ./shop.sql.gz --into shop --create-roles
                                                     a file, on a server that knows nothing of it yet
  restore run latest --into shop --replace=shop      in the place of an existing database; stop the application first

DB_USER must be allowed to create databases, and to act for the owners of what is restored: as a rule a superuser.";

/// Lists the backups, fetches one, brings a database back.
#[derive(Debug, Parser)]
#[command(name = "restore", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    List(ListArgs),
    Fetch(FetchArgs),
    Run(RunArgs),
}

/// Lists the backups: when, where, how large, how old, and whether a restore test has proven them
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES, before_help = LIST_EXAMPLES)]
pub(crate) struct ListArgs {
    /// Only this folder: daily, weekly, monthly or recovery-tests
    #[arg(long, value_parser = tier)]
    pub(crate) tier: Option<Tier>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Fetches a backup into a file, and verifies it on the way
///
/// The file appears under its name only when it is whole: the checksum that the store keeps, the end of the compression, the
/// end of the dump and what the backup says of itself have all been compared. What broke off is gone on with.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES, before_help = FETCH_EXAMPLES)]
pub(crate) struct FetchArgs {
    /// Which: `latest`, a key, or an address
    #[arg(value_name = "BACKUP", value_parser = stored)]
    pub(crate) backup: Pick,
    /// Write to this file or into this folder; - is stdout (default: the backup's own name, here)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace a file that stands there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl FetchArgs {
    pub(crate) fn to_stdout(&self) -> bool {
        self.output.as_ref().is_some_and(|output| output.as_os_str() == "-")
    }
}

/// Restores a backup into a new database, or in the place of an existing one
///
/// All of it or nothing: one transaction, which ends only when the backup was read to its end and is what it says; then every row
/// is compared, and only then the database gets its name. An existing database is replaced only when its name is typed out, and is
/// dumped first, if there is anything in it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES, before_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    /// Which: `latest`, a key, an address, or the path of a file
    #[arg(value_name = "BACKUP", required_unless_present = "before", value_parser = Wanted::typed)]
    pub(crate) backup: Option<Wanted>,
    /// The newest backup taken before this instant, local time: 2025-01-29 or '2025-01-29 14:00'; or with its zone:
    /// 2025-01-29T14:00:00Z, '2025-01-29 14:00 +01:00'
    #[arg(long, value_name = "TIME", value_parser = instant::read, conflicts_with = "backup")]
    pub(crate) before: Option<PrimitiveDateTime>,
    /// The database to restore into
    #[arg(long, value_name = "NAME")]
    pub(crate) into: DatabaseName,
    /// Replace it if it exists; its name is typed out once more: here, or on a terminal when asked
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) replace: Option<String>,
    /// Do not dump the database that is replaced
    #[arg(long, requires = "replace")]
    pub(crate) no_safety_dump: bool,
    /// Create the roles that the backup names and the server does not have, without passwords
    #[arg(long)]
    pub(crate) create_roles: bool,
    /// Who owns the database (default: who owned it, as the backup says; of one that is replaced and not empty, who owns it now)
    #[arg(long, value_name = "ROLE")]
    pub(crate) owner: Option<String>,
    /// Do not ask whether to go on
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl RunArgs {
    pub(crate) fn wanted(&self) -> Wanted {
        match (&self.backup, self.before) {
            (_, Some(instant)) => Wanted::Stored(Pick::Before(instant)),
            (Some(wanted), None) => wanted.clone(),
            (None, None) => unreachable!("clap asks for one of the two"),
        }
    }

    fn conflict(&self) -> Option<&'static str> {
        match self.replace.as_deref() {
            Some("") if !std::io::stdin().is_terminal() => {
                Some("--replace needs the name of the database typed out: --replace=NAME")
            }
            Some(name) if !name.is_empty() && name != self.into.as_str() => {
                Some("--replace names another database than --into: type the same name at both")
            }
            _ => None,
        }
    }
}

impl Arguments for Args {
    const SETTINGS: &[Group] = &[Group::General, Group::Database, Group::Store, Group::Work, Group::Places];

    fn common(&self) -> &CommonArgs {
        match &self.verb {
            Verb::List(args) => &args.common,
            Verb::Fetch(args) => &args.common,
            Verb::Run(args) => &args.common,
        }
    }

    fn may_notify(&self) -> bool {
        false
    }

    fn conflict(&self) -> Option<&'static str> {
        match &self.verb {
            Verb::Fetch(args) if args.to_stdout() && args.common.json => {
                Some("--json and --output - would both write to stdout")
            }
            Verb::Fetch(args) if args.to_stdout() && args.force => {
                Some("--force is about files, and --output - is stdout")
            }
            Verb::Run(args) => args.conflict(),
            Verb::List(_) | Verb::Fetch(_) => None,
        }
    }
}

fn tier(text: &str) -> Result<Tier, String> {
    let known = Tier::ALL.into_iter().find(|tier| tier.to_string() == text);
    known.ok_or_else(|| format!("one of {}", Tier::ALL.map(|tier| tier.to_string()).join(", ")))
}

fn stored(text: &str) -> Result<Pick, String> {
    match text.parse()? {
        Wanted::Stored(pick) => Ok(pick),
        Wanted::File(_) => Err(WHAT_NAMES_ONE.to_owned()),
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
