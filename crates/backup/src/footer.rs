//! The footer of a new backup, and those of earlier ones, read from the end of their objects.

use std::io::Read;

use backup_core::footer::{DumpFacts, Footer, Role};
use backup_core::gzip::{self, locator};
use backup_core::key::DatabaseName;
use backup_core::postgres::Server;
use backup_core::store::{Object, Store};
use time::OffsetDateTime;

/// What is read from the end of an object at first: enough for the footer of most databases.
const FIRST_READ: u64 = 64 << 10;

/// The largest footer that is read, compressed: more tables than PostgreSQL is ever used with.
const LARGEST: u64 = 64 << 20;

/// Puts together what the dump holds, what the server said, and when it was started.
pub(crate) fn compose(dump: DumpFacts, server: &Server, database: &DatabaseName, started: OffsetDateTime) -> Footer {
    Footer {
        database: database.as_str().to_owned(),
        started,
        encoding: server.encoding.clone(),
        collate: server.collate.clone(),
        ctype: server.ctype.clone(),
        roles: roles_to_create(&dump, server),
        dump,
    }
}

/// The roles that the dump names and those that they are members of, as far as the server knows them.
fn roles_to_create(dump: &DumpFacts, server: &Server) -> Vec<Role> {
    let mut wanted: Vec<&str> = dump.roles.iter().map(String::as_str).collect();
    let mut roles: Vec<Role> = Vec::new();
    while let Some(name) = wanted.pop() {
        let known = server.roles.iter().find(|role| role.name == name);
        if let Some(role) = known.filter(|role| roles.iter().all(|have| have.name != role.name)) {
            wanted.extend(role.member_of.iter().map(String::as_str));
            roles.push(Role { name: role.name.clone(), statements: role.statements.clone() });
        }
    }
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    roles
}

/// The footer of a backup in the store. `None`: it has none, or it cannot be read, and the log says why.
pub(crate) async fn of_stored(store: &Store, object: &Object) -> Option<Footer> {
    let read = async |bytes: u64| {
        let start = object.bytes.saturating_sub(bytes);
        store.read_range(&object.key, start, object.bytes).await
    };
    let not_read =
        |why: &dyn std::fmt::Display| log::warn!("cannot read the footer of {}: {why}", store.address(&object.key));
    let mut end = read(FIRST_READ).await.inspect_err(|error| not_read(error)).ok()?;
    let needed = locator::read(&end)?.saturating_add(locator::BYTES as u64);
    if needed > LARGEST.min(object.bytes) {
        not_read(&format!("it would be {needed} bytes long"));
        return None;
    }
    if needed > end.len() as u64 {
        end = read(needed).await.inspect_err(|error| not_read(error)).ok()?;
    }
    let mut text = Vec::new();
    let members = &end[end.len() - needed as usize..];
    gzip::reader(members).take(LARGEST * 8).read_to_end(&mut text).inspect_err(|error| not_read(error)).ok()?;
    Footer::parse(&text).inspect_err(|error| not_read(error)).ok()
}
