//! The database to back up.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{Environment, Reader, Secret, name};
use crate::key::DatabaseName;

/// How to reach the database, and with which programs.
#[derive(Debug, Clone)]
pub struct Database {
    /// Host name, address, or the directory of a Unix socket.
    pub host: String,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
    /// The database.
    pub name: DatabaseName,
    /// The role that logs in.
    pub user: String,
    /// Its password; without one, libpq looks into the operator's password file.
    pub password: Option<Secret>,
    /// The operator's own libpq variables (`PGSSLMODE` and so on), for the client programs.
    pub libpq: Vec<(OsString, OsString)>,
    /// Where the PostgreSQL programs are, before `PATH`.
    pub bin_dir: Option<PathBuf>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the dump may wait for a lock.
    pub lock_timeout: Duration,
    /// How long the dump may send nothing.
    pub stall_timeout: Duration,
}

impl Database {
    /// The name alone, for whoever does not connect.
    pub fn read_name(reader: &mut Reader<'_>) -> Option<DatabaseName> {
        reader.required(&name::DB_NAME)
    }

    /// The host alone, to name it.
    pub fn read_host(reader: &mut Reader<'_>) -> Option<String> {
        reader.required(&name::DB_HOST).map(|Host(host)| host)
    }

    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, environment: &Environment) -> Option<Self> {
        let host = Self::read_host(reader);
        let port = reader.number(&name::DB_PORT, 1..=65_535);
        let database = Self::read_name(reader);
        let user = reader.required(&name::DB_USER);
        let password = reader.secret(&name::DB_PASSWORD);
        let bin_dir: Option<PathBuf> = reader.optional(&name::PG_BIN_DIR);
        if let Some(dir) = bin_dir.as_ref().filter(|dir| !dir.is_dir()) {
            reader.note(name::PG_BIN_DIR.name, format!("is `{}`: no such directory", dir.display()), &name::PG_BIN_DIR);
        }
        let connect_timeout = reader.duration(&name::BACKUP_CONNECT_TIMEOUT);
        let lock_timeout = reader.duration(&name::BACKUP_LOCK_TIMEOUT);
        let stall_timeout = reader.duration(&name::BACKUP_STALL_TIMEOUT);
        Some(Self {
            host: host?,
            port: port? as u16,
            name: database?,
            user: user?,
            password,
            libpq: libpq_variables(environment),
            bin_dir,
            connect_timeout: connect_timeout?,
            lock_timeout: lock_timeout?,
            stall_timeout: stall_timeout?,
        })
    }
}

struct Host(String);

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") || text.contains('@') {
            return Err("must be a host alone: user, password, port and database have settings of their own");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What the operator set for libpq. All of its variables start with `PG`, and none of ours but `PG_BIN_DIR` does.
fn libpq_variables(environment: &Environment) -> Vec<(OsString, OsString)> {
    environment
        .iter()
        .filter(|(name, value)| {
            name.as_bytes().starts_with(b"PG") && !name.as_bytes().starts_with(b"PG_") && !value.is_empty()
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
