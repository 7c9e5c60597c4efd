//! `restore`: what there is, fetching it, bringing it back.

mod damage;
mod disaster;
mod empty;
mod fetch;
mod fetch_broken;
mod list;
mod meanwhile;
mod messages;
mod properties;
mod replace;
mod richer;
mod run;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use acceptance::postgres::Database;
use acceptance::sandbox::{Run, Sandbox};
use backup_core::footer::Footer;
use backup_core::gzip::locator;
use backup_core::key::{BackupId, Layout, Tier};
use backup_core::sql_scan::Scanner;
use flate2::Compression;
use flate2::write::GzEncoder;
use time::{OffsetDateTime, PrimitiveDateTime, Time};

use crate::shop::{add_bulk, daily_key, footer, shop};

/// A sandbox with a small shop and a backup of it, under the key given.
fn backed_up() -> (Sandbox, String) {
    back_up(shop())
}

/// The same, so large that it comes in several ranges.
fn backed_up_in_bulk() -> (Sandbox, String) {
    let sandbox = shop();
    add_bulk(sandbox.database(), 22);
    back_up(sandbox)
}

fn back_up(mut sandbox: Sandbox) -> (Sandbox, String) {
    sandbox.env("AWS_MAX_ATTEMPTS", "2");
    sandbox.command("backup").args(["--no-notify", "--quiet"]).run().succeeds();
    let key = daily_key(&sandbox);
    (sandbox, key)
}

fn restore<'s>(sandbox: &'s Sandbox, arguments: &[&str]) -> Run<'s> {
    sandbox.command("restore").args(arguments)
}

fn layout(sandbox: &Sandbox) -> Layout {
    Layout::new("db-backups".parse().unwrap(), sandbox.database().name().parse().unwrap())
}

/// Midnight, so many days ago.
fn night(days_ago: i64) -> PrimitiveDateTime {
    PrimitiveDateTime::new(OffsetDateTime::now_utc().date() - time::Duration::days(days_ago), Time::MIDNIGHT)
}

/// Puts bytes into the store as a backup of that instant, and gives its key.
fn seed(sandbox: &Sandbox, tier: Tier, taken: PrimitiveDateTime, bytes: &[u8]) -> String {
    let key = layout(sandbox).key(BackupId { taken, tier });
    sandbox.store().seed(&key, bytes);
    key
}

/// The file that a key is fetched into, in the home folder.
fn file_of(sandbox: &Sandbox, key: &str) -> PathBuf {
    sandbox.home().join(key.rsplit_once('/').unwrap().1)
}

/// All names in the home folder that are neither the sandbox's own nor expected.
fn files(sandbox: &Sandbox) -> Vec<String> {
    let names = fs::read_dir(sandbox.home()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| !["logs", "temp", "state", "tmp", "bin"].contains(&name.as_str())).collect();
    names.sort();
    names
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The same backup with another dump or footer, as these tools would have written it.
fn rewritten(object: &[u8], change: impl FnOnce(&mut Footer, &mut Vec<u8>)) -> Vec<u8> {
    let (mut footer, mut dump) = footer(object);
    change(&mut footer, &mut dump);
    let mut scanner = Scanner::new();
    scanner.push(&dump).unwrap();
    footer.dump = scanner.finish().unwrap().dump;
    let footer = gzip(footer.to_string().as_bytes());
    let end = locator::write(footer.len() as u64);
    [gzip(&dump), footer, end.to_vec()].concat()
}

/// What a person would count.
fn counts(database: &Database) -> String {
    database.query(
        "SELECT (SELECT count(*) FROM customers), (SELECT count(*) FROM orders), (SELECT count(*) FROM events), \
         (SELECT sum(gross) FROM orders), (SELECT last_value FROM customers_id_seq)",
    )
}

/// The database of this name, and those that stand beside it under longer ones.
fn databases(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let names = sandbox.database().cluster().maintenance().query("SELECT datname FROM pg_database ORDER BY 1");
    let beside = format!("{name}_");
    names.lines().filter(|found| *found == name || found.starts_with(&beside)).map(str::to_owned).collect()
}
