//! The databases that the tests back up.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use acceptance::postgres::Database;
use acceptance::sandbox::Sandbox;
use acceptance::{lifeline, programs};
use backup_core::footer::Footer;
use backup_core::gzip;
use backup_core::sql_scan::Scanner;

/// A little of everything that an application's database holds, and what is hard to read in a dump: a function body and a
/// row that look like the end of one.
const SCHEMA: &str = r#"
CREATE TYPE status AS ENUM ('new', 'paid', 'sent');
CREATE TABLE customers (id bigserial PRIMARY KEY, name text NOT NULL, "e-mail" text UNIQUE, joined timestamptz);
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint REFERENCES customers,
  state status DEFAULT 'new', net numeric(10, 2), gross numeric GENERATED ALWAYS AS (net * 1.19) STORED, note bytea);
CREATE TABLE events (at date NOT NULL, what jsonb) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE nothing_yet (a int, b text[]);
CREATE INDEX orders_state ON orders (state) WHERE state <> 'sent';
CREATE FUNCTION trap() RETURNS text LANGUAGE sql AS $body$ SELECT E'
COPY public.trap (a) FROM stdin;
1
\\.
--
-- PostgreSQL database dump complete
--
' $body$;
CREATE VIEW open_orders AS SELECT c.name, o.* FROM orders o JOIN customers c ON c.id = o.customer WHERE o.state <> 'sent';
CREATE MATERIALIZED VIEW turnover AS SELECT state, sum(net) FROM orders GROUP BY state;
COMMENT ON TABLE customers IS 'who pays; \. and ''quotes''';
INSERT INTO customers (name, "e-mail", joined)
  SELECT E'Müller\t& Söhne\n№ ' || i, i || '@example.org', timestamptz '2024-02-29 12:00+01' + i * interval '1 hour' FROM generate_series(1, 500) i;
INSERT INTO orders (customer, state, net, note)
  SELECT 1 + i % 500, (ARRAY['new', 'paid', 'sent'])[1 + i % 3]::status, i * 1.01, decode(md5(i::text), 'hex') FROM generate_series(1, 2000) i;
INSERT INTO events SELECT date '2024-06-01' + i, jsonb_build_object('n', i, 'text', trap()) FROM generate_series(0, 400) i;
REFRESH MATERIALIZED VIEW turnover;
SELECT lo_from_bytea(0, decode(repeat('00ff0a5c', 3000), 'hex'));
"#;

/// Rows of all tables of [`shop`].
pub(crate) const ROWS: u64 = 500 + 2000 + 401;

/// A sandbox whose database holds a small shop.
pub(crate) fn shop() -> Sandbox {
    let sandbox = Sandbox::new();
    fill(sandbox.database());
    sandbox
}

/// Makes a shop of an empty database.
pub(crate) fn fill(database: &Database) {
    database.sql(SCHEMA);
}

/// Adds a table of so many megabytes that compression hardly makes smaller.
pub(crate) fn add_bulk(database: &Database, megabytes: u32) {
    // 16 hashes of 16 bytes in a row; a dump spells each byte as two digits.
    let bytes = (0..16).map(|n| format!("decode(md5((i * 16 + {n})::text), 'hex')")).collect::<Vec<_>>().join(" || ");
    let rows = megabytes * 2000;
    database.sql(&format!("CREATE TABLE bulk AS SELECT i, {bytes} AS noise FROM generate_series(1, {rows}) i"));
}

/// The one daily backup in the store, by its key.
pub(crate) fn daily_key(sandbox: &Sandbox) -> String {
    let keys = sandbox.store().keys();
    let mut daily = keys.iter().filter(|key| key.starts_with("db-backups/daily/"));
    match (daily.next(), daily.next()) {
        (Some(key), None) => key.clone(),
        _ => panic!("not one daily backup: {keys:#?}"),
    }
}

/// What a stored backup holds, decompressed by the system's `gunzip`.
pub(crate) fn gunzip(object: &[u8]) -> Vec<u8> {
    let mut command = lifeline::command(&programs::on_path("gunzip").unwrap(), "KILL", None);
    command.arg("-c").arg(file_of(object)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = lifeline::spawn(command).and_then(Child::wait_with_output).unwrap();
    assert!(output.status.success(), "gunzip: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "gunzip: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The guide's line: `gunzip -c FILE | psql -d NAME`. Returns what psql said on stderr.
pub(crate) fn restore(object: &[u8], into: &Database) -> String {
    let psql = into.client("psql");
    let mut shell = lifeline::command(Path::new("/bin/sh"), "KILL", None);
    shell.args(["-c", "gunzip -c \"$1\" | \"$2\" -d \"$PGDATABASE\"", "restore"]);
    shell.arg(file_of(object)).arg(programs::postgres("psql"));
    shell.envs(psql.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdout(Stdio::null()).stderr(Stdio::piped());
    let output = lifeline::spawn(shell).and_then(Child::wait_with_output).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn file_of(object: &[u8]) -> PathBuf {
    let file = lifeline::new_folder("object", None).join("backup.sql.gz");
    fs::write(&file, object).unwrap();
    file
}

/// The footer of a stored backup, and the dump before it.
pub(crate) fn footer(object: &[u8]) -> (Footer, Vec<u8>) {
    let mut text = Vec::new();
    gzip::reader(object).read_to_end(&mut text).unwrap();
    let mut scanner = Scanner::new();
    scanner.push(&text).unwrap();
    let found = scanner.finish().unwrap();
    let footer = Footer::parse(&found.footer).unwrap();
    assert_eq!(footer.dump, found.dump, "the footer does not tell what the dump holds");
    text.truncate(text.len() - found.footer.len());
    (footer, text)
}
