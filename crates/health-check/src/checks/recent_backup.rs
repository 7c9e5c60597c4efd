//! `recent-backup`: the newest backup in the store is young, whole, and not suddenly small.
//!
//! The store itself is asked, so that nothing that a run believes of itself is believed: what a run says it has made, and the
//! store does not have, is a fault of its own. Other databases' backups and other files are not seen, and a backup from the
//! future is not taken for the newest.

use std::path::Path;
use std::time::Duration;

use backup_core::figures;
use backup_core::footer::Footer;
use backup_core::journal::{Journal, LastBackup, LastRun};
use backup_core::key::{BackupId, Layout, Tier, key_time, local_time};
use backup_core::process::{Killed, killed, now};
use backup_core::store::{Object, Store, StoreError};
use time::{OffsetDateTime, PrimitiveDateTime};

use super::{age, since};
use crate::figure;
use crate::finding::{Advice, Finding, Name, Remark};

/// Backups get their time from our clock, so that none is from the future; but the hour that a summer time ends is there twice.
const CLOCK_MAY_JUMP: time::Duration = time::Duration::minutes(65);

#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) stored: Result<Stored, StoreError>,
    /// What the last run says it has made, and how it ended.
    pub(crate) last: Option<LastBackup>,
    pub(crate) run: Option<LastRun>,
    pub(crate) killed: Option<Killed>,
    pub(crate) now: OffsetDateTime,
}

/// The daily backups in the store.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) count: usize,
    /// Not counted above.
    pub(crate) from_the_future: usize,
    /// Not counted either: the newest object under a key of ours that is no backup, if no backup is newer.
    pub(crate) stub: Option<String>,
    pub(crate) newest: Option<Backup>,
    pub(crate) before: Option<Backup>,
    /// Whether what the last run says it has made is there.
    pub(crate) has_last: bool,
}

#[derive(Debug)]
pub(crate) struct Backup {
    pub(crate) address: String,
    pub(crate) taken: PrimitiveDateTime,
    pub(crate) bytes: u64,
    /// `None`: it has none that can be read.
    pub(crate) says: Option<Contents>,
}

/// What a backup says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents {
    pub(crate) rows: u64,
    pub(crate) tables: usize,
    pub(crate) dumped_bytes: u64,
}

pub(crate) async fn look(store: &Store, layout: &Layout, journal: &Journal, state: &Path) -> Facts {
    let now = now();
    let last: Option<LastBackup> =
        journal.read(LastBackup::ENTRY).filter(|last: &LastBackup| last.is_of(layout, &store.address("")));
    let stored = look_in_store(store, layout, last.as_ref(), local_time(now)).await;
    Facts { stored, last, run: journal.read("backup"), killed: killed(state, "backup"), now }
}

async fn look_in_store(
    store: &Store,
    layout: &Layout,
    last: Option<&LastBackup>,
    now: PrimitiveDateTime,
) -> Result<Stored, StoreError> {
    let mut ours: Vec<(BackupId, Object)> = Vec::new();
    store
        .walk(&layout.prefix().tier_folder(Tier::Daily), |object| {
            ours.extend(layout.parse(&object.key).map(|id| (id, object)));
        })
        .await?;
    ours.sort_by_key(|(id, _)| *id);
    let has_last = last.is_some_and(|last| ours.iter().any(|(_, object)| store.address(&object.key) == last.address));
    let past = ours.partition_point(|(id, _)| id.taken <= now + CLOCK_MAY_JUMP);
    let from_the_future = ours.split_off(past).len();
    let stub = ours.last().filter(|(_, object)| object.is_stub()).map(|(_, object)| store.address(&object.key));
    ours.retain(|(_, object)| !object.is_stub());
    let mut latest = ours.iter().rev();
    let (newest, before) = (latest.next(), latest.next());
    let (newest, before) = tokio::join!(of(store, newest), of(store, before));
    Ok(Stored { count: ours.len(), from_the_future, stub, newest, before, has_last })
}

async fn of(store: &Store, backup: Option<&(BackupId, Object)>) -> Option<Backup> {
    let (id, object) = backup?;
    let says = store.footer(object).await.map(|footer: Footer| Contents {
        rows: footer.total_rows(),
        tables: footer.table_count(),
        dumped_bytes: footer.dump.bytes,
    });
    Some(Backup { address: store.address(&object.key), taken: id.taken, bytes: object.bytes, says })
}

pub(crate) fn judge(facts: &Facts, oldest: Duration) -> Finding {
    let Facts { stored, last, run, killed, now } = facts;
    let oldest = LastBackup::age_limit(last.as_ref(), oldest);
    let stored = match stored {
        Ok(stored) => stored,
        Err(error) => {
            let advice = error.hint().unwrap_or_else(|| "See what the check of the storage says.".to_owned());
            let remark = Remark::critical(format!("it is not known which backups there are: {error}"), advice);
            return Finding::new(Name::RecentBackup, [remark], Vec::new());
        }
    };
    let mut figures = vec![figure::DAILY_COUNT.is(stored.count as f64)];
    let mut remarks = Vec::new();
    match &stored.newest {
        Some(newest) => {
            let age = age(newest.taken, *now);
            remarks.push(of_age(newest, age, oldest));
            remarks.extend(of_contents(newest, stored.before.as_ref()));
            figures.push(figure::NEWEST_TIMESTAMP.is(newest.taken.assume_offset(now.offset()).unix_timestamp() as f64));
            figures.push(figure::NEWEST_AGE.is(age.as_secs() as f64));
            figures.push(figure::NEWEST_STORED.is(newest.bytes as f64));
            if let Some(Contents { rows, tables, dumped_bytes }) = newest.says {
                figures.push(figure::NEWEST_DUMPED.is(dumped_bytes as f64));
                figures.push(figure::NEWEST_ROWS.is(rows as f64));
                figures.push(figure::NEWEST_TABLES.is(tables as f64));
            }
        }
        None => remarks.push(Remark::critical("there is no daily backup", Advice::run("Make one now:", "backup"))),
    }
    if let Some(stub) = &stored.stub {
        let fact = format!("the newest object is empty, and no backup: {stub}");
        let advice = Advice::run("Nothing of ours writes such a one: see who did, and make a backup now:", "backup");
        remarks.push(Remark::critical(fact, advice));
    }
    if stored.from_the_future > 0 {
        let fact = format!("{} of the daily backups are from the future and not counted", stored.from_the_future);
        remarks.push(Remark::warning(fact, "A clock is, or was, wrong: see when the store received them."));
    }
    if let Some(last) = last {
        figures.push(figure::DURATION.is(last.seconds));
        // One that retention has deleted since is no loss.
        let newer = stored.newest.as_ref().is_some_and(|newest| age(newest.taken, *now) < since(last.started, *now));
        if !stored.has_last && !newer {
            let fact = format!("the last backup that was made here is not in the store any more: {}", last.address);
            let advice =
                "Somebody or something else deletes in the bucket, or the settings name another bucket than before.";
            remarks.push(Remark::critical(fact, advice));
        }
    }
    remarks.extend(killed.as_ref().and_then(|killed| of_killed(killed, stored.newest.as_ref())));
    remarks.extend(run.as_ref().and_then(|run| of_run(run, stored.newest.as_ref())));
    Finding::new(Name::RecentBackup, remarks, figures)
}

fn of_age(newest: &Backup, age: Duration, oldest: Duration) -> Remark {
    let fact = format!("the newest backup is {} old, {}", figures::duration(age), figures::size(newest.bytes));
    if age > oldest {
        let limit = figures::duration(oldest);
        return Remark::critical(
            format!("{fact}; none may be older than {limit}: backups have stopped"),
            Advice::run("Make one now, and see in backup.log why none was made:", "backup"),
        );
    }
    Remark::ok(fact)
}

fn of_contents(newest: &Backup, before: Option<&Backup>) -> Vec<Remark> {
    let compare = "See whether data was deleted; if not, keep the backup before this one, and test:";
    let test = || Advice::run(compare, "restore-test latest");
    let mut remarks = Vec::new();
    if newest.says.is_none() {
        let fact = format!("the newest backup says nothing of what it holds: {}", newest.address);
        remarks.push(Remark::warning(
            fact,
            Advice::run("It was not made by backup, or is damaged; test it:", "restore-test latest"),
        ));
    }
    let Some(before) = before else { return remarks };
    let halved = |now: u64, before: u64| before > 0 && now <= before / 2;
    if halved(newest.bytes, before.bytes) {
        let (now, then) = (figures::size(newest.bytes), figures::size(before.bytes));
        remarks.push(Remark::warning(format!("the newest backup has {now}, the one before had {then}"), test()));
    }
    if let (Some(now), Some(then)) = (newest.says, before.says) {
        if halved(now.rows, then.rows) {
            let (now, then) = (figures::count(now.rows), figures::count(then.rows));
            remarks.push(Remark::warning(format!("the newest backup holds {now} rows, the one before {then}"), test()));
        }
        if halved(now.tables as u64, then.tables as u64) {
            let fact = format!("the newest backup holds {} tables, the one before {}", now.tables, then.tables);
            remarks.push(Remark::warning(fact, test()));
        }
    }
    remarks
}

/// A run that was killed could tell nobody. Once a newer backup stands, that is over.
fn of_killed(killed: &Killed, newest: Option<&Backup>) -> Option<Remark> {
    let at = figures::instant(killed.started);
    let why = "The machine went down, or had no memory left (see `dmesg` on the host), or somebody killed it.";
    let stands = newest.is_some_and(|newest| newest.taken >= key_time(killed.started));
    match (stands, killed.is_last) {
        (true, false) => None,
        (true, true) => Some(Remark::warning(
            format!("the backup of {at} was killed after it had been stored"),
            Advice::run(format!("{why} Its weekly and monthly copies may be missing: make another:"), "backup"),
        )),
        (false, _) => Some(Remark::warning(
            format!("the backup of {at} was killed before its end and is not there"),
            Advice::run(format!("{why} Make one now:"), "backup"),
        )),
    }
}

/// A run that failed since the newest backup was made. Its own mail may not have got through.
fn of_run(run: &LastRun, newest: Option<&Backup>) -> Option<Remark> {
    if run.exit_code == 0 {
        return None;
    }
    let at = figures::instant(run.started);
    let made = newest.is_some_and(|newest| newest.taken >= key_time(run.started));
    let fact = match (&run.error, made) {
        (Some(error), false) => format!("the last run, on {at}, made no backup: {error}"),
        (None, false) => format!("the last run, on {at}, ended with exit code {}", run.exit_code),
        (_, true) => format!("the last run, on {at}, made a backup and ended with exit code {}", run.exit_code),
    };
    Some(Remark::warning(fact, "See backup.log; the next run tries again."))
}

#[cfg(test)]
mod tests {
    use backup_core::mail::State;
    use time::macros::datetime;

    use super::*;

    const MIB: u64 = 1 << 20;
    const NOW: OffsetDateTime = datetime!(2025-01-29 12:00 +1);

    fn backup(taken: PrimitiveDateTime, bytes: u64, rows: u64) -> Backup {
        let says = Some(Contents { rows, tables: 10, dumped_bytes: 5 * bytes });
        Backup { address: format!("s3://bucket/{taken}"), taken, bytes, says }
    }

    fn stored(newest: Option<Backup>) -> Stored {
        let before = Some(backup(datetime!(2025-01-28 02:00), 100 * MIB, 1_000));
        Stored { count: 2, from_the_future: 0, stub: None, newest, before, has_last: true }
    }

    fn judged(stored: Stored) -> Finding {
        judge_facts(&Facts { stored: Ok(stored), last: None, run: None, killed: None, now: NOW })
    }

    fn judge_facts(facts: &Facts) -> Finding {
        judge(facts, Duration::from_hours(26))
    }

    #[test]
    fn the_newest_backup_is_judged_by_its_age_in_local_time() {
        for (taken, state) in [
            (datetime!(2025-01-29 11:59:59), State::Ok),
            (datetime!(2025-01-28 10:00), State::Ok),
            (datetime!(2025-01-28 09:59:59), State::Critical),
            (datetime!(2024-01-29 02:00), State::Critical),
        ] {
            let newest = backup(taken, 100 * MIB, 1_000);
            assert_eq!(judged(Stored { before: None, ..stored(Some(newest)) }).state, state, "{taken}");
        }
        let none = judged(Stored { count: 0, ..stored(None) });
        assert_eq!((none.state, none.fact.as_str()), (State::Critical, "there is no daily backup"));
    }

    #[test]
    fn a_backup_that_is_suddenly_half_as_large_is_worth_a_look() {
        let tonight = datetime!(2025-01-29 02:00);
        for (bytes, rows, words) in [
            (51 * MIB, 501, "the newest backup is 10 h old, 51.0 MiB"),
            (400 * MIB, 9_000, "the newest backup is 10 h old, 400.0 MiB"),
            (50 * MIB, 501, "the newest backup has 50.0 MiB, the one before had 100.0 MiB"),
            (51 * MIB, 500, "the newest backup holds 500 rows, the one before 1,000"),
            (51 * MIB, 0, "the newest backup holds 0 rows, the one before 1,000"),
        ] {
            assert_eq!(judged(stored(Some(backup(tonight, bytes, rows)))).fact, words);
        }
        let few_tables = Contents { rows: 1_000, tables: 5, dumped_bytes: 1 };
        let newest = Backup { says: Some(few_tables), ..backup(tonight, 100 * MIB, 0) };
        assert_eq!(judged(stored(Some(newest))).fact, "the newest backup holds 5 tables, the one before 10");
    }

    #[test]
    fn what_is_no_backup_of_ours_is_told() {
        let newest = || backup(datetime!(2025-01-29 02:00), 100 * MIB, 1_000);
        let mute = judged(stored(Some(Backup { says: None, ..newest() })));
        assert_eq!(mute.state, State::Warning);
        assert!(mute.fact.starts_with("the newest backup says nothing of what it holds: s3://"), "{}", mute.fact);
        let empty = judged(Stored { stub: Some("s3://bucket/key".into()), ..stored(Some(newest())) });
        assert!(empty.state == State::Critical && empty.fact.contains("is empty"), "{}", empty.fact);
        let future = judged(Stored { from_the_future: 2, ..stored(Some(newest())) });
        assert_eq!(
            (future.state, future.fact.starts_with("2 of the daily backups are from the future")),
            (State::Warning, true)
        );
    }

    fn last(started: OffsetDateTime) -> LastBackup {
        let (address, seconds, stored_bytes, dumped_bytes, rows) = ("s3://bucket/key".to_owned(), 9.0, 1, 1, 1);
        LastBackup { address, started, seconds, stored_bytes, dumped_bytes, rows }
    }

    #[test]
    fn a_backup_that_was_made_and_is_gone_is_a_fault() {
        let newest = || Some(backup(datetime!(2025-01-28 12:00), 100 * MIB, 1_000));
        let gone = |started, has_last| {
            let stored = Ok(Stored { has_last, ..stored(newest()) });
            judge_facts(&Facts { stored, last: Some(last(started)), run: None, killed: None, now: NOW }).state
        };
        assert_eq!(gone(datetime!(2025-01-29 02:00 +1), true), State::Ok);
        assert_eq!(gone(datetime!(2025-01-29 02:00 +1), false), State::Critical);
        // A newer one, made on another machine, stands: this one was deleted because its time was over.
        assert_eq!(gone(datetime!(2025-01-02 02:00 +1), false), State::Ok);
    }

    #[test]
    fn a_killed_run_is_told_until_a_newer_backup_stands() {
        let killed = |started, is_last| {
            let newest = Some(backup(datetime!(2025-01-29 02:00:07), 100 * MIB, 1_000));
            let killed = Some(Killed { started, is_last });
            judge_facts(&Facts { stored: Ok(stored(newest)), last: None, run: None, killed, now: NOW })
        };
        for is_last in [true, false] {
            let lost = killed(datetime!(2025-01-29 11:00 +1), is_last);
            assert_eq!(lost.state, State::Warning);
            assert_eq!(
                lost.fact,
                "the backup of Wed 2025-01-29 11:00:00 +01:00 was killed before its end and is not there"
            );
        }
        let late = killed(datetime!(2025-01-29 02:00:07.5 +1), true);
        assert!(late.fact.ends_with("was killed after it had been stored"), "{}", late.fact);
        assert_eq!(killed(datetime!(2025-01-29 02:00:07.5 +1), false).state, State::Ok);
    }

    #[test]
    fn a_run_that_failed_since_is_told_even_if_its_mail_was_not() {
        let run = |started, exit_code, error: Option<&str>| {
            let run = LastRun { started, ended: started, exit_code, error: error.map(str::to_owned) };
            let newest = Some(backup(datetime!(2025-01-29 02:00:07), 100 * MIB, 1_000));
            judge_facts(&Facts { stored: Ok(stored(newest)), last: None, run: Some(run), killed: None, now: NOW })
        };
        assert_eq!(run(datetime!(2025-01-29 02:00:07.5 +1), 0, None).state, State::Ok);
        let partly = run(datetime!(2025-01-29 02:00:07.5 +1), 3, None);
        assert!(partly.state == State::Warning && partly.fact.contains("made a backup and ended with exit code 3"));
        let failed = run(datetime!(2025-01-29 11:00 +1), 1, Some("no such host"));
        assert!(
            failed.state == State::Warning && failed.fact.ends_with("made no backup: no such host"),
            "{}",
            failed.fact
        );
    }
}
