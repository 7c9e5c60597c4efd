//! The parts that a report is made of: facts, checks, bars, steps. Each cleans its texts when it is made.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::clean::{self, Excerpt};
use super::kind::Tone;
use crate::figures;

/// PostgreSQL's names end at 63 bytes, but a schema and a table in quotes, or what another program calls a thing, are longer.
const LABEL: usize = 300;
const SENTENCE: usize = 700;

/// One row of a table of facts: what it is, how it reads, and the exact value beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) exact: Option<String>,
}

impl Fact {
    /// A fact in words.
    pub fn new(label: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        Self { label: clean::line(label.as_ref(), LABEL), value: clean::line(value.as_ref(), SENTENCE), exact: None }
    }

    /// The exact value beside the readable one, or a remark.
    #[must_use]
    pub fn beside(mut self, exact: impl AsRef<str>) -> Self {
        self.exact = Some(clean::line(exact.as_ref(), SENTENCE));
        self
    }

    /// A size in bytes: `182.4 MiB`, and the exact bytes beside.
    pub fn size(label: impl AsRef<str>, bytes: u64) -> Self {
        Self::new(label, figures::size(bytes)).beside(figures::exact_bytes(bytes))
    }

    /// A number with separators: `1,234,567`.
    pub fn count(label: impl AsRef<str>, number: u64) -> Self {
        Self::new(label, figures::count(number))
    }

    /// How a size moved: `+1.2 MiB (+0.7 %)`, and both sizes beside.
    pub fn size_change(label: impl AsRef<str>, before: u64, now: u64) -> Self {
        Self::new(label, figures::change(before, now, figures::size)).beside(format!(
            "{} to {}",
            figures::count(before),
            figures::exact_bytes(now)
        ))
    }

    /// How a number moved: `+1,204 (+0.3 %)`, and both numbers beside.
    pub fn count_change(label: impl AsRef<str>, before: u64, now: u64) -> Self {
        Self::new(label, figures::change(before, now, figures::count)).beside(format!(
            "{} to {}",
            figures::count(before),
            figures::count(now)
        ))
    }

    /// How long something took: `1 min 12 s`.
    pub fn took(label: impl AsRef<str>, span: Duration) -> Self {
        Self::new(label, figures::duration(span))
    }

    /// An instant: `Wed 2025-01-29 02:00:00 +00:00`.
    pub fn at(label: impl AsRef<str>, instant: OffsetDateTime) -> Self {
        Self::new(label, figures::instant(instant))
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Worth a look; nothing is broken yet.
    Warning,
    /// Broken.
    Critical,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }

    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Ok => Tone::Good.colour(),
            Self::Warning => Tone::Warning.colour(),
            Self::Critical => Tone::Bad.colour(),
        }
    }
}

/// One checked thing: its state, a sentence, and what to do where something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) says: String,
    pub(super) advice: Option<Step>,
}

impl Check {
    /// A check by its name, how it ended, and what it found.
    pub fn new(name: impl AsRef<str>, state: State, says: impl AsRef<str>) -> Self {
        let (name, says) = (clean::line(name.as_ref(), LABEL), clean::line(says.as_ref(), SENTENCE));
        Self { name, state, says, advice: None }
    }

    /// What to do about it.
    #[must_use]
    pub fn advise(mut self, step: Step) -> Self {
        self.advice = Some(step);
        self
    }
}

/// One bar of a chart: what it stands for, how long it is against the others, and the figure in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    pub(super) label: String,
    pub(super) amount: u64,
    pub(super) shown: String,
}

impl Bar {
    /// A bar of any amount, with the words that stand at its end.
    pub fn new(label: impl AsRef<str>, amount: u64, shown: impl AsRef<str>) -> Self {
        Self { label: clean::line(label.as_ref(), 40), amount, shown: clean::line(shown.as_ref(), 60) }
    }

    /// A bar that stands for a size in bytes.
    pub fn size(label: impl AsRef<str>, bytes: u64) -> Self {
        Self::new(label, bytes, figures::size(bytes))
    }
}

/// One thing to do, with the command to paste where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub(super) says: String,
    pub(super) command: Option<String>,
}

impl Step {
    /// Longer commands are left out whole: half a command is worse than none.
    const COMMAND: usize = 2_000;

    /// Something to do that is not a command.
    pub fn say(says: impl AsRef<str>) -> Self {
        Self { says: clean::line(says.as_ref(), SENTENCE), command: None }
    }

    /// What a tool is to be run for, and its command line: `cleanup --dry-run`.
    pub fn tool(says: impl AsRef<str>, command_line: impl fmt::Display) -> Self {
        Self::run(says, in_container(command_line))
    }

    /// What a tool is to be run for that has to log in to the database as a superuser, and its command line.
    pub fn as_superuser(says: impl AsRef<str>, command_line: impl fmt::Display) -> Self {
        Self::run(says, as_superuser(command_line))
    }

    /// What a command is for, and the command, of one line or several.
    pub fn run(says: impl AsRef<str>, command: impl AsRef<str>) -> Self {
        let command = clean::block(command.as_ref());
        let says = says.as_ref();
        if command.len() > Self::COMMAND {
            return Self::say(format!("{says} (the command is too long for a mail)"));
        }
        Self { says: clean::line(says, SENTENCE), command: Some(command) }
    }
}

/// The command line of a tool as a person types it on the host: `docker-compose exec backup cleanup --dry-run`.
pub fn in_container(command_line: impl fmt::Display) -> String {
    format!("docker-compose exec backup {command_line}")
}

/// The same with another login to the database, whose password is asked for. `-e` with a name alone hands over the shell's
/// own value, which then stands in no history and in no list of processes.
pub fn as_superuser(command_line: impl fmt::Display) -> String {
    format!(
        "read -rsp 'password: ' DB_PASSWORD; export DB_PASSWORD\n\
         docker-compose exec -e DB_USER=postgres -e DB_PASSWORD backup {command_line}"
    )
}

/// What the templates know how to draw, in the order in which the report says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Section {
    Paragraph(String),
    Warning(String),
    Facts { title: String, rows: Vec<Fact>, more: Option<String> },
    Checks { title: String, rows: Vec<Check>, more: Option<String> },
    Bars { title: String, rows: Vec<DrawnBar>, more: Option<String> },
    Steps { title: String, rows: Vec<Step>, more: Option<String> },
    Output { title: String, excerpt: Excerpt },
}

/// A bar with its length settled against the longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DrawnBar {
    pub(super) label: String,
    pub(super) shown: String,
    /// 0 for nothing, else 1 to 100.
    pub(super) percent: u64,
}

impl DrawnBar {
    /// Lengths in proportion; what is more than nothing is never drawn as nothing.
    pub(super) fn draw(bars: Vec<Bar>) -> Vec<Self> {
        let longest = bars.iter().map(|bar| bar.amount).max().unwrap_or(0).max(1);
        let percent = |amount: u64| match u64::try_from(u128::from(amount) * 100 / u128::from(longest)) {
            Ok(0) if amount > 0 => 1,
            Ok(percent) => percent,
            Err(_) => 100,
        };
        bars.into_iter().map(|bar| Self { percent: percent(bar.amount), label: bar.label, shown: bar.shown }).collect()
    }

    pub(super) fn rest(&self) -> u64 {
        100 - self.percent
    }

    /// The bar as characters, for the text part: 24 of them at most.
    pub(super) fn blocks(&self) -> String {
        "█".repeat((self.percent as usize * 24).div_ceil(100))
    }
}
