//! A restore as a stream into `psql`: one transaction, which ends only when the caller says that all of it was right.
//!
//! `psql` obeys commands in what it reads: `\!` runs a program. It is told by `\restrict` to obey none, with a key that
//! nobody can know before. That is the second lock; the first is the scanner, which lets no such command pass.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::psql_weakness::restricts;
use super::{Client, PostgresError, mended_psql};
use crate::child::{Child, Ended};

/// How long the last statement may take: a `COMMIT` writes out what is left.
const TIME_TO_COMMIT: Duration = Duration::from_mins(10);

/// How long `psql` may take to end once it has closed its input.
const TIME_TO_END: Duration = Duration::from_secs(30);

/// `psql` at work. Dropped or stopped before [`RestoreStream::commit`], it leaves the database as it was.
#[derive(Debug)]
pub struct RestoreStream {
    psql: Child,
    stdin: Option<ChildStdin>,
    bytes: u64,
    hidden_commands: Option<String>,
}

/// Bytes of the key that locks `psql`.
const KEY_BYTES: usize = 16;

impl RestoreStream {
    /// Starts `psql`, locks it, and begins the transaction.
    pub async fn start(client: &Client) -> Result<Self, PostgresError> {
        // What SELECTs print is of no use to anybody.
        let arguments = ["--output=/dev/null", "--file=-"].map(str::to_owned);
        let mut psql = client.start_psql(&arguments, Stdio::piped())?;
        let stdin = psql.stdin();
        let mended = mended_psql(&client.psql.version).filter(|_| !client.is_sealed());
        let mut restore = Self { psql, stdin, bytes: 0, hidden_commands: mended };
        if restricts(&client.psql.version) {
            restore.write(format!("\\restrict {}\n", random_key()?).as_bytes()).await?;
        } else {
            log::warn!(
                "psql {} cannot be told to obey no commands in what it restores (\\restrict): it is time to update it",
                client.psql.version
            );
        }
        restore.write(b"BEGIN;\n").await?;
        restore.bytes = 0;
        Ok(restore)
    }

    /// The release that mends it, if this `psql` may run a program that somebody hid behind `\unrestrict`, and nothing
    /// keeps it in.
    pub fn obeys_hidden_commands(&self) -> Option<&str> {
        self.hidden_commands.as_deref()
    }

    /// Hands on the next bytes. Waits while the server is at work, as long as that takes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), PostgresError> {
        let Some(stdin) = &mut self.stdin else { return Err(self.failed().await) };
        if stdin.write_all(bytes).await.is_err() {
            // psql has ended, and says why.
            return Err(self.failed().await);
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Ends the transaction: from here on what was restored is there.
    pub async fn commit(mut self) -> Result<(), PostgresError> {
        self.write(b"\nCOMMIT;\n").await?;
        self.stdin = None;
        let Ok(ended) = tokio::time::timeout(TIME_TO_COMMIT, self.psql.wait()).await else {
            self.psql.stop().await;
            return Err(PostgresError::NoAnswer { limit: TIME_TO_COMMIT });
        };
        let ended = ended?;
        if ended.status.success() { Ok(()) } else { Err(self.error(&ended)) }
    }

    /// Stops `psql`, wherever it is, and with it what it has begun.
    pub async fn stop(self) {
        self.psql.stop().await;
    }

    async fn failed(&mut self) -> PostgresError {
        self.stdin = None;
        match tokio::time::timeout(TIME_TO_END, self.psql.wait()).await {
            Ok(Ok(ended)) => self.error(&ended),
            Ok(Err(error)) => error.into(),
            Err(_) => PostgresError::NoAnswer { limit: TIME_TO_END },
        }
    }

    fn error(&self, ended: &Ended) -> PostgresError {
        // psql: "1 if a fatal error of its own occurs (e.g., out of memory, file not found), 2 if the connection to the
        // server went bad, and 3 if an error occurred in a script and the variable ON_ERROR_STOP was set".
        let in_the_script = ended.status.code() == Some(3);
        PostgresError::NotRestored {
            how: ended.how(),
            said: ended.last_words.clone(),
            bytes: self.bytes,
            in_the_script,
        }
    }
}

fn random_key() -> Result<String, PostgresError> {
    let mut key = [0; KEY_BYTES];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key));
    read.map_err(|source| PostgresError::Unreadable { program: "/dev/urandom", source })?;
    Ok(format!("{:032x}", u128::from_be_bytes(key)))
}
