//! What every `main` does: variables, user, log, signals, result, exit code.
//!
//! A tool hands [`run`] its arguments and its job; errors are printed here and nowhere else. The job is async; it is told
//! of signals by its [`Context`] and has ten seconds to clean up.

mod alarm;
mod bounds;
mod clock;
mod exit;
mod help;
mod killed;
mod last_run;
mod lock;
mod logging;
mod output;
mod progress;
mod signals;
mod start;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;
use time::OffsetDateTime;

pub use alarm::{Forgetful, tell};
pub use bounds::{Bounds, Cut};
pub use clock::{now, zone_problem};
pub use exit::{Exit, Failure, TABLE as EXIT_CODES, chain};
pub use killed::{Killed, killed};
pub use lock::{Lock, LockError};
pub use output::stdout_is_closed;
pub use progress::Progress;
pub use signals::{Interrupt, Interrupted, Signal};
pub use start::{StartError, become_backup_user, environment, settings_are_loaded};

use crate::mail::{Kind, Origin};
use crate::settings::{Database, EVERY_GROUP, Environment, Group, Places, Reader, misspelled, secrets};
use logging::Verbosity;

/// Contract: a stopped tool is gone within ten seconds.
const TIME_TO_CLEAN_UP: Duration = Duration::from_secs(9);

/// The names of all tools, as they are called. `container`, which starts them, is not one of them.
pub const TOOLS: [&str; 6] = ["backup", "cleanup", "restore-test", "notify", "health-check", "restore"];

/// A tool: its name, the name of its log file, and the kind of mail that tells of its failure.
#[derive(Debug, Clone)]
pub struct Tool {
    /// As it is called.
    pub name: &'static str,
    /// `NAME.log` in the log directory.
    pub log: &'static str,
    /// For what goes wrong before the job can tell it by itself.
    pub failure: Kind,
}

/// The options that every tool has.
#[derive(Debug, Clone, clap::Args)]
pub struct CommonArgs {
    /// Read settings that the environment leaves open from this file
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Print the result as one JSON document
    #[arg(long)]
    pub json: bool,
    /// Log details too
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Log warnings and errors only
    #[arg(short, long)]
    pub quiet: bool,
}

/// The arguments of a tool, which hold the common ones.
pub trait Arguments: Parser {
    /// The settings that the tool reads, for its `--help`.
    const SETTINGS: &[Group] = &EVERY_GROUP;

    /// The options that every tool has.
    fn common(&self) -> &CommonArgs;

    /// Whether a failure may be mailed.
    fn may_notify(&self) -> bool {
        true
    }

    /// Whether this run is the tool's job, so that how it ended is written down for the health check. A run that only looks
    /// is not.
    fn is_the_job(&self) -> bool {
        true
    }

    /// What is wrong with these arguments together, where their values decide.
    fn conflict(&self) -> Option<&'static str> {
        None
    }
}

/// What a job is given.
#[derive(Debug)]
pub struct Context {
    /// Its variables.
    pub environment: Environment,
    /// The instant at which the run started, local time.
    pub started: OffsetDateTime,
    /// Tells of signals.
    pub interrupt: Interrupt,
    tool: &'static str,
    is_the_job: bool,
}

impl Context {
    /// The last lines of this run's log, for a mail.
    pub fn log_tail(&self) -> Vec<u8> {
        logging::tail()
    }

    /// Who speaks in a mail about this run: the tool with its version, and the database as the settings name it.
    pub fn origin(&self, database: &Database) -> Origin {
        let tool = format!("{} {}", self.tool, env!("CARGO_PKG_VERSION"));
        Origin::new(tool, database.name.as_str(), &database.host, self.started)
    }

    /// What marks an object in the store as written by this run.
    pub fn mark(&self) -> String {
        format!("{}-{}", self.started.unix_timestamp_nanos(), std::process::id())
    }

    /// The text without any secret of this process.
    pub fn redact(&self, text: &str) -> String {
        logging::redact(text)
    }
}

/// What a job that did not fail ends with.
#[derive(Debug)]
pub struct Finish {
    /// How it ended.
    pub exit: Exit,
    /// The result as one line for people and pipelines; none where stdout has already been used.
    pub line: Option<String>,
    /// The result for scripts: the members of the JSON document beside `tool`, `outcome` and `exit_code`.
    pub document: serde_json::Map<String, serde_json::Value>,
    /// There was nothing to do, so that this says nothing of how the job goes.
    nothing_done: bool,
}

impl Finish {
    /// From a JSON object.
    pub fn new(exit: Exit, line: Option<String>, document: serde_json::Value) -> Self {
        let document = match document {
            serde_json::Value::Object(members) => members,
            _ => serde_json::Map::new(),
        };
        Self { exit, line, document, nothing_done: false }
    }

    /// The same of a job that found nothing to do: how the run before it ended stays written down.
    #[must_use]
    pub fn with_nothing_done(self) -> Self {
        Self { nothing_done: true, ..self }
    }
}

/// Runs a tool from its arguments to its exit code.
pub fn run<A: Arguments, E: Failure + 'static>(
    tool: &Tool,
    job: impl AsyncFnOnce(A, &Context) -> Result<Finish, E>,
) -> ExitCode {
    let checked = |arguments: A| match arguments.conflict() {
        None => Ok(arguments),
        Some(conflict) => Err(A::command().error(ErrorKind::ArgumentConflict, conflict)),
    };
    match parse::<A>(A::SETTINGS).and_then(checked) {
        Ok(arguments) => run_parsed(tool, arguments, job),
        Err(usage) => {
            // Printing fails only where nobody listens.
            let _ = usage.print();
            ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
        }
    }
}

/// The arguments of this process; `--help` shows the settings of these groups.
///
/// # Errors
///
/// What clap says of a wrong usage, or the help that was asked for.
pub fn parse<A: Parser>(settings: &[Group]) -> Result<A, clap::Error> {
    let mut command = help::with_settings(A::command(), settings);
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    A::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Runs a tool whose arguments are known, to its exit code.
pub fn run_parsed<A: Arguments, E: Failure + 'static>(
    tool: &Tool,
    arguments: A,
    job: impl AsyncFnOnce(A, &Context) -> Result<Finish, E>,
) -> ExitCode {
    // Where, but not what: before the log is there, nothing would keep a secret out of the words.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        eprintln!("internal error at {place}");
    }));
    let common = arguments.common().clone();
    let (may_notify, is_the_job) = (arguments.may_notify(), arguments.is_the_job());
    let started = clock::now();
    let (environment, ready) = prepare(tool, &common);
    let ended = ready.map_err(|error| Box::new(error) as Box<dyn Failure>).and_then(|()| {
        run_job(tool, environment.clone(), is_the_job, |context| async move {
            let finish = job(arguments, &context).await;
            finish.map_err(|error| Box::new(error) as Box<dyn Failure>)
        })
    });
    let is_the_job = is_the_job && !matches!(&ended, Ok(Finish { nothing_done: true, .. }));
    let (exit, error) = match ended {
        Ok(finish) => {
            if common.json {
                output::print_line(&document(tool, finish.exit, finish.document));
            } else if let Some(line) = finish.line {
                output::print_line(&line);
            }
            (finish.exit, None)
        }
        Err(error) => {
            let text = chain(&*error);
            log::error!("{text}");
            let hint = error.hint();
            if let Some(hint) = &hint {
                log::error!("hint: {hint}");
            }
            let mut exit = error.exit();
            if may_notify
                && error.is_untold()
                && let Err(Interrupted(signal)) = alarm::mail(tool, &environment, exit, &text, hint.as_deref())
            {
                exit = Exit::Interrupted(signal);
            }
            if common.json {
                let members =
                    json!({ "error": logging::redact(&text), "hint": hint.map(|hint| logging::redact(&hint)) });
                let serde_json::Value::Object(members) = members else {
                    unreachable!("an object literal is an object")
                };
                output::print_line(&document(tool, exit, members));
            }
            (exit, Some(logging::redact(&text)))
        }
    };
    if is_the_job {
        last_run::write_down(tool, &environment, started, exit, error.as_deref());
    }
    log::logger().flush();
    exit.into()
}

fn document(tool: &Tool, exit: Exit, members: serde_json::Map<String, serde_json::Value>) -> String {
    let mut document = serde_json::Map::new();
    document.insert("tool".into(), tool.name.into());
    document.insert("outcome".into(), exit.word().into());
    document.insert("exit_code".into(), exit.code().into());
    document.extend(members);
    serde_json::Value::Object(document).to_string()
}

/// Starts the log of a process that is no tool's run, for what it has to [`tell`]: with what is right in the `.env` file, and as
/// the user of the jobs.
pub fn start_to_tell(tool: &Tool) -> Result<Environment, StartError> {
    let (environment, _) = start::environment(None);
    start::become_backup_user(&environment)?;
    start_log(tool, Verbosity::Normal, &environment);
    Ok(environment)
}

/// Everything before the job: variables, user, log. What is wrong with the variables is told with those that are right, and as
/// the user who writes the log every night.
fn prepare(tool: &Tool, common: &CommonArgs) -> (Environment, Result<(), StartError>) {
    let verbosity = match common {
        CommonArgs { quiet: true, .. } => Verbosity::Quiet,
        CommonArgs { verbose: true, .. } => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let (environment, loaded) = start::environment(common.env_file.as_deref());
    let became = start::become_backup_user(&environment);
    start_log(tool, verbosity, &environment);
    (environment, loaded.and(became))
}

fn run_job<J>(
    tool: &Tool,
    environment: Environment,
    is_the_job: bool,
    job: impl FnOnce(Context) -> J,
) -> Result<Finish, Box<dyn Failure>>
where
    J: Future<Output = Result<Finish, Box<dyn Failure>>>,
{
    for suspicion in misspelled(&environment) {
        log::warn!("{suspicion}");
    }
    if let Some(problem) = clock::zone_problem(environment.get("TZ").and_then(|tz| tz.to_str())) {
        log::warn!("{problem}");
    }
    let started = clock::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| system("start the async runtime", source))?;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let interrupt = Interrupt::listen().map_err(|source| system("listen to signals", source))?;
            let overdue = interrupt.clone();
            let context = Context { environment, started, interrupt, tool: tool.name, is_the_job };
            tokio::select! {
                ended = job(context) => ended,
                signal = overdue.overdue(TIME_TO_CLEAN_UP) => Err(Box::new(Overdue(signal)) as Box<dyn Failure>),
            }
        })
    }));
    // Whatever still blocks a thread does not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    ended.unwrap_or_else(|panic| Err(Box::new(Panicked(panic_text(&*panic)))))
}

fn start_log(tool: &Tool, verbosity: Verbosity, environment: &Environment) {
    let mut reader = Reader::new(environment);
    // A mistake in the places is reported with all the others, when the job reads its settings.
    let file = Places::read(&mut reader).map(|places| places.logs.join(format!("{}.log", tool.log)));
    let rust_log = environment.get("RUST_LOG").and_then(|filters| filters.to_str());
    logging::start(verbosity, rust_log, file, &secrets(environment));
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

fn system(attempt: &str, source: std::io::Error) -> Box<dyn Failure> {
    Box::new(StartError::System { attempt: attempt.to_owned(), source })
}

impl Failure for StartError {
    fn exit(&self) -> Exit {
        match self {
            Self::EnvFile(_) | Self::Config(_) | Self::NoSuchUser(_) => Exit::Config,
            Self::System { .. } => Exit::Failed,
        }
    }

    fn is_untold(&self) -> bool {
        true
    }
}

/// The job did not end in time after a signal.
#[derive(Debug, thiserror::Error)]
#[error("ended by {0}, and cleaning up did not end in time")]
struct Overdue(Signal);

impl Failure for Overdue {
    fn exit(&self) -> Exit {
        Exit::Interrupted(self.0)
    }
}

/// A mistake of ours.
#[derive(Debug, thiserror::Error)]
#[error("internal error: {0}")]
struct Panicked(String);

impl Failure for Panicked {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn hint(&self) -> Option<String> {
        Some("This is a mistake in the program: please report it with the log.".to_owned())
    }

    fn is_untold(&self) -> bool {
        true
    }
}
