//! A backup into a file or to stdout, verified while it streams.
//!
//! The bytes that are written are the bytes that are read to their end: gunzip, scanner, footer. Only when all of that and the
//! checksum of the store were right does the file get its name. To stdout goes everything but the last piece before that:
//! what cannot be taken back is at least not whole.

mod target;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use backup_core::figures;
use backup_core::key::local_time;
use backup_core::process::{Bounds, Context, Exit, Finish, Progress, stdout_is_closed};
use backup_core::restore::{self, Input, Whole};
use backup_core::store::{Found, Source, Store, Wanted};
use bytes::Bytes;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::args::FetchArgs;
use crate::error::Error;
use crate::find;
use crate::settings::StoreOnly;
use target::Target;

/// Runs `restore fetch`.
pub(crate) async fn run(args: FetchArgs, context: &Context) -> Result<Finish, Error> {
    let settings = StoreOnly::read(&context.environment)?;
    if args.to_stdout() && std::io::stdout().is_terminal() {
        return Err(Error::StdoutIsTerminal);
    }
    if args.to_stdout() && stdout_is_closed() {
        return Err(Error::StdoutNotOpen);
    }
    let (layout, bounds) = (settings.layout(), context.bounds(settings.limits));
    let store = Store::new(&settings.store).await;
    let now = local_time(context.started);
    let found = match bounds.hold(store.pick(&args.backup, &layout, now)).await? {
        Ok(found) => found,
        Err(error) => {
            let wanted = Wanted::Stored(args.backup);
            return Err(bounds.hold(find::or_what_there_is(error, &wanted, &store, &layout)).await?);
        }
    };
    let source = bounds.hold(store.open(&found.object.key)).await??;
    let address = store.address(&found.object.key);
    log::info!("fetching {address} ({})", figures::size(source.bytes()));
    if !source.is_checkable() {
        log::info!("the store keeps no checksum of the whole object: what the backup says of itself has to do");
    }
    let checked = source.is_checkable();
    let fetch = Fetch { source, address, bounds };
    let (path, whole) = if args.to_stdout() {
        (None, fetch.to_stdout().await?)
    } else {
        let path = target_path(args.output, &found);
        (Some(path.clone()), fetch.to_file(path, args.force).await?)
    };
    tell(&whole, checked);
    let document = json!({
        "backup": fetch.address,
        "path": path.as_ref().map(|path| path.display().to_string()),
        "bytes": whole.stored_bytes,
        "dumped_bytes": whole.facts.bytes,
        "checked_by_store": checked,
        "has_footer": whole.footer.is_some(),
        "database": whole.footer.as_ref().map(|footer| footer.database.clone()),
        "tables": whole.facts.tables.len(),
        "rows": whole.facts.total_rows(),
    });
    Ok(Finish::new(Exit::Done, path.map(|path| path.display().to_string()), document))
}

/// The file that is meant: a folder gets one with the backup's own name.
fn target_path(output: Option<PathBuf>, found: &Found) -> PathBuf {
    let key = &found.object.key;
    let name = key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name);
    match output {
        Some(path) if path.is_dir() => path.join(name),
        Some(path) => path,
        None => name.into(),
    }
}

fn tell(whole: &Whole, checked: bool) {
    let checksum = if checked { "the store's checksum, " } else { "" };
    match &whole.footer {
        Some(footer) => log::info!(
            "verified by {checksum}gzip, the end of the dump and its footer: {} as of {}, {} tables, {} rows",
            footer.database,
            figures::instant(footer.started),
            figures::count(whole.facts.tables.len() as u64),
            figures::count(whole.facts.total_rows())
        ),
        None => log::warn!(
            "verified by {checksum}gzip and the end of the dump; the backup carries no footer that tells what it should hold"
        ),
    }
}

/// A download that is verified on its way.
struct Fetch {
    source: Source,
    address: String,
    bounds: Bounds,
}

impl Fetch {
    /// What an earlier run left is gone on with; if that turns out not to belong to this backup, once more from the beginning.
    async fn to_file(&self, path: PathBuf, force: bool) -> Result<Whole, Error> {
        let mut target = Target::open(path, force)?;
        let resumed = target.there().min(self.source.bytes());
        if target.there() > self.source.bytes() {
            target.start_over()?;
        }
        if resumed > 0 && target.there() > 0 {
            log::info!("{} of it are here already", figures::size(target.there()));
            match self.fill(&mut target).await {
                Err(error) if error.is_about_bytes() => {
                    log::warn!("{error}; what was here may be of another backup: once more from the beginning");
                    target.start_over()?;
                }
                ended => return settle(target, ended),
            }
        }
        let ended = self.fill(&mut target).await;
        settle(target, ended)
    }

    async fn fill(&self, target: &mut Target) -> Result<Whole, Error> {
        target.check_room(self.source.bytes())?;
        self.verified(async |source: Source, pieces: Pieces| {
            let mut source = source;
            target.rewind().await?;
            while let Some(piece) = target.read().await? {
                source.already(&piece);
                if !pieces.push(piece).await {
                    return Ok(());
                }
            }
            let mut download = source.download();
            while let Some(piece) = download.next().await? {
                target.write(&piece).await?;
                if !pieces.push(piece).await {
                    return Ok(());
                }
            }
            Ok(())
        })
        .await
    }

    async fn to_stdout(&self) -> Result<Whole, Error> {
        let mut stdout = tokio::io::stdout();
        let mut last = Bytes::new();
        let (mut written, held) = (0, &mut last);
        let ended = self
            .verified(async |source: Source, pieces: Pieces| {
                let mut download = source.download();
                while let Some(piece) = download.next().await? {
                    let before = std::mem::replace(held, piece.clone());
                    stdout.write_all(&before).await.map_err(stdout_error)?;
                    written += before.len();
                    if !pieces.push(piece).await {
                        return Ok(());
                    }
                }
                Ok(())
            })
            .await;
        let whole = match ended {
            Ok(whole) => whole,
            Err(error @ Error::StdoutClosed) => return Err(error),
            Err(error) if written > 0 => return Err(Error::StdoutNotWhole { source: Box::new(error) }),
            Err(error) => return Err(error),
        };
        let end = async {
            stdout.write_all(&last).await?;
            stdout.flush().await
        };
        self.bounds.hold(end).await?.map_err(stdout_error)?;
        Ok(whole)
    }

    /// Reads to its end what passes, while it passes. Whoever passes it has the first word on what went wrong.
    async fn verified(&self, pass: impl AsyncFnOnce(Source, Pieces) -> Result<(), Error>) -> Result<Whole, Error> {
        let (sender, receiver) = mpsc::channel(1);
        let progress = Arc::new(Progress::start(("verified", "fetched")).of_written(self.source.bytes()));
        let read = async {
            let read = restore::read(Input::Pieces(receiver), None, Arc::clone(&progress)).await;
            read.map_err(|error| Error::from_read(&self.address, error))
        };
        let pass = pass(self.source.clone(), Pieces { sender, progress: Arc::clone(&progress) });
        self.bounds.hold(async { tokio::join!(pass, read) }).await.map_err(Error::from).and_then(|(passed, read)| {
            passed?;
            read
        })
    }
}

/// Gives the file its name; or keeps what is good for another try, and nothing else.
fn settle(target: Target, ended: Result<Whole, Error>) -> Result<Whole, Error> {
    match ended {
        Ok(whole) => target.finish().map(|()| whole),
        Err(error) if error.is_about_bytes() => {
            target.remove();
            Err(error)
        }
        Err(error) => {
            target.keep();
            Err(error)
        }
    }
}

/// Where the bytes are handed on to be verified.
struct Pieces {
    sender: mpsc::Sender<Bytes>,
    progress: Arc<Progress>,
}

impl Pieces {
    /// `false`: whoever reads has found an error, and tells it. Nothing more is wanted.
    async fn push(&self, piece: Bytes) -> bool {
        self.progress.written(piece.len() as u64);
        self.sender.send(piece).await.is_ok()
    }
}

fn stdout_error(source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::BrokenPipe => Error::StdoutClosed,
        _ => Error::File { attempt: "write to", path: "stdout".into(), source },
    }
}
