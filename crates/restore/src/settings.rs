//! The settings of each verb, read as a whole: only what it needs.

use backup_core::key::{DatabaseName, Layout};
use backup_core::settings::{ConfigError, Database, Environment, Limits, Places, Reader, Store};

/// For looking and fetching: the store, and whose backups. No database is asked, and no password is needed.
#[derive(Debug)]
pub(crate) struct StoreOnly {
    pub(crate) database: DatabaseName,
    pub(crate) store: Store,
    pub(crate) limits: Limits,
}

impl StoreOnly {
    /// Reads them all, so that every mistake is told at once.
    pub(crate) fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let database = Database::read_name(&mut reader);
        let store = Store::read(&mut reader);
        let limits = Limits::read(&mut reader);
        reader.finish(|| Some(Self { database: database?, store: store?, limits: limits? }))
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.store.prefix.clone(), self.database.clone())
    }
}

/// For bringing back: the server, too.
#[derive(Debug)]
pub(crate) struct Settings {
    /// How to log in; its name says whose backups are looked for.
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) limits: Limits,
    pub(crate) places: Places,
}

impl Settings {
    /// Reads them all, so that every mistake is told at once.
    pub(crate) fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let database = Database::read(&mut reader, environment);
        let store = Store::read(&mut reader);
        let limits = Limits::read(&mut reader);
        let places = Places::read(&mut reader);
        reader.finish(|| Some(Self { database: database?, store: store?, limits: limits?, places: places? }))
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.store.prefix.clone(), self.database.name.clone())
    }
}
