//! The night that was missed: when the container starts, a backup is made if the newest is older than a day.
//!
//! After the host has started, the database often takes longer than we do, above all after a power cut: it is waited
//! for, so that nobody gets a mail of a failure that is none, and no night is missed for it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use backup_core::child::{Child, base_variables};
use backup_core::figures;
use backup_core::postgres::Program;
use backup_core::process::{Context, Finish};
use backup_core::settings::{Database, Reader, disabled};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use crate::args::ToolArgs;
use crate::error::Error;

/// A backup a night: one more hour is room for the night on which the clocks go back.
const TOO_OLD: &str = "25h";

/// As long as the database may take to come up.
const PATIENCE: Duration = Duration::from_mins(10);

/// Becomes the backup; comes back only where that could not be started.
pub(crate) async fn run(_: ToolArgs, context: &Context) -> Result<Finish, Error> {
    if !disabled(&context.environment) {
        let mut reader = Reader::new(&context.environment);
        let database = Database::read(&mut reader, &context.environment);
        let database = reader.finish(|| database)?;
        let answer = context.interrupt.or(timeout(PATIENCE, answers(&database))).await?;
        if answer.is_err() {
            log::warn!("the database at {}:{} takes no connections; trying all the same", database.host, database.port);
        }
    }
    let mut backup = Command::new("backup");
    backup.args(["--if-older-than", TOO_OLD]);
    Err(Error::NotStarted { program: "backup".into(), source: backup.exec() })
}

async fn answers(database: &Database) {
    // Tells a server that still recovers from one that takes connections.
    let pg_isready = Program::find("pg_isready", database.bin_dir.as_deref()).await.ok();
    let mut said = false;
    loop {
        let ready = match &pg_isready {
            Some(program) => is_ready(program, database).await,
            None => is_open(database).await,
        };
        if ready {
            return;
        }
        if !said {
            let (Database { host, port, .. }, patience) = (database, figures::duration(PATIENCE));
            let why =
                if is_known(database).await { "takes no connections yet" } else { "cannot be found by that name yet" };
            log::info!("the database at {host}:{port} {why}; it is waited for, up to {patience}");
            said = true;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn is_ready(pg_isready: &Program, database: &Database) -> bool {
    let (port, limit) = (database.port.to_string(), database.connect_timeout.as_secs().to_string());
    let arguments = ["--quiet", "--host", &database.host, "--port", &port, "--timeout", &limit];
    let child = Child::start(&pg_isready.path, arguments, &base_variables(), Stdio::null(), log::Level::Debug);
    let Ok(mut child) = child else { return false };
    child.wait().await.is_ok_and(|ended| ended.status.success())
}

/// Whether the name stands for an address: where it does not, the database is not started, or on another network.
async fn is_known(database: &Database) -> bool {
    if database.host.starts_with('/') {
        return true;
    }
    let found = tokio::net::lookup_host((database.host.as_str(), database.port));
    timeout(database.connect_timeout, found).await.is_ok_and(|found| found.is_ok())
}

async fn is_open(database: &Database) -> bool {
    let opened = async {
        if database.host.starts_with('/') {
            let socket = Path::new(&database.host).join(format!(".s.PGSQL.{}", database.port));
            UnixStream::connect(socket).await.is_ok()
        } else {
            TcpStream::connect((database.host.as_str(), database.port)).await.is_ok()
        }
    };
    timeout(database.connect_timeout, opened).await.unwrap_or(false)
}
