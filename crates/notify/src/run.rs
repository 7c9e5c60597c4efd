//! One mail, from the arguments to the server's receipt.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use backup_core::mail::{Delivery, Fact, Kind, Mailer, Message, Origin, Passed, Report};
use backup_core::process::{Context, Exit, Finish, now};
use backup_core::settings::{Mail, SmtpSecurity};
use serde_json::json;

use crate::args::Args;
use crate::attachments;
use crate::details::Details;
use crate::error::Error;
use crate::settings::{self, Settings};

/// Runs `notify`.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Finish, Error> {
    let kind = kind(&args.kind);
    let settings = match &args.preview {
        // What is not sent needs no server.
        Some(_) => None,
        None => Some(Settings::read(&context.environment, args.to.clone())?),
    };
    let details = context.interrupt.or(details(args.details.as_deref())).await??;
    let report = report(&args, kind.clone(), details, context);

    let files: Vec<PathBuf> = args.attachment.iter().chain(&args.attach).cloned().collect();
    let files: Vec<PathBuf> = files.into_iter().filter(|file| !file.as_os_str().is_empty()).collect();
    let (report, attachment_missing) = context.interrupt.or(attachments::attach(report, files)).await?;

    if let Some(path) = args.preview {
        let (message, at) = (report.render(), path.clone());
        let written = context.interrupt.or(tokio::task::spawn_blocking(move || preview(&at, &message))).await?;
        return written.map_err(|error| Error::Preview { path, source: error.into() }).flatten();
    }
    let Some(Settings { mail: Some(mail), places }) = settings else {
        if kind == Kind::Test {
            return Err(Error::Nobody);
        }
        log::warn!("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told");
        return Ok(Finish::new(Exit::Done, None, json!({ "skipped": "no recipient" })));
    };
    let report = if kind == Kind::Test { describe(report, &mail) } else { report };
    let mailer = Mailer::new(mail, &places.state);
    let message = report.render();
    let mut passed = Vec::new();
    let delivery = if kind == Kind::Test {
        let mut tell = |step: Passed| {
            log::info!("{}", step.found);
            passed.push(step);
        };
        context.interrupt.or(mailer.test(&message, now(), &mut tell)).await?.map_err(Error::Test)?
    } else {
        context.interrupt.or(mailer.send(&message, now())).await?
    };
    Ok(ended(&delivery, &passed, attachment_missing))
}

fn kind(word: &OsStr) -> Kind {
    // Every word is a kind.
    let Ok(kind) = word.to_string_lossy().parse();
    kind
}

/// The details: an argument, or all of stdin. Reading waits for whoever writes, who may be at work for hours.
async fn details(argument: Option<&OsStr>) -> Result<Details, Error> {
    match argument {
        None => Ok(Details::default()),
        Some(text) if text != "-" => Ok(Details::typed(text.as_bytes())),
        Some(_) => {
            let read = tokio::task::spawn_blocking(|| Details::read(std::io::stdin().lock()));
            read.await.map_err(std::io::Error::other).flatten().map_err(Error::Details)
        }
    }
}

fn report(args: &Args, kind: Kind, details: Details, context: &Context) -> Report {
    let (database, host) = settings::subject_of_backup(&context.environment);
    let tool = format!("notify {}", env!("CARGO_PKG_VERSION"));
    let message = context.redact(&args.message.to_string_lossy());
    let Details { first, between, last } = details;
    let [first, last] = [first, last].map(|end| context.redact(&String::from_utf8_lossy(&end)));
    Report::new(kind, Origin::new(tool, database, host, context.started), &message)
        .in_subject(&message)
        .ends_of_details("Details", first.as_bytes(), between, last.as_bytes())
}

/// What a test mail shows beside the message: the way it came.
fn describe(report: Report, mail: &Mail) -> Report {
    let security = match mail.security {
        SmtpSecurity::Tls => "TLS",
        SmtpSecurity::StartTls => "STARTTLS",
        SmtpSecurity::None => "none",
    };
    let user = mail.credentials.as_ref().map_or("nobody", |(user, _)| user.as_str());
    let to: Vec<String> = mail.recipients.iter().map(ToString::to_string).collect();
    report.safety("Mails from the backup system arrive. This one says nothing about the backups themselves.").facts(
        "The way it came",
        [
            Fact::new("Server", format!("{}, port {}", mail.server, mail.port)),
            Fact::new("Encryption", security),
            Fact::new("Logged in as", user),
            Fact::new("From", mail.from.to_string()),
            Fact::new("To", to.join(", ")),
        ],
    )
}

fn preview(path: &Path, message: &Message) -> Result<Finish, Error> {
    // A pipe that nobody reads would be waited for.
    let write = || match std::fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(std::io::Error::other("it is no regular file")),
        _ => std::fs::write(path, &message.html),
    };
    write().map_err(|source| Error::Preview { path: path.to_owned(), source })?;
    let document = json!({ "preview": path.to_string_lossy(), "subject": message.subject });
    Ok(Finish::new(Exit::Done, Some(path.display().to_string()), document))
}

fn ended(delivery: &Delivery, passed: &[Passed], attachment_missing: bool) -> Finish {
    let exit = match delivery {
        Delivery { accepted, .. } if accepted.is_empty() => Exit::Failed,
        delivery if delivery.is_complete() && !attachment_missing => Exit::Done,
        _ => Exit::Partly,
    };
    let line = (!delivery.accepted.is_empty()).then(|| format!("accepted for {}", delivery.accepted.join(", ")));
    let mut document = json!({
        "accepted": delivery.accepted,
        "waiting": delivery.waiting,
        "failed": delivery.failed,
    });
    if !passed.is_empty() {
        document["steps"] = json!(passed);
    }
    Finish::new(exit, line, document)
}
