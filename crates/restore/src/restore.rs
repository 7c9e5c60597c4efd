//! A backup brought back: into a new database, or in the place of an existing one.
//!
//! The existing one is never written to. The backup is restored into a new database beside it, in one transaction that ends
//! only when all of the backup was read and right, and compared with what the backup says of itself; then the two change
//! names in one step. So a cut or damaged backup, a full disk or Ctrl-C at any point changes nothing.

mod ask;
mod plan;
mod safety;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::figures;
use backup_core::footer::Comparison;
use backup_core::key::DatabaseName;
use backup_core::postgres::DumpStream;
use backup_core::process::{Bounds, Context, Exit, Finish, Lock, Progress};
use backup_core::restore::{self, Announced, Subject, Whole, redump};
use backup_core::store::Store;
use serde_json::json;
use time::PrimitiveDateTime;

use crate::args::RunArgs;
use crate::error::Error;
use crate::settings::Settings;
use plan::{Names, Plan};
use server::Server;

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

impl Run<'_> {
    async fn run(&self) -> Result<Finish, Error> {
        let (subject, announced) = self.bounds.hold(Box::pin(self.find())).await??;
        let server = self.bounds.hold(Server::ask(&self.settings.database)).await??;
        let names = Names::new(&self.args.into, self.taken());
        let target = self.bounds.hold(server.look_at(&names)).await??;
        let missing = self.bounds.hold(server.missing_extensions(&announced.facts.extensions)).await??;
        let plan = Plan::new(self.args, names, target, &server, &announced, missing, self.safety_dump())?;
        for line in plan.says(&subject, &announced, &self.settings.database) {
            log::info!("{line}");
        }
        self.bounds.hold(ask::to_go_on(self.args, &plan)).await??;

        if let Some(path) = &plan.safety_dump {
            let dumped = safety::dump(&self.context.environment, &plan.names.target, path);
            self.bounds.hold(dumped).await??;
        }
        let into = plan.fresh();
        let restored = self.make(&server, &plan, into, &subject, &announced).await?;
        if plan.replaces() {
            self.bounds.hold(server.swap(&plan.names, &plan.properties)).await??;
        }
        Ok(finish(&subject, &plan, &restored))
    }

    async fn find(&self) -> Result<(Subject, Announced), Error> {
        let store = Store::new(&self.settings.store).await;
        let layout = self.settings.layout();
        let subject = Subject::find(&self.args.wanted(), &store, &layout, self.taken()).await?;
        let announced = subject.announced(&store).await.map_err(|error| Error::from_read(&subject.address, error))?;
        if let Some(footer) = &announced.footer {
            subject.check_identity(footer, layout.database())?;
        }
        Ok((subject, announced))
    }

    /// A new database with all of the backup in it; or none.
    async fn make(
        &self,
        server: &Server,
        plan: &Plan,
        into: &DatabaseName,
        subject: &Subject,
        announced: &Announced,
    ) -> Result<Restored, Error> {
        self.bounds.hold(server.create(into, announced.footer.as_ref())).await??;
        let restored = self.bounds.hold(self.restore(server, plan, into, subject, announced)).await;
        match restored.map_err(Error::from).flatten() {
            // It is all there, and a person may want to look at it.
            Err(error @ Error::Different { .. }) => Err(error),
            Err(error) => {
                server.drop_database(into).await;
                Err(error)
            }
            restored => restored,
        }
    }

    async fn restore(
        &self,
        server: &Server,
        plan: &Plan,
        into: &DatabaseName,
        subject: &Subject,
        announced: &Announced,
    ) -> Result<Restored, Error> {
        let client = server.client_of(into).await?;
        let not_restored = |error| Error::from_read(&subject.address, error);
        let input = subject.open().await.map_err(not_restored)?;
        let begun = Instant::now();
        let progress = Arc::new(Progress::start(("restored", "")).of_read(announced.facts.bytes));
        let whole = restore::restore(&client, input, &plan.create_roles, progress).await.map_err(not_restored)?;
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

    /// Local time, whole seconds.
    fn taken(&self) -> PrimitiveDateTime {
        let started = self.context.started;
        let whole = started.replace_nanosecond(0).unwrap_or(started);
        PrimitiveDateTime::new(whole.date(), whole.time())
    }

    /// Where an existing database goes first: a place that outlives the container.
    fn safety_dump(&self) -> PathBuf {
        safety::path(&self.settings.places.state, &self.settings.store.prefix, &self.args.into, self.taken())
    }
}

fn finish(subject: &Subject, plan: &Plan, restored: &Restored) -> Finish {
    let Restored { whole, took, proven } = restored;
    let target = &plan.names.target;
    let (tables, rows) = (whole.facts.tables.len() as u64, whole.facts.total_rows());
    let equal = if *proven { ", every one equal to the backup" } else { ", not compared" };
    let line = format!(
        "restored {} into {target}: {} tables, {} rows{equal}",
        subject.address,
        figures::count(tables),
        figures::count(rows)
    );
    log::info!("{line}");
    log::info!("PostgreSQL gathers its statistics in the background; ANALYZE does it at once");
    let document = json!({
        "backup": subject.address,
        "database": target.as_str(),
        "replaced": plan.replaces(),
        "safety_dump": plan.safety_dump.as_ref().map(|path| path.display().to_string()),
        "roles_created": plan.created,
        "proven": proven,
        "tables": tables,
        "rows": rows,
        "restore_seconds": took.as_secs_f64(),
        "as_of": whole.footer.as_ref().map(|footer| footer.started.unix_timestamp()),
    });
    Finish::new(Exit::Done, Some(line), document)
}
