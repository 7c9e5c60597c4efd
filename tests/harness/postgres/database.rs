//! One database of a server, as the harness itself uses it: psql on the Unix socket, as the superuser.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::{Cluster, SUPERUSER, run};
use crate::{lifeline, programs};

/// A database on a [`Cluster`].
#[derive(Clone)]
pub struct Database {
    pub(super) cluster: Cluster,
    pub(super) name: String,
}

impl Database {
    /// Its name, as created.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server it is on.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Runs SQL, psql's meta-commands included, as the superuser; any error fails the test.
    pub fn sql(&self, text: &str) {
        self.try_sql(text).unwrap_or_else(|error| panic!("SQL in {:?} failed: {error}\n{text}", self.name));
    }

    /// The rows of a query, one a line, columns with `|` between, without the last newline.
    pub fn query(&self, text: &str) -> String {
        let rows =
            self.try_sql(text).unwrap_or_else(|error| panic!("query in {:?} failed: {error}\n{text}", self.name));
        rows.strip_suffix('\n').map_or(rows.clone(), str::to_owned)
    }

    /// Runs SQL and gives psql's output, or what psql said on stderr.
    pub fn try_sql(&self, text: &str) -> Result<String, String> {
        let mut psql = self.psql();
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = lifeline::spawn(psql).expect("psql starts");
        let mut stdin = child.stdin.take().expect("psql's stdin is a pipe");
        let text = text.to_owned();
        // psql may answer before it has read everything, so the two directions need a thread each.
        let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().expect("psql can be waited for");
        // A psql that stopped at an error leaves a broken pipe behind; its exit code tells.
        let _ = writer.join();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Runs a script with psql variables, such as `tests/data/shop.sql` with `f`.
    pub fn load(&self, script: &Path, variables: &[(&str, &str)]) {
        let mut psql = self.psql();
        for (name, value) in variables {
            psql.arg("-v").arg(format!("{name}={value}"));
        }
        run(psql.arg("-f").arg(script));
    }

    /// psql that stops at the first error and prints bare rows.
    pub fn psql(&self) -> Command {
        let mut psql = self.client("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        psql
    }

    /// A client program on the Unix socket as the superuser.
    ///
    /// The database goes by the environment: on the command line a name with `=` would be read as connection settings.
    pub fn client(&self, program: &str) -> Command {
        let mut client = lifeline::command(&programs::postgres(program), "KILL", None);
        client
            .env("PGHOST", &self.cluster.server.folder)
            .env("PGPORT", self.cluster.server.port.to_string())
            .env("PGUSER", SUPERUSER)
            .env("PGDATABASE", &self.name)
            .env("PGCONNECT_TIMEOUT", "10")
            .env("HOME", &self.cluster.server.folder);
        client
    }
}

/// `name` as an SQL identifier.
pub fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as an SQL string.
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
