//! What differs between two dumps that should hold the same.
//!
//! Rows, digests, sequences and large objects have to be equal, and so have the names of all objects. The definition of
//! an object that holds an expression may be spelled anew by PostgreSQL in its first round of dump and restore
//! ([`SchemaObject`](super::SchemaObject)); those are told apart from differences, and by name, so that a person can
//! look.

use std::cmp::Ordering;
use std::fmt;

use super::{DumpFacts, LargeObjects, ObjectName, SchemaObject, SequenceFacts, TableFacts};
use crate::figures::{count, counted};

/// Kinds of object that hold expressions, which PostgreSQL keeps as trees and spells anew.
const HOLD_EXPRESSIONS: [&str; 19] = [
    "TABLE",
    "FOREIGN TABLE",
    "TABLE ATTACH",
    "CHECK CONSTRAINT",
    "CONSTRAINT",
    "DEFAULT",
    "DOMAIN",
    "VIEW",
    "MATERIALIZED VIEW",
    "RULE",
    "INDEX",
    "STATISTICS",
    "POLICY",
    "TRIGGER",
    "FUNCTION",
    "PROCEDURE",
    "AGGREGATE",
    "PUBLICATION TABLE",
    "TYPE",
];

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The table is not there.
    TableMissing(String),
    /// A table that should not be there.
    TableExtra(String),
    /// The columns are others.
    Columns(String),
    /// The table has another number of rows.
    Rows {
        /// The table.
        table: String,
        /// Rows that it should have.
        expected: u64,
        /// Rows that it has.
        found: u64,
    },
    /// As many rows as it should have, but not the same ones.
    Content {
        /// The table.
        table: String,
        /// Its rows.
        rows: u64,
    },
    /// The sequence is not there.
    SequenceMissing(String),
    /// A sequence that should not be there.
    SequenceExtra(String),
    /// The sequence stands elsewhere.
    Sequence {
        /// Where it should stand.
        expected: SequenceFacts,
        /// Where it stands.
        found: SequenceFacts,
    },
    /// Large objects are missing, too many, or hold something else.
    LargeObjects {
        /// What should be there.
        expected: LargeObjects,
        /// What is there.
        found: LargeObjects,
    },
    /// An object of the schema is not there.
    ObjectMissing(ObjectName),
    /// An object of the schema that should not be there.
    ObjectExtra(ObjectName),
    /// An object has another definition.
    Definition(ObjectName),
}

/// What came out of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// What is not as it was: tables first.
    pub differences: Vec<Difference>,
    /// Objects whose definition is spelled anew.
    pub respelled: Vec<ObjectName>,
}

impl DumpFacts {
    /// Compares with what another dump holds, which should be the same.
    pub fn compare(&self, found: &Self) -> Comparison {
        let mut comparison = Comparison::default();
        comparison.tables(&self.tables, &found.tables);
        comparison.sequences(&self.sequences, &found.sequences);
        if self.large_objects != found.large_objects {
            let (expected, found) = (self.large_objects, found.large_objects);
            comparison.differences.push(Difference::LargeObjects { expected, found });
        }
        comparison.objects(&self.objects, &found.objects);
        comparison
    }
}

impl Comparison {
    /// Tables alone, for a dump of some of them.
    pub(super) fn tables(&mut self, expected: &[TableFacts], found: &[TableFacts]) {
        for pair in pairs(expected, found, |table| &table.name) {
            self.differences.extend(match pair {
                Pair::Missing(table) => Some(Difference::TableMissing(table.name.clone())),
                Pair::Extra(table) => Some(Difference::TableExtra(table.name.clone())),
                Pair::Both(one, other) if one.rows != other.rows => {
                    Some(Difference::Rows { table: one.name.clone(), expected: one.rows, found: other.rows })
                }
                Pair::Both(one, other) if one.columns != other.columns => Some(Difference::Columns(one.name.clone())),
                Pair::Both(one, other) if one.digest != other.digest => {
                    Some(Difference::Content { table: one.name.clone(), rows: one.rows })
                }
                Pair::Both(..) => None,
            });
        }
    }

    fn sequences(&mut self, expected: &[SequenceFacts], found: &[SequenceFacts]) {
        for pair in pairs(expected, found, |sequence| &sequence.name) {
            self.differences.extend(match pair {
                Pair::Missing(sequence) => Some(Difference::SequenceMissing(sequence.name.clone())),
                Pair::Extra(sequence) => Some(Difference::SequenceExtra(sequence.name.clone())),
                Pair::Both(one, other) if one != other => {
                    Some(Difference::Sequence { expected: one.clone(), found: other.clone() })
                }
                Pair::Both(..) => None,
            });
        }
    }

    fn objects(&mut self, expected: &[SchemaObject], found: &[SchemaObject]) {
        for pair in pairs(expected, found, |object| &object.name) {
            match pair {
                Pair::Missing(object) => self.differences.push(Difference::ObjectMissing(object.name.clone())),
                Pair::Extra(object) => self.differences.push(Difference::ObjectExtra(object.name.clone())),
                Pair::Both(one, other) if one.digest == other.digest => {}
                Pair::Both(one, _) if HOLD_EXPRESSIONS.contains(&one.name.kind.as_str()) => {
                    self.respelled.push(one.name.clone());
                }
                Pair::Both(one, _) => self.differences.push(Difference::Definition(one.name.clone())),
            }
        }
    }
}

/// What two sorted lists have under one name.
enum Pair<'a, T> {
    Missing(&'a T),
    Extra(&'a T),
    Both(&'a T, &'a T),
}

fn pairs<'a, T, K: Ord>(expected: &'a [T], found: &'a [T], key: impl Fn(&T) -> &K) -> Vec<Pair<'a, T>> {
    let (mut expected, mut found) = (expected.iter().peekable(), found.iter().peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (expected.peek(), found.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => key(one).cmp(key(other)),
        };
        let one = if order.is_le() { expected.next() } else { None };
        let other = if order.is_ge() { found.next() } else { None };
        pairs.extend(match (one, other) {
            (Some(one), Some(other)) => Some(Pair::Both(one, other)),
            (Some(one), None) => Some(Pair::Missing(one)),
            (None, Some(other)) => Some(Pair::Extra(other)),
            (None, None) => None,
        });
    }
}

/// In a sentence: what is restored, and what is in the backup.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableMissing(table) => write!(f, "{table}: the table is missing"),
            Self::TableExtra(table) => write!(f, "{table}: a table that is not in the backup"),
            Self::Columns(table) => write!(f, "{table}: other columns than in the backup"),
            Self::Rows { table, expected, found } => {
                write!(f, "{table}: {} restored, {} in the backup", rows(*found), count(*expected))
            }
            Self::Content { table, rows: number } => {
                write!(f, "{table}: {} as in the backup, but not the same ones", rows(*number))
            }
            Self::SequenceMissing(sequence) => write!(f, "{sequence}: the sequence is missing"),
            Self::SequenceExtra(sequence) => write!(f, "{sequence}: a sequence that is not in the backup"),
            Self::Sequence { expected, found } => {
                let name = &expected.name;
                write!(f, "{name}: the sequence stands at {}, in the backup at {}", stand(found), stand(expected))
            }
            Self::LargeObjects { expected, found } => write!(
                f,
                "large objects: {} with {} bytes restored, {} with {} bytes in the backup{}",
                count(found.count),
                count(found.bytes),
                count(expected.count),
                count(expected.bytes),
                if (found.count, found.bytes) == (expected.count, expected.bytes) { ", not the same" } else { "" },
            ),
            Self::ObjectMissing(object) => write!(f, "{object} is missing"),
            Self::ObjectExtra(object) => write!(f, "{object} is not in the backup"),
            Self::Definition(object) => write!(f, "{object} is defined otherwise than in the backup"),
        }
    }
}

fn rows(number: u64) -> String {
    counted(number, "row")
}

fn stand(sequence: &SequenceFacts) -> String {
    format!("{}{}", sequence.last_value, if sequence.is_called { "" } else { " (not yet called)" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footer::Digest;

    fn table(name: &str, rows: u64, digest: &[u8]) -> TableFacts {
        TableFacts { name: name.into(), columns: vec!["id".into()], rows, digest: Digest::of(digest) }
    }

    fn object(kind: &str, name: &str, definition: &[u8]) -> SchemaObject {
        let name = ObjectName { kind: kind.into(), schema: "public".into(), name: name.into() };
        SchemaObject { name, digest: Digest::of(definition) }
    }

    fn facts() -> DumpFacts {
        DumpFacts {
            bytes: 1,
            tables: vec![table("public.a", 1, b"a"), table("public.b", 10_482, b"b"), table("public.c", 0, b"")],
            sequences: vec![SequenceFacts { name: "public.s".into(), last_value: 7, is_called: true }],
            large_objects: LargeObjects { count: 2, bytes: 30, ..LargeObjects::default() },
            objects: vec![object("ACL", "TABLE a", b"acl"), object("INDEX", "i", b"index")],
            ..DumpFacts::default()
        }
    }

    #[test]
    fn equal_dumps_do_not_differ_whatever_their_size_and_versions() {
        let other = DumpFacts { bytes: 2, server_version: Some("17.2".into()), ..facts() };
        assert_eq!(facts().compare(&other), Comparison::default());
    }

    #[test]
    fn each_difference_is_named_with_both_sides() {
        let change = |change: fn(&mut DumpFacts)| {
            let mut found = facts();
            change(&mut found);
            facts().compare(&found).differences.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        for (made, says) in [
            (change(|f| f.tables[1].rows -= 1), "public.b: 10,481 rows restored, 10,482 in the backup"),
            (change(|f| f.tables[0].rows -= 1), "public.a: 0 rows restored, 1 in the backup"),
            (
                change(|f| f.tables[1].digest = Digest::default()),
                "public.b: 10,482 rows as in the backup, but not the same ones",
            ),
            (change(|f| f.tables[0].columns.clear()), "public.a: other columns than in the backup"),
            (change(|f| drop(f.tables.remove(2))), "public.c: the table is missing"),
            (change(|f| f.tables.push(table("public.d", 0, b""))), "public.d: a table that is not in the backup"),
            (
                change(|f| f.sequences[0].is_called = false),
                "public.s: the sequence stands at 7 (not yet called), in the backup at 7",
            ),
            (change(|f| f.sequences.clear()), "public.s: the sequence is missing"),
            (
                change(|f| f.large_objects.bytes = 29),
                "large objects: 2 with 29 bytes restored, 2 with 30 bytes in the backup",
            ),
            (
                change(|f| f.large_objects.digest = Digest::of(b"x")),
                "large objects: 2 with 30 bytes restored, 2 with 30 bytes in the backup, not the same",
            ),
            (change(|f| drop(f.objects.remove(1))), "INDEX public.i is missing"),
            (change(|f| f.objects.push(object("TRIGGER", "t", b""))), "TRIGGER public.t is not in the backup"),
            (
                change(|f| f.objects[0].digest = Digest::default()),
                "ACL public.TABLE a is defined otherwise than in the backup",
            ),
        ] {
            assert_eq!(made, [says]);
        }
    }

    #[test]
    fn an_expression_may_be_spelled_anew() {
        let mut found = facts();
        found.objects[1].digest = Digest::default();
        let comparison = facts().compare(&found);
        assert_eq!(comparison.differences, []);
        assert_eq!(comparison.respelled, [facts().objects[1].name.clone()]);
    }
}
