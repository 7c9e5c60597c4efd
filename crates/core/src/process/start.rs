//! The first steps of a process: its variables, its user.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid, initgroups, setgid, setuid};

use crate::settings::{ALL, ConfigError, EnvFile, EnvFileError, Environment, Reader, run_as};

/// Marks a process that has been started again with the variables of the file: its value is the process's own id, which
/// survives `exec` and fits no child.
const LOADED: &str = "BACKUP_SETTINGS_LOADED";

/// Why a tool could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The `.env` file is missing or malformed.
    #[error(transparent)]
    EnvFile(#[from] EnvFileError),
    /// A setting that is needed to start is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `BACKUP_USER` does not exist.
    #[error("BACKUP_USER is `{0}`: there is no such user")]
    NoSuchUser(String),
    /// The system refused.
    #[error("cannot {attempt}")]
    System {
        /// What was tried.
        attempt: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The variables of this process, filled in from the `.env` file; and what is wrong with that file. What is right in it
/// counts even then, so that the right user is told, at the right place, by the right mail server.
///
/// Where the file adds something, the process starts itself again with all of it (`exec`: same id, same terminal, same
/// open files). So the time zone of the C library, the AWS SDK and every child see the same variables as we do, and no
/// variable is changed behind the back of a running thread.
pub fn environment(env_file: Option<&Path>) -> (Environment, Result<(), StartError>) {
    let mut environment = Environment::of_this_process();
    let own_id = std::process::id().to_string();
    if environment.remove(LOADED).as_deref() == Some(OsStr::new(&own_id)) {
        return (environment, Ok(()));
    }
    let mut changed = environment.drop_empty("AWS_");
    if let Some(file) = settings_file(env_file, &environment) {
        let ours = |name: &str| ALL.iter().any(|setting| setting.is_named(name));
        let EnvFile { variables, wrong } = Environment::read_file(&file, ours);
        changed |= environment.fill_in(variables);
        if let Some(wrong) = wrong {
            return (environment, Err(wrong.into()));
        }
    }
    let started = if changed { start_again(&environment, &own_id) } else { Ok(()) };
    (environment, started)
}

/// Comes back only where that failed.
fn start_again(environment: &Environment, own_id: &str) -> Result<(), StartError> {
    let failed =
        |source| StartError::System { attempt: "start again with the settings of the .env file".into(), source };
    let program = std::env::current_exe().map_err(failed)?;
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    Err(failed(command.args(arguments).env_clear().envs(environment.iter()).env(LOADED, own_id).exec()))
}

/// Has the program that this process becomes take the variables it is given for the whole of its settings: the file may be
/// one that only root can read.
pub fn settings_are_loaded(command: &mut std::process::Command) {
    command.env(LOADED, std::process::id().to_string());
}

/// The file that fills in: one that is named must be there, the others may be missing.
fn settings_file(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    let named = named.map(Path::to_owned).or_else(|| environment.get("BACKUP_ENV_FILE").map(PathBuf::from));
    named.or_else(|| {
        let home = environment.get("BACKUP_HOME").unwrap_or(OsStr::new("/backup"));
        [Path::new(home).join(".env"), PathBuf::from(".env")].into_iter().find(|file| file.exists())
    })
}

/// A tool started by root becomes `BACKUP_USER`, so that what it writes is written by the same user as under cron.
pub fn become_backup_user(environment: &Environment) -> Result<(), StartError> {
    let mut reader = Reader::new(environment);
    let wanted = run_as(&mut reader);
    let Some(name) = reader.finish(|| Some(wanted))? else { return Ok(()) };
    if !geteuid().is_root() {
        return Ok(());
    }
    let failed =
        |source: nix::Error| StartError::System { attempt: format!("become user {name}"), source: source.into() };
    let user = User::from_name(&name).map_err(failed)?.ok_or_else(|| StartError::NoSuchUser(name.clone()))?;
    let login = std::ffi::CString::new(name.as_str()).map_err(|_| StartError::NoSuchUser(name.clone()))?;
    initgroups(&login, user.gid).and_then(|()| setgid(user.gid)).and_then(|()| setuid(user.uid)).map_err(failed)
}
