//! How cron runs a job: with the variables of the container, which cron keeps to itself, and as `BACKUP_USER`.
//!
//! Nothing passes through a shell, and no variable appears on a command line. The process becomes the program: cron
//! waits for the program itself, and a signal reaches it.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use backup_core::process::{Failure as _, become_backup_user, chain, settings_are_loaded};
use backup_core::settings::{Environment, Places, Reader};
use nix::unistd::{AccessFlags, access};

use crate::args::JobArgs;
use crate::error::Error;
use crate::output;
use crate::processes::is_tool;
use crate::run_folder::RunFolder;

/// Comes back only where the program could not be started.
pub(crate) fn run(args: &JobArgs, run_folder: &Path) -> ExitCode {
    let run_folder = RunFolder::at(run_folder);
    // Opened while we are root. Without it, what a job says is lost; the job itself is not.
    let container = run_folder.open_output().ok();
    let Err(error) = become_job(args, &run_folder, container.as_ref());
    if let Some(container) = container {
        // cron throws away what it is told, so this goes where the container's own words go.
        let _ = nix::unistd::dup2_stdout(&container);
    }
    output::say_failure(&error);
    error.exit().into()
}

fn become_job(args: &JobArgs, run_folder: &RunFolder, container: Option<&File>) -> Result<Infallible, Error> {
    let words: Vec<_> = args.command.iter().map(|word| word.to_string_lossy()).collect();
    if let Err(error) = run_folder.note_start(&words.join(" ")) {
        // The container may take it for a job that cron did not start, and end; that is no reason to leave the job undone.
        if let Some(mut container) = container {
            let _ = writeln!(container, "container: WARN {}", chain(&error));
        }
    }
    let environment = run_folder.read_variables()?;
    become_backup_user(&environment)?;
    // clap gives at least one.
    let (program, arguments) =
        args.command.split_first().map_or((OsStr::new(""), &[][..]), |(p, a)| (p.as_os_str(), a));
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment.iter()).stdin(Stdio::null());
    settings_are_loaded(&mut command);
    let home = environment.get("BACKUP_HOME").map_or(Path::new("/backup"), Path::new);
    if home.is_dir() {
        command.current_dir(home);
    }
    let container = container.filter(|_| !has_log(program, &environment)).and_then(|file| file.try_clone().ok());
    match container {
        Some(container) => {
            let again = container.try_clone().map_or_else(|_| Stdio::null(), Stdio::from);
            command.stdout(again).stderr(container);
        }
        None => {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
    }
    let source = command.exec();
    Err(Error::NotStarted { program: program.display().to_string(), source })
}

/// Whether what the program says stands in a log file, which the container shows: then it is not to be shown twice.
fn has_log(program: &OsStr, environment: &Environment) -> bool {
    let writes_log = program.to_str().is_some_and(is_tool);
    let logs = Places::read(&mut Reader::new(environment)).map(|places| places.logs);
    writes_log && logs.is_some_and(|logs| access(&logs, AccessFlags::W_OK).is_ok())
}
