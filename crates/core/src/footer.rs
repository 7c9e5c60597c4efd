//! The footer: what a backup says of itself, in SQL comments after the dump's own end.
//!
//! ```text
//! -- @backup footer 1.1: what the dump above holds; psql skips these lines. To restore: gunzip -c FILE | psql -d NAME
//! -- @backup backup {"database":"shop","started":"2025-01-29T02:00:00Z",…}
//! -- @backup database {"owner":"app","settings":[…],…,"statements":["ALTER DATABASE \"shop\" OWNER TO \"app\";"]}
//! -- @backup dump {"bytes":1048576,…}
//! -- @backup role {"name":"app","statements":["CREATE ROLE app LOGIN;"]}
//! -- @backup table {"name":"public.orders","columns":["id","status"],"rows":10482,"digest":"…"}
//! -- @backup sequence {"name":"public.orders_id_seq","last_value":10482,"is_called":true}
//! -- @backup object {"kind":"TABLE","schema":"public","name":"orders","digest":"…"}
//! -- @backup end {"lines":7,"digest":"…"}
//! ```
//!
//! One JSON document per line, in plain ASCII with everything else as `\uNNNN`: no name can end the comment, start a
//! command of `psql`, or become invalid in the encoding of the database. Fields and kinds of line that this version does
//! not know are skipped, so that older tools read what newer ones wrote; another major version of the format is refused.
//!
//! This module refuses to know where the facts come from: the scanner, the server and the clock are the caller's.

mod compare;
mod facts;
mod lines;
mod properties;
mod spelling;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::sql::{identifier, literal};

pub use compare::{Comparison, Difference};
pub use facts::{Digest, DumpFacts, LargeObjects, ObjectName, SchemaObject, SequenceFacts, TableFacts};
pub use lines::LINE_PREFIX;
pub use properties::{Privilege, Properties, Setting};
pub use spelling::escape;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// The database, as the server names it.
    pub database: String,
    /// When the dump was started. Its offset is that of the place where the backup ran.
    pub started: OffsetDateTime,
    /// The encoding of the database, by PostgreSQL's name.
    pub encoding: String,
    /// `LC_COLLATE` of the database.
    pub collate: String,
    /// `LC_CTYPE` of the database.
    pub ctype: String,
    /// What the database is beside its contents. `None`: written by a version that did not ask.
    pub properties: Option<Properties>,
    /// How to make the roles that the dump and the properties name, and the one that makes the backups.
    pub roles: Vec<Role>,
    /// What the dump holds.
    pub dump: DumpFacts,
}

/// A role that the dump names, and the statements that make it, without its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its name, unquoted.
    pub name: String,
    /// `CREATE ROLE app LOGIN;`, then what makes it a member of others, then what `ALTER ROLE ... SET` has set.
    pub statements: Vec<String>,
}

/// Why bytes are not a footer.
#[derive(Debug, thiserror::Error)]
pub enum FooterError {
    /// The first line is not that of a footer.
    #[error("the backup carries no footer")]
    Missing,
    /// A later version of the tools wrote it, and changed what the lines mean.
    #[error("the footer has format {found}, and this version reads format {}: update this tool", lines::MAJOR)]
    OtherFormat {
        /// The version that the first line gives.
        found: String,
    },
    /// The last line is missing.
    #[error("the footer is cut off after {lines} lines: its last line is missing")]
    Cut {
        /// How many lines there are.
        lines: u64,
    },
    /// A bit, a line or an order changed between writing and reading.
    #[error("the footer is damaged: it does not match the digest in its own last line")]
    Damaged,
    /// The digest is right, and a line still says nothing that makes sense.
    #[error("cannot read line {line} of the footer")]
    Line {
        /// Which line, counting from 1.
        line: u64,
        /// What the reader stumbled over.
        source: serde_json::Error,
    },
    /// The digest is right, and a line that every footer has is not there.
    #[error("the footer has no `{kind}` line")]
    Incomplete {
        /// Which one.
        kind: &'static str,
    },
}

impl Footer {
    /// Reads a footer back, from its first byte to its last.
    pub fn parse(bytes: &[u8]) -> Result<Self, FooterError> {
        lines::parse(bytes)
    }

    /// The footer of what was read of the end of a backup. `None`: there is none, or it cannot be read, and the log says why.
    pub fn of_the_end(text: Result<Option<Vec<u8>>, String>, address: &str) -> Option<Self> {
        let parsed = match text {
            Ok(None) => return None,
            Ok(Some(text)) => Self::parse(&text).map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        parsed.inspect_err(|why| log::warn!("cannot read the footer of {address}: {why}")).ok()
    }

    /// The statement that makes an empty database of this name with the encoding and the locale that this one had, on a
    /// server of this major version.
    pub fn create_statement(&self, name: &str, major: u32) -> String {
        let Self { encoding, collate, ctype, properties, .. } = self;
        let [encoding, collate, ctype] = [encoding, collate, ctype].map(|value| literal(value));
        let locale = properties.as_ref().map_or_else(String::new, |properties| properties.locale_options(major));
        format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {encoding}{locale} LC_COLLATE {collate} LC_CTYPE {ctype};",
            identifier(name)
        )
    }

    /// The major version of the server that was dumped, where it is known.
    pub fn server_major(&self) -> Option<u32> {
        let version = self.dump.server_version.as_deref()?;
        version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// Rows of all tables.
    pub fn total_rows(&self) -> u64 {
        self.dump.total_rows()
    }

    /// How many tables have data in the dump, empty ones counted.
    pub fn table_count(&self) -> usize {
        self.dump.tables.len()
    }

    /// What is different from an earlier backup of the same database.
    pub fn changes_since(&self, earlier: &Self) -> Changes {
        let only_in = |one: &Self, other: &Self| {
            let names = one.dump.tables.iter().map(|table| table.name.clone());
            names.filter(|name| other.dump.table(name).is_none()).collect()
        };
        Changes {
            tables_gone: only_in(earlier, self),
            tables_new: only_in(self, earlier),
            rows_before: earlier.total_rows(),
            rows_after: self.total_rows(),
            bytes_before: earlier.dump.bytes,
            bytes_after: self.dump.bytes,
        }
    }
}

/// The footer's lines, each with its newline.
impl fmt::Display for Footer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lines::write(self))
    }
}

/// What is different between two backups of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Tables that the earlier backup has and the later one has not.
    pub tables_gone: Vec<String>,
    /// Tables that only the later one has.
    pub tables_new: Vec<String>,
    /// Rows of all tables in the earlier backup.
    pub rows_before: u64,
    /// Rows of all tables in the later backup.
    pub rows_after: u64,
    /// Bytes of the earlier dump, before compression.
    pub bytes_before: u64,
    /// Bytes of the later dump, before compression.
    pub bytes_after: u64,
}
