//! The facts of one dump: what it holds, by name, with counts and digests.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use xxhash_rust::xxh3::xxh3_128;

/// 128 bits that two things share only if they are the same, or by an accident that will not happen.
///
/// It is xxh3-128 with seed 0 (the algorithm's own default secret), and where order must not matter, the sum modulo
/// 2¹²⁸ of the digests of the parts.
///
/// * A sum and not XOR, because under XOR any two equal rows cancel: a table that lost both would look untouched.
/// * 128 bits, because sums of 64-bit values over billions of rows leave less room than one wants for a proof.
/// * Against accident and not forgery: xxh3 is no cryptographic hash, and sums of any hash can be forged. Who can write
///   to the store can write a matching footer too.
///
/// The digest of a table goes with its count of rows, and the two are compared together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(u128);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }

    /// The digest that xxh3-128 gave for bytes that passed in pieces.
    pub fn from_xxh3(value: u128) -> Self {
        Self(value)
    }

    /// Adds one more part, in whatever order.
    pub fn add(&mut self, part: Self) {
        self.0 = self.0.wrapping_add(part.0);
    }

    /// The bytes of the digest, for a digest over digests.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = if hex { u128::from_str_radix(&text, 16).ok() } else { None };
        value.map(Self).ok_or_else(|| de::Error::custom("a digest has 32 hexadecimal digits"))
    }
}

/// What a dump holds, as read from its own text.
///
/// Every name stands as the dump spells it, quotes included, made readable by [`super::escape`]. Lists are sorted by
/// name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DumpFacts {
    /// Bytes of the dump, without the footer if it carries one.
    pub bytes: u64,
    /// `15.18 (Debian 15.18-0+deb12u1)`, from the header.
    pub server_version: Option<String>,
    /// The version of the `pg_dump` that wrote it, from the header.
    pub pg_dump_version: Option<String>,
    /// `UTF8`: the encoding of all text in the dump.
    pub client_encoding: Option<String>,
    /// Every table that has data in the dump: partitions, not their roots; no views, no foreign tables.
    pub tables: Vec<TableFacts>,
    /// Every sequence whose value the dump sets, identity columns included.
    pub sequences: Vec<SequenceFacts>,
    /// All large objects together.
    pub large_objects: LargeObjects,
    /// The definitions, object by object.
    pub objects: Vec<SchemaObject>,
    /// The roles that the dump names as owner, grantee or otherwise, unquoted; every one must exist before a restore.
    pub roles: Vec<String>,
    /// The extensions that the dump creates, unquoted; every one must be installed where it is restored.
    pub extensions: Vec<String>,
    /// The tablespaces that the dump asks for, unquoted.
    pub tablespaces: Vec<String>,
}

impl DumpFacts {
    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&TableFacts> {
        self.tables.binary_search_by(|table| table.name.as_str().cmp(name)).ok().map(|at| &self.tables[at])
    }

    /// The sequence of this name.
    pub fn sequence(&self, name: &str) -> Option<&SequenceFacts> {
        self.sequences.binary_search_by(|sequence| sequence.name.as_str().cmp(name)).ok().map(|at| &self.sequences[at])
    }

    /// The object of this name, its digest not looked at.
    pub fn object(&self, name: &ObjectName) -> Option<&SchemaObject> {
        self.objects.binary_search_by(|object| object.name.cmp(name)).ok().map(|at| &self.objects[at])
    }

    /// Rows of all tables.
    pub fn total_rows(&self) -> u64 {
        self.tables.iter().fold(0, |sum, table| sum.saturating_add(table.rows))
    }
}

/// The data of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// `public.orders`, as the dump spells it.
    pub name: String,
    /// The columns in the order in which the dump lists them. Empty for a table without columns.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: u64,
    /// The sum of the digests of all rows, a row being its line of COPY text without the newline.
    pub digest: Digest,
}

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceFacts {
    /// `public.orders_id_seq`, as the dump spells it.
    pub name: String,
    /// The value that the dump sets.
    pub last_value: i64,
    /// Whether that value was handed out already.
    pub is_called: bool,
}

/// The large objects of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LargeObjects {
    /// How many.
    pub count: u64,
    /// The bytes that they hold together.
    pub bytes: u64,
    /// The sum of one digest per object, over its oid and what it holds.
    pub digest: Digest,
    /// The sum of the digests of the statements that create them and give them owners, grants and comments. They stand
    /// here and not among the schema's objects because an old `pg_dump` names each one, and there may be millions.
    pub definitions: Digest,
}

/// One object of the schema, and the digest of the statements that define it.
///
/// The name and the definition are facts of their own, because a definition may change its spelling in one round of dump
/// and restore although nothing was lost: PostgreSQL stores expressions as trees and spells them anew. Known:
/// `CHECK (status IN ('A', 'B'))` on a `varchar`, which Hibernate writes for every enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaObject {
    /// What it is called.
    #[serde(flatten)]
    pub name: ObjectName,
    /// The digest of its statements, in their order.
    pub digest: Digest,
}

/// What the dump calls an object, in the comment above it: `-- Name: orders; Type: TABLE; Schema: public; Owner: app`.
///
/// It is a label: two names that differ only in a line break look the same there, and then share one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// `TABLE`, `CONSTRAINT`, `ACL`, `COMMENT`: the type.
    pub kind: String,
    /// The schema; empty for what is in none.
    pub schema: String,
    /// The name, with its table before it for what belongs to one.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.schema.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.kind, self.schema, self.name)
    }
}
