//! Everything that can end a restore, and the exit code it ends with.

mod hints;

use std::io;
use std::path::PathBuf;

use backup_core::figures;
use backup_core::key::DatabaseName;
use backup_core::postgres::PostgresError;
use backup_core::process::{Cut, Exit, Failure, LockError};
use backup_core::restore::{IdentityError, ReadError, RedumpError};
use backup_core::settings::ConfigError;
use backup_core::sql::literal;
use backup_core::store::{StoreError, StoreErrorKind};

use crate::restore::{Names, rename};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cut(#[from] Cut),
    #[error(transparent)]
    Locked(#[from] LockError),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Redump(#[from] RedumpError),
    #[error("{missing}")]
    NotFound {
        missing: Box<StoreError>,
        /// Some that there are, and at which end of all.
        end: &'static str,
        there: Vec<String>,
    },
    #[error("the database {0} exists")]
    Exists(DatabaseName),
    #[error("there is no database {database} that could be replaced, but there is one called {similar}")]
    NotThere { database: DatabaseName, similar: String },
    #[error("{user} may not create databases, and every restore begins with a new one")]
    MayNotCreate { user: String },
    #[error("{0} is the server's own database, and not for data")]
    NotForData(DatabaseName),
    #[error("the database {database} is in use: {}", sessions.join("; "))]
    InUse { database: DatabaseName, sessions: Vec<String> },
    #[error("the backup names roles that the server does not have: {}", roles.join(", "))]
    RolesMissing { roles: Vec<String>, asked: bool },
    #[error("the backup needs extensions that the server does not have: {}", .0.join(", "))]
    ExtensionsMissing(Vec<String>),
    #[error("what was typed is not the name of the database: nothing was done")]
    NotTyped,
    #[error("not asked to go on: nothing was done")]
    Declined,
    #[error("cannot dump {database} before it is replaced, so nothing was replaced: {how}")]
    SafetyDump { database: DatabaseName, how: String },
    #[error(
        "what was restored into {database} is not what was dumped: {first}{}",
        if *more == 0 { String::new() } else { format!(" (and {more} more differences)") }
    )]
    Different { database: DatabaseName, first: String, more: usize },
    #[error(
        "the backup is restored and compared, but as {}: {} could not be replaced{}",
        names.fresh,
        names.target,
        if sessions.is_empty() { String::new() } else { format!(", for it is in use ({})", sessions.join("; ")) }
    )]
    NotSwapped { names: Box<Names>, sessions: Vec<String>, source: PostgresError },
    #[error(
        "the backup is restored and compared, but is called {} and could not take the name {}", names.fresh, names.target
    )]
    NotNamed { names: Box<Names>, source: PostgresError },
    #[error("{address} is no whole backup")]
    NotWhole { address: String, source: Box<ReadError> },
    #[error("what was written to stdout is no whole backup: do not use it")]
    StdoutNotWhole { source: Box<Error> },
    #[error("a file stands at {}", .0.display())]
    Taken(PathBuf),
    #[error("another run fetches into {}", .0.display())]
    Held(PathBuf),
    #[error("cannot open {}", part.display())]
    NotOpened { part: PathBuf, source: io::Error },
    #[error("cannot {attempt} {}", path.display())]
    File { attempt: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} has {} free, and {} are to come", folder.display(), figures::size(*free), figures::size(*needed)
    )]
    NoRoom { folder: PathBuf, free: u64, needed: u64 },
    #[error("whoever reads stdout closed it before the backup was written")]
    StdoutClosed,
    #[error("stdout is closed: nothing that is written there would arrive")]
    StdoutNotOpen,
    #[error("stdout is a terminal, which cannot take a compressed dump")]
    StdoutIsTerminal,
}

impl Error {
    pub(crate) fn file(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { attempt, path, source }
    }

    /// Only what is wrong with the bytes is the backup's own fault.
    pub(crate) fn from_read(address: &str, error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => Self::Store(error),
            ReadError::Restore(error) => Self::Postgres(error),
            ReadError::File { path, source } => Self::File { attempt: "read", path, source },
            source @ (ReadError::Gzip { .. }
            | ReadError::Dump(_)
            | ReadError::Footer(_)
            | ReadError::HiddenCommand { .. }
            | ReadError::NotItsFooter { .. }) => {
                Self::NotWhole { address: address.to_owned(), source: Box::new(source) }
            }
        }
    }

    /// Bytes that came are not those of a backup: another download may bring others.
    pub(crate) fn is_about_bytes(&self) -> bool {
        match self {
            Self::NotWhole { .. } => true,
            Self::Store(error) => matches!(error.kind, StoreErrorKind::Mismatch | StoreErrorKind::Replaced),
            _ => false,
        }
    }
}

impl Failure for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Held(_) => Exit::Locked,
            Self::Locked(error) => error.exit(),
            Self::Cut(cut) => cut.exit(),
            // A signal ends it as one, wherever the bytes went.
            Self::StdoutNotWhole { source } if matches!(**source, Self::Cut(_)) => source.exit(),
            Self::Store(_)
            | Self::Postgres(_)
            | Self::Identity(_)
            | Self::Redump(_)
            | Self::NotFound { .. }
            | Self::Exists(_)
            | Self::NotThere { .. }
            | Self::MayNotCreate { .. }
            | Self::NotForData(_)
            | Self::InUse { .. }
            | Self::RolesMissing { .. }
            | Self::ExtensionsMissing(_)
            | Self::NotTyped
            | Self::Declined
            | Self::SafetyDump { .. }
            | Self::Different { .. }
            | Self::NotSwapped { .. }
            | Self::NotNamed { .. }
            | Self::NotWhole { .. }
            | Self::StdoutNotWhole { .. }
            | Self::Taken(_)
            | Self::NotOpened { .. }
            | Self::File { .. }
            | Self::NoRoom { .. }
            | Self::StdoutClosed
            | Self::StdoutNotOpen
            | Self::StdoutIsTerminal => Exit::Failed,
        }
    }

    fn is_untold(&self) -> bool {
        false
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Store(error) if error.kind == StoreErrorKind::Missing => {
                "`restore list` shows what there is. DB_NAME says whose backups are looked for."
            }
            Self::Store(error) => return error.hint(),
            Self::Cut(cut) => return cut.hint(),
            Self::StdoutNotWhole { source } => return source.hint(),
            Self::Postgres(error) => return hints::for_postgres(error),
            Self::Redump(RedumpError::NotDumped(error)) => return error.hint(),
            Self::NotFound { there, .. } if there.is_empty() => {
                "`restore list` shows what there is. DB_NAME says whose backups are looked for."
            }
            Self::NotFound { end, there, .. } => {
                return Some(format!("The {end} ones that there are: {}. `restore list` shows all.", there.join(", ")));
            }
            Self::NotThere { similar, .. } => {
                return Some(format!(
                    "If {similar} is meant, type its name at --into and at --replace. For a new database leave --replace out."
                ));
            }
            Self::MayNotCreate { .. } => return Some(format!("{} Or: ALTER ROLE ... CREATEDB.", hints::SUPERUSER)),
            Self::NotForData(_) => "Name another database with --into.",
            Self::Exists(_) => {
                "Name a new database; or, to replace this one, type its name out: --replace=NAME. It is dumped first."
            }
            Self::InUse { database, .. } => {
                return Some(format!(
                    "Stop the application (docker-compose stop app), and whatever else is connected; to end all sessions: SELECT \
                     pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {};",
                    literal(database.as_str())
                ));
            }
            Self::RolesMissing { asked: false, .. } => {
                "--create-roles creates them as the backup describes them, without passwords; or create them by hand."
            }
            Self::RolesMissing { asked: true, .. } => "The backup does not say how to make them: create them by hand.",
            Self::ExtensionsMissing(_) => "Install them on the database server, and run again.",
            Self::SafetyDump { .. } => {
                "Mend that first, if it can be mended. --no-safety-dump replaces it without one: what it holds now is then gone for good."
            }
            Self::Different { .. } => {
                "It is left under that name, to be looked at, and nothing else has changed. Drop it, and try another backup."
            }
            Self::NotSwapped { names, .. } => {
                let Names { target, fresh, before } = &**names;
                return Some(format!(
                    "Nothing is lost: {target} is as it was. End what is connected to it, and let the two change names, in psql \
                     on another database: BEGIN; {} {} COMMIT; Or drop {fresh} and run again.",
                    rename(target, before),
                    rename(fresh, target)
                ));
            }
            Self::NotNamed { names, .. } => {
                return Some(format!("It is whole. When the name is free: {}", rename(&names.fresh, &names.target)));
            }
            Self::NotWhole { .. } | Self::Identity(_) => {
                "Take another one: `restore list` shows which are proven by a restore test."
            }
            Self::Taken(_) => "Name another file with --output, or replace it with --force.",
            Self::NotOpened { source, .. } => return hints::for_a_place(source.kind()),
            Self::NoRoom { .. } => "Make room, or name a file elsewhere with --output. What is there already counts.",
            Self::StdoutNotOpen | Self::StdoutIsTerminal => {
                "Redirect it (--output - > FILE), or name a file (--output FILE)."
            }
            Self::Config(_)
            | Self::Held(_)
            | Self::Locked(_)
            | Self::Redump(_)
            | Self::NotTyped
            | Self::Declined
            | Self::File { .. }
            | Self::StdoutClosed => return None,
        };
        Some(hint.to_owned())
    }
}
