//! The settings of `notify`, read as a whole.

use backup_core::settings::{ConfigError, Database, Environment, Mail, Places, Reader, Recipients};

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) mail: Option<Mail>,
    pub(crate) places: Places,
}

impl Settings {
    /// Reads them all, so that every mistake is told at once.
    pub(crate) fn read(environment: &Environment, to: Option<Recipients>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(environment);
        let mail = match to {
            Some(to) => Mail::read_for(&mut reader, Some(to)),
            None => Mail::read(&mut reader),
        };
        let places = Places::read(&mut reader);
        reader.finish(|| Some(Self { mail: mail?, places: places? }))
    }
}

/// The database and the host that the subject names. A mistake in their settings must not keep a mail from being sent, least
/// of all the one that tells of it.
pub(crate) fn subject_of_backup(environment: &Environment) -> (String, String) {
    match Database::read(&mut Reader::new(environment), environment) {
        Some(database) => (database.name.to_string(), database.host),
        None => ("the database".to_owned(), "a host with wrong settings".to_owned()),
    }
}
