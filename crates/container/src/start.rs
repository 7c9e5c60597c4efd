//! The start of the container: everything is checked, then cron is started, and watched until the container ends.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use backup_core::process::{Exit, Failure, StartError, environment};
use backup_core::settings::{Environment, Places, Reader, run_as};
use log::Level;
use nix::unistd::{Pid, User, geteuid, getpid, getppid};

use crate::args::StartArgs;
use crate::error::Error;
use crate::expected::Expected;
use crate::follow::Follow;
use crate::output::{say, say_failure};
use crate::places;
use crate::processes::Scope;
use crate::run_folder::RunFolder;
use crate::schedule::{Machine, Schedule};
use crate::tell::tell_of;
use crate::watch::{OnDisk, Watch};

/// The container's main process, to its end.
pub(crate) fn run(args: &StartArgs, run_folder: &Path) -> ExitCode {
    let ended = start(args, run_folder).unwrap_or_else(|error| {
        // That cron starts nothing was said and told when it was noticed.
        if !matches!(error, Error::CronSilent { .. }) {
            say_failure(&error);
            tell_of(&error);
        }
        error.exit()
    });
    ended.into()
}

fn start(args: &StartArgs, run_folder: &Path) -> Result<Exit, Error> {
    // With what a mounted .env file adds, so that the schedule's time zone and the jobs' settings are the same.
    let (environment, loaded) = environment(None);
    loaded?;
    let user = user_of_the_jobs(&environment)?;
    let places = Places::read(&mut Reader::new(&environment));
    if let (Some(places), Some(user)) = (&places, &user) {
        for refused in places::hand_over(places, user) {
            say(Level::Warn, &refused);
        }
    }
    // Both are checked before either is told, so that nobody has to start twice to learn of two mistakes.
    let schedule = match (check_settings(), Schedule::read(&args.crontab, &Here)) {
        (Ok(()), schedule) => schedule?,
        (Err(Error::Settings { wrong }), Err(crontab)) => {
            say(Level::Error, &crontab.to_string());
            return Err(Error::SettingsAndCrontab { wrong, crontab });
        }
        (Err(error), _) => return Err(error),
    };

    let run = RunFolder::create(run_folder)?;
    run.write_variables(&environment)?;
    run.write_crontab(&schedule.text)?;
    run.link_output()?;
    for entry in &schedule.entries {
        say(Level::Info, &format!("cron runs, at {}: {}", entry.when, entry.command));
    }
    let expected = Expected::of(&schedule, args.late_after);
    let follow = places.map(|places| Follow::from_now(&places.logs));
    // tini is the first process, and we are its only child: nobody else's processes are here.
    let scope =
        if getpid() == Pid::from_raw(1) || getppid() == Pid::from_raw(1) { Scope::All } else { Scope::Descendants };
    // What our children leave behind becomes ours, to be found when the container ends. An emulator of another machine's programs
    // knows no such call; in a container it is found all the same.
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true)
        && scope == Scope::Descendants
    {
        return Err(Error::System { attempt: "take over the processes that jobs leave behind", source: error.into() });
    }
    let cron = start_cron(&environment)?;
    if !args.no_catch_up {
        start_catch_up(run_folder)?;
    }
    say(Level::Info, "started");
    let schedule = OnDisk { path: args.crontab.clone(), text: schedule.text };
    Watch { cron, run, schedule, expected, follow, scope, silent: None }.run()
}

/// Whom the jobs run as, where that is not whoever started this.
fn user_of_the_jobs(environment: &Environment) -> Result<Option<User>, Error> {
    let mut reader = Reader::new(environment);
    let name = run_as(&mut reader);
    let Some(name) = reader.finish(|| Some(name))? else { return Ok(None) };
    if !geteuid().is_root() {
        return Err(Error::NotRoot { user: name });
    }
    let user = User::from_name(&name)
        .map_err(|error| Error::System { attempt: "look up the user of the jobs", source: error.into() })?;
    Ok(Some(user.ok_or(StartError::NoSuchUser(name))?))
}

/// By `container check`, which becomes the user of the jobs: what that user cannot read is a mistake too.
fn check_settings() -> Result<(), Error> {
    let mut check = own_program("check")?;
    let check = check.arg("--json").stderr(Stdio::inherit()).output();
    let check = check.map_err(|source| Error::NotStarted { program: "container check".into(), source })?;
    match check.status.code() {
        Some(0) => Ok(()),
        Some(code) if code == i32::from(Exit::Config.code()) => {
            let found: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap_or_default();
            let wrong = found["error"].as_str().unwrap_or("a setting is wrong").to_owned();
            Err(Error::Settings { wrong })
        }
        _ => Err(Error::Unchecked { how: check.status.to_string() }),
    }
}

/// The schedule keeps the container's time zone. The variables are none of cron's business: each job is given them by
/// `container job`.
fn start_cron(environment: &Environment) -> Result<Pid, Error> {
    let mut cron = Command::new("cron");
    cron.arg("-f").env_clear().stdin(Stdio::null());
    for name in ["PATH", "TZ"] {
        if let Some(value) = environment.get(name) {
            cron.env(name, value);
        }
    }
    let started = cron.spawn().map_err(|source| Error::NotStarted { program: "cron".into(), source })?;
    Ok(Pid::from_raw(started.id() as i32))
}

/// In the background: it may take as long as a backup takes. Whoever watches cron reaps it too.
fn start_catch_up(run_folder: &Path) -> Result<(), Error> {
    let mut catch_up = own_program("--run-folder")?;
    catch_up.arg(run_folder).args(["job", "container", "catch-up"]).stdin(Stdio::null());
    let started = catch_up.spawn();
    started.map(drop).map_err(|source| Error::NotStarted { program: "container catch-up".into(), source })
}

/// This program again, to do something else.
pub(crate) fn own_program(argument: &str) -> Result<Command, Error> {
    let program = std::env::current_exe();
    let program = program.map_err(|source| Error::System { attempt: "find my own program", source })?;
    let mut command = Command::new(program);
    command.arg(argument);
    Ok(command)
}

/// The machine that this runs on.
struct Here;

impl Machine for Here {
    fn has_user(&self, name: &str) -> bool {
        User::from_name(name).is_ok_and(|user| user.is_some())
    }

    fn has_program(&self, name: &str, path: &str) -> bool {
        let is_program =
            |path: &Path| nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok() && path.is_file();
        if name.contains('/') {
            is_program(Path::new(name))
        } else {
            std::env::split_paths(path).any(|folder| is_program(&folder.join(name)))
        }
    }
}
