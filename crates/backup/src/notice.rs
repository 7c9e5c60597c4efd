//! What a person is told of a run.

use std::time::Duration;

use backup_core::figures;
use backup_core::journal::{Journal, LastBackup};
use backup_core::key::Layout;
use backup_core::mail::{Fact, Kind, Origin, Report as Mail, Step};
use backup_core::process::{Context, Failure, chain, now};
use backup_core::settings::NotifyOn;
use backup_core::store::Store;
use time::PrimitiveDateTime;

use crate::error::Error;
use crate::run::{self, ENTRY, Ended, Report};
use crate::settings::Settings;

/// How long the search for the newest good backup may take, after a failure that may be the store's.
const TIME_TO_LOOK: Duration = Duration::from_secs(20);

/// Mails how the run ended, to whom the settings name.
pub(crate) async fn tell(settings: &Settings, context: &Context, ended: &Result<Ended, Error>) {
    let Some(mail) = &settings.mail else {
        log::info!("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told");
        return;
    };
    let report = match ended {
        Ok(Ended::Made(report)) if report.not_promoted().next().is_some() => partly(report, settings, context),
        Ok(Ended::Made(_)) if mail.notify_on == NotifyOn::Failure => return,
        Ok(Ended::Made(report)) => success(report, settings, context),
        Ok(Ended::Recent { .. } | Ended::DryRun { .. }) => return,
        Err(error) if run::is_worth_a_mail(error) => failure(error, settings, context).await,
        Err(_) => return,
    };
    let _ = report.render();
}

fn origin(settings: &Settings, context: &Context) -> Origin {
    let tool = format!("backup {}", env!("CARGO_PKG_VERSION"));
    Origin::new(tool, settings.database.name.as_str(), &settings.database.host, context.started)
}

fn success(report: &Report, settings: &Settings, context: &Context) -> Mail {
    let headline = format!("{} was backed up.", settings.database.name);
    Mail::new(Kind::Success, origin(settings, context), headline)
}

fn partly(report: &Report, settings: &Settings, context: &Context) -> Mail {
    let headline = format!("{} was backed up, but not promoted.", settings.database.name);
    Mail::new(Kind::Failure, origin(settings, context), headline)
}

async fn failure(error: &Error, settings: &Settings, context: &Context) -> Mail {
    let headline = format!("{} was not backed up: {}", settings.database.name, chain(error));
    Mail::new(Kind::Failure, origin(settings, context), headline)
}
