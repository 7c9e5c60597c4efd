//! Text from outside, made fit for a mail: no control characters, no tricks with direction, no surprising length.
//!
//! Escaping is not done here: the templates escape everything that they print.

use crate::figures;

/// The end of a log, which is what matters of it. Gmail clips a message at about 102 kB, and nobody reads more on a phone.
const LOG: Shown = Shown { first: Limit { lines: 0, bytes: 0 }, last: Limit { lines: 40, bytes: 8_000 } };

/// Both ends of a text that may be a report (its beginning matters) or an output (its end does).
const DETAILS: Shown = Shown { first: Limit { lines: 60, bytes: 6_000 }, last: Limit { lines: 60, bytes: 6_000 } };

struct Shown {
    first: Limit,
    last: Limit,
}

struct Limit {
    lines: usize,
    bytes: usize,
}

/// What stands for a character that must not be there.
const REPLACED: char = char::REPLACEMENT_CHARACTER;

/// One line of at most `max` characters: line breaks and tabs become single spaces, what is cut ends in `…`.
pub(super) fn line(text: &str, max: usize) -> String {
    let breaks = |c: char| matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let words: Vec<&str> = text.split(breaks).map(str::trim).filter(|part| !part.is_empty()).collect();
    let joined = words.join(" ");
    let mut chars = joined.chars().map(visible);
    let mut kept: String = chars.by_ref().take(max).collect();
    if chars.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// Lines as they are, without what a terminal would act on.
pub(super) fn block(text: &str) -> String {
    lines(text).join("\n")
}

/// A text, or the parts of a longer one, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) first: String,
    /// What was cut between the two parts, in words.
    pub(super) cut: Option<String>,
    pub(super) last: String,
}

impl Excerpt {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.last.is_empty() && self.cut.is_none()
    }
}

/// The last 40 lines, 8 kB at most.
pub(super) fn log_tail(bytes: &[u8]) -> Excerpt {
    excerpt(bytes, &LOG)
}

/// What lies between the two ends of a text that was too long to be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Between {
    /// Bytes.
    pub bytes: u64,
    /// Ends of lines.
    pub lines: u64,
}

impl Between {
    /// There is so much more of it.
    pub fn add(&mut self, gone: &[u8]) {
        self.bytes += gone.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', gone).count() as u64;
    }
}

/// The first and the last 60 lines, 6 kB of each at most.
pub(super) fn details(bytes: &[u8]) -> Excerpt {
    excerpt(bytes, &DETAILS)
}

/// The same of a text of which only the two ends were kept.
pub(super) fn details_of(first: &[u8], between: Between, last: &[u8]) -> Excerpt {
    if between == Between::default() && last.is_empty() {
        return details(first);
    }
    // The line in which the beginning was cut ends after it, and is counted there.
    let mut before = between;
    before.add(first);
    let [head, tail] = [first, last].map(|end| lines(&String::from_utf8_lossy(end)));
    let size = (before.bytes + last.len() as u64, before.lines + tail.len() as u64);
    ends((&head, &tail), size, &DETAILS)
}

fn excerpt(bytes: &[u8], shown: &Shown) -> Excerpt {
    let Shown { first, last } = shown;
    let whole = lines(&String::from_utf8_lossy(bytes));
    let text = whole.join("\n");
    if whole.len() <= first.lines + last.lines && escaped_len(&text) <= first.bytes + last.bytes {
        return Excerpt { first: text, cut: None, last: String::new() };
    }
    let (head, tail) = whole.split_at(first.lines.min(whole.len()));
    ends((head, tail), (text.len() as u64, whole.len() as u64), shown)
}

/// As much of both as is shown, of a text of so many bytes and lines.
fn ends((head, tail): (&[String], &[String]), (bytes, count): (u64, u64), Shown { first, last }: &Shown) -> Excerpt {
    let head = head[..head.len().min(first.lines)].join("\n");
    let tail = tail[tail.len().saturating_sub(last.lines)..].join("\n");
    let head = first_of(&head, first.bytes);
    let tail = last_of(&tail, last.bytes);
    let left_out = figures::size(bytes.saturating_sub((head.len() + tail.len()) as u64));
    let cut = format!("{left_out} of {} lines left out here", figures::count(count));
    Excerpt { first: head.to_owned(), cut: Some(cut), last: tail.to_owned() }
}

fn lines(text: &str) -> Vec<String> {
    let unix = text.replace("\r\n", "\n").replace('\r', "\n");
    let trimmed = unix.trim_end().trim_start_matches('\n');
    trimmed.lines().map(|line| line.replace('\t', "    ").chars().map(visible).collect()).collect()
}

/// The length of a text once the templates have escaped it: `<` becomes `&#60;`.
pub(super) fn escaped_len(text: &str) -> usize {
    text.chars().map(escaped_char).sum()
}

fn escaped_char(c: char) -> usize {
    if matches!(c, '<' | '>' | '&' | '"' | '\'') { 5 } else { c.len_utf8() }
}

/// As much of the beginning as `max` bytes hold, escaped.
fn first_of(text: &str, max: usize) -> &str {
    let mut room = max;
    let fits = |(_, c): &(usize, char)| room.checked_sub(escaped_char(*c)).map(|rest| room = rest).is_none();
    let end = text.char_indices().find(fits).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// As much of the end as `max` bytes hold, escaped.
fn last_of(text: &str, max: usize) -> &str {
    let mut room = max;
    let fits = |(_, c): &(usize, char)| room.checked_sub(escaped_char(*c)).map(|rest| room = rest).is_some();
    let start = text.char_indices().rev().take_while(fits).last().map_or(text.len(), |(at, _)| at);
    &text[start..]
}

/// Control characters are not shown by any client alike, and the ones for writing direction make a name read as another.
fn visible(c: char) -> char {
    match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' => {
            REPLACED
        }
        c if c.is_control() => REPLACED,
        c => c,
    }
}
