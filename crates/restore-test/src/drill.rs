//! The drill: a test that passes everything proves nothing, so each test shows that it would have noticed.
//!
//! In the scratch database, once it is proven, one row is changed and one index is dropped; in the first bytes of the backup one
//! is flipped. Each must fail the comparison that the backup passed. It is cheap: the smallest table that has rows is dumped once
//! more, and the definitions without any rows.

use std::io::Read;
use std::time::Duration;

use backup_core::footer::{Digest, DumpFacts, TableFacts};
use backup_core::gzip;
use backup_core::postgres::{DumpStream, PostgresError, Scratch};
use backup_core::restore::{Whole, redump};
use backup_core::sql::literal;

use crate::verdict::Verdict;

/// How long one change may take.
const STATEMENT: Duration = Duration::from_mins(1);

/// Tables that are tried until one lets a row of it be changed: a constraint may hold all of them as they are.
const TABLES_TRIED: usize = 20;

/// What the server says where it removed a row. No column is called so: it would be quoted.
const REMOVED: &str = "a row";

/// Bytes that are flipped, one at a time, until one counts: a few bytes of a gzip header mean nothing.
const FLIPS: usize = 8;

/// What the drill noticed.
#[derive(Debug, Default)]
pub(crate) struct Drill {
    /// In sentences.
    pub(crate) noticed: Vec<String>,
    /// What there was nothing to try on.
    pub(crate) skipped: Vec<&'static str>,
}

impl Drill {
    /// Carries out all of it. What goes unnoticed makes the whole test worthless.
    pub(crate) async fn carry_out(scratch: &Scratch, whole: &Whole) -> Result<Self, Verdict> {
        let mut drill = Self::default();
        drill.flip_a_byte(&whole.beginning)?;
        drill.change_a_row(scratch, &whole.facts).await?;
        drill.drop_an_index(scratch, &whole.facts).await?;
        for noticed in &drill.noticed {
            log::info!("drill: {noticed}");
        }
        Ok(drill)
    }

    fn flip_a_byte(&mut self, beginning: &[u8]) -> Result<(), Verdict> {
        let good = unpacked(beginning);
        let at = |number: usize| beginning.len() / 2 + number;
        let flipped = |at: usize| {
            let mut bytes = beginning.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let counts = (0..FLIPS).map(at).filter(|at| *at < beginning.len()).find(|at| unpacked(&flipped(*at)) != good);
        let Some(at) = counts else { return Err(unnoticed("one byte of the backup was flipped")) };
        self.noticed.push(format!("byte {at} of the backup was flipped, and noticed"));
        Ok(())
    }

    async fn change_a_row(&mut self, scratch: &Scratch, facts: &DumpFacts) -> Result<(), Verdict> {
        // A name that is shown escaped is not the name.
        let plain = |table: &&TableFacts| table.rows > 0 && !table.name.contains('\\');
        let mut tables: Vec<&TableFacts> = facts.tables.iter().filter(plain).collect();
        tables.sort_by_key(|table| table.rows);
        for table in tables.into_iter().take(TABLES_TRIED) {
            let what = match asked(scratch, &change_of_a_row(&table.name)).await?.as_str() {
                "" => continue,
                REMOVED => format!("one row of {} was removed", table.name),
                column => format!("the value of {column} was changed in one row of {}", table.name),
            };
            let found = redump(DumpStream::start_table(scratch.client(), &table.name)?, facts).await?;
            let changed = found.table(&table.name).is_none_or(|found| found != table);
            if !changed {
                return Err(unnoticed(&what));
            }
            self.noticed.push(format!("{what}, and noticed"));
            return Ok(());
        }
        self.skipped.push("no table has a row that can be changed");
        Ok(())
    }

    async fn drop_an_index(&mut self, scratch: &Scratch, facts: &DumpFacts) -> Result<(), Verdict> {
        let what = asked(scratch, DROP_AN_INDEX).await?;
        if what.is_empty() {
            self.skipped.push("there is no index that can be dropped");
            return Ok(());
        }
        let found = redump(DumpStream::start_definitions(scratch.client())?, facts).await?;
        let gone = facts.objects.iter().find(|object| found.object(&object.name).is_none());
        let Some(gone) = gone else { return Err(unnoticed(&what)) };
        self.noticed.push(format!("{what}, and noticed: {} is missing", gone.name));
        Ok(())
    }
}

fn unnoticed(what: &str) -> Verdict {
    Verdict::inconclusive(
        format!("the test does not notice when {what}: what it finds proves nothing"),
        "This is a mistake in this tool. Please report it, with the log.",
    )
}

/// What comes out of these bytes, and where it stops.
fn unpacked(bytes: &[u8]) -> (Digest, Option<std::io::ErrorKind>) {
    let mut out = Vec::new();
    let ended = gzip::reader(bytes).read_to_end(&mut out);
    (Digest::of(&out), ended.err().map(|error| error.kind()))
}

/// Has the scratch server do something, and say what; nothing if it could not.
async fn asked(scratch: &Scratch, sql: &str) -> Result<String, PostgresError> {
    let answer = scratch.client().query(sql, STATEMENT).await?;
    Ok(String::from_utf8_lossy(&answer).trim().to_owned())
}

/// Changes one value of one row: the first column that lets it. Triggers and foreign keys are off; other constraints may
/// refuse, and a table where all columns do loses the row.
fn change_of_a_row(table: &str) -> String {
    let literal = literal(table);
    format!(
        r"SET session_replication_role = replica; SET standard_conforming_strings = on;
DO $drill$
DECLARE
  c record;
  changed bigint;
BEGIN
  PERFORM set_config('drill.what', '', false);
  FOR c IN
    SELECT a.attname AS name, CASE
        WHEN NOT a.attnotnull THEN 'NULL'
        WHEN t.typcategory = 'N' THEN format('%I + 1', a.attname)
        WHEN t.typcategory = 'B' THEN format('NOT %I', a.attname)
        WHEN t.typcategory = 'D' THEN format('%I + interval ''1 day''', a.attname)
        WHEN t.typcategory = 'S' THEN format('translate(%1$I::text, ''abcdefghijklmnopqrstuvwxyz'', ''bcdefghijklmnopqrstuvwxyza'')', a.attname)
        WHEN t.typname = 'uuid' THEN 'gen_random_uuid()'
        ELSE NULL END AS value
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = {literal}::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY a.attnotnull DESC, a.attnum DESC
  LOOP
    CONTINUE WHEN c.value IS NULL;
    BEGIN
      EXECUTE format('UPDATE ONLY %1$s SET %2$I = %3$s WHERE ctid = (SELECT ctid FROM ONLY %1$s WHERE %2$I IS NOT NULL
        AND %2$I::text IS DISTINCT FROM (%3$s)::text LIMIT 1)', {literal}, c.name, c.value);
      GET DIAGNOSTICS changed = ROW_COUNT;
      IF changed = 1 THEN
        PERFORM set_config('drill.what', quote_ident(c.name), false);
        RETURN;
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  BEGIN
    EXECUTE format('DELETE FROM ONLY %1$s WHERE ctid = (SELECT ctid FROM ONLY %1$s LIMIT 1)', {literal});
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 1 THEN
      PERFORM set_config('drill.what', '{REMOVED}', false);
    END IF;
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
END $drill$;
SELECT current_setting('drill.what')"
    )
}

/// Drops one index; where every index belongs to a constraint, one such constraint.
const DROP_AN_INDEX: &str = r"
DO $drill$
DECLARE
  statement text;
BEGIN
  PERFORM set_config('drill.what', '', false);
  FOR statement IN
    SELECT format('DROP INDEX %s', x.indexrelid::regclass)
      FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname !~ '^pg_|^information_schema$' AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid IN (x.indexrelid, x.indrelid) AND d.deptype = 'e')
    UNION ALL
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', k.conrelid::regclass, k.conname)
      FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE k.contype IN ('p', 'u', 'x') AND n.nspname !~ '^pg_|^information_schema$' AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = k.conrelid AND d.deptype = 'e')
  LOOP
    BEGIN
      EXECUTE statement;
      PERFORM set_config('drill.what', CASE WHEN statement LIKE 'DROP%' THEN 'an index was dropped' ELSE 'the index of a constraint was dropped' END, false);
      RETURN;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
END $drill$;
SELECT current_setting('drill.what')";
