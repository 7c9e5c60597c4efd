//! The settings of a restore test, read as a whole.

use backup_core::settings::{self, ConfigError, Database, Environment, Limits, Mail, Places, Reader, Store};

#[derive(Debug)]
pub(crate) struct Settings {
    /// Whose backups these are, and where the PostgreSQL programs are. The database itself is not asked.
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) limits: Limits,
    pub(crate) mail: Option<Mail>,
    pub(crate) places: Places,
}

impl Settings {
    /// Reads them all, so that every mistake is told at once.
    pub(crate) fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let enabled = settings::enabled(&mut reader);
        let database = Database::read(&mut reader, environment);
        let store = Store::read(&mut reader);
        let limits = Limits::read(&mut reader);
        let mail = Mail::read(&mut reader);
        let places = Places::read(&mut reader);
        reader.finish(|| {
            enabled?;
            Some(Self { database: database?, store: store?, limits: limits?, mail: mail?, places: places? })
        })
    }
}
