//! What the backup before holds, and this one has not: a person should look at it, though the backup itself is good.

use std::fmt;

use backup_core::figures;
use backup_core::footer::Changes;

/// Tables that are named one by one.
pub(crate) const NAMED_TABLES: usize = 10;

/// A backup holds what the database held; this says that the database may not hold what it should.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Tables that the backup before has, and this one has not.
    TablesGone(Vec<String>),
    /// More than half of all rows.
    RowsGone { now: u64, before: u64 },
}

/// What is lost, the worst first.
pub(crate) fn of(changes: &Changes) -> Vec<Loss> {
    let (now, before) = (changes.rows_after, changes.rows_before);
    let tables = (!changes.tables_gone.is_empty()).then(|| Loss::TablesGone(changes.tables_gone.clone()));
    let rows = (now.saturating_mul(2) < before).then_some(Loss::RowsGone { now, before });
    tables.into_iter().chain(rows).collect()
}

impl Loss {
    /// For the subject of a mail.
    pub(crate) fn in_short(&self) -> String {
        match self {
            Self::TablesGone(tables) if tables.len() == 1 => "a table is gone".to_owned(),
            Self::TablesGone(tables) => format!("{} tables are gone", tables.len()),
            Self::RowsGone { .. } => "more than half of the rows are gone".to_owned(),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TablesGone(tables) => {
                write!(f, "Tables that are gone since the backup before: {}", figures::names(tables, NAMED_TABLES))
            }
            Self::RowsGone { now, before } => write!(
                f,
                "The database has lost more than half of its rows: {} now, {} in the backup before.",
                figures::count(*now),
                figures::count(*before)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(gone: &[&str], before: u64, after: u64) -> Changes {
        Changes {
            tables_gone: gone.iter().map(ToString::to_string).collect(),
            tables_new: Vec::new(),
            rows_before: before,
            rows_after: after,
            bytes_before: 0,
            bytes_after: 0,
        }
    }

    #[test]
    fn what_is_lost_is_told_and_what_grows_is_not() {
        for (changes, expected) in [
            (changes(&[], 10, 11), ""),
            (changes(&[], 10, 5), ""),
            (changes(&[], 10, 4), "more than half of the rows are gone"),
            (changes(&["a"], 10, 10), "a table is gone"),
            (changes(&["a", "b"], 10, 1), "2 tables are gone; more than half of the rows are gone"),
            (changes(&[], 0, 0), ""),
        ] {
            let short: Vec<String> = of(&changes).iter().map(Loss::in_short).collect();
            assert_eq!(short.join("; "), expected, "{changes:?}");
        }
    }
}
