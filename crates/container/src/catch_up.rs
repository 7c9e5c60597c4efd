//! The night that was missed: when the container starts, a backup is made if the newest is older than a day.
//!
//! After the host has started, the database often takes longer than we do: it is waited for, so that nobody gets a mail of
//! a failure that is none.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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
        let database = reader.finish(database)?;
        let answer = context.interrupt.or(timeout(PATIENCE, answers(&database))).await?;
        if answer.is_err() {
            log::warn!("the database at {}:{} does not answer; trying all the same", database.host, database.port);
        }
    }
    let mut backup = Command::new("backup");
    backup.args(["--if-older-than", TOO_OLD]);
    Err(Error::NotStarted { program: "backup".into(), source: backup.exec() })
}

async fn answers(database: &Database) {
    while !is_open(database).await {
        sleep(Duration::from_secs(1)).await;
    }
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
