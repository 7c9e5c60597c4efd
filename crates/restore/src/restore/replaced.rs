//! What becomes of a database that was replaced: nothing that somebody wrote into it after its dump may be lost.
//!
//! It is compared when nobody can write to it any more, because it no longer has its name. If it holds anything but what the
//! safety dump holds, or anything at all where it was empty, or that cannot be told, it is kept.

use std::path::Path;
use std::sync::Arc;

use backup_core::figures;
use backup_core::footer::{Comparison, Difference};
use backup_core::key::DatabaseName;
use backup_core::postgres::DumpStream;
use backup_core::process::{Progress, chain};
use backup_core::restore::{self, Input, redump};

use super::empty;
use super::plan::Replaced;
use super::server::Server;
use crate::error::Error;

/// Differences that are named one by one.
const NAMED: usize = 5;

/// Drops the database, or gives the reason why it is kept.
pub(super) async fn drop_or_keep(
    server: &Server,
    before: &DatabaseName,
    Replaced { is_empty, safety_dump, .. }: &Replaced,
) -> Result<(), String> {
    if *is_empty {
        match empty::is_empty(server, before).await {
            Ok(true) => {}
            Ok(false) => return Err("it was empty, and somebody wrote to it meanwhile".to_owned()),
            Err(error) => return Err(format!("it was empty, and whether it still is cannot be told: {error}")),
        }
    }
    if let Some(path) = safety_dump {
        log::info!("comparing what was replaced with its dump");
        match changed_since(server, before, path).await {
            Ok(differences) if differences.is_empty() => {}
            Ok(differences) => {
                for difference in differences.iter().take(NAMED) {
                    log::warn!("changed since its dump: {difference}");
                }
                return Err("somebody wrote to it after it was dumped".to_owned());
            }
            Err(error) => return Err(format!("it cannot be compared with its dump: {}", chain(&error))),
        }
    }
    server.drop_replaced(before).await.map_err(|error| error.to_string())
}

/// What differs between the database and its dump, which is read to its end once more.
async fn changed_since(server: &Server, database: &DatabaseName, path: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |error| Error::from_read(&path.display().to_string(), error);
    let input = Input::file(path.to_owned()).await.map_err(unreadable)?;
    let dumped = restore::read(input, None, Arc::new(Progress::start(("read", "")))).await.map_err(unreadable)?.facts;
    let client = server.client_of(database).await?;
    let found = redump(DumpStream::start(&client)?, &dumped).await?;
    let Comparison { differences, respelled } = dumped.compare(&found);
    // Both were dumped here and now: what is spelled anew was defined anew.
    let redefined = respelled.iter().map(|object| format!("{object} is defined otherwise"));
    Ok(differences.iter().map(in_words).chain(redefined).collect())
}

/// A difference is otherwise told as that of something restored.
fn in_words(difference: &Difference) -> String {
    match difference {
        Difference::Rows { table, expected, found } => {
            format!("{table}: {} rows in its dump, {} now", figures::count(*expected), figures::count(*found))
        }
        Difference::Content { table, .. } => format!("{table}: other rows than in its dump"),
        Difference::Sequence { expected, .. } => format!("{}: the sequence has moved", expected.name),
        Difference::LargeObjects { .. } => "the large objects".to_owned(),
        Difference::TableMissing(name) | Difference::SequenceMissing(name) => format!("{name} is gone"),
        Difference::TableExtra(name) | Difference::SequenceExtra(name) => format!("{name} is new"),
        Difference::Columns(table) => format!("{table} has other columns"),
        Difference::ObjectMissing(object) => format!("{object} is gone"),
        Difference::ObjectExtra(object) => format!("{object} is new"),
        Difference::Definition(object) => format!("{object} is defined otherwise"),
    }
}
