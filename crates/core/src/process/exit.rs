//! How a tool ends: the one table of exit codes.

use std::error::Error;
use std::process::ExitCode;

use super::Signal;

/// How a tool ended. The numbers are part of every `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The job is done.
    Done,
    /// The job failed.
    Failed,
    /// Inconclusive or partly done.
    Partly,
    /// Another run of the same tool holds the lock (`EX_TEMPFAIL` of sysexits).
    Locked,
    /// A setting is wrong (`EX_CONFIG` of sysexits).
    Config,
    /// Ended by a signal, after cleaning up (128 + its number, as shells count).
    Interrupted(Signal),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Partly => 3,
            Self::Locked => 75,
            Self::Config => 78,
            Self::Interrupted(Signal::Interrupt) => 130,
            Self::Interrupted(Signal::Terminate) => 143,
        }
    }

    /// The word that scripts see in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Partly => "partly-done",
            Self::Locked => "locked",
            Self::Config => "config-error",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that ends a tool.
pub trait Failure: Error + Send + Sync {
    /// The exit code it ends with.
    fn exit(&self) -> Exit;

    /// Whether nobody has been mailed about it: the job could not, or did not come to it.
    fn is_untold(&self) -> bool {
        self.exit() == Exit::Config
    }

    /// What a person can do about it, as full sentences.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The error and everything that caused it, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their source in their own text.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The table of exit codes, for `--help`.
pub const TABLE: &str = "\
Exit codes:
  0    done
  1    the job failed
  2    wrong usage
  3    inconclusive or partly done
  75   another run of the same tool holds the lock
  78   a setting is wrong; nothing was touched
  130  interrupted (SIGINT), after cleaning up
  143  terminated (SIGTERM), after cleaning up";
