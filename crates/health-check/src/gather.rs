//! Everything that is asked for, side by side, each within its own limit.
//!
//! What hangs is critical, and keeps nothing else from being told.

use std::panic::resume_unwind;
use std::time::Duration;

use backup_core::journal::Journal;
use backup_core::key::Layout;
use backup_core::process::Context;
use backup_core::store::Store;
use tokio::time::timeout;

use crate::args::Args;
use crate::checks::{
    cron, database, files, notifications, recent_backup, restore_test, settings, space, storage, tools,
};
use crate::finding::{Finding, Name};
use crate::settings::Settings;

/// What one check may take. Docker gives a HEALTHCHECK 30 seconds if nobody says otherwise.
const LIMIT: Duration = Duration::from_secs(20);

/// Looks at what the arguments ask for, and judges it.
pub(crate) async fn findings(args: &Args, settings: &Settings, context: &Context) -> Vec<Finding> {
    let Settings { database, places, health, mail, .. } = settings;
    let store = Store::new(&settings.store).await;
    let layout = Layout::new(settings.store.prefix.clone(), database.name.clone());
    let journal = Journal::new(&places.state);
    let wants = |name| args.wants(name);
    let oldest = settings.thresholds.backup_age;

    // What the server is says whether the programs fit it, so that these two are judged when both are known.
    let (server, programs, others) = tokio::join!(
        looked(wants(Name::Database) || wants(Name::Tools), database::look(database)),
        looked(wants(Name::Tools), tools::look(database.bin_dir.as_deref())),
        async {
            let folder = layout.prefix().as_folder();
            tokio::join!(
                check(args, Name::Storage, async { storage::judge(&storage::look(&store, &folder).await) }),
                check(args, Name::RecentBackup, async {
                    recent_backup::judge(&recent_backup::look(&store, &layout, &journal).await, oldest)
                }),
                check(args, Name::RestoreTest, async {
                    restore_test::judge(&restore_test::look(&store, &layout, &journal).await)
                }),
                check(args, Name::Cron, async {
                    let (crontab, journal) = (health.crontab.clone(), journal.clone());
                    cron::judge(&aside(move || cron::look(&crontab, &journal)).await)
                }),
                check(args, Name::Notifications, async {
                    notifications::judge(&notifications::look(mail.as_ref(), places, !args.no_notify).await)
                }),
                check(args, Name::Disk, async {
                    let places = places.clone();
                    space::judge(&aside(move || space::look(&places)).await, health.disk_percent)
                }),
                check(args, Name::Temp, async {
                    let places = places.clone();
                    files::judge_temp(&aside(move || files::look_at_temp(&places)).await, health.temp_bytes)
                }),
                check(args, Name::Logs, async {
                    let places = places.clone();
                    files::judge_logs(&aside(move || files::look_at_logs(&places)).await, health.log_bytes)
                }),
                check(args, Name::Settings, async {
                    settings::judge(&settings::look(&context.environment), &settings.retention)
                }),
            )
        },
    );
    let version = match &server {
        Some(Ok(Ok(server))) => Some(&server.version),
        _ => None,
    };
    let database = server.as_ref().filter(|_| wants(Name::Database)).map(|server| match server {
        Ok(facts) => database::judge(facts, database),
        Err(Hung) => Finding::hung(Name::Database, LIMIT),
    });
    let tools = programs.map(|programs| match programs {
        Ok(facts) => tools::judge(&facts, version),
        Err(Hung) => Finding::hung(Name::Tools, LIMIT),
    });
    let (storage, recent_backup, restore_test, cron, notifications, disk, temp, logs, settings) = others;
    [database, storage, recent_backup, restore_test, cron, tools, notifications, disk, temp, logs, settings]
        .into_iter()
        .flatten()
        .collect()
}

/// It did not end in time.
#[derive(Debug, Clone, Copy)]
struct Hung;

/// The facts, if they are wanted.
async fn looked<T>(wanted: bool, look: impl Future<Output = T>) -> Option<Result<T, Hung>> {
    if wanted { Some(timeout(LIMIT, look).await.map_err(|_| Hung)) } else { None }
}

/// What a check finds, if it is wanted.
async fn check(args: &Args, name: Name, finds: impl Future<Output = Finding>) -> Option<Finding> {
    let found = looked(args.wants(name), finds).await?;
    Some(found.unwrap_or_else(|Hung| Finding::hung(name, LIMIT)))
}

/// What may hang on a disk keeps a thread of its own busy, and the process does not wait for it at its end.
async fn aside<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> T {
    // Not cancelled by anybody: it ended, or panicked.
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
