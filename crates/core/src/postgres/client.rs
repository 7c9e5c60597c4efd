//! The client programs: where they are, what version they have, and what every one of them is started with.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::{PostgresError, words};
use crate::child::{Child, Confinement, base_variables};
use crate::key::DatabaseName;
use crate::settings::Database;

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// A version of PostgreSQL, as programs and servers tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// 15 in 15.18.
    pub major: u32,
    /// The whole of it, with what the packager added.
    pub text: String,
}

impl Version {
    /// Reads `15.18 (Debian 15.18-0+deb12u1)`, `17beta1` or `9.6.24`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(Self { major: digits.parse().ok()?, text: text.trim().to_owned() })
    }

    /// 18 in 15.18. `None`: not released yet, like 17beta1.
    pub fn minor(&self) -> Option<u32> {
        let (_, rest) = self.text.split_once('.')?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.split_whitespace().next().unwrap_or(&self.text))
    }
}

/// A program of PostgreSQL that was found.
#[derive(Debug, Clone)]
pub struct Program {
    /// Where.
    pub path: PathBuf,
    /// What it says of itself.
    pub version: Version,
}

impl Program {
    /// Finds a program, in the directory that the settings name or on `PATH`, and asks for its version.
    pub async fn find(name: &'static str, bin_dir: Option<&Path>) -> Result<Self, PostgresError> {
        Self::ask(name, locate(name, bin_dir)?).await
    }

    /// Debian puts a script in front of its client programs, which chooses among versions. A program that may run no
    /// other one cannot be a script; this is the one that it has chosen.
    fn unwrap_debian(&mut self) {
        let is_wrapper = std::fs::canonicalize(&self.path).is_ok_and(|path| path.ends_with("pg_wrapper"));
        let behind = self.path.file_name().map(|name| versioned_folder(self.version.major).join(name));
        if let Some(behind) = behind.filter(|path| is_wrapper && path.is_file()) {
            self.path = behind;
        }
    }

    /// Asks a program for its version.
    pub(super) async fn ask(name: &'static str, path: PathBuf) -> Result<Self, PostgresError> {
        let mut child = Child::start(&path, ["--version"], &base_variables(), Stdio::null(), log::Level::Warn)?;
        let stdout = child.stdout();
        let asked = async {
            let mut said = String::new();
            if let Some(stdout) = stdout {
                let read = stdout.take(4096).read_to_string(&mut said).await;
                read.map_err(|source| PostgresError::Unreadable { program: name, source })?;
            }
            let ended = child.wait().await?;
            // A library that is missing, for example.
            Ok::<_, PostgresError>(if said.is_empty() { words(&ended.how(), &ended.last_words) } else { said })
        };
        let asked = tokio::time::timeout(VERSION_LIMIT, asked).await;
        let said = asked.unwrap_or_else(|_| Ok(format!("no answer within {}s", VERSION_LIMIT.as_secs())))?;
        child.stop().await;
        // `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
        let version = said.split_once(") ").and_then(|(_, version)| Version::parse(version));
        version.map(|version| Self { path, version }).ok_or(PostgresError::OddVersion { program: name, said })
    }
}

/// Where Debian and its kind keep what belongs to one major version.
pub(super) fn versioned_folder(major: u32) -> PathBuf {
    Path::new("/usr/lib/postgresql").join(major.to_string()).join("bin")
}

fn locate(name: &'static str, bin_dir: Option<&Path>) -> Result<PathBuf, PostgresError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = match bin_dir {
        Some(dir) => vec![dir.to_owned()],
        None => std::env::split_paths(&path).collect(),
    };
    let found = folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| PostgresError::NotFound {
        program: name,
        looked_in: bin_dir
            .map_or_else(|| format!("PATH ({})", path.display()), |dir| format!("PG_BIN_DIR ({})", dir.display())),
    })
}

/// What it takes to run a client program on the database.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) pg_dump: Program,
    pub(super) psql: Program,
    pub(super) conninfo: String,
    pub(super) variables: Vec<(OsString, OsString)>,
    pub(super) settings: Database,
    /// For programs that read what others wrote.
    pub(super) confinement: Option<Confinement>,
}

impl Client {
    /// Finds the programs.
    pub async fn new(settings: Database) -> Result<Self, PostgresError> {
        let bin_dir = settings.bin_dir.as_deref();
        Ok(Self {
            pg_dump: Program::find("pg_dump", bin_dir).await?,
            psql: Program::find("psql", bin_dir).await?,
            conninfo: conninfo(&settings),
            variables: variables(&settings),
            settings,
            confinement: None,
        })
    }

    /// The database it is a client of.
    pub fn database(&self) -> &DatabaseName {
        &self.settings.name
    }

    /// From now on its programs may write to no file and run no other program, where the kernel can keep them from it:
    /// what they read was written by others.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.psql.unwrap_debian();
        self.pg_dump.unwrap_debian();
        self.confinement = Some(Confinement::client(&[self.psql.path.clone(), self.pg_dump.path.clone()]));
        self
    }

    /// Whether the kernel keeps its programs inside of a directory.
    pub fn is_sealed(&self) -> bool {
        self.confinement.as_ref().is_some_and(|confinement| confinement.seal().files)
    }

    /// The version of `psql`.
    pub fn psql_version(&self) -> &Version {
        &self.psql.version
    }

    /// The version of `pg_dump`.
    pub fn dump_version(&self) -> &Version {
        &self.pg_dump.version
    }
}

/// A connection string of libpq, without the password. Whatever the values hold, they stay values.
pub(super) fn conninfo(settings: &Database) -> String {
    let quoted = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    format!(
        "host={} port={} dbname={} user={} connect_timeout={} application_name=backup \
         keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=3",
        quoted(&settings.host),
        settings.port,
        quoted(settings.name.as_str()),
        quoted(&settings.user),
        settings.connect_timeout.as_secs(),
    )
}

/// The operator's libpq variables, the password, and what pins the form of the output.
pub(super) fn variables(settings: &Database) -> Vec<(OsString, OsString)> {
    let mut variables = base_variables();
    let theirs = |name: &str| settings.libpq.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    variables.extend(settings.libpq.iter().filter(|(name, _)| name != "PGTZ" && name != "PGOPTIONS").cloned());
    // Timestamps with time zone and bytea are printed by the session's settings: the proof of a restore compares them as
    // text, so both sides print them alike. A role's statement_timeout is meant for its application; pg_dump lifts it by
    // itself, psql does not. The operator's own options stay, in front of ours.
    let mut options = theirs("PGOPTIONS").unwrap_or_default();
    options.push(" -c bytea_output=hex -c statement_timeout=0");
    variables.push(("PGOPTIONS".into(), options));
    variables.push(("PGTZ".into(), "UTC".into()));
    if let Some(password) = &settings.password {
        variables.push(("PGPASSWORD".into(), password.reveal().into()));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_write_them() {
        for (text, major) in [("15.18 (Debian 15.18-0+deb12u1)\n", 15), ("17beta1", 17), ("9.6.24", 9)] {
            assert_eq!(Version::parse(text).unwrap().major, major);
        }
        assert_eq!(Version::parse("devel"), None);
        assert_eq!(Version::parse("15.18 (Debian 15.18-0+deb12u1)\n").unwrap().to_string(), "15.18");
    }

    #[tokio::test]
    async fn a_missing_program_says_where_it_was_looked_for() {
        let error = Program::find("pg_dump", Some(Path::new("/nowhere"))).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot find pg_dump in PG_BIN_DIR (/nowhere)");
    }
}
