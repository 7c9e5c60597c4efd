//! A dump of what is about to be replaced, by `backup` itself: whole and verified, or an error.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use backup_core::child::Child;
use backup_core::key::{BackupId, DatabaseName, Layout, Prefix, Tier};
use backup_core::settings::Environment;
use time::PrimitiveDateTime;

use crate::error::Error;

/// The folder in the state directory.
const FOLDER: &str = "before-restore";

/// Under the name that a backup of this database has in the store, of the first second from this one on that no earlier dump
/// has. Not in the store itself: there it would be the latest backup, of the very data that is to be replaced.
pub(super) fn path(state: &Path, prefix: &Prefix, database: &DatabaseName, taken: PrimitiveDateTime) -> PathBuf {
    let layout = Layout::new(prefix.clone(), database.clone());
    let mut taken = taken;
    loop {
        let key = layout.key(BackupId { taken, tier: Tier::Daily });
        let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
        let path = state.join(FOLDER).join(name);
        if !path.exists() {
            return path;
        }
        taken += time::Duration::SECOND;
    }
}

pub(super) async fn dump(environment: &Environment, database: &DatabaseName, path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    let own = std::env::current_exe().map_err(Error::file("find", "backup"))?;
    let program = own.with_file_name("backup");
    let ours = ["DB_NAME", "BACKUP_ENABLED"];
    let kept = environment.iter().filter(|(name, _)| ours.iter().all(|our| name != our));
    let mut variables: Vec<(OsString, OsString)> =
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    variables.push(("DB_NAME".into(), database.as_str().into()));
    variables.push(("BACKUP_ENABLED".into(), "true".into()));
    let arguments = [OsString::from("--no-notify"), "--output".into(), path.into()];
    let failed = |how: String| Error::SafetyDump { database: database.clone(), how };
    log::info!("dumping {database} to {}", path.display());
    let mut backup = Child::start(&program, arguments, &variables, Stdio::null(), log::Level::Debug)
        .map_err(|error| failed(backup_core::process::chain(&error)))?;
    // One line, which fits into any pipe.
    let ended = backup.wait().await.map_err(|error| failed(backup_core::process::chain(&error)))?;
    if ended.status.success() && path.is_file() {
        log::info!("{database} as it was is in {}", path.display());
        return Ok(());
    }
    let said = ended.last_words.lines().rev().find(|line| line.contains(" ERROR ") && !line.contains("hint: "));
    let said = said.and_then(|line| line.split_once(" ERROR ")).map(|(_, said)| said.trim().to_owned());
    Err(failed(said.unwrap_or_else(|| ended.how())))
}
