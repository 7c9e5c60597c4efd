//! One run, step by step: check, dump, promote, tell.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use backup_core::figures;
use backup_core::footer::{Changes, Footer};
use backup_core::journal::{Journal, LastBackup};
use backup_core::key::{BackupId, Layout, Tier, key_time};
use backup_core::postgres::{Client, DumpStream, Server};
use backup_core::process::{Arguments, Bounds, Context, Cut, Exit, Finish, Interrupted, chain, now};
use backup_core::settings;
use backup_core::store::{ClocksDiffer, Object, PartSize, Store, Stored, Upload};
use backup_core::unfinished::Unfinished;
use serde_json::{Value, json};
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::args::Args;
use crate::error::Error;
use crate::loss::{self, Loss};
use crate::notice;
use crate::output::{Sink, Written};
use crate::pipeline::{self, Made, Whole};
use crate::promote::{self, NotPromoted, Promotion};
use crate::settings::Settings;

/// How long it may take to take back what a failed run has uploaded.
const TIME_TO_ABORT: Duration = Duration::from_mins(1);

/// The same when the tool was told to end, and has ten seconds for everything.
const TIME_TO_ABORT_IN_A_HURRY: Duration = Duration::from_secs(3);

/// How far our clock and the store's may differ: S3 refuses what is signed further off, unless a client corrects that
/// by itself.
const CLOCKS_MAY_DIFFER: time::Duration = time::Duration::minutes(15);

/// Runs `backup`.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Finish, Error> {
    if settings::disabled(&context.environment) {
        log::info!("BACKUP_ENABLED is false: no backup is made");
        return Ok(Finish::new(Exit::Done, None, json!({ "skipped": "disabled" })));
    }
    let settings = Settings::read(&context.environment, args.output.is_none())?;
    let _lock = context.lock(&settings.places.state)?;
    let run = Run::new(settings, context);
    let ended = match &args.output {
        Some(path) => run.to_output(path).await.map(|report| Ended::Made(Box::new(report))),
        None => run.to_store(&args).await,
    };
    // Whoever asks for a file or a pipe is there to see how it ends.
    if args.may_notify() && args.output.is_none() {
        notice::tell(&run.settings, context, &ended).await;
    }
    Ok(ended?.finish())
}

/// How a run ended that did not fail.
#[derive(Debug)]
pub(crate) enum Ended {
    Made(Box<Report>),
    /// A newer backup stands: nothing to do.
    Recent {
        address: String,
        age: Duration,
    },
    /// What would be written.
    DryRun {
        addresses: Vec<String>,
    },
}

/// A backup that was made, and what is worth knowing of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) address: Option<String>,
    pub(crate) footer: Footer,
    pub(crate) stored_bytes: u64,
    pub(crate) verified_by_store: bool,
    pub(crate) took: Duration,
    pub(crate) promotions: Vec<Promotion>,
    /// What `pg_dump` said although it ended well.
    pub(crate) warnings: String,
    /// What is different from the backup before, if there is one that can be read.
    pub(crate) changes: Option<(OffsetDateTime, Changes)>,
}

/// What a run works with.
struct Run<'c> {
    settings: Settings,
    context: &'c Context,
    journal: Journal,
    bounds: Bounds,
}

impl<'c> Run<'c> {
    fn new(settings: Settings, context: &'c Context) -> Self {
        let journal = Journal::new(&settings.places.state);
        let bounds = context.bounds(settings.limits);
        Self { settings, context, journal, bounds }
    }

    async fn to_output(&self, path: &Path) -> Result<Report, Error> {
        let mut sink = Sink::output(path)?;
        let (client, server) = self.bounds.hold(self.ask_database()).await??;
        let made = self.dump(&mut sink, &client, &server, None).await?;
        Ok(self.report(made, None, Vec::new(), None))
    }

    async fn to_store(&self, args: &Args) -> Result<Ended, Error> {
        let Some(settings) = &self.settings.store else { unreachable!("settings are read with the store") };
        let store = Store::new(settings).await;
        let layout = Layout::new(settings.prefix.clone(), self.settings.database.name.clone());
        let id = BackupId { taken: key_time(self.context.started), tier: Tier::Daily };
        let key = layout.key(id);

        let store_time = self.bounds.hold(store.check(&layout.prefix().tier_folder(Tier::Daily))).await??;
        if let Some(differ) = ClocksDiffer::beyond(CLOCKS_MAY_DIFFER, now(), store_time) {
            return Err(differ.into());
        }
        let earlier = self.bounds.hold(newest(&store, &layout, key_time(self.context.started))).await??;
        if let Some((address, age)) = args.if_older_than.and_then(|limit| self.recent(&store, earlier.as_ref(), limit))
        {
            log::info!("{address} is {} old: no backup is due", figures::duration(age));
            return Ok(Ended::Recent { address, age });
        }
        self.bounds.hold(store.check_free(&key)).await??;
        let slots = self.bounds.hold(promote::free_slots(&store, &layout, id)).await??;
        let (client, server) = self.bounds.hold(self.ask_database()).await??;
        if args.dry_run {
            let keys = std::iter::once(&key).chain(slots.iter().map(|(_, key)| key));
            return Ok(Ended::DryRun { addresses: keys.map(|key| store.address(key)).collect() });
        }

        let unfinished = Unfinished::new(&self.journal, crate::TOOL.name);
        unfinished.abort_all(&store).await;
        let part_size = PartSize::for_database(server.database_bytes, settings.max_parts);
        let begin =
            || Sink::Store(Box::new(Upload::new(&store, key.clone(), self.context.mark(), part_size)), &unfinished);
        log::info!(
            "backing up {} ({} on disk) to {}",
            self.settings.database.name,
            figures::size(server.database_bytes),
            store.address(&key)
        );
        let earlier = earlier.map(|(object, _)| object);
        let not_empty =
            earlier.as_ref().filter(|_| !args.allow_empty).map(|earlier| NotEmpty { store: &store, earlier });
        let mut made = self.dump(&mut begin(), &client, &server, not_empty.as_ref()).await;
        if let Err(Error::Postgres(error)) = &made
            && error.is_vanished_relation()
        {
            log::warn!("{error}; a table went away while it was dumped: trying once more");
            made = self.dump(&mut begin(), &client, &server, not_empty.as_ref()).await;
        }
        let made = made?;
        let Written::Stored(stored) = &made.written else { unreachable!("an upload ends as a stored object") };
        let stored = stored.clone();
        log::info!("stored {}, {}", store.address(&key), figures::size(stored.bytes));
        self.note(&store, &made, &stored);

        let promotions = promote::promote(&store, &stored, slots, &unfinished, &self.bounds).await;
        unfinished.abort_all(&store).await;
        let before = match &earlier {
            Some(object) => self.bounds.hold(store.footer(object)).await.ok().flatten(),
            None => None,
        };
        Ok(Ended::Made(Box::new(self.report(made, Some(store.address(&key)), promotions, before))))
    }

    /// Looks at the client programs and at the server, which must fit each other.
    async fn ask_database(&self) -> Result<(Client, Server), Error> {
        let client = Client::new(self.settings.database.clone()).await?;
        let server = client.ask_server().await?;
        client.check_version(&server)?;
        Ok((client, server))
    }

    /// Dumps into the sink and ends it; whatever goes wrong, `pg_dump` is stopped and the sink takes back what it can.
    async fn dump(
        &self,
        sink: &mut Sink<'_>,
        client: &Client,
        server: &Server,
        not_empty: Option<&NotEmpty<'_>>,
    ) -> Result<Made, Error> {
        let mut dump = DumpStream::start(client)?;
        let compression = self.settings.compression;
        let whole = pipeline::dump_into(sink, &mut dump, client, server, compression, self.context.started);
        let whole: Result<Whole, Error> = self.bounds.hold(whole).await.map_err(Error::from).flatten();
        let complete = async {
            let whole = whole?;
            let complete = async {
                if let Some(not_empty) = not_empty {
                    not_empty.check(whole.footer()).await?;
                }
                whole.complete(sink).await
            };
            self.bounds.hold(complete).await.map_err(Error::from).flatten()
        };
        let (made, ()) = tokio::join!(complete, dump.stop());
        let aborted = match &made {
            Ok(_) => Ok(()),
            Err(Error::Cut(Cut::Interrupted(_))) => sink.abort(TIME_TO_ABORT_IN_A_HURRY).await,
            Err(_) => sink.abort(TIME_TO_ABORT).await,
        };
        match (made, aborted) {
            (Err(failure), Err(remains)) => Err(Error::Remains { failure: Box::new(failure), remains }),
            (made, _) => made,
        }
    }

    /// The newest backup, if it is younger than the limit.
    fn recent(
        &self,
        store: &Store,
        newest: Option<&(Object, BackupId)>,
        limit: Duration,
    ) -> Option<(String, Duration)> {
        let (object, id) = newest?;
        let age = Duration::try_from(key_time(self.context.started) - id.taken).unwrap_or_default();
        (age < limit).then(|| (store.address(&object.key), age))
    }

    /// Writes down what was made. The backup is good even where that fails.
    fn note(&self, store: &Store, made: &Made, stored: &Stored) {
        let entry = LastBackup {
            address: store.address(&stored.key),
            started: self.context.started,
            seconds: (now() - self.context.started).as_seconds_f64(),
            stored_bytes: stored.bytes,
            dumped_bytes: made.footer.dump.bytes,
            rows: made.footer.total_rows(),
        };
        if let Err(error) = self.journal.write(LastBackup::ENTRY, &entry) {
            log::warn!("{}", chain(&error));
        }
    }

    fn report(
        &self,
        made: Made,
        address: Option<String>,
        promotions: Vec<Promotion>,
        before: Option<Footer>,
    ) -> Report {
        let address = address.or_else(|| match &made.written {
            Written::File(path) => Some(path.display().to_string()),
            Written::Stored(_) | Written::Stdout => None,
        });
        let report = Report {
            address,
            stored_bytes: made.compressed_bytes,
            verified_by_store: matches!(&made.written, Written::Stored(stored) if stored.crc64.is_some()),
            took: Duration::try_from(now() - self.context.started).unwrap_or_default(),
            promotions,
            warnings: self.context.redact(&made.warnings),
            changes: before.map(|before| (before.started, made.footer.changes_since(&before))),
            footer: made.footer,
        };
        for loss in report.losses() {
            log::warn!("{loss}");
        }
        report
    }
}

/// What keeps a dump that lost every table from being stored: a night of such backups, and the cleanup after it, would take the
/// good ones' places.
struct NotEmpty<'s> {
    store: &'s Store,
    /// The backup before.
    earlier: &'s Object,
}

impl NotEmpty<'_> {
    async fn check(&self, footer: &Footer) -> Result<(), Error> {
        if footer.table_count() > 0 {
            return Ok(());
        }
        let before = match self.store.footer(self.earlier).await {
            Some(earlier) if earlier.table_count() == 0 => return Ok(()),
            Some(earlier) => {
                let (tables, rows) = (earlier.table_count() as u64, earlier.total_rows());
                format!("has {} of them with {} rows", figures::count(tables), figures::count(rows))
            }
            None => "does not tell how many it has".to_owned(),
        };
        Err(Error::Empty { earlier: self.store.address(&self.earlier.key), before })
    }
}

/// The newest daily backup that is not from the future, and not a stub.
pub(crate) async fn newest(
    store: &Store,
    layout: &Layout,
    now: PrimitiveDateTime,
) -> Result<Option<(Object, BackupId)>, Error> {
    let ours = store.backups(layout, Tier::Daily).await?.into_iter();
    Ok(ours.filter(|(object, id)| id.taken <= now && !object.is_stub()).max_by_key(|(_, id)| *id))
}

impl Ended {
    fn finish(self) -> Finish {
        match self {
            Self::Made(report) => report.finish(),
            Self::Recent { address, age } => {
                let document = json!({ "skipped": "recent", "newest": address, "age_seconds": age.as_secs() });
                Finish::new(Exit::Done, None, document).with_nothing_done()
            }
            Self::DryRun { addresses } => {
                log::info!("all is well, and nothing was written; a backup would be written to:");
                let line = addresses.join("\n");
                Finish::new(Exit::Done, Some(line), json!({ "dry_run": true, "would_write": addresses }))
            }
        }
    }
}

impl Report {
    /// What the backup before holds, and this one has not.
    pub(crate) fn losses(&self) -> Vec<Loss> {
        self.changes.as_ref().map_or_else(Vec::new, |(_, changes)| loss::of(changes))
    }

    /// Promotions that did not work: the backup is there, but the week or month is not covered yet.
    pub(crate) fn not_promoted(&self) -> impl Iterator<Item = &Promotion> {
        self.promotions.iter().filter(|promotion| promotion.result.is_err())
    }

    pub(crate) fn exit(&self) -> Exit {
        let stopped = self.not_promoted().find_map(|promotion| match promotion.result {
            Err(NotPromoted::Cut(Cut::Interrupted(Interrupted(signal)))) => Some(Exit::Interrupted(signal)),
            _ => None,
        });
        let partly = || if self.not_promoted().next().is_some() { Exit::Partly } else { Exit::Done };
        stopped.unwrap_or_else(partly)
    }

    fn finish(self) -> Finish {
        let exit = self.exit();
        let promoted: BTreeMap<String, Value> = self
            .promotions
            .iter()
            .map(|promotion| {
                let error = promotion.result.as_ref().err().map(ToString::to_string);
                (promotion.tier.to_string(), json!({ "key": promotion.key, "error": error }))
            })
            .collect();
        let document = json!({
            "address": self.address,
            "database": self.footer.database,
            "stored_bytes": self.stored_bytes,
            "dumped_bytes": self.footer.dump.bytes,
            "tables": self.footer.table_count(),
            "rows": self.footer.total_rows(),
            "seconds": self.took.as_secs_f64(),
            "verified_by_store": self.verified_by_store,
            "promoted": promoted,
            "warnings": self.warnings.lines().collect::<Vec<_>>(),
            "changes": self.changes.map(|(_, changes)| changes),
        });
        Finish::new(exit, self.address, document)
    }
}
