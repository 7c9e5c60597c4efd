//! How a run ended, and what it said; every check that fails shows all of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::is_secret;

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(super) command_line: String,
    pub(super) environment: BTreeMap<String, String>,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All of its stdout.
    pub stdout: String,
    /// All of its stderr.
    pub stderr: String,
    /// The sandbox's log files after the run, by name.
    pub logs: BTreeMap<String, String>,
    /// From start to end.
    pub elapsed: Duration,
}

#[expect(
    clippy::return_self_not_must_use,
    reason = "a check has done its work when it returns; the outcome comes back for the next"
)]
impl Outcome {
    /// Fails the test unless the exit code is 0.
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// Fails the test unless this is the exit code.
    pub fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{}", self.report());
        self
    }

    /// Fails the test unless stderr contains this text.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected on stderr: {text}\n{}", self.report());
        self
    }

    /// Fails the test if stderr contains this text.
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "not expected on stderr: {text}\n{}", self.report());
        self
    }

    /// Fails the test unless stdout contains this text.
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "expected on stdout: {text}\n{}", self.report());
        self
    }

    /// Fails the test unless stdout is empty.
    pub fn prints_nothing(self) -> Self {
        assert!(self.stdout.is_empty(), "expected an empty stdout\n{}", self.report());
        self
    }

    /// Fails the test unless this log file contains this text.
    pub fn logs(self, file: &str, text: &str) -> Self {
        let found = self.logs.get(file).is_some_and(|log| log.contains(text));
        assert!(found, "expected in {file}: {text}\n{}", self.report());
        self
    }

    /// Fails the test unless it took less than this.
    pub fn ends_within(self, limit: Duration) -> Self {
        assert!(self.elapsed < limit, "expected an end within {limit:?}\n{}", self.report());
        self
    }

    /// The one JSON document on stdout; anything else fails the test.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one JSON document: {e}\n{}", self.report()))
    }

    /// Everything that is known of the run, secrets masked, for a failure message.
    pub fn report(&self) -> String {
        let ended = match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
        };
        let mut report = format!("command: {}\n{ended} after {:.1?}\n", self.command_line, self.elapsed);
        for (name, value) in &self.environment {
            let value = if is_secret(name) { "********" } else { value };
            // Writing to a String cannot fail.
            let _ = writeln!(report, "  {name}={value}");
        }
        let mut section = |title: &str, text: &str| {
            let _ = writeln!(report, "--- {title}\n{}", text.trim_end());
        };
        section("stdout", &self.stdout);
        section("stderr", &self.stderr);
        for (name, log) in &self.logs {
            section(name, log);
        }
        report
    }
}
