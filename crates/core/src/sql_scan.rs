//! Reads a plain dump as it passes: what it holds, and whether it is whole.
//!
//! A [`Scanner`] is given the output of `pg_dump --format=plain --clean --if-exists` in chunks of any size, and at the
//! end gives the facts of exactly that dump: rows and digests of every table, sequences, large objects, the digest of
//! every definition, the roles and extensions that it names. A stream that is not a whole dump is an error that says
//! where it ended.
//!
//! The same scanner reads a stored backup, and hands back the footer that follows the dump there. It refuses what
//! reaches out of the database that is restored (`\connect`, `\!`, `COPY … FROM PROGRAM`) before the line or statement
//! is complete for whoever is fed with the same chunks afterwards, and tells where transactions begin and end, so that
//! a restore can be one. Where a dump is going to be restored, [`Scanner::fenced`] lets nothing pass but what `pg_dump`
//! writes.
//!
//! It refuses to guess: outside of COPY blocks it reads SQL as `psql` does, because a function may hold the text of a COPY
//! block or of the end marker. Comments are believed only for the names of objects, the versions and the end
//! marker. It does no I/O, and its memory does not depend on the size of the dump, of a table or of a row, only on how
//! many objects there are (with one exception: [`Scanner::expecting`]).
//!
//! # What a digest survives
//!
//! Dump → restore → dump gives the same digests of data: `pg_dump` pins `DateStyle`, `IntervalStyle` and
//! `extra_float_digits`, and its caller has to pin `TimeZone` and `bytea_output`, for both dumps alike.
//! A table that inherits has its columns in another order after a restore, if its parent got a
//! column late; [`Scanner::expecting`] is for that.
//!
//! A column of type `money` is printed by `lc_monetary`, which `pg_dump` does not pin: both servers have to have the same.
//!
//! Definitions may be spelled anew once ([`SchemaObject`](crate::footer::SchemaObject)).
//!
//! # What counts as what
//!
//! | in the dump | counts as |
//! | --- | --- |
//! | `COPY … FROM stdin;` and its rows | a table's data |
//! | `SELECT pg_catalog.setval(…)` | a sequence |
//! | `lo_open`, `lowrite`, `lo_close` | a large object's data |
//! | `lo_create`, owner, grants, comment of a large object | the definitions of large objects, in sum |
//! | `SET …`, `SELECT … set_config(…)` | nothing: how the restore runs, not what it restores; tablespaces are listed |
//! | what stands before the first object | nothing: the settings, and the DROPs of `--clean`, which say what a restore removes; each dropped object is created below, and counts there |
//! | planner statistics | nothing: estimates, which `ANALYZE` makes anew |
//! | comments, `\restrict` with its random key | nothing |
//! | any other statement | the definition of the object whose comment stands above it |

mod error;
mod fence;
mod inventory;
mod large_object;
mod lexer;
mod nesting;
mod roles;
mod rows;
mod statement;
#[cfg(test)]
mod tests;
mod verb;

pub use error::ScanError;

use std::ops::Range;

use crate::footer::{DumpFacts, LINE_PREFIX};
use inventory::{Inventory, Meaning};
use lexer::{Event, Lexer};
use rows::Rows;

/// The comment that ends a dump, without its dashes.
const END_MARKER: &[u8] = b" PostgreSQL database dump complete";

/// Room for the footer of a database with a million objects.
const FOOTER_LIMIT: usize = 256 * 1024 * 1024;

/// No key of `\restrict` is longer: `pg_dump` makes them of 63 letters and digits.
pub(crate) const LONGEST_KEY: usize = 128;

/// Reads one dump.
pub struct Scanner {
    lexer: Lexer,
    rows: Option<Rows>,
    inventory: Inventory,
    /// Bytes so far.
    position: u64,
    /// The key of `\restrict`, until `\unrestrict` gives it back.
    restricted: Option<Vec<u8>>,
    /// How many bytes there were when the end marker was seen.
    end: Option<u64>,
    footer: Vec<u8>,
    footer_start: Option<u64>,
    /// Where the last chunk holds what a restore leaves out.
    left_out: Vec<Range<u64>>,
    /// Whether only what `pg_dump` writes may pass.
    fenced: bool,
}

/// What a whole stream held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The facts of the dump.
    pub dump: DumpFacts,
    /// The lines of the footer that followed it, for [`Footer::parse`](crate::footer::Footer::parse); empty if none did.
    pub footer: Vec<u8>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Before the first byte.
    pub fn new() -> Self {
        Self {
            lexer: Lexer::new(),
            rows: None,
            inventory: Inventory::default(),
            position: 0,
            restricted: None,
            end: None,
            footer: Vec::new(),
            footer_start: None,
            left_out: Vec::new(),
            fenced: false,
        }
    }

    /// For a dump that is going to be restored: lets only pass what `pg_dump` writes, and nothing that `psql` might
    /// read in another way than it is read here.
    pub fn fenced() -> Self {
        Self { lexer: Lexer::strict(), fenced: true, ..Self::new() }
    }

    /// Digests the rows of each table with the columns in the order that these facts give, if the dump has the same columns in
    /// another order. Such a table's rows are put together in memory one by one; all others are not.
    #[must_use]
    pub fn expecting(mut self, facts: &DumpFacts) -> Self {
        self.inventory.expect_columns(facts);
        self
    }

    /// Reads the next chunk. After an error, the stream is no dump, and nothing more needs to be pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        self.left_out.clear();
        if self.fenced && memchr::memchr(0, bytes).is_some() {
            // psql reads lines as C does.
            return Err(self.odd("a zero byte"));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match &mut self.rows {
                Some(rows) => {
                    let (used, ended) = rows.read(rest);
                    if rows.line_went_on {
                        return Err(self.odd("more on the line where a statement ended"));
                    }
                    if ended {
                        self.inventory.close_rows(rows);
                        self.rows = None;
                    }
                    self.position += used as u64;
                    used
                }
                None => self.read_sql(rest)?,
            };
            rest = &rest[used..];
        }
        Ok(())
    }

    /// Where in the stream the last chunk held what a restore leaves out, because it does the same for the whole of it:
    /// `BEGIN;` and `COMMIT;`, which `pg_dump` writes around large objects, `\restrict KEY` and `\unrestrict KEY`. One
    /// of which the beginning came in an earlier chunk begins there.
    pub fn left_out(&self) -> &[Range<u64>] {
        &self.left_out
    }

    /// Bytes of the dump so far, the footer not counted.
    pub fn dumped_bytes(&self) -> u64 {
        self.footer_start.unwrap_or(self.position)
    }

    /// The facts, if the stream was a whole dump.
    pub fn finish(self) -> Result<Scanned, ScanError> {
        if self.position == 0 {
            return Err(ScanError::Empty);
        }
        if let Some(rows) = &self.rows {
            return Err(ScanError::InsideRows { table: self.inventory.table_name(rows).to_owned(), rows: rows.count });
        }
        let bytes = self.position;
        if self.end.is_none() {
            let object = self.inventory.current_object().cloned();
            let between = self.lexer.is_between_statements() || self.lexer.is_inside_line();
            let error = if between {
                ScanError::NoEndMarker { object, bytes }
            } else {
                ScanError::InsideStatement { object, bytes }
            };
            return Err(error);
        }
        if !self.lexer.is_between_statements() || self.restricted.is_some() {
            return Err(ScanError::EndCut);
        }
        Ok(Scanned { dump: self.inventory.into_facts(self.footer_start.unwrap_or(bytes)), footer: self.footer })
    }

    /// Reads SQL up to the end of a statement or a line, or of the bytes, and says how many bytes that took.
    fn read_sql(&mut self, bytes: &[u8]) -> Result<usize, ScanError> {
        let (used, event) = self.lexer.read(bytes);
        self.position += used as u64;
        if let Some(end) = self.end
            && !self.lexer.statement.is_empty()
        {
            return Err(ScanError::TextAfterEnd { end });
        }
        match event {
            None => {}
            Some(Event::Comment) => self.comment()?,
            Some(Event::MetaCommand) => self.meta_command()?,
            Some(Event::Odd(what)) => return Err(self.odd(what)),
            Some(Event::Statement) => {
                if self.fenced {
                    self.check_fence()?;
                }
                match self.inventory.statement(&self.lexer.statement)? {
                    Meaning::Rows(rows) => {
                        self.rows = Some(rows);
                        self.lexer.start_over();
                        self.lexer.line_was_read();
                        return Ok(used);
                    }
                    Meaning::BackslashEscapes(escapes) => self.lexer.backslash_escapes = escapes,
                    Meaning::Transaction => {
                        self.left_out.push(self.position - self.lexer.statement.len() as u64..self.position);
                    }
                    Meaning::Other => {}
                }
                self.lexer.start_over();
            }
        }
        Ok(used)
    }

    /// A statement that is cut is only known by its beginning: enough for a long definition, not for what is carried out.
    fn check_fence(&self) -> Result<(), ScanError> {
        let statement = &self.lexer.statement;
        let tokens = statement.tokens();
        if statement.is_cut() && tokens.begin_with(&["select"]) {
            return Err(ScanError::StatementTooLong { object: self.inventory.current_object().cloned() });
        }
        if fence::permits(tokens) { Ok(()) } else { Err(self.inventory.reaches_out(statement.text())) }
    }

    fn odd(&self, what: &'static str) -> ScanError {
        ScanError::Odd { what, object: self.inventory.current_object().cloned() }
    }

    fn comment(&mut self) -> Result<(), ScanError> {
        if self.end.is_none() {
            if self.lexer.line == END_MARKER {
                self.end = Some(self.position);
                self.lexer.kept_line_bytes = FOOTER_LIMIT;
            } else {
                self.inventory.comment(&self.lexer.line);
            }
            return Ok(());
        }
        let (dashes, rest) = LINE_PREFIX.as_bytes().split_at(2);
        if !self.lexer.line.starts_with(rest) {
            return Ok(());
        }
        if self.footer.len() + self.lexer.line.len() >= FOOTER_LIMIT {
            return Err(ScanError::FooterTooLong { limit: FOOTER_LIMIT as u64 });
        }
        let length = self.lexer.line.len() + "--\n".len();
        self.footer_start.get_or_insert(self.position - length as u64);
        self.footer.extend_from_slice(dashes);
        self.footer.extend_from_slice(&self.lexer.line);
        self.footer.push(b'\n');
        Ok(())
    }

    /// The only commands of a dump are `\restrict KEY` before everything else and `\unrestrict` with the same key at its end.
    fn meta_command(&mut self) -> Result<(), ScanError> {
        let line = self.lexer.line.trim_ascii();
        let given_back = line.strip_prefix(b"unrestrict ");
        // The backslash and the end of the line are not in it.
        let whole = self.position - self.lexer.line.len() as u64 - 2..self.position - 1;
        if given_back.is_some() && given_back == self.restricted.as_deref() {
            self.restricted = None;
            self.left_out.push(whole);
            return Ok(());
        }
        if let Some(end) = self.end {
            return Err(ScanError::TextAfterEnd { end });
        }
        let is_key = |key: &&[u8]| (1..=LONGEST_KEY).contains(&key.len()) && key.iter().all(u8::is_ascii_alphanumeric);
        let key = line.strip_prefix(b"restrict ").filter(is_key);
        if key.is_none() || self.restricted.is_some() || !self.lexer.statement.is_empty() {
            return Err(self.inventory.reaches_out(&[b"\\", line].concat()));
        }
        self.restricted = key.map(<[u8]>::to_vec);
        self.left_out.push(whole);
        Ok(())
    }
}
