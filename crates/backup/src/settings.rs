//! The settings of a backup, read as a whole.

use backup_core::settings::{
    self, Compression, ConfigError, Database, Environment, Limits, Mail, Places, Reader, Store,
};

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) database: Database,
    /// `None` where the backup goes to a file or to stdout: no store is needed then.
    pub(crate) store: Option<Store>,
    pub(crate) compression: Compression,
    pub(crate) limits: Limits,
    pub(crate) mail: Option<Mail>,
    pub(crate) places: Places,
}

impl Settings {
    /// Reads them all, so that every mistake is told at once.
    pub(crate) fn read(environment: &Environment, with_store: bool) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let enabled = settings::enabled(&mut reader);
        let database = Database::read(&mut reader, environment);
        let store = with_store.then(|| Store::read(&mut reader));
        let compression = Compression::read(&mut reader);
        let limits = Limits::read(&mut reader);
        let mail = Mail::read(&mut reader);
        let places = Places::read(&mut reader);
        reader.finish(|| {
            enabled?;
            Some(Self {
                database: database?,
                store: match store {
                    Some(store) => Some(store?),
                    None => None,
                },
                compression: compression?,
                limits: limits?,
                mail: mail?,
                places: places?,
            })
        })
    }
}
