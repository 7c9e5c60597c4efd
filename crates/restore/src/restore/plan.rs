//! What a restore will do, decided before anything is done; or why it will not.

use std::path::PathBuf;

use backup_core::figures;
use backup_core::key::DatabaseName;
use backup_core::restore::{Announced, Subject};
use backup_core::settings::Database;
use time::PrimitiveDateTime;

use super::server::{Server, Target};
use crate::args::RunArgs;
use crate::error::Error;

/// The databases of a server that are nobody's data.
const NOT_FOR_DATA: [&str; 3] = ["postgres", "template0", "template1"];

/// PostgreSQL cuts names at this many bytes (`NAMEDATALEN`).
const LONGEST_NAME: usize = 63;

/// The database that is meant, and those that stand beside it for a while.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) target: DatabaseName,
    /// Where the backup is restored when the target is replaced.
    pub(super) beside: DatabaseName,
    /// What the replaced one is called until it is dropped.
    pub(super) before: DatabaseName,
}

impl Names {
    pub(super) fn new(target: &DatabaseName, at: PrimitiveDateTime) -> Self {
        let (date, time) = (at.date(), at.time());
        let stamp = format!(
            "{:04}{:02}{:02}_{:02}{:02}{:02}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        );
        let named = |word: &str| {
            let tail = format!("_{word}_{stamp}");
            let mut end = target.as_str().len().min(LONGEST_NAME - tail.len());
            while !target.as_str().is_char_boundary(end) {
                end -= 1;
            }
            // A shorter name with plain letters behind it is a name where the whole one was.
            format!("{}{tail}", &target.as_str()[..end]).parse().unwrap_or_else(|error| unreachable!("{error}"))
        };
        Self { target: target.clone(), beside: named("restored"), before: named("before") }
    }
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) names: Names,
    replaces: bool,
    /// The existing database goes here first.
    pub(super) safety_dump: Option<PathBuf>,
    /// The statements that make the roles that are missing.
    pub(super) create_roles: Vec<String>,
    /// Their names.
    pub(super) created: Vec<String>,
    /// The statements that give the new database what the replaced one has beside its contents.
    pub(super) properties: Vec<String>,
    bytes: u64,
}

impl Plan {
    pub(super) fn new(
        args: &RunArgs,
        names: Names,
        target: Option<Target>,
        server: &Server,
        announced: &Announced,
        missing_extensions: Vec<String>,
        safety_dump: PathBuf,
    ) -> Result<Self, Error> {
        let database = names.target.clone();
        if NOT_FOR_DATA.contains(&database.as_str()) {
            return Err(Error::NotForData(database));
        }
        let replaces = target.is_some();
        if replaces && args.replace.is_none() {
            return Err(Error::Exists(database));
        }
        let Target { bytes, sessions, properties } = target.unwrap_or_default();
        if !sessions.is_empty() {
            return Err(Error::InUse { database, sessions });
        }
        if !missing_extensions.is_empty() {
            return Err(Error::ExtensionsMissing(missing_extensions));
        }
        let missing: Vec<String> =
            announced.facts.roles.iter().filter(|role| !server.has_role(role)).cloned().collect();
        let (created, create_roles) =
            if args.create_roles { roles_to_create(announced, server) } else { (Vec::new(), Vec::new()) };
        let still_missing: Vec<String> = missing.into_iter().filter(|role| !created.contains(role)).collect();
        if !still_missing.is_empty() {
            return Err(Error::RolesMissing { roles: still_missing, asked: args.create_roles });
        }
        let safety_dump = (replaces && !args.no_safety_dump).then_some(safety_dump);
        Ok(Self { names, replaces, safety_dump, create_roles, created, properties, bytes })
    }

    pub(super) fn replaces(&self) -> bool {
        self.replaces
    }

    /// The database that the backup is restored into.
    pub(super) fn fresh(&self) -> &DatabaseName {
        if self.replaces { &self.names.beside } else { &self.names.target }
    }

    /// What will be done, a line for each step.
    pub(super) fn says(&self, subject: &Subject, announced: &Announced, database: &Database) -> Vec<String> {
        let Names { target, beside, .. } = &self.names;
        let as_of = announced.footer.as_ref().map_or_else(
            || "of an unknown instant, by another tool".to_owned(),
            |footer| format!("of {} as of {}", footer.database, figures::instant(footer.started)),
        );
        let mut lines = vec![
            format!("the backup: {} ({}), {as_of}", subject.address, figures::size(subject.bytes)),
            format!(
                "it holds {} tables with {} rows, {} of dump",
                figures::count(announced.facts.tables.len() as u64),
                figures::count(announced.facts.total_rows()),
                figures::size(announced.facts.bytes)
            ),
        ];
        if !self.created.is_empty() {
            lines.push(format!("roles that will be created, without passwords: {}", self.created.join(", ")));
        }
        let place = format!("{} at {}:{}", database.user, database.host, database.port);
        if !self.replaces {
            lines.push(format!("it will be restored into a new database, {target}, as {place}"));
            return lines;
        }
        lines
            .push(format!("it will REPLACE the database {target} ({} on disk), as {place}", figures::size(self.bytes)));
        lines.push(match &self.safety_dump {
            Some(path) => format!("first, {target} is dumped to {}", path.display()),
            None => format!("there will be NO dump of {target} as it is now"),
        });
        lines.push(format!(
            "then the backup is restored into {beside} and compared; the two change names only when all of it is right, and the \
             old one is dropped"
        ));
        lines
    }
}

/// The roles of the backup that the server does not have: their names, and what makes them. All exist before any is made a member
/// of another.
fn roles_to_create(announced: &Announced, server: &Server) -> (Vec<String>, Vec<String>) {
    let described = announced.footer.iter().flat_map(|footer| &footer.roles);
    let wanted: Vec<_> = described.filter(|role| !server.has_role(&role.name)).collect();
    let with = |beginning: &'static str| {
        let statements = wanted.iter().flat_map(|role| &role.statements);
        statements.filter(move |statement| statement.starts_with(beginning)).cloned()
    };
    let statements = with("CREATE ROLE ").chain(with("GRANT ")).collect();
    (wanted.iter().map(|role| role.name.clone()).collect(), statements)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn names_beside_a_database_are_names_too_and_differ() {
        let at = datetime!(2025-01-29 02:03:04);
        for name in ["shop".to_owned(), "ж".repeat(31), "x".repeat(63), "a \"b\"'c\\".to_owned()] {
            let names = Names::new(&name.parse().unwrap(), at);
            for beside in [&names.beside, &names.before] {
                assert!(beside.as_str().len() <= LONGEST_NAME && beside.as_str().ends_with("_20250129_020304"));
                assert_ne!(beside, &names.target);
            }
            assert_ne!(names.beside, names.before);
        }
    }
}
