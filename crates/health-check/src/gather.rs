//! Everything that is asked for, side by side, each within its own limit.
//!
//! What hangs is critical, and keeps nothing else from being told.

use std::panic::resume_unwind;
use std::time::Duration;

use backup_core::journal::Journal;
use backup_core::key::Layout;
use backup_core::process::Context;
use backup_core::settings::Database;
use backup_core::store::Store;
use tokio::time::timeout;

use crate::args::Args;
use crate::checks::{
    cron, database, disk, files, notifications, recent_backup, restore_test, settings, storage, tools,
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
    let oldest = settings.thresholds.backup_age;

    let (programs, others) = tokio::join!(programs(args, database), async {
        let folder = layout.prefix().as_folder();
        tokio::join!(
            check(args, Name::Storage, async { storage::judge(&storage::look(&store, &folder).await) }),
            check(args, Name::RecentBackup, async {
                recent_backup::judge(&recent_backup::look(&store, &layout, &journal, &places.state).await, oldest)
            }),
            check(args, Name::RestoreTest, async {
                restore_test::judge(&restore_test::look(&store, &layout, &journal, &places.state).await)
            }),
            check(args, Name::Cron, async {
                let (crontab, journal, state) = (health.crontab.clone(), journal.clone(), places.state.clone());
                cron::judge(&aside(move || cron::look(&crontab, &journal, &state)).await)
            }),
            check(args, Name::Notifications, async {
                notifications::judge(&notifications::look(mail.as_ref(), places, !args.no_notify).await)
            }),
            check(args, Name::Disk, async {
                let places = places.clone();
                disk::judge(&aside(move || disk::look(&places)).await, health.disk_percent)
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
    },);
    let (database, tools) = programs;
    let (storage, recent_backup, restore_test, cron, notifications, disk, temp, logs, settings) = others;
    [database, storage, recent_backup, restore_test, cron, tools, notifications, disk, temp, logs, settings]
        .into_iter()
        .flatten()
        .collect()
}

/// The two checks of which one asks the other: the programs must fit the server.
async fn programs(args: &Args, settings: &Database) -> (Option<Finding>, Option<Finding>) {
    let (asked, wanted) = (args.wants(Name::Database), args.wants(Name::Tools));
    let bin_dir = settings.bin_dir.as_deref();
    let (server, tools) =
        tokio::join!(looked(asked || wanted, database::look(settings)), looked(wanted, tools::look(bin_dir)),);
    let version = match &server {
        Some(Ok(Ok(server))) => Some(&server.version),
        _ => None,
    };
    let tools = match tools {
        Some(Ok(facts)) => {
            check(args, Name::Tools, async {
                let server_programs = tools::look_for_server_programs(&facts, version, bin_dir).await;
                tools::judge(&facts, version, &server_programs)
            })
            .await
        }
        hung => hung.map(|_| Finding::hung(Name::Tools, LIMIT)),
    };
    let database = server.as_ref().filter(|_| asked).map(|server| match server {
        Ok(facts) => database::judge(facts, settings),
        Err(Hung) => Finding::hung(Name::Database, LIMIT),
    });
    (database, tools)
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
