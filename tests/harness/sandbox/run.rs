//! Starting a tool, signalling it, waiting for it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Outcome, Sandbox, checks};
use crate::lifeline;

/// No tool may run longer than this in a test, unless the test says so: every wait of a tool has an end.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// How often a running tool is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// A tool about to be started.
pub struct Run<'a> {
    sandbox: &'a Sandbox,
    tool: String,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    stdin: Option<Vec<u8>>,
    stdout: Option<Stdio>,
    folder: PathBuf,
    limit: Duration,
}

impl<'a> Run<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, tool: &str) -> Self {
        Self {
            sandbox,
            tool: tool.to_owned(),
            arguments: Vec::new(),
            environment: sandbox.environment.clone(),
            stdin: None,
            stdout: None,
            folder: sandbox.home.clone(),
            limit: TIME_LIMIT,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable for this run only.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a variable away for this run only.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// What the tool reads on stdin; without it, nothing.
    #[must_use]
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_owned());
        self
    }

    /// Where its stdout goes, such as into a pipe; without it, to [`Outcome::stdout`].
    #[must_use]
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.stdout = Some(to.into());
        self
    }

    /// The folder to start in; without it, the home folder.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// Another time limit than two minutes.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the tool to its end.
    pub fn run(self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts the tool, for a test that does something while it runs.
    pub fn spawn(self) -> Running<'a> {
        let streams = self.sandbox.home.with_file_name(format!("run{}", lifeline::unique()));
        fs::create_dir(&streams).expect("the sandbox can be written");
        let stdin = self.stdin.map_or_else(Stdio::null, |bytes| {
            fs::write(streams.join("stdin"), bytes).expect("the sandbox can be written");
            Stdio::from(File::open(streams.join("stdin")).expect("just written"))
        });
        let stream = |name: &str| File::create(streams.join(name)).expect("the sandbox can be written");
        let mut command = lifeline::command(&built(&self.tool), "KILL", None);
        command.args(&self.arguments).env_clear().envs(&self.environment).current_dir(&self.folder);
        let stdout = stream("stdout");
        command.stdin(stdin).stdout(self.stdout.unwrap_or_else(|| stdout.into())).stderr(stream("stderr"));
        let arguments = self.arguments.iter().map(|argument| format!(" {}", argument.to_string_lossy()));
        let child = lifeline::spawn(command).unwrap_or_else(|e| panic!("start {}: {e}", self.tool));
        Running {
            sandbox: self.sandbox,
            command_line: self.tool.clone() + &arguments.collect::<String>(),
            environment: self.environment,
            streams,
            child,
            started: Instant::now(),
            limit: self.limit,
        }
    }
}

/// A tool that runs. It is killed if this is dropped before its end.
pub struct Running<'a> {
    sandbox: &'a Sandbox,
    command_line: String,
    environment: BTreeMap<String, String>,
    streams: PathBuf,
    child: Child,
    started: Instant,
    limit: Duration,
}

impl Running<'_> {
    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits an i32"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it has not been waited for");
    }

    /// Waits until its stderr, which is its log, contains this text.
    pub fn wait_for_log(&mut self, text: &str) {
        self.wait_until(&format!("said {text:?}"), |running| running.read("stderr").contains(text));
    }

    /// Waits until something is true; fails the test if the tool ends first, or does not come to it in time.
    pub fn wait_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            checks::look_at_command_lines(self.sandbox);
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                let outcome = self.outcome(status);
                panic!("it ended before it {what}\n{}", outcome.report());
            }
            if self.started.elapsed() > self.limit {
                let outcome = self.kill();
                panic!("after {:?} it still had not {what}\n{}", self.limit, outcome.report());
            }
            thread::sleep(GLANCE);
        }
    }

    /// Waits for its end; kills it and fails the test if that does not come in time.
    pub fn wait(mut self) -> Outcome {
        loop {
            checks::look_at_command_lines(self.sandbox);
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return self.outcome(status);
            }
            if self.started.elapsed() > self.limit {
                let outcome = self.kill();
                panic!("it did not end within {:?}\n{}", self.limit, outcome.report());
            }
            thread::sleep(GLANCE);
        }
    }

    fn kill(&mut self) -> Outcome {
        // It may have ended in this instant.
        let _ = self.child.kill();
        let status = self.child.wait().expect("it can be waited for");
        self.outcome(status)
    }

    fn outcome(&self, status: std::process::ExitStatus) -> Outcome {
        Outcome {
            command_line: self.command_line.clone(),
            environment: self.environment.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
            logs: self.sandbox.logs(),
            elapsed: self.started.elapsed(),
        }
    }

    fn read(&self, stream: &str) -> String {
        let bytes = fs::read(self.streams.join(stream)).expect("created at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // After `wait` it has ended, and there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The built binary: in the target directory that this test's own binary is in.
fn built(tool: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the system knows this program");
    let candidates = own.ancestors().skip(1).take(2).map(|folder| folder.join(tool));
    candidates.clone().find(|path| path.is_file()).unwrap_or_else(|| {
        let looked: Vec<_> = candidates.map(|path| path.display().to_string()).collect();
        panic!("the tool `{tool}` is not built ({}); run scripts/test", looked.join(", "))
    })
}
