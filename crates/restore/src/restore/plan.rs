//! What a restore will do, decided before anything is done; or why it will not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backup_core::figures;
use backup_core::footer::{Footer, Properties};
use backup_core::restore::{Announced, Subject};
use backup_core::settings::Database;

use super::names::Names;
use super::roles::{self, Creation};
use super::server::{Seen, Server};
use crate::args::RunArgs;
use crate::error::Error;

/// The databases of a server that are nobody's data.
const NOT_FOR_DATA: [&str; 3] = ["postgres", "template0", "template1"];

/// What a database has beside its contents, in the words of the plan.
const PROPERTIES: &str = "owner, privileges, settings and comment";

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) names: Names,
    /// What is there under the name now.
    pub(super) replaced: Option<Replaced>,
    /// The roles that are missing.
    pub(super) roles: Creation,
    /// What the database will be beside its contents.
    pub(super) beside: Beside,
}

/// Owner, privileges, settings, comment and limit: whose they are.
#[derive(Debug)]
pub(super) enum Beside {
    /// Those that the backup's database had. What is new, or takes the place of an empty database, is given them.
    Given(Properties),
    /// Those of the database that is replaced, with this owner where another was asked for.
    Kept { owner: Option<String> },
}

/// An existing database that is replaced.
#[derive(Debug)]
pub(super) struct Replaced {
    bytes: u64,
    /// It holds nothing: it counts as new.
    pub(super) is_empty: bool,
    /// It goes here first.
    pub(super) safety_dump: Option<PathBuf>,
}

impl Plan {
    pub(super) fn new(
        args: &RunArgs,
        names: Names,
        seen: Seen,
        server: &Server,
        announced: &Announced,
        missing_extensions: Vec<String>,
        safety_dump: PathBuf,
    ) -> Result<Self, Error> {
        let database = names.target.clone();
        if NOT_FOR_DATA.contains(&database.as_str()) {
            return Err(Error::NotForData(database));
        }
        if !seen.may_create {
            return Err(Error::MayNotCreate { user: server.user().to_owned() });
        }
        let footer = announced.footer.as_ref();
        let replaced = match seen.target {
            Some(_) if args.replace.is_none() => return Err(Error::Exists(database)),
            Some(target) if !target.sessions.is_empty() => {
                return Err(Error::InUse { database, sessions: target.sessions });
            }
            Some(target) => {
                let safety_dump = (!args.no_safety_dump && !target.is_empty).then_some(safety_dump);
                Some(Replaced { bytes: target.bytes, is_empty: target.is_empty, safety_dump })
            }
            None => {
                let is_its_own_name = footer.is_some_and(|footer| footer.database == database.as_str());
                let similar = similar_name(database.as_str(), &seen.databases).filter(|_| !is_its_own_name);
                if let (Some(similar), Some(_)) = (similar, &args.replace) {
                    return Err(Error::NotThere { database, similar });
                }
                None
            }
        };
        if !missing_extensions.is_empty() {
            return Err(Error::ExtensionsMissing(missing_extensions));
        }
        let beside = Beside::new(args.owner.as_ref(), replaced.as_ref(), footer);
        let mut needed: BTreeSet<&str> = announced.facts.roles.iter().map(String::as_str).collect();
        needed.extend(beside.roles());
        needed.retain(|role| !server.has_role(role));
        let roles = if args.create_roles {
            roles::to_create(footer, |role| server.has_role(role))
        } else {
            Creation::default()
        };
        needed.retain(|role| roles.names.iter().all(|made| made != role));
        if !needed.is_empty() {
            let roles = needed.into_iter().map(str::to_owned).collect();
            return Err(Error::RolesMissing { roles, asked: args.create_roles });
        }
        Ok(Self { names, replaced, roles, beside })
    }

    pub(super) fn replaces(&self) -> bool {
        self.replaced.is_some()
    }

    /// Where the existing database is dumped first.
    pub(super) fn safety_dump(&self) -> Option<&Path> {
        self.replaced.as_ref()?.safety_dump.as_deref()
    }

    /// A new database goes where the server puts it: another one has other disks.
    fn other_tablespace(&self) -> Option<&str> {
        let Beside::Given(properties) = &self.beside else { return None };
        Some(properties.tablespace.as_str()).filter(|name| !["", "pg_default"].contains(name))
    }

    /// What will be done, a line for each step.
    pub(super) fn says(&self, subject: &Subject, announced: &Announced, database: &Database) -> Vec<String> {
        let Names { target, fresh, .. } = &self.names;
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
        if !self.roles.names.is_empty() {
            let made = self.roles.names.iter().zip(&self.roles.statements).map(|(name, statement)| {
                let is_super = statement.contains(" SUPERUSER ");
                if is_super { format!("{name} (a superuser)") } else { name.clone() }
            });
            let made = made.collect::<Vec<_>>().join(", ");
            lines.push(format!("roles that will be created, without passwords: {made}"));
        }
        if let Some(tablespace) = self.other_tablespace() {
            lines.push(format!("its files were in the tablespace {tablespace}; now they go to the server's default"));
        }
        let place = format!("{} at {}:{}", database.user, database.host, database.port);
        match &self.replaced {
            None => {
                lines.push(format!("it will be restored into a new database, {target}, as {place}"));
                lines.push(format!("that is called {fresh} until all of it is there and compared"));
            }
            Some(replaced) if replaced.is_empty => lines.extend(self.says_of_empty(&place)),
            Some(replaced) => lines.extend(self.says_of_full(replaced, &place)),
        }
        lines
    }

    fn says_of_empty(&self, place: &str) -> [String; 4] {
        let Names { target, fresh, before } = &self.names;
        let counts_as = match self.beside {
            Beside::Given(_) => format!("{target} counts as new: it gets the {PROPERTIES} that the backup's had"),
            Beside::Kept { .. } => format!("{target} keeps its {PROPERTIES}: the backup does not say others"),
        };
        [
            format!(
                "it will take the place of the database {target}, as {place}; that one is EMPTY: nothing is dumped first"
            ),
            counts_as,
            format!(
                "the backup is restored into {fresh} and compared; the two change names only when all of it is right"
            ),
            format!("the old one is dropped if it still is empty, and else kept as {before}"),
        ]
    }

    fn says_of_full(&self, Replaced { bytes, safety_dump, .. }: &Replaced, place: &str) -> [String; 5] {
        let Names { target, fresh, before } = &self.names;
        [
            format!("it will REPLACE the database {target} ({} on disk), as {place}", figures::size(*bytes)),
            match safety_dump {
                Some(path) => format!("first, {target} is dumped to {}", path.display()),
                None => format!("there will be NO dump of {target} as it is now"),
            },
            format!(
                "then the backup is restored into {fresh} and compared; the two change names only when all of it is right"
            ),
            format!("{target} keeps the {PROPERTIES} that it has now"),
            match safety_dump {
                Some(_) => format!("the old one is dropped if it still is what was dumped, and else kept as {before}"),
                None => "the old one is dropped".to_owned(),
            },
        ]
    }
}

impl Beside {
    fn new(owner: Option<&String>, replaced: Option<&Replaced>, footer: Option<&Footer>) -> Self {
        let backup_has = footer.and_then(|footer| footer.properties.clone());
        let keeps = replaced.is_some_and(|replaced| !replaced.is_empty || backup_has.is_none());
        if keeps {
            return Self::Kept { owner: owner.cloned() };
        }
        let mut properties = backup_has.unwrap_or_default();
        if let Some(owner) = owner {
            properties.owner.clone_from(owner);
        }
        Self::Given(properties)
    }

    /// The roles that have to be there.
    fn roles(&self) -> BTreeSet<&str> {
        match self {
            Self::Given(properties) => properties.roles(),
            Self::Kept { owner } => owner.as_deref().into_iter().collect(),
        }
    }
}

/// A database that may have been meant.
fn similar_name(typed: &str, databases: &[String]) -> Option<String> {
    let distance = |name: &str| strsim::damerau_levenshtein(typed, name);
    let near = databases.iter().filter(|name| distance(name) <= 2 && distance(name) * 2 < typed.chars().count());
    near.min_by_key(|name| distance(name)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_mistyped_is_recognised() {
        let databases = ["shop", "eleganttex", "postgres", "a"].map(str::to_owned);
        for (typed, meant) in [
            ("shpo", Some("shop")),
            ("elegantex", Some("eleganttex")),
            ("eleganttex2", Some("eleganttex")),
            ("b", None),
            ("store", None),
            ("shop_restored", None),
        ] {
            assert_eq!(similar_name(typed, &databases).as_deref(), meant, "{typed}");
        }
    }
}
