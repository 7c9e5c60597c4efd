//! Where statements, comments and meta-commands of `psql` begin and end, byte by byte as `psql` itself sees it.
//!
//! Follows `psqlscan.l` of PostgreSQL: nested block comments, dollar quotes with any tag, `E''` strings, plain strings
//! under `standard_conforming_strings = off`, semicolons inside parentheses and inside `BEGIN ATOMIC … END` of a function.
//!
//! A strict lexer reads only what `pg_dump` writes. Where `psql`, which reads line by line, could see another beginning
//! or end than is seen here, it does not follow `psql` into its last corner: it takes it for odd, and whoever reads a
//! dump in order to restore it stops there.
//!
//! It reads bytes, not characters. That is right for every encoding that a server can have, because in those no byte of a
//! multibyte character is below 0x80. The encodings where one can be a backslash (SJIS, BIG5, GBK, UHC, JOHAB, GB18030,
//! `SHIFT_JIS_2004`) exist only for clients; the scanner refuses a dump in one of them.

mod quotes;
mod state;

use super::nesting::Nesting;
use super::statement::{Kind, Statement};
use state::State;

/// What is kept of a comment: `pg_dump` writes the whole signature of a function into one.
const KEPT_COMMENT_BYTES: usize = 64 * 1024;

/// What came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A statement, in [`Lexer::statement`].
    Statement,
    /// A line comment outside of statements, in [`Lexer::line`], without its dashes.
    Comment,
    /// A backslash command of `psql`, in [`Lexer::line`], without its backslash. It may stand inside of a statement.
    MetaCommand,
    /// Something that no dump holds, in words; only where the lexer is strict.
    Odd(&'static str),
}

/// The state between two chunks.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a thing of its own that a lexer remembers of the byte before"
)]
pub(super) struct Lexer {
    state: State,
    pub(super) statement: Statement,
    pub(super) line: Vec<u8>,
    /// How much of a comment to keep.
    pub(super) kept_line_bytes: usize,
    /// `standard_conforming_strings = off`: a backslash escapes in plain strings too.
    pub(super) backslash_escapes: bool,
    /// The last word, in lower case, cut at the length of this; and its length.
    word: [u8; 16],
    word_len: usize,
    /// `$tag$` of the dollar quote.
    tag: Vec<u8>,
    parentheses: u32,
    nesting: Nesting,
    /// After an `E''` string: whether a newline was seen, which makes the next string a part of it.
    continues: Option<bool>,
    strict: bool,
    odd: Option<&'static str>,
    /// Strict: a statement ended, and so must its line.
    line_must_end: bool,
    /// Whether nothing but space came since a text in quotes.
    after_text: bool,
    /// Right after a colon that may begin the name of a variable of `psql`.
    after_colon: bool,
    /// The word or quoted name follows such a colon.
    may_be_variable: bool,
}

impl Lexer {
    pub(super) fn new() -> Self {
        Self {
            state: State::Code,
            statement: Statement::default(),
            line: Vec::new(),
            kept_line_bytes: KEPT_COMMENT_BYTES,
            backslash_escapes: false,
            word: [0; 16],
            word_len: 0,
            tag: Vec::new(),
            parentheses: 0,
            nesting: Nesting::default(),
            continues: None,
            strict: false,
            odd: None,
            line_must_end: false,
            after_text: false,
            after_colon: false,
            may_be_variable: false,
        }
    }

    /// Takes for odd what no dump holds.
    pub(super) fn strict() -> Self {
        Self { strict: true, ..Self::new() }
    }

    /// Whether the text so far ends between two statements, at the end of a line.
    pub(super) fn is_between_statements(&self) -> bool {
        self.state == State::Code && self.statement.is_empty()
    }

    /// Whether the text so far ends in the middle of a comment line or a meta-command.
    pub(super) fn is_inside_line(&self) -> bool {
        self.statement.is_empty() && matches!(self.state, State::LineComment | State::MetaCommand)
    }

    /// Forgets the statement that came to its end.
    pub(super) fn start_over(&mut self) {
        self.statement.clear();
        self.parentheses = 0;
        self.nesting = Nesting::default();
        self.continues = None;
        self.after_text = false;
        self.after_colon = false;
        self.line_must_end = self.strict;
    }

    /// After the line of the statement, which another read to its end.
    pub(super) fn line_was_read(&mut self) {
        self.line_must_end = false;
    }

    fn odd(&mut self, what: &'static str) {
        if self.strict {
            self.odd.get_or_insert(what);
        }
    }

    /// Reads until something comes to its end, and says how many bytes that took. Without an event, it took them all.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        let mut at = 0;
        while at < bytes.len() {
            let (used, event) = self.step(&bytes[at..]);
            at += used;
            let event = self.odd.map(Event::Odd).or(event);
            if event.is_some() {
                return (at, event);
            }
        }
        (at, None)
    }

    /// One step: a byte, or a run of bytes that the state takes as one. `bytes` is not empty.
    fn step(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        let used = match self.state {
            State::Code => return self.code(bytes),
            State::Word { start } => self.in_word(bytes, start),
            State::Dash => self.after_dash(bytes[0]),
            State::Slash => self.after_slash(bytes[0]),
            State::LineComment => return self.in_line(bytes, Event::Comment),
            State::MetaCommand => return self.in_line(bytes, Event::MetaCommand),
            State::BlockComment { depth, last } => self.in_block_comment(bytes[0], depth, last),
            State::Quoted { start, quote, escapes } => self.in_quotes(bytes, start, quote, escapes),
            State::Escaped { start, quote } => {
                self.statement.extend(&bytes[..1]);
                self.state = State::Quoted { start, quote, escapes: true };
                1
            }
            State::QuoteSeen { start, quote, escapes } => self.after_quote(bytes[0], start, quote, escapes),
            State::DollarTag { start } => self.in_dollar_tag(bytes[0], start),
            State::DollarText { start, matched } => self.in_dollar_text(bytes, start, matched),
        };
        (used, None)
    }

    fn code(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        let first = bytes[0];
        if self.line_must_end {
            match first {
                b'\n' => self.line_must_end = false,
                b'\r' => {}
                _ => self.odd("more on the line where a statement ended"),
            }
        }
        let after_colon = std::mem::take(&mut self.after_colon);
        if is_space(first) {
            return (self.skip_space(bytes), None);
        }
        let after_text = std::mem::take(&mut self.after_text);
        self.may_be_variable = after_colon;
        match first {
            0..b' ' | 0x7f => self.odd("a control character"),
            b'\'' if after_text => self.odd("two texts in a row"),
            b'\'' | b'{' if after_colon => self.odd("a variable of psql"),
            b':' => self.after_colon = !after_colon,
            _ => {}
        }
        match first {
            b'-' => self.state = State::Dash,
            b'/' => self.state = State::Slash,
            b'\\' => {
                self.line.clear();
                self.state = State::MetaCommand;
            }
            b';' if self.parentheses == 0 && !self.nesting.is_open() => {
                self.symbol(first);
                return (1, Some(Event::Statement));
            }
            b'\'' => {
                let escapes = self.backslash_escapes || self.continues == Some(true);
                self.open(first, |start| State::Quoted { start, quote: first, escapes });
            }
            b'"' => self.open(first, |start| State::Quoted { start, quote: first, escapes: false }),
            b'$' => {
                self.tag.clear();
                self.tag.push(first);
                self.open(first, |start| State::DollarTag { start });
            }
            _ if is_word(first) => {
                self.word_len = 0;
                self.continues = None;
                self.state = State::Word { start: self.statement.len() };
                return (0, None);
            }
            _ => self.symbol(first),
        }
        (1, None)
    }

    /// Space before a statement is no part of it.
    fn skip_space(&mut self, bytes: &[u8]) -> usize {
        // The line of a statement that ended is looked at byte by byte.
        let most = if self.line_must_end { 1 } else { bytes.len() };
        let used = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len()).min(most);
        if bytes[..used].iter().any(|byte| matches!(byte, 0x0b | 0x0c)) {
            self.odd("a control character");
        }
        if !self.statement.is_empty() {
            self.statement.extend(&bytes[..used]);
        }
        if self.continues == Some(false) && bytes[..used].contains(&b'\n') {
            self.continues = Some(true);
        }
        used
    }

    /// Begins a token that has a state of its own.
    fn open(&mut self, byte: u8, state: impl Fn(usize) -> State) {
        self.continues = None;
        self.state = state(self.statement.len());
        self.statement.extend(&[byte]);
    }

    fn symbol(&mut self, byte: u8) {
        self.continues = None;
        if byte == b';' {
            self.check_nesting();
        }
        match byte {
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
        let start = self.statement.len();
        self.statement.extend(&[byte]);
        self.statement.token(Kind::Symbol, start);
    }

    /// At a semicolon.
    fn check_nesting(&mut self) {
        if self.parentheses == 0 && self.nesting.puzzles_psql() {
            self.odd("a routine whose end psql does not find, because something in it is called BEGIN or END");
        }
    }

    fn in_word(&mut self, bytes: &[u8], start: usize) -> usize {
        let first = if self.word_len == 0 { bytes[0] } else { self.word[0] };
        // In `$1$$text$$` the quote begins after the number.
        let goes_on = if first.is_ascii_digit() { is_word } else { is_word_inside };
        let used = bytes.iter().position(|byte| !goes_on(*byte)).unwrap_or(bytes.len());
        self.statement.extend(&bytes[..used]);
        for byte in &bytes[..used] {
            if let Some(place) = self.word.get_mut(self.word_len) {
                *place = byte.to_ascii_lowercase();
            }
            self.word_len += 1;
        }
        let Some(next) = bytes.get(used) else { return used };
        self.check_word(start, *next);
        let word = self.word.get(..self.word_len).unwrap_or_default();
        if *next == b'\'' && word == b"e" {
            self.statement.extend(&[*next]);
            self.state = State::Quoted { start, quote: b'\'', escapes: true };
            return used + 1;
        }
        if !first.is_ascii_digit() {
            self.nesting.word(word, self.parentheses > 0);
        }
        self.statement.token(Kind::Word, start);
        self.state = State::Code;
        used
    }

    /// Where a word ends, before `next`.
    fn check_word(&mut self, start: usize, next: u8) {
        if !self.strict {
            return;
        }
        let word = self.word.get(..self.word_len).unwrap_or_default();
        let number = word.first().is_some_and(u8::is_ascii_digit) || (word.is_empty() && self.word[0].is_ascii_digit());
        if number {
            let digits = self.statement.text().get(start..).unwrap_or_default();
            let exponent = digits.iter().position(|byte| !byte.is_ascii_digit()).map(|at| &digits[at..]);
            let plain = exponent.is_none_or(|rest| {
                matches!(rest.first(), Some(b'e' | b'E')) && rest[1..].iter().all(u8::is_ascii_digit)
            });
            if !plain || matches!(next, b'\'' | b'"' | b'$' | b'&') {
                self.odd("a number that runs into something else");
            }
        } else if word == b"u" && next == b'&' {
            self.odd("a text with Unicode escapes");
        } else if matches!(word, b"b" | b"x") && next == b'\'' && self.backslash_escapes {
            self.odd("a bit string among texts with backslashes");
        } else if self.may_be_variable && is_psql_variable(self.statement.text().get(start..).unwrap_or_default()) {
            self.odd("a variable of psql");
        }
    }

    fn after_dash(&mut self, next: u8) -> usize {
        if next == b'-' {
            if !self.statement.is_empty() {
                self.odd("a comment inside of a statement");
            }
            self.line.clear();
            self.state = State::LineComment;
            return 1;
        }
        self.state = State::Code;
        self.symbol(b'-');
        0
    }

    fn after_slash(&mut self, next: u8) -> usize {
        if next == b'*' {
            self.odd("a block comment");
            self.state = State::BlockComment { depth: 1, last: 0 };
            return 1;
        }
        self.state = State::Code;
        self.symbol(b'/');
        0
    }

    /// To the end of the line, which `psql` sees in a carriage return too, but only for comments.
    fn in_line(&mut self, bytes: &[u8], event: Event) -> (usize, Option<Event>) {
        let end = match event {
            Event::MetaCommand => memchr::memchr(b'\n', bytes),
            Event::Comment | Event::Statement | Event::Odd(_) => memchr::memchr2(b'\n', b'\r', bytes),
        };
        let text = &bytes[..end.unwrap_or(bytes.len())];
        let room = self.kept_line_bytes.saturating_sub(self.line.len());
        self.line.extend_from_slice(&text[..text.len().min(room)]);
        if end.is_none() {
            return (text.len(), None);
        }
        self.state = State::Code;
        // A comment inside of a statement is no part of it; a command is one wherever it stands.
        let tells = self.statement.is_empty() || event == Event::MetaCommand;
        (text.len() + 1, tells.then_some(event))
    }

    fn in_block_comment(&mut self, byte: u8, depth: u32, last: u8) -> usize {
        self.state = match (last, byte) {
            (b'/', b'*') => State::BlockComment { depth: depth + 1, last: 0 },
            (b'*', b'/') if depth == 1 => State::Code,
            (b'*', b'/') => State::BlockComment { depth: depth - 1, last: 0 },
            _ => State::BlockComment { depth, last: byte },
        };
        1
    }
}

/// Whether `psql` may have a variable of this name, all of which are in capitals, and `pg_dump` does not mean something
/// else by it.
fn is_psql_variable(name: &[u8]) -> bool {
    let name = name.split(|byte| *byte == b'$').next().unwrap_or_default();
    let written: [&[u8]; 9] =
        [b"ARRAY", b"CASE", b"COALESCE", b"EXTRACT", b"GREATEST", b"LEAST", b"NOT", b"NULL", b"NULLIF"];
    let capitals = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    name.len() >= 3 && name[0].is_ascii_uppercase() && name.iter().all(capitals) && !written.contains(&name)
}

/// What PostgreSQL takes as white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// What a keyword, an unquoted name or a number begins with.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// What it goes on with.
fn is_word_inside(byte: u8) -> bool {
    is_word(byte) || byte == b'$'
}
