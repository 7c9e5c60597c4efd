//! Older backups that held more than the one that is the newest: an accident may have come before that one was made.
//!
//! It is only said: what was deleted on purpose looks the same.

use backup_core::figures;
use backup_core::footer::{Changes, Footer};
use backup_core::key::Layout;
use backup_core::store::Store;
use time::PrimitiveDateTime;

use crate::list::{self, Entry};

/// Tables that are named one by one.
const NAMED: usize = 5;

/// What to say of the backup before the one taken then, and of the newest before it that a restore test has proven. Where the store
/// does not tell, nothing.
pub(super) async fn than(footer: &Footer, taken: PrimitiveDateTime, store: &Store, layout: &Layout) -> Vec<String> {
    let seen = match list::look(store, layout, None).await {
        Ok(seen) => seen,
        Err(error) => {
            log::debug!("{error}: it is not known whether an older backup held more");
            return Vec::new();
        }
    };
    let entries = seen.entries(None);
    let mut said = Vec::new();
    for entry in to_compare(&entries, taken) {
        if let Some(older) = store.footer(entry.object).await {
            said.extend(in_words(footer, &older, entry.is_proven(), &entry.object.key));
        }
    }
    said
}

/// The entries come with the newest first.
fn to_compare<'e>(entries: &'e [Entry<'_>], taken: PrimitiveDateTime) -> Vec<&'e Entry<'e>> {
    let older = || entries.iter().filter(|entry| entry.taken < taken);
    let (before, proven) = (older().next(), older().find(|entry| entry.is_proven()));
    let proven = proven.filter(|proven| before.is_none_or(|before| before.taken != proven.taken));
    before.into_iter().chain(proven).collect()
}

fn in_words(newest: &Footer, older: &Footer, is_proven: bool, key: &str) -> Option<String> {
    let Changes { tables_gone, rows_before, rows_after, .. } = newest.changes_since(older);
    let lack = if older.table_count() > newest.table_count() {
        let are = if let [_] = tables_gone[..] { "is" } else { "are" };
        format!("{} {are} not in this one", figures::names(&tables_gone, NAMED))
    } else if rows_before > rows_after.saturating_mul(2) {
        "more than twice as many rows as this one".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "the backup of {}{} held {} with {}: {lack}; to restore that one, name its key: {key}",
        figures::instant(older.started),
        if is_proven { ", proven by a restore test," } else { "" },
        figures::counted(older.table_count() as u64, "table"),
        figures::counted(rows_before, "row"),
    ))
}

#[cfg(test)]
mod tests {
    use backup_core::footer::{Digest, DumpFacts, TableFacts};
    use time::macros::datetime;

    use super::*;

    fn footer(tables: &[(&str, u64)]) -> Footer {
        let table = |(name, rows): &(&str, u64)| TableFacts {
            name: (*name).to_owned(),
            columns: Vec::new(),
            rows: *rows,
            digest: Digest::default(),
        };
        Footer {
            database: "shop".to_owned(),
            started: datetime!(2025-01-29 02:00 UTC),
            encoding: String::new(),
            collate: String::new(),
            ctype: String::new(),
            properties: None,
            roles: Vec::new(),
            dump: DumpFacts { tables: tables.iter().map(table).collect(), ..DumpFacts::default() },
        }
    }

    #[test]
    fn more_tables_or_more_than_twice_the_rows_are_said() {
        let newest = footer(&[("public.a", 3), ("public.b", 2)]);
        for (older, said) in [
            (vec![("public.a", 8), ("public.b", 2)], None),
            (vec![("public.a", 3)], None),
            (vec![("public.x", 3), ("public.y", 2)], None),
            (
                vec![("public.a", 9), ("public.b", 2)],
                Some("2 tables with 11 rows: more than twice as many rows as this one"),
            ),
            (
                vec![("public.a", 1), ("public.b", 1), ("public.c", 1)],
                Some("3 tables with 3 rows: public.c is not in this one"),
            ),
            (
                vec![("public.a", 1), ("public.c", 1), ("public.d", 100)],
                Some("3 tables with 102 rows: public.c, public.d are not in this one"),
            ),
        ] {
            let expected = said.map(|said| {
                format!(
                    "the backup of Wed 2025-01-29 02:00:00 +00:00 held {said}; to restore that one, name its key: k"
                )
            });
            assert_eq!(in_words(&newest, &footer(&older), false, "k"), expected, "{older:?}");
        }
    }
}
