//! What the statements and comments of a dump add up to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::ScanError;
use super::large_object::LargeObject;
use super::roles;
use super::rows::Rows;
use super::statement::{Statement, Token, Tokens};
use super::verb::{Verb, concerns_large_object, created_extension, definition_digest, new_order, object_name};
use crate::footer::{Digest, DumpFacts, ObjectName, SchemaObject, SequenceFacts, TableFacts, escape};

/// Encodings of which a multibyte character may hold an ASCII byte. No server can have them.
const UNSAFE_ENCODINGS: [&str; 7] = ["sjis", "big5", "gbk", "uhc", "johab", "gb18030", "shift_jis_2004"];

/// What is shown of a command that is refused.
const SHOWN_BYTES: usize = 60;

/// What the scanner has to do after a statement.
pub(super) enum Meaning {
    /// Rows follow.
    Rows(Rows),
    /// From here on a backslash does or does not escape in plain strings.
    BackslashEscapes(bool),
    /// A transaction begins or ends.
    Transaction,
    /// Nothing.
    Other,
}

/// The facts as far as they are known.
#[derive(Default)]
pub(super) struct Inventory {
    facts: DumpFacts,
    /// Where in the facts each table stands.
    tables: HashMap<String, usize>,
    /// The columns that another dump had.
    expected: HashMap<String, Vec<String>>,
    sequences: BTreeMap<String, SequenceFacts>,
    objects: BTreeMap<ObjectName, Digest>,
    /// The object that the last comment named, and the digest of its statements so far, if there were any.
    current: Option<(ObjectName, Option<Digest>)>,
    /// The large object that is being written.
    large_object: LargeObject,
    roles: BTreeSet<String>,
    extensions: BTreeSet<String>,
    tablespaces: BTreeSet<String>,
}

impl Inventory {
    /// Digest rows in this order of columns.
    pub(super) fn expect_columns(&mut self, facts: &DumpFacts) {
        self.expected = facts.tables.iter().map(|table| (table.name.clone(), table.columns.clone())).collect();
    }

    /// The object that the last comment named.
    pub(super) fn current_object(&self) -> Option<&ObjectName> {
        self.current.as_ref().map(|(name, _)| name)
    }

    /// The table that these rows belong to.
    pub(super) fn table_name(&self, rows: &Rows) -> &str {
        &self.facts.tables[rows.table].name
    }

    /// Takes a comment line, without its dashes.
    pub(super) fn comment(&mut self, line: &[u8]) {
        if let Some(name) = object_name(line) {
            self.close_object();
            self.current = Some((name, None));
        } else if self.current.is_none() {
            let facts = &mut self.facts;
            for (lead, version) in [
                (&b" Dumped from database version "[..], &mut facts.server_version),
                (b" Dumped by pg_dump version ", &mut facts.pg_dump_version),
            ] {
                if let Some(text) = line.strip_prefix(lead) {
                    version.get_or_insert_with(|| escape(text));
                }
            }
        }
    }

    /// Takes a statement.
    pub(super) fn statement(&mut self, statement: &Statement) -> Result<Meaning, ScanError> {
        let tokens = statement.tokens();
        let too_long = || ScanError::StatementTooLong { object: self.current_object().cloned() };
        match Verb::of(tokens) {
            Verb::Copy => {
                if statement.is_cut() {
                    return Err(too_long());
                }
                // From or to a file or a program of the server.
                return self.open_rows(tokens).map(Meaning::Rows).ok_or_else(|| self.reaches_out(statement.text()));
            }
            Verb::Call(function) => {
                if statement.is_cut() {
                    return Err(too_long());
                }
                self.call(&function, statement);
            }
            Verb::Set => return self.set(tokens),
            Verb::Transaction => return Ok(Meaning::Transaction),
            Verb::OddTransaction => return Err(self.reaches_out(statement.text())),
            Verb::Nothing => {}
            Verb::Define => self.define(statement),
        }
        Ok(Meaning::Other)
    }

    /// The error for a command that no dump holds.
    pub(super) fn reaches_out(&self, command: &[u8]) -> ScanError {
        let shown = escape(&command[..command.len().min(SHOWN_BYTES)]);
        ScanError::ReachesOut { command: shown, object: self.current_object().cloned() }
    }

    /// Takes over what a COPY block held.
    pub(super) fn close_rows(&mut self, rows: &Rows) {
        let table = &mut self.facts.tables[rows.table];
        table.rows += rows.count;
        table.digest.add(rows.digest);
    }

    /// Everything, sorted.
    pub(super) fn into_facts(mut self, bytes: u64) -> DumpFacts {
        self.close_object();
        let mut facts = self.facts;
        facts.bytes = bytes;
        facts.tables.sort_by(|one, other| one.name.cmp(&other.name));
        facts.sequences = self.sequences.into_values().collect();
        facts.objects = self.objects.into_iter().map(|(name, digest)| SchemaObject { name, digest }).collect();
        facts.roles = self.roles.into_iter().collect();
        facts.extensions = self.extensions.into_iter().collect();
        facts.tablespaces = self.tablespaces.into_iter().collect();
        facts
    }

    /// `COPY public.orders (id, status) FROM stdin;`, without columns for a table that has none.
    ///
    /// A table may have several blocks (`--load-via-partition-root`); the first one sets the order of its columns.
    fn open_rows(&mut self, tokens: Tokens<'_>) -> Option<Rows> {
        let (head, tail) = tokens.skip(1).split(|token| token.is_word("from"))?;
        if !tail.begin_with(&["stdin"]) {
            return None;
        }
        let (name, columns) = head.split(|token| token.is_symbol(b'(')).unwrap_or((head, head.skip(usize::MAX)));
        let columns = columns.iter().take_while(|token| !token.is_symbol(b')'));
        let columns: Vec<String> =
            columns.filter(|token| !token.is_symbol(b',')).map(|token| escape(token.text)).collect();
        let name = escape(name.spelled());

        let known = self.tables.get(&name).copied();
        let expected = match known {
            Some(at) => Some(&self.facts.tables[at].columns),
            None => self.expected.get(&name),
        };
        let order = expected.and_then(|expected| new_order(&columns, expected));
        let columns = expected.filter(|_| order.is_some()).cloned().unwrap_or(columns);
        let table = known.unwrap_or(self.facts.tables.len());
        if known.is_none() {
            self.tables.insert(name.clone(), table);
            self.facts.tables.push(TableFacts { name, columns, rows: 0, digest: Digest::default() });
        }
        Some(Rows::new(table, order))
    }

    /// `SELECT pg_catalog.FUNCTION(…);`
    fn call(&mut self, function: &[u8], statement: &Statement) {
        let arguments = statement.tokens().skip(5);
        let text = |at| arguments.get(at).map(Token::unquoted).unwrap_or_default();
        match function {
            b"set_config" | b"lo_unlink" => {}
            b"setval" => {
                if self.sequence(arguments).is_none() {
                    self.define(statement);
                }
            }
            b"lo_create" => self.facts.large_objects.definitions.add(statement.digest()),
            b"lo_open" => self.large_object.open(&text(0)),
            b"lowrite" => self.large_object.write(&text(2)),
            b"lo_close" => self.large_object.close(&mut self.facts.large_objects),
            _ => self.define(statement),
        }
    }

    /// `'public.orders_id_seq', 10482, true)`; nothing if it is anything else.
    fn sequence(&mut self, arguments: Tokens<'_>) -> Option<()> {
        let name = escape(&arguments.get(0)?.unquoted());
        let mut digits = String::new();
        let mut rest = arguments.skip(2).iter();
        for token in rest.by_ref().take_while(|token| !token.is_symbol(b',')) {
            digits.push_str(&String::from_utf8_lossy(&token.unquoted()));
        }
        let last_value = digits.parse().ok()?;
        let is_called = rest.next().is_none_or(|token| token.is_word("true"));
        self.sequences.insert(name.clone(), SequenceFacts { name, last_value, is_called });
        Some(())
    }

    fn set(&mut self, tokens: Tokens<'_>) -> Result<Meaning, ScanError> {
        roles::for_each_in(tokens, |role| {
            self.roles.insert(escape(&role));
        });
        let (Some(name), Some(value)) = (tokens.get(1), tokens.get(3)) else { return Ok(Meaning::Other) };
        let value = escape(&value.unquoted());
        if name.is_word("standard_conforming_strings") {
            return Ok(Meaning::BackslashEscapes(value == "off"));
        }
        if name.is_word("client_encoding") {
            if UNSAFE_ENCODINGS.contains(&value.to_ascii_lowercase().as_str()) {
                return Err(ScanError::ClientEncoding { name: value });
            }
            self.facts.client_encoding = Some(value);
        } else if name.is_word("default_tablespace") && !value.is_empty() {
            self.tablespaces.insert(value);
        }
        Ok(Meaning::Other)
    }

    /// Any other statement is a part of the object that the last comment named.
    fn define(&mut self, statement: &Statement) {
        let tokens = statement.tokens();
        roles::for_each_in(tokens, |role| {
            self.roles.insert(escape(&role));
        });
        self.extensions.extend(created_extension(tokens).map(|name| escape(&name)));
        let digest = definition_digest(statement);
        if concerns_large_object(tokens) {
            self.facts.large_objects.definitions.add(digest);
        } else if let Some((_, so_far)) = &mut self.current {
            let before = so_far.unwrap_or_default().to_bytes();
            *so_far = Some(Digest::of(&[before, digest.to_bytes()].concat()));
        }
    }

    fn close_object(&mut self) {
        if let Some((name, Some(digest))) = self.current.take() {
            self.objects.entry(name).or_default().add(digest);
        }
    }
}
