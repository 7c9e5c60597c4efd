//! What a tool has to say, in the order in which it is read: what happened and whether the data is safe, then facts,
//! then what to do, then the end of a log.

use std::cmp::Reverse;

use time::OffsetDateTime;

use super::clean::{self, Between, Excerpt, escaped_len as escaped};
use super::kind::Kind;
use super::message::Attachment;
use super::parts::{Bar, Check, DrawnBar, Fact, Section, Step};
use super::thread::Place;
use crate::figures;

const SENTENCE: usize = 500;
const PARAGRAPH: usize = 1_500;
const TITLE: usize = 120;

/// Who speaks, about what, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub(super) tool: String,
    pub(super) database: String,
    pub(super) host: String,
    pub(super) at: OffsetDateTime,
}

impl Origin {
    /// The tool with its version, the database and the server it is on as the settings name them, and the instant at
    /// which the run started, in the container's local time.
    pub fn new(tool: impl AsRef<str>, database: impl AsRef<str>, host: impl AsRef<str>, at: OffsetDateTime) -> Self {
        let [tool, database, host] =
            [tool.as_ref(), database.as_ref(), host.as_ref()].map(|name| clean::line(name, 80));
        Self { tool, database, host, at }
    }
}

/// A report, built part by part; [`Report::render`] makes the message.
///
/// Parts appear in the order in which they are added. What does not fit into a mail is left out from the end of each
/// list, and the mail says how much.
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) kind: Kind,
    pub(super) origin: Origin,
    pub(super) headline: String,
    pub(super) safety: String,
    pub(super) brief: String,
    pub(super) sections: Vec<Section>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) place: Place,
    /// How many parts found no room.
    pub(super) left_out: usize,
    room: Room,
}

impl Report {
    /// Starts with what happened, in one sentence.
    pub fn new(kind: Kind, origin: Origin, headline: impl AsRef<str>) -> Self {
        Self {
            kind: kind.cleaned(),
            origin,
            headline: clean::line(headline.as_ref(), SENTENCE),
            safety: String::new(),
            brief: String::new(),
            sections: Vec::new(),
            attachments: Vec::new(),
            place: Place::Alone,
            left_out: 0,
            room: Room(Room::ALL),
        }
    }

    /// Whether the data is safe, in one sentence. It stands beside what happened, before everything else.
    #[must_use]
    pub fn safety(mut self, sentence: impl AsRef<str>) -> Self {
        self.safety = clean::line(sentence.as_ref(), SENTENCE);
        self
    }

    /// A few words more for the subject, in brackets: a size, the names of the failed checks.
    #[must_use]
    pub fn in_subject(mut self, words: impl AsRef<str>) -> Self {
        self.brief = clean::line(words.as_ref(), 80);
        self
    }

    /// A paragraph of prose.
    #[must_use]
    pub fn paragraph(self, text: impl AsRef<str>) -> Self {
        let text = clean::line(text.as_ref(), PARAGRAPH);
        let cost = 300 + escaped(&text);
        self.push(cost, Section::Paragraph(text))
    }

    /// A warning, to be seen before the facts: it went well, but somebody has to look at something.
    #[must_use]
    pub fn warning(self, text: impl AsRef<str>) -> Self {
        let text = clean::line(text.as_ref(), PARAGRAPH);
        let cost = 600 + escaped(&text);
        self.push(cost, Section::Warning(text))
    }

    /// A table of facts.
    #[must_use]
    pub fn facts(self, title: impl AsRef<str>, rows: impl IntoIterator<Item = Fact>) -> Self {
        self.push_list(title.as_ref(), rows, fact_cost, |title, rows, more| Section::Facts { title, rows, more })
    }

    /// A table of checks, the worst first.
    #[must_use]
    pub fn checks(self, title: impl AsRef<str>, rows: impl IntoIterator<Item = Check>) -> Self {
        let mut rows: Vec<Check> = rows.into_iter().collect();
        rows.sort_by_key(|check| Reverse(check.state));
        self.push_list(title.as_ref(), rows, check_cost, |title, rows, more| Section::Checks { title, rows, more })
    }

    /// A chart of bars, drawn without a picture.
    #[must_use]
    pub fn bars(self, title: impl AsRef<str>, rows: impl IntoIterator<Item = Bar>) -> Self {
        self.push_list(title.as_ref(), rows, bar_cost, |title, rows, more| Section::Bars {
            title,
            rows: DrawnBar::draw(rows),
            more,
        })
    }

    /// What to do, in order, with the commands to paste.
    #[must_use]
    pub fn steps(self, title: impl AsRef<str>, rows: impl IntoIterator<Item = Step>) -> Self {
        self.push_list(title.as_ref(), rows, step_cost, |title, rows, more| Section::Steps { title, rows, more })
    }

    /// The end of a log or of what a program wrote: its last 40 lines, 8 kB at most, whatever bytes it holds.
    #[must_use]
    pub fn log_tail(self, title: impl AsRef<str>, bytes: &[u8]) -> Self {
        self.push_output(title.as_ref(), clean::log_tail(bytes))
    }

    /// A text of any length and any bytes, of which a mail shows both ends.
    #[must_use]
    pub fn details(self, title: impl AsRef<str>, bytes: &[u8]) -> Self {
        self.push_output(title.as_ref(), clean::details(bytes))
    }

    /// The same of a text of which only the two ends were kept.
    #[must_use]
    pub fn ends_of_details(self, title: impl AsRef<str>, first: &[u8], between: Between, last: &[u8]) -> Self {
        self.push_output(title.as_ref(), clean::details_of(first, between, last))
    }

    /// A file to go with the mail.
    #[must_use]
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// Where it stands among the mails that it belongs with.
    #[must_use]
    pub fn in_thread(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    fn push(mut self, cost: usize, section: Section) -> Self {
        if self.room.take(cost) {
            self.sections.push(section);
        } else {
            self.left_out += 1;
        }
        self
    }

    /// An empty list has nothing to say, not even its title. Of a long one, as many rows as fit.
    fn push_list<T>(
        self,
        title: &str,
        rows: impl IntoIterator<Item = T>,
        cost: fn(&T) -> usize,
        section: fn(String, Vec<T>, Option<String>) -> Section,
    ) -> Self {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return self;
        }
        let title = clean::line(title, TITLE);
        let mut spent = Room::HEADING + escaped(&title);
        let most = self.room.0.min(Room::LIST);
        let mut kept = Vec::new();
        while let Some(row) = rows.next_if(|row| kept.len() < Room::ROWS && spent + cost(row) <= most) {
            spent += cost(&row);
            kept.push(row);
        }
        let left_out = rows.count() as u64;
        let more = (left_out > 0).then(|| format!("{} more, not shown here", figures::count(left_out)));
        self.push(spent, section(title, kept, more))
    }

    fn push_output(self, title: &str, excerpt: Excerpt) -> Self {
        if excerpt.is_empty() {
            return self;
        }
        let title = clean::line(title, TITLE);
        let cost = Room::HEADING + escaped(&title) + escaped(&excerpt.first) + escaped(&excerpt.last);
        self.push(cost, Section::Output { title, excerpt })
    }
}

/// How many bytes of HTML a message still has room for.
///
/// Gmail clips at about 102 kB and hides the rest behind a link. Ours stay below 60 kB whatever a report holds, because
/// each part is paid for with what it costs when it is drawn: its text escaped, and the markup around it.
#[derive(Debug, Clone, Copy)]
struct Room(usize);

impl Room {
    /// What is left of 60 kB for the parts. The rest is the frame, which holds the longest names and sentences twice.
    const ALL: usize = 44_000;
    /// What one list may take of it, so that a list of ten thousand tables leaves something for the log.
    const LIST: usize = 16_000;
    /// The most rows of one list: more are not read.
    const ROWS: usize = 40;
    /// The markup of a heading, of the frame around what follows it, and of what is said about left out rows.
    const HEADING: usize = 900;

    fn take(&mut self, cost: usize) -> bool {
        let rest = self.0.checked_sub(cost);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

fn fact_cost(fact: &Fact) -> usize {
    700 + escaped(&fact.label) + escaped(&fact.value) + fact.exact.as_deref().map_or(0, escaped)
}

fn bar_cost(bar: &Bar) -> usize {
    900 + escaped(&bar.label) + escaped(&bar.shown)
}

fn step_cost(step: &Step) -> usize {
    700 + escaped(&step.says) + step.command.as_deref().map_or(0, escaped)
}

fn check_cost(check: &Check) -> usize {
    800 + escaped(&check.name) + escaped(&check.says) + check.advice.as_ref().map_or(0, step_cost)
}
