//! A backup brought back: into a new database, or in the place of an existing one.
//!
//! Whatever the target, the backup is restored into a database of another name, in one transaction that ends only when
//! all of the backup was read and right, and compared with what the backup says of itself. Only then it gets its name;
//! one that had that name is never written to, and goes only when it still is what was dumped of it. So a cut or
//! damaged backup, a full disk or Ctrl-C at any point changes nothing.

mod ask;
mod empty;
mod names;
mod plan;
mod replaced;
mod richer;
mod roles;
mod safety;
mod server;
mod unfinished;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::child::Confinement;
use backup_core::figures;
use backup_core::footer::{Comparison, Footer};
use backup_core::journal::Journal;
use backup_core::key::{DatabaseName, key_time};
use backup_core::postgres::{DumpStream, mended_psql};
use backup_core::process::{Bounds, Context, Exit, Finish, Lock, Progress};
use backup_core::restore::{self, Announced, Subject, Whole, redump};
use backup_core::shell;
use backup_core::sql::identifier;
use backup_core::store::{Pick, Store, Wanted};
use serde_json::json;
use time::PrimitiveDateTime;

use crate::args::RunArgs;
use crate::error::Error;
use crate::find;
use crate::settings::Settings;
use plan::{Beside, Plan};
use server::Server;
use unfinished::Unfinished;

pub(crate) use names::Names;
pub(crate) use server::rename;

/// Runs `restore run`.
pub(crate) async fn run(args: RunArgs, context: &Context) -> Result<Finish, Error> {
    let settings = Settings::read(&context.environment)?;
    let _lock = Lock::take_if_possible(&settings.places.state, crate::TOOL.name)?;
    let bounds = context.bounds(settings.limits);
    let run = Run { settings: &settings, context, args: &args, bounds };
    run.run().await
}

/// What a run works with.
struct Run<'r> {
    settings: &'r Settings,
    context: &'r Context,
    args: &'r RunArgs,
    bounds: Bounds,
}

/// A backup that is back.
struct Restored {
    whole: Whole,
    took: Duration,
    /// Whether it was compared with what the backup says of itself.
    proven: bool,
}

/// What became of the target.
struct Became {
    /// What the server would not give the new database or the new roles.
    refused: Vec<String>,
    /// What was replaced, where it was kept, and why.
    kept: Option<(DatabaseName, String)>,
}

impl Run<'_> {
    async fn run(&self) -> Result<Finish, Error> {
        let (subject, announced, richer) = self.bounds.hold(Box::pin(self.find())).await??;
        let server = self.bounds.hold(Server::ask(&self.settings.database)).await??;
        let names = Names::new(&self.args.into, self.started());
        let mut seen = self.bounds.hold(server.look(&names.target)).await??;
        let unfinished = Unfinished::new(Journal::new(&self.settings.places.state), &self.settings.database);
        self.bounds.hold(unfinished.remove(&server, &mut seen.databases)).await?;
        for left in names.left_behind(&seen.databases) {
            let drop = format!("DROP DATABASE {};", identifier(left));
            log::warn!("an earlier restore left the database {left}; when nobody needs it any more: {drop}");
        }
        let missing = self.bounds.hold(server.missing_extensions(&announced.facts.extensions)).await??;
        let plan = Plan::new(self.args, names, seen, &server, &announced, missing, self.safety_dump())?;
        warn_of_versions(&server, &announced);
        for line in plan.says(&subject, &announced, &self.settings.database) {
            log::info!("{line}");
        }
        for line in richer {
            log::warn!("{line}");
        }
        self.bounds.hold(ask::to_go_on(self.args, &plan)).await??;

        if let Some(path) = plan.safety_dump() {
            let dumped = safety::dump(&self.context.environment, &plan.names.target, path);
            self.bounds.hold(dumped).await??;
        }
        let restored = self.make(&server, &plan, &unfinished, &subject, &announced).await?;
        // From here on it is whole, whatever it is called.
        unfinished.ended();
        let became = self.name(&server, &plan).await?;
        Ok(finish(&subject, &plan, &restored, &became))
    }

    /// The backup, what it says of itself, and what is to be said of those that held more.
    async fn find(&self) -> Result<(Subject, Announced, Vec<String>), Error> {
        let store = Store::new(&self.settings.store).await;
        let layout = self.settings.layout();
        if self.args.before.is_some_and(|before| before > self.started()) {
            log::warn!("--before is in the future: that is the newest backup");
        }
        let wanted = self.args.wanted();
        let subject = match Subject::find(&wanted, &store, &layout, self.started()).await {
            Ok(subject) => subject,
            Err(error) => return Err(find::or_what_there_is(error, &wanted, &store, &layout).await),
        };
        let announced = subject.announced(&store).await.map_err(|error| Error::from_read(&subject.address, error))?;
        let mut richer = Vec::new();
        if let Some(footer) = &announced.footer {
            subject.check_identity(footer, layout.database())?;
            // Whoever names a key has chosen.
            if let (Wanted::Stored(Pick::Latest | Pick::Before(_)), Some(id)) = (&wanted, subject.id) {
                richer = richer::than(footer, id.taken, &store, &layout).await;
            }
        }
        Ok((subject, announced, richer))
    }

    /// A new database with all of the backup in it; or none.
    async fn make(
        &self,
        server: &Server,
        plan: &Plan,
        unfinished: &Unfinished<'_>,
        subject: &Subject,
        announced: &Announced,
    ) -> Result<Restored, Error> {
        let fresh = &plan.names.fresh;
        unfinished.begun(fresh);
        // If the run is cut off here, the server may still be making the database; the next run removes it.
        let created = self.bounds.hold(server.create(fresh, announced.footer.as_ref())).await?;
        // Where that failed, there is no database, or one that this run has not made: there is nothing to remove.
        created.inspect_err(|_| unfinished.ended())?;
        let restored = self.bounds.hold(self.restore(server, plan, subject, announced)).await;
        match restored.map_err(Error::from).flatten() {
            // It is all there, and a person may want to look at it.
            Err(error @ Error::Different { .. }) => {
                unfinished.ended();
                Err(error)
            }
            Err(error) => {
                if server.drop_database(fresh).await {
                    log::info!("the database {fresh}, which this run had made, is gone again");
                    unfinished.ended();
                }
                Err(error)
            }
            restored => restored,
        }
    }

    async fn restore(
        &self,
        server: &Server,
        plan: &Plan,
        subject: &Subject,
        announced: &Announced,
    ) -> Result<Restored, Error> {
        let into = &plan.names.fresh;
        let client = server.client_of(into).await?;
        let not_restored = |error| Error::from_read(&subject.address, error);
        let input = subject.open().await.map_err(not_restored)?;
        let begun = Instant::now();
        let progress = Arc::new(Progress::start(("restored", "")).of_read(announced.facts.bytes));
        let whole = restore::restore(&client, input, &plan.roles.statements, progress).await.map_err(not_restored)?;
        let took = begun.elapsed();
        log::info!("restored in {}; comparing it with the backup", figures::duration(took));
        if whole.footer.is_none() {
            log::warn!("the backup carries no footer that it could be compared with: restored, but unproven");
            return Ok(Restored { whole, took, proven: false });
        }
        let found = redump(DumpStream::start(&client)?, &whole.facts).await?;
        let Comparison { differences, respelled } = whole.facts.compare(&found);
        if !respelled.is_empty() {
            log::info!("PostgreSQL spells {} definitions anew, which is no loss", respelled.len());
        }
        match differences.first() {
            None => Ok(Restored { whole, took, proven: true }),
            Some(first) => {
                for difference in &differences {
                    log::error!("{difference}");
                }
                let more = differences.len() - 1;
                Err(Error::Different { database: into.clone(), first: first.to_string(), more })
            }
        }
    }

    /// Gives what was restored its name, and takes care of what had it.
    async fn name(&self, server: &Server, plan: &Plan) -> Result<Became, Error> {
        let Names { target, before, .. } = &plan.names;
        // A change of names that is cut off leaves nobody knowing whether it took place: signals wait for it.
        let mut refused = server.give(&plan.roles.settings).await;
        if let Beside::Given(properties) = &plan.beside {
            refused.extend(server.give_properties(&plan.names, properties).await);
        }
        let Some(replaced) = &plan.replaced else {
            server.name(&plan.names).await?;
            return Ok(Became { refused, kept: None });
        };
        server.swap(&plan.names, &plan.beside).await?;
        let was_empty = if replaced.is_empty { "; the one before was empty" } else { "" };
        log::info!("{target} is the restored one from now on{was_empty}");
        let gone = replaced::drop_or_keep(server, before, replaced);
        let gone = self.bounds.hold(gone).await.inspect_err(|_| {
            log::warn!("what was replaced is left as {before}");
        })?;
        if let Err(why) = &gone {
            log::warn!("what was replaced is kept as {before}: {why}");
        }
        Ok(Became { refused, kept: gone.err().map(|why| (before.clone(), why)) })
    }

    /// When this run started, as keys have it.
    fn started(&self) -> PrimitiveDateTime {
        key_time(self.context.started)
    }

    /// Where an existing database goes first: a place that outlives the container.
    fn safety_dump(&self) -> PathBuf {
        safety::path(&self.settings.places.state, &self.settings.store.prefix, &self.args.into, self.started())
    }
}

/// What may go wrong for want of an update.
fn warn_of_versions(server: &Server, announced: &Announced) {
    let theirs = announced.footer.as_ref().and_then(Footer::server_major);
    if let Some(theirs) = theirs.filter(|major| *major > server.version().major) {
        log::warn!(
            "the backup is of PostgreSQL {theirs}, the server is {}: an older version may not understand all of it",
            server.version()
        );
    }
    let psql = server.psql_version();
    if let Some(mended) = mended_psql(psql).filter(|_| !Confinement::is_possible()) {
        log::warn!(
            "psql {psql} runs shell commands that somebody may have hidden in a dump (CVE-2026-18408), and this kernel cannot keep \
             it from that: update it to {mended}, if others can write to the store"
        );
    }
}

fn finish(subject: &Subject, plan: &Plan, restored: &Restored, became: &Became) -> Finish {
    let Restored { whole, took, proven } = restored;
    let target = &plan.names.target;
    let (tables, rows) = (whole.facts.tables.len() as u64, whole.facts.total_rows());
    let equal = if *proven { ", every one equal to the backup" } else { ", not compared" };
    let kept = became
        .kept
        .as_ref()
        .map_or_else(String::new, |(before, why)| format!("; what was replaced is kept as {before}: {why}"));
    let refused = match became.refused.len() {
        0 => String::new(),
        count => {
            format!("; {count} of the settings of the database and its roles could not be given back: see the log")
        }
    };
    let line = format!(
        "restored {} into {target}: {} tables, {} rows{equal}{kept}{refused}",
        subject.address,
        figures::count(tables),
        figures::count(rows)
    );
    log::info!("{line}");
    if let Some(path) = plan.safety_dump() {
        let (path, name) = (path.display().to_string(), shell::word(target.as_str()));
        log::info!(
            "what {target} held before is in {path}; the way back: restore run {} --into={name} --replace={name}",
            shell::word(&path)
        );
    }
    log::info!("PostgreSQL gathers its statistics in the background; ANALYZE does it at once");
    let without_password = plan.roles.without_password();
    if !without_password.is_empty() {
        let give = |role: &&str| format!("ALTER ROLE {} PASSWORD '...';", identifier(role));
        let give = without_password.iter().map(give).collect::<Vec<_>>().join(" ");
        log::warn!("the roles that were created have no password yet, and cannot log in with one before: {give}");
        log::warn!(
            "the role that makes the backups needs the one that .env has (DB_PASSWORD): else every backup fails"
        );
    }
    let document = json!({
        "backup": subject.address,
        "database": target.as_str(),
        "replaced": plan.replaces(),
        "safety_dump": plan.safety_dump().map(|path| path.display().to_string()),
        "kept": became.kept.as_ref().map(|(before, _)| before.as_str()),
        "not_given_back": became.refused,
        "roles_created": plan.roles.names,
        "proven": proven,
        "tables": tables,
        "rows": rows,
        "restore_seconds": took.as_secs_f64(),
        "as_of": whole.footer.as_ref().map(|footer| footer.started.unix_timestamp()),
    });
    let exit = if kept.is_empty() && refused.is_empty() { Exit::Done } else { Exit::Partly };
    Finish::new(exit, Some(line), document)
}
