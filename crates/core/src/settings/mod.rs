//! What an operator can set: one struct per concern, all from one reader of the environment.
//!
//! Reading never stops at the first mistake: a [`Reader`] collects every problem, each with its variable, what is wrong
//! and an example of what is right, and gives them out together. The value of a secret is in none of them.
//!
//! Nothing here reads the process's environment by itself, so that a test can bring its own.

mod catalog;
mod database;
mod environment;
mod health;
mod limits;
mod mail;
mod places;
mod reader;
mod retention;
mod secret;
mod store;
#[cfg(test)]
mod tests;

pub use catalog::{ALL, EVERY_GROUP, Group, Setting};
pub use database::Database;
pub use environment::{EnvFile, EnvFileError, Environment};
pub use health::Health;
pub use limits::{Compression, Limits};
pub use mail::{Mail, NotifyOn, Recipients, SmtpSecurity};
pub use places::Places;
pub use reader::{ConfigError, Problem, Reader, misspelled};
pub use retention::{Retention, Thresholds};
pub use secret::Secret;
pub use store::{AccessKeys, Bucket, Encryption, Endpoint, Store};

use std::path::Path;

use catalog as name;

/// Whether backups are made at all (`BACKUP_ENABLED`).
pub fn enabled(reader: &mut Reader<'_>) -> Option<bool> {
    reader.flag(&name::BACKUP_ENABLED)
}

/// Whether backups are switched off. Then nothing else is looked at: it may never have been set up.
pub fn disabled(environment: &Environment) -> bool {
    enabled(&mut Reader::new(environment)) == Some(false)
}

/// The user that a tool started by root becomes before it touches anything (`BACKUP_USER`).
pub fn run_as(reader: &mut Reader<'_>) -> Option<String> {
    reader.optional(&name::BACKUP_USER)
}

/// Every secret that this environment holds, wherever it comes from: what no log line and no mail may show.
pub fn secrets(environment: &Environment) -> Vec<Secret> {
    let values = ALL.iter().filter(|setting| setting.secret).flat_map(|setting| {
        let names = std::iter::once(setting.name).chain(setting.fallbacks.iter().copied());
        let direct = names.filter_map(|name| environment.get(name)?.to_str().map(str::to_owned));
        let by_file = environment.get(&format!("{}_FILE", setting.name)).map(Path::new);
        let by_file = by_file.filter(|file| file.is_file()).and_then(|file| std::fs::read_to_string(file).ok());
        direct.chain(by_file.map(|text| text.trim_end_matches(['\r', '\n']).to_owned())).collect::<Vec<_>>()
    });
    let in_addresses = environment.iter().filter_map(|(_, value)| password_in(value.to_str()?).map(str::to_owned));
    values.chain(in_addresses).filter(|text| !text.is_empty()).map(Secret::new).collect()
}

/// The password of `https://user:password@host`, whatever variable holds it.
fn password_in(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    login.split_once(':').map(|(_, password)| password)
}
