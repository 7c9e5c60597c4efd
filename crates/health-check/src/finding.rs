//! What a check found: a state, a sentence of fact, a sentence of what to do.

use std::time::Duration;

use backup_core::figures;
use backup_core::mail::{State, Step, in_container};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::figure::Figure;

/// The checks, in the order in which they are shown. Their names are part of the output for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    /// Somebody can log in to the database, and it answers
    Database,
    /// The store can be listed, and its clock is ours
    Storage,
    /// The newest backup is young, and not suddenly small
    RecentBackup,
    /// The last restore test passed, and not too long ago
    RestoreTest,
    /// A cron daemon runs, and starts the jobs
    Cron,
    /// The tools and PostgreSQL's programs are there, in versions that fit
    Tools,
    /// The last mail got through, and the next would
    Notifications,
    /// There is room on the disks
    Disk,
    /// No scratch files were left behind
    Temp,
    /// The log files are rotated
    Logs,
    /// No setting will hurt
    Settings,
}

impl Name {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Storage => "storage",
            Self::RecentBackup => "recent-backup",
            Self::RestoreTest => "restore-test",
            Self::Cron => "cron",
            Self::Tools => "tools",
            Self::Notifications => "notifications",
            Self::Disk => "disk",
            Self::Temp => "temp",
            Self::Logs => "logs",
            Self::Settings => "settings",
        }
    }
}

/// The state as scripts and people read it.
pub(crate) fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Critical => "critical",
    }
}

/// One thing that a check has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) state: State,
    /// A fact, without a full stop.
    pub(crate) fact: String,
    pub(crate) advice: Option<Advice>,
}

/// What to do: a sentence, and the command to paste where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) says: String,
    pub(crate) command: Option<String>,
}

impl Remark {
    pub(crate) fn ok(fact: impl Into<String>) -> Self {
        Self { state: State::Ok, fact: fact.into(), advice: None }
    }

    pub(crate) fn warning(fact: impl Into<String>, advice: impl Into<Advice>) -> Self {
        Self { state: State::Warning, fact: fact.into(), advice: Some(advice.into()) }
    }

    pub(crate) fn critical(fact: impl Into<String>, advice: impl Into<Advice>) -> Self {
        Self { state: State::Critical, fact: fact.into(), advice: Some(advice.into()) }
    }
}

impl Advice {
    /// What a tool is to be run for, and its command line.
    pub(crate) fn run(says: impl Into<String>, command_line: &str) -> Self {
        Self { says: says.into(), command: Some(in_container(command_line)) }
    }

    pub(crate) fn step(&self) -> Step {
        match &self.command {
            Some(command) => Step::run(&self.says, command),
            None => Step::say(&self.says),
        }
    }
}

impl<T: Into<String>> From<T> for Advice {
    fn from(says: T) -> Self {
        Self { says: says.into(), command: None }
    }
}

/// What a check found, all of its remarks together.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) name: Name,
    pub(crate) state: State,
    /// Never empty. The worst comes first.
    pub(crate) fact: String,
    /// What to do about the worst.
    pub(crate) advice: Option<Advice>,
    pub(crate) figures: Vec<Figure>,
}

impl Finding {
    /// Puts remarks together: the worst decides. Where something is wrong, what is right needs no words.
    pub(crate) fn new(name: Name, remarks: impl IntoIterator<Item = Remark>, figures: Vec<Figure>) -> Self {
        let mut remarks: Vec<Remark> = remarks.into_iter().collect();
        remarks.sort_by_key(|remark| std::cmp::Reverse(remark.state));
        let state = remarks.first().map_or(State::Ok, |worst| worst.state);
        remarks.retain(|remark| state == State::Ok || remark.state != State::Ok);
        let facts: Vec<&str> = remarks.iter().map(|remark| remark.fact.as_str()).collect();
        let fact = facts.join("; ");
        let advice = remarks.into_iter().find_map(|remark| remark.advice);
        Self { name, state, fact, advice, figures }
    }

    /// A check whose facts could not be had in time.
    pub(crate) fn hung(name: Name, limit: Duration) -> Self {
        let fact = format!("no answer within {}", figures::duration(limit));
        let advice = "Something that this check asks hangs: look at the network, and at the disk.";
        Self::new(name, [Remark::critical(fact, advice)], Vec::new())
    }
}

/// The worst state of them all.
pub(crate) fn worst(findings: &[Finding]) -> State {
    findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_remark_decides_and_comes_first() {
        let remarks = || [Remark::ok("fine"), Remark::warning("odd", "look"), Remark::critical("gone", "act")];
        let finding = Finding::new(Name::Disk, remarks(), Vec::new());
        assert_eq!((finding.state, finding.fact.as_str()), (State::Critical, "gone; odd"));
        assert_eq!(finding.advice.unwrap().says, "act");
        let finding = Finding::new(Name::Disk, remarks().into_iter().take(1), Vec::new());
        assert_eq!((finding.state, finding.fact.as_str(), finding.advice), (State::Ok, "fine", None));
    }

    #[test]
    fn names_are_those_of_the_command_line_and_of_json() {
        for name in Name::value_variants() {
            assert_eq!(name.to_possible_value().unwrap().get_name(), name.word());
            assert_eq!(serde_json::to_value(name).unwrap(), name.word());
        }
    }
}
