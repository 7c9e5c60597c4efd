//! What stays of a test in the store: a copy of the backup that passed, and the record of how it ended, where cleanup and
//! health-check find it even if this machine is lost.

use backup_core::figures;
use backup_core::journal::{Journal, TestRecord};
use backup_core::key::{BackupId, Layout, Outcome, RecordId, Tier};
use backup_core::process::chain;
use backup_core::restore::Subject;
use backup_core::store::{CopyLimits, PartSize, Store, StoreError, Upload};
use backup_core::unfinished::Unfinished;
use time::PrimitiveDateTime;

use crate::run::Report;
use crate::verdict::Verdict;

/// What was written down, by address.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) copy: Option<String>,
    pub(crate) record: Option<String>,
    /// What could not be written.
    pub(crate) troubles: Vec<String>,
}

/// Writes down how a test of one of our backups ended. What cannot be written changes nothing of the verdict, but is told.
pub(crate) async fn write_down(
    report: &Report,
    store: &Store,
    layout: &Layout,
    journal: &Journal,
    tested: PrimitiveDateTime,
    mark: String,
) -> Written {
    let mut written = Written::default();
    let Some(id) = report.subject.of_ours() else { return written };
    let unfinished = Unfinished::new(journal, crate::TOOL.name);
    unfinished.abort_all(store).await;
    let tested = free_second(store, layout, tested).await;
    let outcome = report.verdict.outcome();
    if matches!(outcome, Outcome::Passed | Outcome::Unproven) {
        let key = layout.key(BackupId { taken: tested, tier: Tier::RecoveryTests });
        match copy(&report.subject, store, &key, &unfinished).await {
            Ok(()) => written.copy = Some(store.address(&key)),
            Err(error) => written.trouble("the tested backup was not copied", &error),
        }
    }
    let key = layout.record_key(&RecordId { tested, backup: id.taken, outcome });
    match put(report, store, layout, &key, mark, &unfinished).await {
        Ok(()) => written.record = Some(store.address(&key)),
        Err(error) => written.trouble("the result was not written to the store", &error),
    }
    unfinished.abort_all(store).await;
    written
}

impl Written {
    fn trouble(&mut self, what: &str, error: &StoreError) {
        let told = format!("{what}: {}", chain(error));
        log::error!("{told}");
        self.troubles.push(told);
    }
}

/// The first second from this one on that no other test has taken: those of two databases under one prefix begin at the
/// same one on the 1st, and their copies have no database in their keys. Where the store cannot say, the second itself.
async fn free_second(store: &Store, layout: &Layout, tested: PrimitiveDateTime) -> PrimitiveDateTime {
    for later in 0..60 {
        let tested = tested + time::Duration::seconds(later);
        let copy = layout.key(BackupId { taken: tested, tier: Tier::RecoveryTests });
        let of_this_second = copy.trim_end_matches(".sql.gz");
        if !store.list(of_this_second).await.is_ok_and(|objects| !objects.is_empty()) {
            return tested;
        }
    }
    tested
}

async fn copy(subject: &Subject, store: &Store, key: &str, unfinished: &Unfinished) -> Result<(), StoreError> {
    let Some(source) = subject.source() else { return Ok(()) };
    store.copy(&source.stored(), key, CopyLimits::default(), unfinished).await?;
    log::info!("copied to {}", store.address(key));
    Ok(())
}

async fn put(
    report: &Report,
    store: &Store,
    layout: &Layout,
    key: &str,
    mark: String,
    unfinished: &Unfinished,
) -> Result<(), StoreError> {
    let facts = report.learned.announced.as_ref().map(|announced| &announced.facts);
    let compared = facts.filter(|_| matches!(report.verdict, Verdict::Proven { .. }));
    let record = TestRecord {
        database: layout.database().as_str().to_owned(),
        backup: report.subject.address.clone(),
        tested: report.started,
        outcome: report.verdict.outcome(),
        finding: report.finding(),
        restore_seconds: report.learned.restore.map(|took| took.as_secs_f64()),
        as_of: report.as_of(),
        tables: compared.map(|facts| facts.tables.len() as u64),
        rows: compared.map(backup_core::footer::DumpFacts::total_rows),
    };
    // Plain data: nothing in it can fail to serialize.
    let document = record.to_document().unwrap_or_else(|error| unreachable!("{error}"));
    store.check_free(key).await?;
    let mut upload = Upload::new(store, key.to_owned(), mark, PartSize::for_database(0, 10_000));
    upload.write(&document, unfinished).await?;
    upload.complete(unfinished).await?;
    log::debug!("wrote {} ({})", store.address(key), figures::size(document.len() as u64));
    Ok(())
}
