//! Random databases full of what makes dumps hard to read.

use std::fmt::Write;

use acceptance::postgres::{quote_name, quote_text};
use backup_core::footer::escape;
use proptest::prelude::*;

/// What looks like the rows and the end of a dump.
const TRAP: &str = ";\nCOPY public.trap (a) FROM stdin;\n1\n\\.\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// A database to be created.
#[derive(Debug)]
pub(crate) struct Zoo {
    tables: Vec<Table>,
    texts: Vec<String>,
    large_objects: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Table {
    name: String,
    kind: Kind,
    columns: Vec<(String, Type)>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain,
    Unlogged,
    Identity,
    Generated,
    Partitioned,
    /// Inherits from a table that got a column after this one was made.
    LateChild,
    /// With a CHECK that PostgreSQL spells anew after a restore.
    Respelled,
}

#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Integer,
    Bytea,
    Texts,
    Json,
    Numeric,
    Float,
    Instant,
    Interval,
    Mood,
}

#[derive(Debug)]
struct Cell {
    text: String,
    number: i32,
    null: bool,
}

pub(crate) fn zoo() -> impl Strategy<Value = Zoo> {
    let large_object = prop_oneof![3 => prop::collection::vec(any::<u8>(), 0..20), 1 => Just(vec![0x5c; 70_000])];
    (prop::collection::vec(table(), 1..9), prop::collection::vec(text(), 8), prop::collection::vec(large_object, 0..4))
        .prop_map(|(tables, texts, large_objects)| Zoo { tables, texts, large_objects })
}

fn table() -> impl Strategy<Value = Table> {
    let kind = prop_oneof![
        Just(Kind::Plain),
        Just(Kind::Unlogged),
        Just(Kind::Identity),
        Just(Kind::Generated),
        Just(Kind::Partitioned),
        Just(Kind::LateChild),
        Just(Kind::Respelled),
    ];
    let columns = prop::collection::vec((name(), column_type()), 0..6);
    (name(), kind, columns).prop_flat_map(|(name, kind, columns)| {
        let row = prop::collection::vec(cell(), columns.len());
        prop::collection::vec(row, 0..8).prop_map(move |rows| {
            let (name, columns) = (name.clone(), columns.clone());
            Table { name, kind, columns, rows }
        })
    })
}

fn column_type() -> impl Strategy<Value = Type> {
    prop_oneof![
        4 => Just(Type::Text),
        1 => Just(Type::Integer),
        1 => Just(Type::Bytea),
        1 => Just(Type::Texts),
        1 => Just(Type::Json),
        1 => Just(Type::Numeric),
        1 => Just(Type::Float),
        1 => Just(Type::Instant),
        1 => Just(Type::Interval),
        1 => Just(Type::Mood),
    ]
}

fn cell() -> impl Strategy<Value = Cell> {
    (text(), any::<i32>(), prop::bool::weighted(0.2)).prop_map(|(text, number, null)| Cell { text, number, null })
}

/// At most 48 bytes, which leaves room for a number that makes it unique.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[A-Za-z0-9 \"'\\\\\n\r\t$;:,.(){}%`!_äß\u{6f22}\u{1f980}-]{1,12}", Just("$$".to_owned())]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,12}",
        "[\"'\\\\\n\r\t$;:,.(){}%`xN0-9ä\u{6f22}\u{1f980}\u{1}\u{7f}\u{2028}-]{0,20}",
        Just("\\.".to_owned()),
        Just(TRAP.to_owned()),
        Just("$_$ $$ $_X$ '".to_owned()),
        Just("line\r\nline\r\n\\.\r\n".to_owned()),
        (0..100_000usize).prop_map(|length| "a\tb\\".repeat(length / 4)),
    ]
}

impl Zoo {
    /// The statements that make it.
    pub(crate) fn sql(&self, roles: [&str; 2]) -> String {
        let mut sql = String::from(
            "SET check_function_bodies = off;\nCREATE TYPE mood AS ENUM ('sad', 'it''s', E'a\\tb');\n\
             CREATE EXTENSION hstore;\nCREATE SCHEMA \"Sche\nma\";\n",
        );
        for (table, number) in self.tables.iter().zip(0..) {
            table.write(&mut sql, number);
        }
        for bytes in &self.large_objects {
            let _ = writeln!(sql, "SELECT lo_from_bytea(0, {});", bytea(bytes));
        }
        self.write_definitions(&mut sql, roles);
        sql
    }

    /// Whether PostgreSQL may spell the definition of the table with this label anew.
    pub(crate) fn may_be_respelled(&self, label: &str) -> bool {
        self.tables.iter().zip(0..).filter(|(table, _)| matches!(table.kind, Kind::Respelled | Kind::LateChild)).any(
            |(table, number)| {
                // pg_dump keeps a label on one line.
                let name = format!("{}{number}", table.name).replace(['\n', '\r'], " ");
                label == escape(name.as_bytes())
            },
        )
    }

    fn write_definitions(&self, sql: &mut String, roles: [&str; 2]) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = [0, 1, 2, 3, 4, 5, 6, 7].map(|at: usize| quote_text(&self.texts[at]));
        let [one, other] = roles.map(quote_name);
        let trap = quote_text(TRAP);
        let _ = write!(
            sql,
            "CREATE TABLE no_columns ();\nINSERT INTO no_columns DEFAULT VALUES;\nINSERT INTO no_columns DEFAULT VALUES;\n\
             CREATE TABLE anchor (id serial PRIMARY KEY, t text DEFAULT {t0}, CHECK (t <> {t1}));\n\
             CREATE INDEX ON anchor ((t || {t2})) WHERE t <> {t3};\n\
             CREATE FUNCTION body() RETURNS text LANGUAGE sql AS {t4};\n\
             CREATE FUNCTION trap() RETURNS text LANGUAGE plpgsql AS {trap};\n\
             CREATE FUNCTION atomic(\"case\" text, \"end;\" text DEFAULT {t5}) RETURNS text BEGIN ATOMIC\n\
               SELECT CASE WHEN \"case\" = {t6} THEN {trap} END; SELECT {t7} AS \"end\"; END;\n\
             CREATE VIEW look AS SELECT {t5} AS \"a;\nb\", {trap}::text AS c;\n\
             CREATE MATERIALIZED VIEW kept AS SELECT {t6}::text AS a WITH DATA;\n\
             CREATE RULE r AS ON INSERT TO look DO INSTEAD (SELECT {t7}; SELECT ')';);\n\
             CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END $f$;\n\
             CREATE TRIGGER \"tr;\n\" BEFORE INSERT ON anchor FOR EACH ROW EXECUTE FUNCTION fire({t0});\n\
             CREATE DOMAIN short AS text CHECK (VALUE <> {t1});\n\
             CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;\n\
             CREATE USER MAPPING FOR {one} SERVER nowhere OPTIONS (x {t2});\n\
             CREATE FOREIGN TABLE \"for\neign\" (a integer) SERVER nowhere;\n\
             CREATE SEQUENCE \"Sche\nma\".\"se'q\\\" START -5 MINVALUE -10; SELECT nextval('\"Sche\nma\".\"se''q\\\"');\n\
             COMMENT ON TABLE anchor IS {t3};\nCOMMENT ON FUNCTION body() IS {trap};\n\
             ALTER TABLE anchor ENABLE ROW LEVEL SECURITY;\n\
             CREATE POLICY p ON anchor TO {one}, {other} USING (t = {t4});\n\
             ALTER TABLE anchor OWNER TO {one};\nGRANT SELECT (t), UPDATE (id) ON anchor TO {other} WITH GRANT OPTION;\n\
             ALTER DEFAULT PRIVILEGES FOR ROLE {one} IN SCHEMA public GRANT SELECT ON TABLES TO {other};\n\
             CREATE PUBLICATION pub FOR TABLE anchor;\n\
             INSERT INTO anchor (t) VALUES (NULL);\n"
        );
        for number in 0..self.large_objects.len() {
            let oid = format!("(SELECT oid FROM pg_largeobject_metadata ORDER BY oid OFFSET {number} LIMIT 1)");
            let _ = write!(
                sql,
                "SELECT format('COMMENT ON LARGE OBJECT %s IS %L', {oid}, {t0}) \\gexec\n\
                 SELECT format('GRANT SELECT ON LARGE OBJECT %s TO %I', {oid}, {}) \\gexec\n",
                quote_text(roles[1])
            );
        }
    }
}

impl Table {
    fn write(&self, sql: &mut String, number: usize) {
        let schema = if number % 3 == 2 { "\"Sche\nma\"" } else { "public" };
        let relation = |suffix: &str| format!("{schema}.{}", quote_name(&format!("{}{number}{suffix}", self.name)));
        let name = relation("");
        let names: Vec<String> =
            self.columns.iter().zip(0..).map(|((name, _), at)| quote_name(&format!("{name}{at}"))).collect();
        let mut columns: Vec<String> =
            names.iter().zip(&self.columns).map(|(name, (_, kind))| format!("{name} {}", kind.name())).collect();
        let (mut unlogged, mut tail, mut after) = ("", String::new(), String::new());
        match self.kind {
            Kind::Plain => {}
            Kind::Unlogged => unlogged = "UNLOGGED",
            Kind::Identity => columns.insert(0, "id bigint GENERATED BY DEFAULT AS IDENTITY".into()),
            Kind::Generated => {
                columns.insert(0, "base integer DEFAULT 7".into());
                columns.insert(1, "g integer GENERATED ALWAYS AS (base * 2) STORED".into());
            }
            Kind::Partitioned => {
                columns.push("k serial".into());
                tail = " PARTITION BY HASH (k)".into();
                for part in 0..2 {
                    let _ = writeln!(
                        after,
                        "CREATE TABLE {} PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER {part});",
                        relation(&format!("p{part}"))
                    );
                }
            }
            Kind::LateChild => {
                let parent = relation("parent");
                let _ = writeln!(sql, "CREATE TABLE {parent} (\"of pa\trent\" integer DEFAULT 1);");
                tail = format!(" INHERITS ({parent})");
                after = format!("ALTER TABLE {parent} ADD COLUMN late text DEFAULT 'x';\n");
            }
            Kind::Respelled => columns.push("status varchar(10) DEFAULT 'A' CHECK (status IN ('A', 'B'))".into()),
        }
        let _ = write!(sql, "CREATE {unlogged} TABLE {name} ({}){tail};\n{after}", columns.join(", "));
        for row in &self.rows {
            let values: Vec<String> =
                row.iter().zip(&self.columns).map(|(cell, (_, kind))| kind.literal(cell)).collect();
            let _ = if values.is_empty() {
                writeln!(sql, "INSERT INTO {name} DEFAULT VALUES;")
            } else {
                writeln!(sql, "INSERT INTO {name} ({}) VALUES ({});", names.join(", "), values.join(", "))
            };
        }
    }
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Bytea => "bytea",
            Self::Texts => "text[]",
            Self::Json => "jsonb",
            Self::Numeric => "numeric",
            Self::Float => "double precision",
            Self::Instant => "timestamptz",
            Self::Interval => "interval",
            Self::Mood => "mood",
        }
    }

    fn literal(self, cell: &Cell) -> String {
        let Cell { text, number, null } = cell;
        if *null {
            return "NULL".into();
        }
        let quoted = quote_text(text);
        match self {
            Self::Text => quoted,
            Self::Integer => number.to_string(),
            Self::Bytea => bytea(text.as_bytes()),
            Self::Texts => format!("ARRAY[{quoted}, NULL, '', {quoted}]"),
            Self::Json => format!("jsonb_build_object({quoted}::text, {number})"),
            Self::Numeric => format!("{number} / 7::numeric"),
            Self::Float => format!("{number} / 3::double precision"),
            Self::Instant => format!("to_timestamp({number})"),
            Self::Interval => format!("make_interval(days => {number} / 100000, secs => {number} / 7.0)"),
            Self::Mood => if number % 2 == 0 { "'it''s'" } else { "E'a\\tb'" }.into(),
        }
    }
}

fn bytea(bytes: &[u8]) -> String {
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("decode('{hex}', 'hex')")
}
