//! The server that a backup is brought back to: what is there, and the statements that make and change databases.

use std::time::Duration;

use backup_core::footer::{Footer, Properties};
use backup_core::key::DatabaseName;
use backup_core::postgres::{self, Client, PostgresError};
use backup_core::settings::Database;
use backup_core::sql::{identifier, literal};
use serde::Deserialize;

use super::empty;
use super::names::Names;
use super::plan::Beside;
use crate::error::Error;

/// How long one statement may take: making a database copies a template, dropping one removes its files.
pub(super) const STATEMENT: Duration = Duration::from_mins(10);

/// A server that has just crashed is soon back. Whoever was told to end has ten seconds for everything.
const TRIES_TO_DROP: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);

/// The database that every server has, for statements about the others.
const MAINTENANCE: &str = "postgres";

/// A server, seen from its maintenance database.
#[derive(Debug)]
pub(super) struct Server {
    settings: Database,
    client: Client,
    facts: postgres::Server,
}

/// What there is on it.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    /// Whether the role may create databases.
    pub(super) may_create: bool,
    /// The names of all databases.
    pub(super) databases: Vec<String>,
    /// The one that is meant, where it exists.
    pub(super) target: Option<Target>,
}

/// An existing database that is to be replaced.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    pub(super) bytes: u64,
    /// Who is connected to it.
    pub(super) sessions: Vec<String>,
    /// Whether it is known to hold nothing.
    #[serde(skip)]
    pub(super) is_empty: bool,
}

impl Server {
    pub(super) async fn ask(settings: &Database) -> Result<Self, PostgresError> {
        // The constant is a valid name.
        let name: DatabaseName = MAINTENANCE.parse().unwrap_or_else(|error| unreachable!("{error}"));
        let client = Client::new(Database { name, ..settings.clone() }).await?;
        let facts = client.ask_server().await?;
        client.check_version(&facts)?;
        Ok(Self { settings: settings.clone(), client, facts })
    }

    pub(super) fn user(&self) -> &str {
        &self.settings.user
    }

    pub(super) fn version(&self) -> &postgres::Version {
        &self.facts.version
    }

    pub(super) fn psql_version(&self) -> &postgres::Version {
        self.client.psql_version()
    }

    pub(super) fn has_role(&self, name: &str) -> bool {
        // What begins so is PostgreSQL's own, and is not among those that were asked for.
        name.starts_with("pg_") || self.facts.roles.iter().any(|role| role.name == name)
    }

    pub(super) async fn client_of(&self, database: &DatabaseName) -> Result<Client, PostgresError> {
        let client = Client::new(Database { name: database.clone(), ..self.settings.clone() }).await?;
        Ok(client.sealed())
    }

    pub(super) async fn look(&self, name: &DatabaseName) -> Result<Seen, PostgresError> {
        let mut seen = self.look_from_outside(name).await?;
        if let Some(target) = seen.target.as_mut().filter(|target| target.sessions.is_empty()) {
            target.is_empty = empty::is_empty(self, name).await.unwrap_or_else(|error| {
                log::debug!("{error}: {name} does not count as empty");
                false
            });
        }
        Ok(seen)
    }

    async fn look_from_outside(&self, target: &DatabaseName) -> Result<Seen, PostgresError> {
        let question = QUESTION.replace(":target", &literal(target.as_str()));
        let answer = self.client.query(&question, STATEMENT).await?;
        serde_json::from_str(&String::from_utf8_lossy(&answer)).map_err(PostgresError::OddAnswer)
    }

    /// Of these extensions, those that are not installed on the server.
    pub(super) async fn missing_extensions(&self, wanted: &[String]) -> Result<Vec<String>, PostgresError> {
        self.client.missing_extensions(wanted).await
    }

    /// Makes an empty database, with the encoding and the locale that the backup's had.
    pub(super) async fn create(&self, database: &DatabaseName, footer: Option<&Footer>) -> Result<(), PostgresError> {
        let statement = match footer {
            Some(footer) => footer.create_statement(database.as_str(), self.facts.version.major),
            None => format!("CREATE DATABASE {} TEMPLATE template0", quoted(database)),
        };
        self.client.query(&statement, STATEMENT).await.map(|_| ())
    }

    /// Takes away what a run has made. `false`: it is still there, and that was said.
    pub(super) async fn drop_database(&self, database: &DatabaseName) -> bool {
        // The session of a psql that was just ended may not have noticed yet. PostgreSQL 13 and later can end it.
        let force = if self.facts.version.major >= 13 { " WITH (FORCE)" } else { "" };
        let statement = format!("DROP DATABASE IF EXISTS {}{force}", quoted(database));
        let mut dropped = self.client.query(&statement, STATEMENT).await;
        for _ in 0..TRIES_TO_DROP {
            if !matches!(&dropped, Err(PostgresError::NotAnswered { no_connection: true, .. })) {
                break;
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
            dropped = self.client.query(&statement, STATEMENT).await;
        }
        if let Err(error) = &dropped {
            let drop = format!("DROP DATABASE {};", quoted(database));
            log::warn!("{error}; the database {database} is left behind until the next run removes it, or: {drop}");
        }
        dropped.is_ok()
    }

    /// Carries out what the data do not depend on, statement by statement. Gives back those that the server refuses.
    pub(super) async fn give(&self, statements: &[String]) -> Vec<String> {
        let mut refused = Vec::new();
        for statement in statements {
            if let Err(error) = self.client.query(statement, STATEMENT).await {
                log::warn!("{error}; left out: {statement}");
                refused.push(statement.clone());
            }
        }
        refused
    }

    /// Gives the restored database, before it has its name, what it is to be beside its contents. What the server refuses
    /// of that is said and given back, as it is for the final name: it is no reason to be without the data.
    pub(super) async fn give_properties(&self, names: &Names, properties: &Properties) -> Vec<String> {
        let Names { target, fresh, .. } = names;
        let refused = self.give(&properties.statements(fresh.as_str())).await;
        refused.into_iter().map(|statement| statement.replace(&quoted(fresh), &quoted(target))).collect()
    }

    /// Gives the restored database its name.
    pub(super) async fn name(&self, names: &Names) -> Result<(), Error> {
        match self.client.query(&rename(&names.fresh, &names.target), STATEMENT).await {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::NotNamed { names: Box::new(names.clone()), source }),
        }
    }

    /// Gives the restored database the name of the target, and what is to be taken over of it, in one step.
    pub(super) async fn swap(&self, names: &Names, beside: &Beside) -> Result<(), Error> {
        let Names { target, fresh, before } = names;
        let not_swapped = async |source| {
            let seen = self.look_from_outside(target).await.ok().and_then(|seen| seen.target);
            let sessions = seen.map(|target| target.sessions).unwrap_or_default();
            Err(Error::NotSwapped { names: Box::new(names.clone()), sessions, source })
        };
        let mut properties = Properties::default();
        if let Beside::Kept { owner } = beside {
            properties = match self.client.ask_properties(target).await {
                Ok(properties) => properties.unwrap_or_default(),
                Err(source) => return not_swapped(source).await,
            };
            if let Some(owner) = owner {
                properties.owner.clone_from(owner);
            }
        }
        // All statements of one command are one transaction. The first rename locks the name: whoever connects
        // meanwhile waits, and then finds the restored database.
        let statements =
            [rename(target, before), properties.statements(fresh.as_str()).join("\n"), rename(fresh, target)];
        match self.client.query(&statements.join("\n"), STATEMENT).await {
            Ok(_) => Ok(()),
            Err(source) => not_swapped(source).await,
        }
    }

    /// Drops what was replaced; not by force: whoever is connected to it has a reason.
    pub(super) async fn drop_replaced(&self, before: &DatabaseName) -> Result<(), PostgresError> {
        self.client.query(&format!("DROP DATABASE {}", quoted(before)), STATEMENT).await.map(|_| ())
    }
}

/// One row. Who is connected is told as a person would look for it.
const QUESTION: &str = "\
SELECT json_build_object(
  'may_create', (SELECT r.rolsuper OR r.rolcreatedb FROM pg_catalog.pg_roles r WHERE r.rolname = current_user),
  'databases', (SELECT json_agg(a.datname ORDER BY a.datname) FROM pg_catalog.pg_database a),
  'target', (SELECT json_build_object(
    'bytes', CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) ELSE 0 END,
    'sessions', array_to_json(ARRAY(SELECT format('%s%s as %s (pid %s)', coalesce(nullif(a.application_name, ''), 'a client'),
        coalesce(' from ' || host(a.client_addr), ''), a.usename, a.pid)
      FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid AND a.usename IS NOT NULL ORDER BY a.backend_start)))
    FROM pg_catalog.pg_database d WHERE d.datname = :target))";

pub(crate) fn rename(from: &DatabaseName, to: &DatabaseName) -> String {
    format!("ALTER DATABASE {} RENAME TO {};", quoted(from), quoted(to))
}

/// As SQL writes a name.
fn quoted(name: &DatabaseName) -> String {
    identifier(name.as_str())
}
