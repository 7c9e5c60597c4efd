//! A dump as a stream, whose end is an error unless `pg_dump` ended well.

use std::process::Stdio;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;

use super::{Client, PostgresError};
use crate::child::Child;

/// `pg_dump` closes its output right before it ends.
const TIME_TO_END: Duration = Duration::from_secs(30);

/// A larger pipe lets `pg_dump` go on while a block is handed over. The system may allow less.
const PIPE_BYTES: i32 = 1 << 20;

/// `pg_dump` at work.
#[derive(Debug)]
pub struct DumpStream {
    pg_dump: Child,
    stdout: ChildStdout,
    stall_timeout: Duration,
    bytes: u64,
    warnings: String,
}

impl DumpStream {
    /// Starts `pg_dump`.
    ///
    /// The dump drops what it creates (`--clean --if-exists`), so that it restores into an empty database and into a full
    /// one. It holds no `DROP DATABASE` and no `\connect`, which would reach past the database that it is restored into.
    /// Owners and privileges stay in: they could not be given back.
    pub fn start(client: &Client) -> Result<Self, PostgresError> {
        Self::start_with(client, &[])
    }

    /// Dumps the definitions alone.
    pub fn start_definitions(client: &Client) -> Result<Self, PostgresError> {
        Self::start_with(client, &["--schema-only".to_owned()])
    }

    /// Dumps one table alone, named as SQL does: `public."Orders"`.
    pub fn start_table(client: &Client, table: &str) -> Result<Self, PostgresError> {
        Self::start_with(client, &["--strict-names".to_owned(), format!("--table={table}")])
    }

    fn start_with(client: &Client, what: &[String]) -> Result<Self, PostgresError> {
        let arguments = [
            "--format=plain".to_owned(),
            "--clean".to_owned(),
            "--if-exists".to_owned(),
            "--no-password".to_owned(),
            format!("--lock-wait-timeout={}", client.settings.lock_timeout.as_millis()),
            format!("--dbname={}", client.conninfo),
        ];
        let arguments = arguments.iter().chain(what);
        let (program, confinement) = (&client.pg_dump.path, client.confinement.as_ref());
        let mut pg_dump =
            Child::start_confined(program, arguments, &client.variables, Stdio::null(), log::Level::Warn, confinement)?;
        let Some(stdout) = pg_dump.stdout() else { unreachable!("Child::start pipes stdout, and nobody took it yet") };
        // Only a matter of speed.
        let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        Ok(Self { pg_dump, stdout, stall_timeout: client.settings.stall_timeout, bytes: 0, warnings: String::new() })
    }

    /// Appends what comes next to the block, up to its capacity. `Ok(0)`: the dump has ended, and `pg_dump` ended well.
    pub async fn read(&mut self, block: &mut Vec<u8>) -> Result<usize, PostgresError> {
        let room = block.capacity() - block.len();
        let mut room = (&mut self.stdout).take(room as u64);
        match tokio::time::timeout(self.stall_timeout, room.read_buf(block)).await {
            Err(_) => Err(PostgresError::DumpStalled { limit: self.stall_timeout, bytes: self.bytes }),
            Ok(Err(source)) => Err(PostgresError::Unreadable { program: "pg_dump", source }),
            Ok(Ok(0)) => self.end().await.map(|()| 0),
            Ok(Ok(read)) => {
                self.bytes += read as u64;
                Ok(read)
            }
        }
    }

    async fn end(&mut self) -> Result<(), PostgresError> {
        let Ok(ended) = tokio::time::timeout(TIME_TO_END, self.pg_dump.wait()).await else {
            return Err(PostgresError::DumpStalled { limit: TIME_TO_END, bytes: self.bytes });
        };
        let ended = ended?;
        if ended.status.success() {
            self.warnings = ended.last_words;
            return Ok(());
        }
        Err(PostgresError::DumpFailed { how: ended.how(), said: ended.last_words, bytes: self.bytes })
    }

    /// What `pg_dump` said although it ended well, known once it has ended: what may be missing from the dump.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }

    /// Stops `pg_dump`, wherever it is.
    pub async fn stop(self) {
        self.pg_dump.stop().await;
    }
}
