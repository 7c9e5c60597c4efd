//! The server that a backup is brought back to: what is there, and the statements that make and change databases.

use std::time::Duration;

use backup_core::footer::Footer;
use backup_core::key::DatabaseName;
use backup_core::postgres::{self, Client, PostgresError};
use backup_core::settings::Database;
use serde::Deserialize;

use super::plan::Names;
use crate::error::Error;

/// How long one statement may take: making a database copies a template, dropping one removes its files.
const STATEMENT: Duration = Duration::from_mins(10);

/// The database that every server has, for statements about the others.
const MAINTENANCE: &str = "postgres";

/// A server, seen from its maintenance database.
#[derive(Debug)]
pub(super) struct Server {
    settings: Database,
    client: Client,
    facts: postgres::Server,
}

/// An existing database that is to be replaced.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Target {
    pub(super) bytes: u64,
    /// Who is connected to it.
    pub(super) sessions: Vec<String>,
    /// See [`super::plan::Plan`].
    pub(super) properties: Vec<String>,
}

impl Server {
    pub(super) async fn ask(settings: &Database) -> Result<Self, PostgresError> {
        // A name of letters is a name.
        let name: DatabaseName = MAINTENANCE.parse().unwrap_or_else(|error| unreachable!("{error}"));
        let client = Client::new(Database { name, ..settings.clone() }).await?;
        let facts = client.ask_server().await?;
        client.check_version(&facts)?;
        Ok(Self { settings: settings.clone(), client, facts })
    }

    pub(super) fn has_role(&self, name: &str) -> bool {
        // What begins so is PostgreSQL's own, and is not among those that were asked for.
        name.starts_with("pg_") || self.facts.roles.iter().any(|role| role.name == name)
    }

    pub(super) async fn client_of(&self, database: &DatabaseName) -> Result<Client, PostgresError> {
        Client::new(Database { name: database.clone(), ..self.settings.clone() }).await
    }

    /// The target, where it exists.
    pub(super) async fn look_at(&self, names: &Names) -> Result<Option<Target>, PostgresError> {
        let question = QUESTION
            .replace(":target", &literal(names.target.as_str()))
            .replace(":beside", &literal(names.beside.as_str()));
        let answer = self.client.query(&question, STATEMENT).await?;
        if answer.trim_ascii().is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&answer).map(Some).map_err(PostgresError::OddAnswer)
    }

    /// Of these extensions, those that are not installed on the server.
    pub(super) async fn missing_extensions(&self, wanted: &[String]) -> Result<Vec<String>, PostgresError> {
        let answer = self.client.query("SELECT name FROM pg_catalog.pg_available_extensions", STATEMENT).await?;
        let available = String::from_utf8_lossy(&answer);
        Ok(wanted.iter().filter(|name| available.lines().all(|known| known != name.as_str())).cloned().collect())
    }

    /// Makes an empty database, with the encoding and the locale that the backup's had.
    pub(super) async fn create(&self, database: &DatabaseName, footer: Option<&Footer>) -> Result<(), PostgresError> {
        let locale = footer.map_or_else(String::new, |Footer { encoding, collate, ctype, .. }| {
            let [encoding, collate, ctype] = [encoding, collate, ctype].map(|value| literal(value));
            format!(" ENCODING {encoding} LC_COLLATE {collate} LC_CTYPE {ctype}")
        });
        let statement = format!("CREATE DATABASE {} TEMPLATE template0{locale}", quoted(database));
        self.client.query(&statement, STATEMENT).await.map(|_| ())
    }

    /// Takes away what this run has made.
    pub(super) async fn drop_database(&self, database: &DatabaseName) {
        // The session of a psql that was just ended may not have noticed yet. PostgreSQL 13 and later can end it.
        let force = if self.facts.version.major >= 13 { " WITH (FORCE)" } else { "" };
        let statement = format!("DROP DATABASE IF EXISTS {}{force}", quoted(database));
        match self.client.query(&statement, STATEMENT).await {
            Ok(_) => log::info!("the database {database}, which this run had made, is gone again"),
            Err(error) => {
                log::warn!("{error}; the database {database} is left behind: DROP DATABASE {}", quoted(database));
            }
        }
    }

    /// Gives the restored database the name of the target, and drops what had it.
    pub(super) async fn swap(&self, names: &Names, properties: &[String]) -> Result<(), Error> {
        let Names { target, beside, before } = names;
        let renames = [(target, before), (beside, target)];
        let renames = renames.map(|(from, to)| format!("ALTER DATABASE {} RENAME TO {};", quoted(from), quoted(to)));
        // All statements of one command are one transaction.
        let swap = [properties.join("\n"), renames.join("\n")].join("\n");
        if let Err(source) = self.client.query(&swap, STATEMENT).await {
            return Err(Error::NotSwapped { target: target.clone(), restored: beside.clone(), source });
        }
        log::info!("{target} is the restored one from now on");
        if let Err(error) = self.client.query(&format!("DROP DATABASE {}", quoted(before)), STATEMENT).await {
            log::warn!("{error}; what was replaced is left behind as {before}: DROP DATABASE {}", quoted(before));
        }
        Ok(())
    }
}

/// One row where the target exists. What a dump of it does not hold: its owner, privileges, settings and comment.
const QUESTION: &str = "\
SELECT json_build_object(
  'bytes', CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) ELSE 0 END,
  'sessions', array_to_json(ARRAY(SELECT format('%s%s as %s', coalesce(nullif(a.application_name, ''), 'a client'),
      coalesce(' from ' || host(a.client_addr), ''), a.usename)
    FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid AND a.usename IS NOT NULL)),
  'properties', array_to_json(
    ARRAY[format('ALTER DATABASE %I OWNER TO %I;', :beside, pg_get_userbyid(d.datdba)),
      format('ALTER DATABASE %I CONNECTION LIMIT %s;', :beside, d.datconnlimit)]
    || CASE WHEN d.datacl IS NULL THEN '{}' ELSE
      ARRAY[format('REVOKE ALL ON DATABASE %I FROM PUBLIC;', :beside)]
      || ARRAY(SELECT format('GRANT %s ON DATABASE %I TO %s%s;', x.privilege_type, :beside,
          CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
          CASE WHEN x.is_grantable AND x.grantee <> d.datdba THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM aclexplode(d.datacl) x) END
    || ARRAY(SELECT format('ALTER %s SET %I TO %s;',
        CASE WHEN s.setrole = 0 THEN format('DATABASE %I', :beside)
          ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), :beside) END,
        split_part(c.setting, '=', 1),
        -- These are lists of names, which are stored quoted as names are.
        CASE WHEN lower(split_part(c.setting, '=', 1)) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries',
            'session_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories')
          THEN translate(substr(c.setting, strpos(c.setting, '=') + 1), '\"', '''')
          ELSE quote_literal(substr(c.setting, strpos(c.setting, '=') + 1)) END)
      FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS c (setting) WHERE s.setdatabase = d.oid)
    || ARRAY(SELECT format('COMMENT ON DATABASE %I IS %L;', :beside, o.description)
      FROM pg_catalog.pg_shdescription o WHERE o.objoid = d.oid AND o.classoid = 'pg_catalog.pg_database'::regclass))
) FROM pg_catalog.pg_database d WHERE d.datname = :target";

/// As SQL writes a name.
fn quoted(name: &DatabaseName) -> String {
    format!("\"{}\"", name.as_str().replace('"', "\"\""))
}

/// As SQL writes a text. A backslash means nothing in it: `standard_conforming_strings` is on wherever we connect.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
