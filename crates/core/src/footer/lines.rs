//! The lines of a footer: written, read, and proven whole.

use std::borrow::Cow;
use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::ser::Formatter;
use time::OffsetDateTime;

use super::{Digest, DumpFacts, Footer, FooterError, LargeObjects, Properties};

/// What every line of a footer starts with.
pub const LINE_PREFIX: &str = "-- @backup ";

/// Raised when the meaning of lines changes, so that a reader of the old meaning must not go on.
pub(super) const MAJOR: u32 = 1;

/// Raised when kinds of line or fields are added that an older reader may skip.
const MINOR: u32 = 1;

/// Which database, and when.
#[derive(Serialize, Deserialize)]
struct BackupLine<'a> {
    database: Cow<'a, str>,
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    encoding: Cow<'a, str>,
    collate: Cow<'a, str>,
    ctype: Cow<'a, str>,
}

/// What the database is beside its contents: since 1.1.
#[derive(Serialize)]
struct DatabaseLine<'a> {
    #[serde(flatten)]
    properties: &'a Properties,
    /// The same for people without these tools: what makes the database anew and gives it all of that.
    statements: Vec<String>,
}

/// The facts of the dump that have no line of their own.
#[derive(Serialize, Deserialize)]
struct DumpLine<'a> {
    bytes: u64,
    server_version: Cow<'a, Option<String>>,
    pg_dump_version: Cow<'a, Option<String>>,
    client_encoding: Cow<'a, Option<String>>,
    large_objects: LargeObjects,
    roles: Cow<'a, [String]>,
    extensions: Cow<'a, [String]>,
    tablespaces: Cow<'a, [String]>,
}

/// The last line.
#[derive(Serialize, Deserialize)]
struct EndLine {
    /// How many lines stand before it.
    lines: u64,
    /// Of all bytes before it.
    digest: Digest,
}

pub(super) fn write(footer: &Footer) -> String {
    let Footer { database, started, encoding, collate, ctype, properties, roles, dump } = footer;
    let first = format!(
        "{LINE_PREFIX}footer {MAJOR}.{MINOR}: what the dump above holds; psql skips these lines. To restore it into an \
         empty database whose owner and other roles exist (see the role lines): gunzip -c FILE.sql.gz | psql -X -v \
         ON_ERROR_STOP=1 -d NAME\n"
    );
    let mut lines = Lines { text: first, count: 1 };
    lines.push(
        "backup",
        &BackupLine {
            database: database.into(),
            started: *started,
            encoding: encoding.into(),
            collate: collate.into(),
            ctype: ctype.into(),
        },
    );
    if let Some(properties) = properties {
        let create = footer.create_statement(database, footer.server_major().unwrap_or_default());
        let statements = std::iter::once(create).chain(properties.statements(database)).collect();
        lines.push("database", &DatabaseLine { properties, statements });
    }
    lines.push(
        "dump",
        &DumpLine {
            bytes: dump.bytes,
            server_version: Cow::Borrowed(&dump.server_version),
            pg_dump_version: Cow::Borrowed(&dump.pg_dump_version),
            client_encoding: Cow::Borrowed(&dump.client_encoding),
            large_objects: dump.large_objects,
            roles: Cow::Borrowed(&dump.roles),
            extensions: Cow::Borrowed(&dump.extensions),
            tablespaces: Cow::Borrowed(&dump.tablespaces),
        },
    );
    for role in roles {
        lines.push("role", role);
    }
    for table in &dump.tables {
        lines.push("table", table);
    }
    for sequence in &dump.sequences {
        lines.push("sequence", sequence);
    }
    for object in &dump.objects {
        lines.push("object", object);
    }
    let end = EndLine { lines: lines.count, digest: Digest::of(lines.text.as_bytes()) };
    lines.push("end", &end);
    lines.text
}

struct Lines {
    text: String,
    count: u64,
}

impl Lines {
    fn push(&mut self, kind: &str, document: &impl Serialize) {
        let mut json = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, Ascii);
        // Plain structs of strings, numbers and lists, written to memory: nothing in them can fail to serialize.
        document.serialize(&mut serializer).expect("plain data serializes");
        self.text.push_str(LINE_PREFIX);
        self.text.push_str(kind);
        self.text.push(' ');
        // The formatter writes ASCII.
        self.text.push_str(str::from_utf8(&json).expect("ASCII is UTF-8"));
        self.text.push('\n');
        self.count += 1;
    }
}

/// Compact JSON without a byte above 0x7e: the same in every encoding that a database can have.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| *c >= '\u{7f}') {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Footer, FooterError> {
    check_version(bytes)?;
    let mut backup: Option<BackupLine<'_>> = None;
    let mut summary: Option<DumpLine<'_>> = None;
    let mut properties = None;
    let mut roles = Vec::new();
    let mut dump = DumpFacts::default();
    for (line, number) in check_whole(bytes)?.split(|byte| *byte == b'\n').zip(1..) {
        let Some((kind, json)) = kind_and_document(line) else { continue };
        match kind {
            b"backup" => backup = Some(read(number, json)?),
            b"database" => properties = Some(read(number, json)?),
            b"dump" => summary = Some(read(number, json)?),
            b"role" => roles.push(read(number, json)?),
            b"table" => dump.tables.push(read(number, json)?),
            b"sequence" => dump.sequences.push(read(number, json)?),
            b"object" => dump.objects.push(read(number, json)?),
            _ => {}
        }
    }
    let BackupLine { database, started, encoding, collate, ctype } =
        backup.ok_or(FooterError::Incomplete { kind: "backup" })?;
    let summary = summary.ok_or(FooterError::Incomplete { kind: "dump" })?;
    dump.bytes = summary.bytes;
    dump.server_version = summary.server_version.into_owned();
    dump.pg_dump_version = summary.pg_dump_version.into_owned();
    dump.client_encoding = summary.client_encoding.into_owned();
    dump.large_objects = summary.large_objects;
    dump.roles = summary.roles.into_owned();
    dump.extensions = summary.extensions.into_owned();
    dump.tablespaces = summary.tablespaces.into_owned();
    Ok(Footer {
        database: database.into_owned(),
        started,
        encoding: encoding.into_owned(),
        collate: collate.into_owned(),
        ctype: ctype.into_owned(),
        properties,
        roles,
        dump,
    })
}

/// The first line says which format follows, before anything else is believed.
fn check_version(bytes: &[u8]) -> Result<(), FooterError> {
    let first = bytes.split(|byte| *byte == b'\n').next().and_then(kind_and_document);
    let Some((b"footer", words)) = first else { return Err(FooterError::Missing) };
    let found = String::from_utf8_lossy(words.split(|byte| *byte == b':').next().unwrap_or_default());
    let major = found.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major == Some(MAJOR) { Ok(()) } else { Err(FooterError::OtherFormat { found: found.into_owned() }) }
}

/// The lines before the last one, if the last one vouches for them.
fn check_whole(bytes: &[u8]) -> Result<&[u8], FooterError> {
    let cut = || FooterError::Cut { lines: memchr::memchr_iter(b'\n', bytes).count() as u64 };
    let without_newline = bytes.strip_suffix(b"\n").ok_or_else(cut)?;
    let last = memchr::memrchr(b'\n', without_newline).map_or(0, |newline| newline + 1);
    let (before, last) = without_newline.split_at(last);
    let Some((b"end", json)) = kind_and_document(last) else { return Err(cut()) };
    let lines = memchr::memchr_iter(b'\n', before).count() as u64;
    let end: EndLine = read(lines + 1, json)?;
    if end.lines == lines && end.digest == Digest::of(before) { Ok(before) } else { Err(FooterError::Damaged) }
}

/// `-- @backup KIND DOCUMENT`, taken apart.
fn kind_and_document(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(LINE_PREFIX.as_bytes())?;
    let space = memchr::memchr(b' ', rest)?;
    Some((&rest[..space], &rest[space + 1..]))
}

fn read<T: DeserializeOwned>(line: u64, json: &[u8]) -> Result<T, FooterError> {
    serde_json::from_slice(json).map_err(|source| FooterError::Line { line, source })
}
