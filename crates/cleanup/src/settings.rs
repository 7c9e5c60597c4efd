//! The settings of a cleanup, read as a whole.

use backup_core::settings::{
    self, ConfigError, Database, Environment, Limits, Mail, Places, Reader, Retention, Store, Thresholds,
};

use crate::plan::Policy;

#[derive(Debug)]
pub(crate) struct Settings {
    /// Whose backups these are. The database itself is not asked.
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) policy: Policy,
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
        let thresholds = Thresholds::read(&mut reader);
        let retention = Retention::read(&mut reader, thresholds);
        let limits = Limits::read(&mut reader);
        let mail = Mail::read(&mut reader);
        let places = Places::read(&mut reader);
        reader.finish(|| {
            enabled?;
            Some(Self {
                database: database?,
                store: store?,
                policy: Policy { retention: retention?, stopped_after: thresholds?.backup_age },
                limits: limits?,
                mail: mail?,
                places: places?,
            })
        })
    }
}
