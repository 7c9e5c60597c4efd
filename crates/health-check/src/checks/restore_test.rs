//! `restore-test`: the last restore test passed, and was not too long ago.
//!
//! The records stand in the store, so that a new machine knows of them; that a test could not even begin is known only here.

use std::path::Path;
use std::time::Duration;

use backup_core::figures;
use backup_core::journal::{Journal, LastRun, TestRecord};
use backup_core::key::{Claim, Layout, Outcome, RecordId, Tier, key_time};
use backup_core::process::{Killed, killed, now};
use backup_core::store::{Object, Store, StoreError};
use time::{OffsetDateTime, PrimitiveDateTime};

use super::age;
use crate::figure;
use crate::finding::{Advice, Finding, Name, Remark};

/// A test a month, and a few days.
const OVERDUE_AFTER: Duration = Duration::from_hours(24 * 35);

/// Two of them in a row were missed.
const STOPPED_AFTER: Duration = Duration::from_hours(24 * 65);

#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) tests: Result<Tests, StoreError>,
    pub(crate) run: Option<LastRun>,
    pub(crate) killed: Option<Killed>,
    pub(crate) now: OffsetDateTime,
}

/// The restore tests of which the store knows.
#[derive(Debug, Default)]
pub(crate) struct Tests {
    /// The last one, and what it wrote down, where that can be read.
    pub(crate) last: Option<(RecordId, Option<TestRecord>)>,
    /// When the last one was that still proves its backup.
    pub(crate) passed: Option<PrimitiveDateTime>,
}

pub(crate) async fn look(store: &Store, layout: &Layout, journal: &Journal, state: &Path) -> Facts {
    let tests = look_in_store(store, layout).await;
    Facts { tests, run: journal.read("restore-test"), killed: killed(state, "restore-test"), now: now() }
}

async fn look_in_store(store: &Store, layout: &Layout) -> Result<Tests, StoreError> {
    let mut last: Option<(RecordId, Object)> = None;
    let mut tests = Vec::new();
    store
        .walk(&layout.prefix().tier_folder(Tier::RecoveryTests), |object| {
            let Claim::Record(record) = layout.claim(&object.key) else { return };
            tests.push(record);
            if last.as_ref().is_none_or(|(last, _)| *last < record) {
                last = Some((record, object));
            }
        })
        .await?;
    let Some((id, object)) = last else { return Ok(Tests::default()) };
    let passed = RecordId::proofs(tests).map(|proof| proof.tested).max();
    let document = store.read_range(&object.key, 0, object.bytes.min(TestRecord::LARGEST)).await;
    let document = document.inspect_err(|error| log::debug!("{error}")).ok();
    Ok(Tests { last: Some((id, document.and_then(|document| TestRecord::parse(&document).ok()))), passed })
}

pub(crate) fn judge(facts: &Facts) -> Finding {
    let Facts { tests, run, killed, now } = facts;
    let tests = match tests {
        Ok(tests) => tests,
        Err(error) => {
            let advice = error.hint().unwrap_or_else(|| "See what the check of the storage says.".to_owned());
            let remark = Remark::critical(format!("it is not known what was tested: {error}"), advice);
            return Finding::new(Name::RestoreTest, [remark], Vec::new());
        }
    };
    let (mut remarks, mut figures) = (Vec::new(), Vec::new());
    match &tests.last {
        Some((id, record)) => {
            let ago = age(id.tested, *now);
            remarks.push(of_outcome(id, record.as_ref(), ago));
            figures.push(figure::TEST_TIMESTAMP.is(id.tested.assume_offset(now.offset()).unix_timestamp() as f64));
            figures.push(figure::TEST_PASSED.is(f64::from(u8::from(id.outcome == Outcome::Passed))));
            let seconds = record.as_ref().and_then(|record| record.restore_seconds);
            figures.extend(seconds.map(|seconds| figure::TEST_RESTORE_SECONDS.is(seconds)));
        }
        None => remarks.push(Remark::warning(
            "no backup has been tested by restoring it",
            Advice::run("Nobody knows yet whether a backup can be restored; test one now:", "restore-test"),
        )),
    }
    if tests.last.is_some() {
        remarks.extend(of_age(tests.passed.map(|passed| age(passed, *now))));
    }
    remarks.extend(killed.as_ref().and_then(|killed| of_killed(killed, tests.last.as_ref().map(|(id, _)| *id))));
    remarks.extend(run.as_ref().and_then(|run| of_run(run, tests.last.as_ref().map(|(id, _)| *id))));
    Finding::new(Name::RestoreTest, remarks, figures)
}

fn of_outcome(id: &RecordId, record: Option<&TestRecord>, ago: Duration) -> Remark {
    let ago = figures::duration(ago);
    let found = record.map(|record| format!(": {}", record.finding.trim_end_matches('.'))).unwrap_or_default();
    match id.outcome {
        Outcome::Passed => Remark::ok(format!("the last restore test, {ago} ago, passed{found}")),
        Outcome::Failed => Remark::critical(
            format!("the last restore test, {ago} ago, FAILED{found}"),
            Advice::run("Make a new backup, and test it (restore-test):", "backup"),
        ),
        Outcome::Unproven => Remark::warning(
            format!("the last restore test, {ago} ago, restored a backup that says nothing of itself{found}"),
            Advice::run("Test one that was made by backup:", "restore-test"),
        ),
        Outcome::Inconclusive => Remark::warning(
            format!("the last restore test, {ago} ago, could not be carried out{found}"),
            Advice::run("Mend what is missing, and test again:", "restore-test"),
        ),
    }
}

fn of_age(passed: Option<Duration>) -> Option<Remark> {
    let again = || Advice::run("Test one now, and see in restore-test.log why none was tested:", "restore-test");
    let age = passed?;
    let fact = format!("no restore test has passed for {}", figures::duration(age));
    if age > STOPPED_AFTER {
        Some(Remark::critical(fact, again()))
    } else if age > OVERDUE_AFTER {
        Some(Remark::warning(fact, again()))
    } else {
        None
    }
}

/// A test that was killed: what a later one found is told in its place.
fn of_killed(killed: &Killed, last: Option<RecordId>) -> Option<Remark> {
    let recorded = last.is_some_and(|last| last.tested >= key_time(killed.started));
    (killed.is_last && !recorded).then(|| {
        let at = figures::instant(killed.started);
        Remark::warning(
            format!("the restore test of {at} was killed before its end, which says nothing about the backup"),
            Advice::run("See whether memory or disk ran out (`dmesg` on the host), and test again:", "restore-test"),
        )
    })
}

/// A run that came to no record: it could not reach the store.
fn of_run(run: &LastRun, last: Option<RecordId>) -> Option<Remark> {
    let recorded = last.is_some_and(|last| last.tested >= key_time(run.started));
    if run.exit_code == 0 || recorded {
        return None;
    }
    let at = figures::instant(run.started);
    let error = run.error.clone().unwrap_or_else(|| format!("exit code {}", run.exit_code));
    Some(Remark::warning(
        format!("the last run of restore-test, on {at}, came to no result: {error}"),
        Advice::run("Mend it, and test again:", "restore-test"),
    ))
}

#[cfg(test)]
mod tests {
    use backup_core::mail::State;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-03-10 12:00 UTC);

    fn tests(tested: PrimitiveDateTime, outcome: Outcome, passed: Option<PrimitiveDateTime>) -> Tests {
        Tests { last: Some((RecordId { tested, backup: tested, outcome }, None)), passed }
    }

    fn judged(tests: Tests, run: Option<LastRun>) -> Finding {
        judge(&Facts { tests: Ok(tests), run, killed: None, now: NOW })
    }

    #[test]
    fn the_last_test_is_judged_by_its_outcome_and_age() {
        let (march, february, january) =
            (datetime!(2025-03-01 03:00), datetime!(2025-02-01 03:00), datetime!(2025-01-01 03:00));
        for (tested, outcome, passed, state) in [
            (march, Outcome::Passed, Some(march), State::Ok),
            (february, Outcome::Passed, Some(february), State::Warning),
            (january, Outcome::Passed, Some(january), State::Critical),
            (march, Outcome::Failed, Some(february), State::Critical),
            (march, Outcome::Unproven, None, State::Warning),
            (march, Outcome::Inconclusive, Some(february), State::Warning),
            (march, Outcome::Inconclusive, Some(january), State::Critical),
        ] {
            assert_eq!(judged(tests(tested, outcome, passed), None).state, state, "{tested} {outcome} {passed:?}");
        }
        assert_eq!(judged(Tests::default(), None).state, State::Warning);
    }

    #[test]
    fn what_the_test_found_is_told() {
        let id = RecordId {
            tested: datetime!(2025-03-01 03:00),
            backup: datetime!(2025-03-01 02:00),
            outcome: Outcome::Failed,
        };
        let record =
            br#"{"database": "shop", "backup": "s3://b/k", "tested": "2025-03-01T03:00:00Z", "outcome": "failed",
            "finding": "public.orders: 10,481 rows restored, 10,482 in the backup.", "restore_seconds": 72.0}"#;
        let record = TestRecord::parse(record).unwrap();
        let finding = judged(Tests { last: Some((id, Some(record))), passed: None }, None);
        let fact =
            "the last restore test, 9 days 9 h ago, FAILED: public.orders: 10,481 rows restored, 10,482 in the backup";
        assert_eq!(finding.fact, fact);
        assert!(finding.figures.contains(&figure::TEST_RESTORE_SECONDS.is(72.0)));
    }

    #[test]
    fn a_run_without_a_result_is_told_and_one_with_a_record_only_once() {
        let tested = datetime!(2025-03-01 03:00:00);
        let run = |started, exit_code| {
            let run = LastRun { started, ended: started, exit_code, error: Some("no such host".into()) };
            judged(tests(tested, Outcome::Passed, Some(tested)), Some(run)).state
        };
        assert_eq!(run(datetime!(2025-03-01 03:00:00.3 UTC), 1), State::Ok);
        assert_eq!(run(datetime!(2025-03-02 03:00 UTC), 0), State::Ok);
        assert_eq!(run(datetime!(2025-03-02 03:00 UTC), 1), State::Warning);
    }
}
