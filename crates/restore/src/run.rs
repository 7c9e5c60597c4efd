//! What is asked for, and nothing else.
//!
//! `list` and `fetch` take no lock: they change nothing in the store and nothing in the database, and whoever needs a backup
//! must not have to wait for somebody else's look at the list. A file that is being fetched is locked by itself.

use backup_core::process::{Context, Finish};

use crate::args::{Args, Verb};
use crate::error::Error;
use crate::{fetch, list, restore};

/// Runs `restore`. `BACKUP_ENABLED` is about making backups: what was made can always be brought back.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Finish, Error> {
    match args.verb {
        Verb::List(args) => list::run(args, context).await,
        Verb::Fetch(args) => fetch::run(args, context).await,
        Verb::Run(args) => Box::pin(restore::run(args, context)).await,
    }
}
