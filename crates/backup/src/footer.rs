//! The footer of a new backup.

use backup_core::footer::{DumpFacts, Footer, Role};
use backup_core::key::DatabaseName;
use backup_core::postgres::Server;
use time::OffsetDateTime;

/// Puts together what the dump holds, what the server said, and when it was started.
pub(crate) fn compose(dump: DumpFacts, server: &Server, database: &DatabaseName, started: OffsetDateTime) -> Footer {
    Footer {
        database: database.as_str().to_owned(),
        started,
        encoding: server.encoding.clone(),
        collate: server.collate.clone(),
        ctype: server.ctype.clone(),
        properties: Some(server.properties.clone()),
        roles: roles_to_create(&dump, server),
        dump,
    }
}

/// The roles that the dump and the database's own properties name, the one that makes the backup, without which there would be
/// no next one on a new server, and those that they are members of, as far as the server knows them.
fn roles_to_create(dump: &DumpFacts, server: &Server) -> Vec<Role> {
    let named = dump.roles.iter().chain(&server.logged_in).map(String::as_str);
    let mut wanted: Vec<&str> = named.chain(server.properties.roles()).collect();
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
