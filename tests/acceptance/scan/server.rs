//! What the server itself says of a database, asked without a dump.

use std::fs;
use std::process::{Child, Stdio};

use acceptance::lifeline;
use acceptance::postgres::{Cluster, Database, canary, quote_name};
use backup_core::footer::{Digest, DumpFacts, SequenceFacts, TableFacts, escape};

/// A new empty database in this encoding.
pub(crate) fn create_database(cluster: &Cluster, encoding: &str) -> Database {
    let name = format!("zoo_{}", lifeline::unique());
    let options = if encoding == "UTF8" { "" } else { "LOCALE 'C'" };
    let statement = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING '{encoding}' {options}", quote_name(&name));
    cluster.maintenance().sql(&statement);
    cluster.database(&name)
}

/// Compares tables, rows, digests, sequences and large objects with what queries give.
pub(crate) fn assert_facts(database: &Database, facts: &DumpFacts) {
    let server = tables(database);
    let names = |tables: &[TableFacts]| tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&facts.tables), names(&server));
    assert_eq!(facts.tables, server);
    assert_eq!(facts.sequences, sequences(database));
    let (count, bytes, digest) = large_objects(database);
    let found = facts.large_objects;
    assert_eq!((found.count, found.bytes, found.digest), (count, bytes, digest));
}

/// Rows by `count(*)`, digests from `COPY … TO STDOUT`.
fn tables(database: &Database) -> Vec<TableFacts> {
    let list = lines(
        database,
        "SELECT encode(convert_to(format('%I.%I', n.nspname, c.relname), 'SQL_ASCII'), 'hex'), (
           SELECT string_agg(encode(convert_to(quote_ident(attname), 'SQL_ASCII'), 'hex'), ',' ORDER BY attnum)
           FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '')
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname !~ '^pg_|^information_schema'",
    );
    let tables: Vec<(Vec<u8>, Vec<Vec<u8>>)> = list
        .iter()
        .filter_map(|line| line.split_once('|'))
        .map(|(name, columns)| {
            (from_hex(name), columns.split(',').filter(|hex| !hex.is_empty()).map(from_hex).collect())
        })
        .collect();
    let rows = tables.iter().map(|(name, columns)| {
        let listed = if columns.is_empty() { Vec::new() } else { [&b"("[..], &columns.join(&b','), b")"].concat() };
        [b"COPY ", &name[..], &listed, b" TO STDOUT;"].concat()
    });
    let counts = tables.iter().map(|(name, _)| [b"SELECT count(*) FROM ONLY ", &name[..], b";"].concat());
    let (rows, counts) = (outputs(database, rows), outputs(database, counts));
    let answers = rows.iter().zip(&counts).zip(&tables);
    let facts = answers.map(|((rows, count), (name, columns))| TableFacts {
        name: escape(name),
        columns: columns.iter().map(|column| escape(column)).collect(),
        rows: String::from_utf8_lossy(count).trim().parse().unwrap(),
        digest: sum(rows.strip_suffix(b"\n").into_iter().flat_map(|rows| rows.split(|byte| *byte == b'\n'))),
    });
    sorted(facts, |table| &table.name)
}

fn sequences(database: &Database) -> Vec<SequenceFacts> {
    let names = lines(
        database,
        "SELECT encode(convert_to(c.oid::regclass::text, 'SQL_ASCII'), 'hex') FROM pg_class c WHERE c.relkind = 'S'",
    );
    let names: Vec<Vec<u8>> = names.iter().map(|name| from_hex(name)).collect();
    let queries = names.iter().map(|name| [b"SELECT last_value, is_called FROM ", &name[..], b";"].concat());
    let facts = names.iter().zip(outputs(database, queries)).map(|(name, found)| {
        let found = String::from_utf8_lossy(&found);
        let (last_value, is_called) = found.trim().split_once('|').unwrap();
        SequenceFacts { name: escape(name), last_value: last_value.parse().unwrap(), is_called: is_called == "t" }
    });
    sorted(facts, |sequence| &sequence.name)
}

fn large_objects(database: &Database) -> (u64, u64, Digest) {
    let objects = lines(database, "SELECT oid, encode(lo_get(oid), 'hex') FROM pg_largeobject_metadata");
    let objects: Vec<(&str, Vec<u8>)> =
        objects.iter().filter_map(|line| line.split_once('|')).map(|(oid, content)| (oid, from_hex(content))).collect();
    let bytes = objects.iter().map(|(_, content)| content.len() as u64).sum();
    let described: Vec<_> = objects.iter().map(|(oid, content)| [oid.as_bytes(), b"\0", content].concat()).collect();
    (objects.len() as u64, bytes, sum(described.iter().map(Vec::as_slice)))
}

fn sum<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Digest {
    let mut sum = Digest::default();
    parts.for_each(|part| sum.add(Digest::of(part)));
    sum
}

fn sorted<T>(items: impl Iterator<Item = T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by(|one, other| name(one).cmp(name(other)));
    items
}

fn lines(database: &Database, query: &str) -> Vec<String> {
    let output = outputs(database, [query.as_bytes().to_vec()]).concat();
    String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
}

/// What psql prints for each of these statements, byte for byte.
fn outputs(database: &Database, statements: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mark = canary("mark");
    let mut script = Vec::new();
    for statement in statements {
        script.extend([b"\\echo ", mark.as_bytes(), b"\n", &statement[..], b"\n;\n"].concat());
    }
    let file = lifeline::new_folder("sql", None).join("queries.sql");
    fs::write(&file, script).unwrap();
    let mut psql = database.psql();
    psql.env("PGTZ", "UTC").env("PGOPTIONS", "-c search_path= -c bytea_output=hex");
    psql.arg("-f").arg(file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = lifeline::spawn(psql).and_then(Child::wait_with_output).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mark = [mark.as_bytes(), b"\n"].concat();
    let mut parts = Vec::new();
    let mut rest = &output.stdout[..];
    while let Some(at) = find(rest, &mark) {
        parts.push(rest[..at].to_vec());
        rest = &rest[at + mark.len()..];
    }
    parts.push(rest.to_vec());
    // Nothing stands before the first mark.
    parts.split_off(1)
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().map(|digit| char::from(digit).to_digit(16).unwrap() as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
