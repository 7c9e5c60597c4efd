//! The whole configuration, as all tools together read it: a mistake is to be found when the container starts, not at night.

use std::path::Path;

use backup_core::process::{Context, Exit, Finish, zone_problem};
use backup_core::settings::{
    self, ALL, Compression, Database, Environment, Health, Limits, Mail, Places, Reader, Retention, Store, Thresholds,
};
use serde_json::json;

use crate::args::ToolArgs;
use crate::error::Error;

pub(crate) async fn run(_: ToolArgs, context: &Context) -> Result<Finish, Error> {
    if settings::disabled(&context.environment) {
        let line = "BACKUP_ENABLED is false: backup, cleanup and restore-test will do nothing";
        log::warn!("{line}");
        return Ok(Finish::new(Exit::Done, Some(line.to_owned()), json!({ "enabled": false })));
    }
    let Checked { retention, mail, places } = read(&context.environment)?;
    for remark in retention.remarks() {
        log::warn!("{remark}");
    }
    if mail.is_none() {
        log::warn!("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told when a backup fails");
    }
    for folder in [&places.logs, &places.temp, &places.state] {
        if let Err(error) = try_writing(folder) {
            log::warn!(
                "cannot write into {}: {error}. Give it to the user that the jobs run as, on the host: chown -R {}:{} FOLDER",
                folder.display(),
                nix::unistd::getuid(),
                nix::unistd::getgid(),
            );
        }
    }
    Ok(Finish::new(Exit::Done, Some("the settings are good".to_owned()), json!({ "enabled": true })))
}

/// What is of use once everything has been read.
#[derive(Debug)]
struct Checked {
    retention: Retention,
    mail: Option<Mail>,
    places: Places,
}

/// Reads all that any of the tools reads, so that every mistake is told at once.
fn read(environment: &Environment) -> Result<Checked, Error> {
    let mut reader = Reader::new(environment);
    let enabled = settings::enabled(&mut reader);
    check_zone(&mut reader, environment);
    let database = Database::read(&mut reader, environment);
    let store = Store::read(&mut reader);
    let thresholds = Thresholds::read(&mut reader);
    let retention = Retention::read(&mut reader, thresholds);
    let health = Health::read(&mut reader);
    let compression = Compression::read(&mut reader);
    let limits = Limits::read(&mut reader);
    let mail = Mail::read(&mut reader);
    let places = Places::read(&mut reader);
    let all_read = enabled
        .and(database.map(drop))
        .and(store.map(drop))
        .and(health.map(drop))
        .and(compression.map(drop))
        .and(limits.map(drop));
    let checked = || {
        all_read?;
        Some(Checked { retention: retention?, mail: mail?, places: places? })
    };
    let checked = checked();
    Ok(reader.finish(|| checked)?)
}

/// A tool that is run by hand warns of an unknown zone and goes on in UTC. A schedule in another zone than the one
/// asked for is a mistake.
fn check_zone(reader: &mut Reader<'_>, environment: &Environment) {
    let zone = environment.get("TZ").map(|zone| zone.to_string_lossy());
    if let (Some(_), Some(setting)) = (zone_problem(zone.as_deref()), ALL.iter().find(|setting| setting.name == "TZ")) {
        let wrong = format!("is `{}`: no such time zone", zone.unwrap_or_default());
        reader.note(setting.name, wrong, setting);
    }
}

fn try_writing(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_of_every_tool_is_told_at_once() {
        let mut environment = Environment::default();
        let wrong = [
            ("TZ", "Europe/Nowhere"),
            ("DB_PORT", "postgres"),
            ("BACKUP_RETENTION_DAYS", "0"),
            ("BACKUP_COMPRESSION_LEVEL", "99"),
            ("BACKUP_RUN_TIMEOUT", "soon"),
            ("HEALTH_MAX_BACKUP_AGE_HOURS", "-1"),
            ("HEALTH_DISK_MAX_PERCENT", "full"),
            ("MAIL_SMTP_PORT", "mail"),
        ];
        environment.fill_in(wrong.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let text = read(&environment).unwrap_err().to_string();
        for name in wrong.iter().map(|(name, _)| *name).chain(["S3_BUCKET_NAME"]) {
            assert!(text.contains(&format!("\n  {name} ")), "{name} is missing in:\n{text}");
        }
    }
}
