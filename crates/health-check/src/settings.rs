//! The settings of a health check, read as a whole.

use std::time::Duration;

use backup_core::settings::{
    self, ConfigError, Database, Environment, Health, Mail, Places, Reader, Retention, Store, Thresholds,
};

/// A check has a limit of its own, and a server that does not answer is to be named as such before that.
const CONNECT: Duration = Duration::from_secs(4);

/// Tries of a request to the store: one more than none, because a single lost packet is no fault.
const TRIES: u32 = 2;

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) retention: Retention,
    pub(crate) thresholds: Thresholds,
    pub(crate) health: Health,
    pub(crate) mail: Option<Mail>,
    pub(crate) places: Places,
}

impl Settings {
    /// Reads them all, so that every mistake is told at once.
    pub(crate) fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        // Whoever is not understood makes no backups either.
        let enabled = settings::enabled(&mut reader);
        let database = Database::read(&mut reader, environment);
        let store = Store::read(&mut reader);
        let thresholds = Thresholds::read(&mut reader);
        let retention = Retention::read(&mut reader, thresholds);
        let health = Health::read(&mut reader);
        let mail = Mail::read(&mut reader);
        let places = Places::read(&mut reader);
        reader.finish(|| {
            enabled?;
            Some(Self {
                database: hasty_database(database?),
                store: hasty_store(store?),
                retention: retention?,
                thresholds: thresholds?,
                health: health?,
                mail: mail?,
                places: places?,
            })
        })
    }
}

fn hasty_database(database: Database) -> Database {
    Database { connect_timeout: database.connect_timeout.min(CONNECT), ..database }
}

fn hasty_store(store: Store) -> Store {
    let connect_timeout = store.connect_timeout.min(CONNECT);
    let stall_timeout = store.stall_timeout.min(2 * CONNECT);
    Store { connect_timeout, stall_timeout, tries: store.tries.min(TRIES), ..store }
}
