//! The one way to start a program: its own environment, dead when we die, its last words kept.
//!
//! A child gets only the variables that it is given, never ours. It is killed when its [`Child`] is dropped, and by the
//! kernel when this process is killed, so that no dump outlives its backup.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

/// What a program that failed may say: enough for a person, not enough to fill a mail.
const LAST_WORDS_BYTES: usize = 4096;

/// Lines of a program's stderr that go to the log.
const LOGGED_LINES: u64 = 200;

/// A program that was started.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: tokio::process::Child,
    last_words: JoinHandle<String>,
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
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        die_with_parent(&mut command);
        let mut process = command
            .spawn()
            .map_err(|source| ChildError::NotStarted { program: program.display().to_string(), source })?;
        let last_words = match process.stderr.take() {
            Some(stderr) => tokio::spawn(keep_last_words(name.clone(), stderr, stderr_level)),
            None => tokio::spawn(async { String::new() }),
        };
        Ok(Self { name, process, last_words })
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

    /// Waits for its end, as long as it takes.
    pub async fn wait(&mut self) -> Result<Ended, ChildError> {
        let status =
            self.process.wait().await.map_err(|source| ChildError::NotReaped { program: self.name.clone(), source })?;
        // A grandchild that keeps stderr open must not keep us.
        let last_words = tokio::time::timeout(Duration::from_secs(2), &mut self.last_words).await;
        Ok(Ended { status, last_words: last_words.ok().and_then(Result::ok).unwrap_or_default() })
    }

    /// Ends it: SIGTERM, so that it can cancel its query in the server, and SIGKILL if it does not heed that.
    pub async fn stop(mut self) {
        if let Some(id) = self.process.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself just now.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), Signal::SIGTERM);
        }
        if tokio::time::timeout(Duration::from_secs(2), self.process.wait()).await.is_err() {
            // Killed and reaped, or already gone.
            let _ = self.process.kill().await;
        }
    }
}

/// Logs what the program says, as far as a person would read it, and keeps the end of it.
async fn keep_last_words(name: String, stderr: impl AsyncRead + Unpin, level: log::Level) -> String {
    let mut stderr = BufReader::new(stderr);
    let mut kept: VecDeque<String> = VecDeque::new();
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
        kept.push_back(text);
        while kept.iter().map(String::len).sum::<usize>() > LAST_WORDS_BYTES && kept.len() > 1 {
            kept.pop_front();
        }
    }
    Vec::from(kept).join("\n")
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
        let kept = keep_last_words("pg_dump".into(), &noise[..], log::Level::Debug).await;
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

    #[tokio::test]
    async fn a_child_that_heeds_nothing_is_stopped_and_reaped() {
        let script = ["-c", "trap '' TERM; while :; do sleep 1; done"];
        let child =
            Child::start(Path::new("/bin/sh"), script, &base_variables(), Stdio::null(), log::Level::Warn).unwrap();
        let id = child.process.id().unwrap();
        child.stop().await;
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}
