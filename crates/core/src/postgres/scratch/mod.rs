//! The scratch server: a PostgreSQL of our own, to restore into, that nobody else can reach and that can reach nobody.
//!
//! It listens on a Unix socket in its own directory only, is given no variable of ours, and once it runs what a backup says it is
//! confined to that directory ([`Confinement`]). Its settings trade every safety for speed: what is in it is thrown away.

mod directory;
mod error;
mod programs;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use tokio::time::Instant;

pub use error::ScratchError;
pub use programs::Programs;

use super::client::{Client, conninfo, variables};
use crate::child::{Child, Confinement, Seal};
use crate::footer::Role;
use crate::key::DatabaseName;
use crate::settings::Database;
use crate::shell;
use crate::sql::{identifier, literal};
use directory::Directory;

/// How long `initdb` may take.
const TIME_TO_INIT: Duration = Duration::from_mins(5);

/// How long the server may take to accept connections.
const TIME_TO_START: Duration = Duration::from_mins(2);

/// How the server ends: its sessions with it, in the middle of whatever they do. There is nothing to be saved.
const AT_ONCE: Signal = Signal::SIGQUIT;

/// How long one statement of ours may take.
const STATEMENT: Duration = Duration::from_mins(2);

/// What fits into one command line.
const STATEMENTS_AT_ONCE: usize = 100;

/// The socket's directory as clients see it, which start in the scratch directory: a path of a hundred characters would be too
/// long for a socket, this one never is.
const HOST: &str = "/proc/self/cwd";

const DATABASE: &str = "scratch";

/// A server takes about this many times the size of a dump, indexes and log included.
const BYTES_PER_DUMPED_BYTE: f64 = 2.5;

/// What an empty server takes.
const EMPTY_BYTES: u64 = 64 << 20;

/// The encoding and the locales of the database that is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    /// By PostgreSQL's name.
    pub encoding: String,
    /// `LC_COLLATE`
    pub collate: String,
    /// `LC_CTYPE`
    pub ctype: String,
    /// The encoding of the dump's text, which may be another than the database's.
    pub of_the_dump: Option<String>,
}

impl Locale {
    /// What fits any database.
    pub fn plain(encoding: &str) -> Self {
        Self { encoding: encoding.to_owned(), collate: "C".to_owned(), ctype: "C".to_owned(), of_the_dump: None }
    }
}

/// A running scratch server. Dropped, it is ended and its directory removed; [`Scratch::stop`] lets others work meanwhile.
#[derive(Debug)]
pub struct Scratch {
    client: Client,
    postgres: Child,
    programs: Programs,
    replaced: Option<Locale>,
    seal: Seal,
    // Last, so that the server is dead before its files go.
    directory: Directory,
}

impl Scratch {
    /// How many bytes of disk it takes to restore a dump of this size.
    pub fn needed_bytes(dump_bytes: u64) -> u64 {
        EMPTY_BYTES + (dump_bytes as f64 * BYTES_PER_DUMPED_BYTE) as u64
    }

    /// Fails where the temp directory has less room than that, when what killed runs left there has gone.
    pub fn check_room(temp: &Path, dump_bytes: u64) -> Result<(), ScratchError> {
        directory::remove_stale(temp);
        let (needed, free) = (Self::needed_bytes(dump_bytes), directory::free_bytes(temp)?);
        if free >= needed { Ok(()) } else { Err(ScratchError::NoRoom { path: temp.to_owned(), needed, free }) }
    }

    /// Starts a server with an empty database, with room for the locks of so many objects in one transaction.
    pub async fn start(
        programs: &Programs,
        temp: &Path,
        locale: &Locale,
        objects: usize,
        taken: &[String],
    ) -> Result<Self, ScratchError> {
        let owner = unprivileged_user()?;
        let directory = Directory::new(temp, owner.clone())?;
        let inside = Confinement::new(directory.path(), owner);
        let superuser = free_name(taken);
        let replaced = init(programs, &inside, locale, &superuser).await?;
        let sealed = inside.sealed(&programs.folders);
        let seal = sealed.seal();
        log::info!("the scratch server is kept {seal}");
        let postgres = start_server(programs, &sealed, objects).await?;
        let client = client(programs, sealed, &superuser, locale);
        let scratch = Self { client, postgres, programs: programs.clone(), replaced, seal, directory };
        let mut empty = scratch.client.clone();
        empty.conninfo = conninfo(&settings(&superuser, "postgres"));
        let create = format!("CREATE DATABASE {DATABASE} TEMPLATE template0");
        if let Err(error) = empty.query(&create, STATEMENT).await {
            scratch.stop().await;
            return Err(error.into());
        }
        Ok(scratch)
    }

    /// The way into its database.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What it is kept from.
    pub fn seal(&self) -> Seal {
        self.seal
    }

    /// What the machine does not have, and that was replaced by the plain locale: order and classes of characters may differ.
    pub fn replaced_locale(&self) -> Option<&Locale> {
        self.replaced.as_ref()
    }

    /// Makes what a dump needs to be there before it: roles, as the footer describes them where it does, and tablespaces.
    pub async fn prepare(
        &self,
        described: &[Role],
        roles: &[String],
        tablespaces: &[String],
    ) -> Result<(), ScratchError> {
        let plain = roles.iter().filter(|name| described.iter().all(|role| role.name != **name));
        let creates = described.iter().filter_map(|role| role.statements.first().cloned());
        let creates = creates.chain(plain.map(|name| format!("CREATE ROLE {};", identifier(name))));
        // Not what is set for them: nobody logs in as one of them.
        let grants = described.iter().flat_map(|role| role.statements.iter().skip(1));
        let grants = grants.filter(|statement| statement.starts_with("GRANT ")).cloned();
        let statements: Vec<String> = creates.chain(grants).collect();
        for some in statements.chunks(STATEMENTS_AT_ONCE) {
            self.client.query(&some.join("\n"), STATEMENT).await?;
        }
        for (name, number) in tablespaces.iter().zip(1..) {
            let path = literal(&self.directory.add(&format!("tablespace-{number}"))?.display().to_string());
            self.client.query(&format!("CREATE TABLESPACE {} LOCATION {path}", identifier(name)), STATEMENT).await?;
        }
        Ok(())
    }

    /// Of these extensions, those that are not installed on this machine.
    pub async fn missing(&self, extensions: &[String]) -> Result<Vec<String>, ScratchError> {
        Ok(self.client.missing_extensions(extensions).await?)
    }

    /// Stops the server and removes everything.
    pub async fn stop(mut self) {
        self.postgres.stop_by(AT_ONCE).await;
    }

    /// Stops the server in order, and leaves its directory where it is. Gives the command that starts it again.
    pub async fn keep(mut self) -> String {
        self.postgres.stop_by(Signal::SIGINT).await;
        let data = self.directory.keep().join("data");
        let [program, data] = [&self.programs.postgres.path, &data].map(|path| path.display().to_string());
        let (program, data) = (shell::word(&program), shell::word(&data));
        format!("{program} -D {data} -k {data} -h ''")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Not by SIGKILL: its backends lead groups of their own, and one at work would go on.
        self.postgres.stop_here_by(AT_ONCE);
    }
}

/// PostgreSQL's server programs refuse to run as root.
fn unprivileged_user() -> Result<Option<User>, ScratchError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let known = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    known.map(Some).ok_or(ScratchError::NoUser)
}

/// A name for the superuser that no role of the backup has.
fn free_name(taken: &[String]) -> String {
    let mut name = "scratch".to_owned();
    while taken.contains(&name) {
        name.push('_');
    }
    name
}

fn settings(superuser: &str, database: &str) -> Database {
    Database {
        host: HOST.to_owned(),
        port: 5432,
        // The two names above are names of databases.
        name: database.parse::<DatabaseName>().unwrap_or_else(|error| unreachable!("{error}")),
        user: superuser.to_owned(),
        password: None,
        libpq: Vec::new(),
        bin_dir: None,
        connect_timeout: Duration::from_secs(30),
        lock_timeout: Duration::from_mins(1),
        stall_timeout: Duration::from_mins(10),
    }
}

fn client(programs: &Programs, sealed: Confinement, superuser: &str, locale: &Locale) -> Client {
    let settings = settings(superuser, DATABASE);
    let mut variables = variables(&settings);
    // No password file, no service file, no history.
    variables.retain(|(name, _)| name != "HOME");
    variables.extend(locale.of_the_dump.iter().map(|encoding| ("PGCLIENTENCODING".into(), encoding.into())));
    Client {
        pg_dump: programs.pg_dump.clone(),
        psql: programs.psql.clone(),
        conninfo: conninfo(&settings),
        variables,
        settings,
        confinement: Some(sealed),
    }
}

/// The variables of the server: none of ours.
fn server_variables() -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    vec![("PATH".into(), path), ("LC_ALL".into(), "C".into()), ("TZ".into(), "UTC".into())]
}

/// Makes the files of the server. Where the machine does not have the locale, in the plain one; then the one that was wanted comes
/// back.
async fn init(
    programs: &Programs,
    inside: &Confinement,
    locale: &Locale,
    superuser: &str,
) -> Result<Option<Locale>, ScratchError> {
    let said = match run_initdb(programs, inside, locale, superuser).await {
        Err(ScratchError::Initdb { said, .. }) if said.contains("locale") || said.contains("encoding mismatch") => said,
        other => return other.map(|()| None),
    };
    log::warn!(
        "the locale {} / {} is not there ({said}): the scratch server uses the plain one",
        locale.collate,
        locale.ctype
    );
    let data = inside.directory().join("data");
    if data.exists() {
        fs::remove_dir_all(&data).map_err(|source| ScratchError::Directory { path: data, source })?;
    }
    run_initdb(programs, inside, &Locale::plain(&locale.encoding), superuser).await?;
    Ok(Some(locale.clone()))
}

async fn run_initdb(
    programs: &Programs,
    inside: &Confinement,
    locale: &Locale,
    superuser: &str,
) -> Result<(), ScratchError> {
    let arguments = [
        "--pgdata=data".to_owned(),
        format!("--username={superuser}"),
        "--auth=trust".to_owned(),
        "--no-sync".to_owned(),
        "--no-instructions".to_owned(),
        "--wal-segsize=1".to_owned(),
        "--locale=C".to_owned(),
        format!("--encoding={}", locale.encoding),
        format!("--lc-collate={}", locale.collate),
        format!("--lc-ctype={}", locale.ctype),
    ];
    let variables = server_variables();
    let level = log::Level::Debug;
    let mut initdb =
        Child::start_confined(&programs.initdb, arguments, &variables, Stdio::null(), level, Some(inside))?;
    let Ok(ended) = tokio::time::timeout(TIME_TO_INIT, initdb.wait()).await else {
        initdb.stop().await;
        return Err(ScratchError::Slow { program: "initdb", limit: TIME_TO_INIT });
    };
    let ended = ended?;
    if ended.status.success() {
        return Ok(());
    }
    Err(ScratchError::Initdb { how: ended.how(), said: ended.last_words })
}

async fn start_server(programs: &Programs, sealed: &Confinement, objects: usize) -> Result<Child, ScratchError> {
    let locks = format!("max_locks_per_transaction={}", 1000 + objects / 2);
    let settings = [
        "listen_addresses=",
        // Seen from the data directory, where the server is at home.
        "unix_socket_directories=..",
        "unix_socket_permissions=0700",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "max_wal_size=1GB",
        "autovacuum=off",
        "max_connections=10",
        "maintenance_work_mem=128MB",
        "max_parallel_workers=0",
        "max_parallel_maintenance_workers=0",
        "jit=off",
        // The 64 MB of /dev/shm that a container has are not enough, and the server may not write there.
        "dynamic_shared_memory_type=mmap",
        "logging_collector=off",
        &locks,
    ];
    // Killed, we take psql with us; then its backend ends, too, even in the middle of an index that takes an hour.
    let notices = (programs.version().major >= 14).then_some("client_connection_check_interval=2s");
    let settings = settings.into_iter().chain(notices).flat_map(|setting| ["-c", setting]);
    let arguments = ["-D", "data"].into_iter().chain(settings);
    let variables = server_variables();
    let level = log::Level::Debug;
    let mut postgres =
        Child::start_confined(&programs.postgres.path, arguments, &variables, Stdio::null(), level, Some(sealed))?;
    let pid_file = sealed.directory().join("data/postmaster.pid");
    let deadline = Instant::now() + TIME_TO_START;
    loop {
        if let Some(ended) = postgres.ended().await? {
            return Err(ScratchError::Server { how: ended.how(), said: ended.last_words });
        }
        if is_ready(&pid_file) {
            return Ok(postgres);
        }
        if Instant::now() > deadline {
            postgres.stop_by(AT_ONCE).await;
            return Err(ScratchError::Slow { program: "postgres", limit: TIME_TO_START });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The eighth line of the file says what the server is doing (PostgreSQL's utils/pidfile.h).
fn is_ready(pid_file: &PathBuf) -> bool {
    let state = fs::read_to_string(pid_file).unwrap_or_default();
    state.lines().nth(7).is_some_and(|line| line.trim() == "ready")
}
