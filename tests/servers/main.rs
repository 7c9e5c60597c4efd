//! `servers DIR`: a PostgreSQL server, an S3 store and a mail sink to play with, until this is told to end.
//!
//! Writes `DIR/env`, a file of settings for the tools, once all of them answer; keeps the store's objects readable under
//! `DIR/store`, and writes each mail that comes in as `DIR/mails/NN-SUBJECT.html`, `.txt` and `.eml`, with a page to look through
//! them all, `DIR/mails/index.html`. Everything that it started goes with it.
//!
//! `servers DIR STORE MAIL`: no PostgreSQL, and the other two at these addresses, for the containers of the demo. The keys are
//! those of the environment.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use acceptance::mail::{Message, Sink};
use acceptance::postgres::Cluster;
use acceptance::store::{BUCKET, Store};

/// The database that the tools back up: the name in the guide.
const DATABASE: &str = "eleganttex";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().filter(|folder| !folder.starts_with('-'));
    let folder = PathBuf::from(folder.ok_or("usage: servers DIR [STORE MAIL]")?);
    fs::create_dir_all(folder.join("mails"))?;
    if let (Some(store), Some(mail)) = (arguments.next(), arguments.next()) {
        let key = |name| std::env::var(name).map_err(|error| format!("{name}: {error}"));
        let store = Store::start_at(store.parse()?, key("AWS_ACCESS_KEY_ID")?, key("AWS_SECRET_ACCESS_KEY")?);
        link_store(&folder, &store)?;
        return serve(&folder, &Sink::start_at(mail.parse()?));
    }
    let cluster = Cluster::start();
    cluster.create_database_named(DATABASE);
    let (store, sink) = (Store::start(), Sink::start());
    link_store(&folder, &store)?;
    write_settings(&folder, &cluster, &store, &sink)?;
    serve(&folder, &sink)
}

fn link_store(folder: &Path, store: &Store) -> std::io::Result<()> {
    let link = folder.join("store");
    // One of an earlier run leads nowhere any more.
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(store.folder(), link)
}

/// Writes down each mail that comes in, for as long as this process lives.
fn serve(folder: &Path, sink: &Sink) -> Result<(), Box<dyn Error>> {
    let mails = folder.join("mails");
    let mut written = Vec::new();
    loop {
        let messages = sink.messages();
        for message in &messages[written.len()..] {
            written.push(write_mail(&mails, written.len() + 1, message)?);
            fs::write(mails.join("index.html"), index(&written))?;
        }
        sleep(Duration::from_millis(100));
    }
}

/// In single quotes, so that a shell and dotenvy read the same; moved into place, so that it is there whole or not at all.
fn write_settings(folder: &Path, cluster: &Cluster, store: &Store, sink: &Sink) -> Result<(), Box<dyn Error>> {
    let login = cluster.superuser();
    let settings = [
        ("DB_HOST", "127.0.0.1".to_owned()),
        ("DB_PORT", cluster.port().to_string()),
        ("DB_NAME", DATABASE.to_owned()),
        ("DB_USER", login.user),
        ("DB_PASSWORD", login.password),
        ("S3_ENDPOINT_URL", store.endpoint()),
        ("S3_BUCKET_NAME", BUCKET.to_owned()),
        ("AWS_ACCESS_KEY_ID", store.access_key().to_owned()),
        ("AWS_SECRET_ACCESS_KEY", store.secret_key().to_owned()),
        ("MAIL_SMTP_SERVER", "127.0.0.1".to_owned()),
        ("MAIL_SMTP_PORT", sink.port().to_string()),
        ("MAIL_SMTP_SECURITY", "none".to_owned()),
        ("MAIL_FROM", "Elegant Tex Backup <backup@example.org>".to_owned()),
        ("BACKUP_NOTIFICATION_EMAIL", "you@example.org".to_owned()),
        ("SOCKET_FOLDER", cluster.socket_folder().display().to_string()),
    ];
    let lines = settings.iter().map(|(name, value)| format!("{name}='{}'", value.replace('\'', r"'\''")));
    let half = folder.join("env.half");
    fs::write(&half, lines.collect::<Vec<_>>().join("\n") + "\n")?;
    Ok(fs::rename(half, folder.join("env"))?)
}

/// Writes one mail in its three forms, and gives the name of its page and its subject.
fn write_mail(folder: &Path, number: usize, message: &Message) -> std::io::Result<(String, String)> {
    let letter = message.letter();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let words: Vec<String> = letter.subject.split_whitespace().map(|word| word.chars().map(plain).collect()).collect();
    let name: String = words.join("-").trim_matches('-').chars().take(80).collect();
    let name = format!("{number:02}-{name}");
    fs::write(folder.join(format!("{name}.html")), letter.html)?;
    fs::write(folder.join(format!("{name}.txt")), letter.text)?;
    fs::write(folder.join(format!("{name}.eml")), &message.raw)?;
    Ok((format!("{name}.html"), letter.subject))
}

/// The subjects, as an inbox shows them, beside the mail that was chosen.
fn index(mails: &[(String, String)]) -> String {
    let link = |(page, subject): &(String, String)| {
        let subject = subject.replace('&', "&amp;").replace('<', "&lt;");
        format!("<li><a href=\"{page}\" target=\"mail\">{subject}</a></li>")
    };
    let links: String = mails.iter().map(link).collect();
    let first = mails.first().map_or("", |(page, _)| page);
    format!(
        "<!doctype html><meta charset=\"utf-8\"><title>Mails</title><style>\
         body {{ margin: 0; display: flex; height: 100vh; font: 15px sans-serif }} \
         ol {{ width: 25em; margin: 0; padding: 1em 1em 1em 3em; overflow: auto }} li {{ margin: .5em 0 }} \
         iframe {{ flex: 1; border: 0; border-left: 1px solid #ccc }}</style>\
         <ol>{links}</ol><iframe name=\"mail\" src=\"{first}\" title=\"The mail\"></iframe>"
    )
}
