//! The one way to start a program: its own environment, dead when we die, its last words kept.
//!
//! A child gets only the variables that it is given, never ours. It is killed when its [`Child`] is dropped, and by the
//! kernel when this process is killed, so that no dump outlives its backup. It leads a process group of its own, so that
//! what a wrapper script started goes with it, and Ctrl-C reaches us alone, who end it in order.

mod confinement;

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

pub use confinement::{Confinement, Seal};

/// What a program that failed may say: enough for a person, not enough to fill a mail.
const LAST_WORDS_BYTES: usize = 4096;

/// Lines of a program's stderr that go to the log.
const LOGGED_LINES: u64 = 200;

/// How long a program may take to end when it is told to.
const TIME_TO_HEED: Duration = Duration::from_secs(2);

/// How long the rest of a program's stderr is waited for once it has ended: a grandchild that keeps it open must not keep us.
const TIME_FOR_LAST_WORDS: Duration = Duration::from_secs(2);

/// A program that was started.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: tokio::process::Child,
    last_words: Arc<Mutex<LastWords>>,
    listener: Option<JoinHandle<()>>,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started.
    #[error("cannot start {program}")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It could not be kept from reaching beyond its directory.
    #[error("cannot confine {program}")]
    NotConfined {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It could not be waited for.
    #[error("cannot wait for {program}")]
    NotReaped {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// The end of what it wrote to stderr.
    pub last_words: String,
}

impl Ended {
    /// How it ended, in words.
    pub fn how(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(9)) => "killed by signal 9 (SIGKILL: was the memory used up?)".to_owned(),
            (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
        }
    }
}

/// The variables that every child needs: where programs and password files are, messages in English.
pub fn base_variables() -> Vec<(OsString, OsString)> {
    let kept = ["PATH", "HOME", "LD_LIBRARY_PATH"];
    let own = kept.into_iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
    own.chain([("LC_ALL".into(), "C".into())]).collect()
}

impl Child {
    /// Starts a program with exactly these variables. Its stderr goes to the log line by line, at this level.
    pub fn start(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        variables: &[(OsString, OsString)],
        stdin: Stdio,
        stderr_level: log::Level,
    ) -> Result<Self, ChildError> {
        Self::start_confined(program, arguments, variables, stdin, stderr_level, None)
    }

    /// The same for a program that reads what others wrote.
    pub fn start_confined(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        variables: &[(OsString, OsString)],
        stdin: Stdio,
        stderr_level: log::Level,
        confinement: Option<&Confinement>,
    ) -> Result<Self, ChildError> {
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        die_with_parent(&mut command);
        if let Some(confinement) = confinement {
            let confined = confinement.apply(&mut command, program);
            confined.map_err(|source| ChildError::NotConfined { program: program.display().to_string(), source })?;
        }
        let mut process = command
            .spawn()
            .map_err(|source| ChildError::NotStarted { program: program.display().to_string(), source })?;
        let last_words = Arc::default();
        let listen = |stderr| tokio::spawn(listen(name.clone(), stderr, stderr_level, Arc::clone(&last_words)));
        let listener = process.stderr.take().map(listen);
        Ok(Self { name, process, last_words, listener })
    }

    /// The name of the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its output. Can be taken once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// Its input. Can be taken once.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.process.stdin.take()
    }

    /// How it ended, if it has.
    pub async fn ended(&mut self) -> Result<Option<Ended>, ChildError> {
        let ended = self.process.try_wait();
        let ended = ended.map_err(|source| ChildError::NotReaped { program: self.name.clone(), source })?;
        if ended.is_some() { self.wait().await.map(Some) } else { Ok(None) }
    }

    /// Waits for its end, as long as it takes.
    pub async fn wait(&mut self) -> Result<Ended, ChildError> {
        let status =
            self.process.wait().await.map_err(|source| ChildError::NotReaped { program: self.name.clone(), source })?;
        if let Some(listener) = self.listener.take() {
            // In time or not, what was said by then is there.
            let _ = tokio::time::timeout(TIME_FOR_LAST_WORDS, listener).await;
        }
        // A panic while the lock was held leaves whole lines.
        let last_words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Ended { status, last_words: last_words.to_string() })
    }

    /// Ends it: SIGTERM, so that it can cancel its query in the server, and SIGKILL if it does not heed that.
    pub async fn stop(mut self) {
        self.stop_by(Signal::SIGTERM).await;
    }

    /// Ends it by this signal, and SIGKILL if it does not heed that.
    pub async fn stop_by(&mut self, signal: Signal) {
        self.signal(signal);
        if tokio::time::timeout(TIME_TO_HEED, self.process.wait()).await.is_err() {
            self.signal(Signal::SIGKILL);
            // Whether it was reaped or had gone already, it is gone now.
            let _ = self.process.wait().await;
        }
    }

    /// The same for `drop`, which cannot await: it holds the thread up until the program has ended.
    pub fn stop_here_by(&mut self, signal: Signal) {
        self.signal(signal);
        let begun = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < TIME_TO_HEED {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.signal(Signal::SIGKILL);
    }

    /// Signals the program and what it started. After it has been waited for, its number may be somebody else's.
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.process.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself just now.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// The end of what a program said, whole lines, within [`LAST_WORDS_BYTES`].
#[derive(Debug, Default)]
struct LastWords {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LastWords {
    fn add(&mut self, line: String) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > LAST_WORDS_BYTES + 1 && self.lines.len() > 1 {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len() + 1);
        }
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.lines.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{line}")?;
        }
        Ok(())
    }
}

/// Logs what the program says, as far as a person would read it, and keeps the end of it.
async fn listen(name: String, stderr: impl AsyncRead + Unpin, level: log::Level, last_words: Arc<Mutex<LastWords>>) {
    let mut stderr = BufReader::new(stderr);
    let mut said: u64 = 0;
    while let Some(line) = next_line(&mut stderr).await {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if text.is_empty() {
            continue;
        }
        said += 1;
        if said <= LOGGED_LINES {
            log::log!(level, "{name} says: {}", text.strip_prefix(&format!("{name}: ")).unwrap_or(&text));
        } else if said == LOGGED_LINES + 1 {
            log::log!(level, "{name} says more; only the end of it is kept");
        }
        last_words.lock().unwrap_or_else(PoisonError::into_inner).add(text);
    }
}

/// The next line, cut where it is too long to be kept. `None`: no more.
async fn next_line(input: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut any = false;
    loop {
        let chunk = input.fill_buf().await.unwrap_or_default();
        if chunk.is_empty() {
            return any.then_some(line);
        }
        any = true;
        let end = memchr::memchr(b'\n', chunk);
        let text = &chunk[..end.unwrap_or(chunk.len())];
        line.extend_from_slice(&text[..text.len().min(LAST_WORDS_BYTES.saturating_sub(line.len()))]);
        let used = end.map_or(chunk.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Some(line);
        }
    }
}

/// Has the kernel kill the child when the thread that started it ends, which also happens when this process is killed.
#[expect(unsafe_code, reason = "std knows no other way to run something between fork and exec")]
fn die_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe calls are allowed: prctl
    // and getppid are system calls, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the line above.
            if nix::unistd::getppid() == parent {
                Ok(())
            } else {
                Err(std::io::Error::from_raw_os_error(nix::libc::ESRCH))
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn last_words_are_bounded_and_survive_any_bytes() {
        let noise = [b"x".repeat(10_000_000), b"\n\xff\0last\n".to_vec(), b"words".to_vec()].concat();
        let last_words = Arc::default();
        listen("pg_dump".into(), &noise[..], log::Level::Debug, Arc::clone(&last_words)).await;
        let kept = last_words.lock().unwrap().to_string();
        assert!(kept.len() <= LAST_WORDS_BYTES, "{}", kept.len());
        assert!(kept.ends_with("\u{fffd}\0last\nwords"), "{kept:?}");
    }

    #[tokio::test]
    async fn a_child_sees_only_the_variables_it_is_given() {
        let program = Path::new("/usr/bin/env");
        let mut child =
            Child::start(program, [""; 0], &[("A".into(), "1".into())], Stdio::null(), log::Level::Warn).unwrap();
        let mut seen = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut child.stdout().unwrap(), &mut seen).await.unwrap();
        assert_eq!(seen, "A=1\n");
        assert!(child.wait().await.unwrap().status.success());
    }

    fn sh(script: &str) -> Child {
        let variables = base_variables();
        Child::start(Path::new("/bin/sh"), ["-c", script], &variables, Stdio::null(), log::Level::Debug).unwrap()
    }

    async fn first_line(child: &mut Child) -> String {
        let mut line = String::new();
        BufReader::new(child.stdout().unwrap()).read_line(&mut line).await.unwrap();
        line.trim().to_owned()
    }

    #[tokio::test]
    async fn what_heeds_nothing_is_stopped_and_reaped_and_its_children_too() {
        let mut child = sh("trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1; done");
        let id = child.process.id().unwrap();
        let grandchild = first_line(&mut child).await;
        child.stop().await;
        assert!(!Path::new(&format!("/proc/{id}")).exists());
        // Whoever inherits it may be slow to reap it; a zombie has no command line.
        let runs = || std::fs::read(format!("/proc/{grandchild}/cmdline")).is_ok_and(|line| !line.is_empty());
        let gone = async {
            while runs() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    }

    #[tokio::test]
    async fn a_grandchild_that_keeps_stderr_open_hides_no_words() {
        let mut child = sh("sleep 1000 & echo $!; echo the cause >&2; exit 7");
        let grandchild = first_line(&mut child).await;
        let ended = child.wait().await.unwrap();
        assert_eq!((ended.last_words.as_str(), ended.how().as_str()), ("the cause", "exit code 7"));
        nix::sys::signal::kill(Pid::from_raw(grandchild.parse().unwrap()), Signal::SIGKILL).unwrap();
    }
}
