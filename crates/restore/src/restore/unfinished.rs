//! The database that a run has begun, written down: what a killed run leaves half is removed by the next one.

use backup_core::journal::Journal;
use backup_core::key::DatabaseName;
use backup_core::settings::Database;
use serde::{Deserialize, Serialize};

use super::server::Server;

const ENTRY: &str = "restore-unfinished";

/// A database that is not whole, or not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    host: String,
    port: u16,
    database: String,
}

/// What is written down. Only one run with this state directory is under way, so whatever was there before is of a run that was
/// killed.
#[derive(Debug)]
pub(super) struct Unfinished<'s> {
    journal: Journal,
    server: &'s Database,
}

impl<'s> Unfinished<'s> {
    pub(super) fn new(journal: Journal, server: &'s Database) -> Self {
        Self { journal, server }
    }

    /// Removes what a killed run left on this server.
    pub(super) async fn remove(&self, server: &Server, databases: &mut Vec<String>) {
        let mut known = self.known();
        let Some(at) = known.iter().position(|begun| self.is_here(begun)) else { return };
        let Begun { database, .. } = known.swap_remove(at);
        if databases.contains(&database) {
            log::warn!("an earlier run was killed: {database}, the half database that it left, is removed now");
            let Ok(name) = database.parse() else { return };
            if !server.drop_database(&name).await {
                return;
            }
            databases.retain(|name| *name != database);
        }
        self.write(&known);
    }

    /// A database is about to be made.
    pub(super) fn begun(&self, database: &DatabaseName) {
        let Database { host, port, .. } = self.server;
        let mut known = self.known();
        known.retain(|begun| !self.is_here(begun));
        known.push(Begun { host: host.clone(), port: *port, database: database.to_string() });
        self.write(&known);
    }

    /// It is gone, or it is whole, or it is left for a person to look at.
    pub(super) fn ended(&self) {
        let mut known = self.known();
        known.retain(|begun| !self.is_here(begun));
        self.write(&known);
    }

    fn known(&self) -> Vec<Begun> {
        self.journal.read(ENTRY).unwrap_or_default()
    }

    fn is_here(&self, begun: &Begun) -> bool {
        (&begun.host, begun.port) == (&self.server.host, self.server.port)
    }

    fn write(&self, known: &[Begun]) {
        if let Err(error) = self.journal.write(ENTRY, &known) {
            log::debug!("{error}: a database that a killed run leaves half would not be removed by the next one");
        }
    }
}
