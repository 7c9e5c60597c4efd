//! What the server says of itself, before a dump.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;

use super::{Client, PostgresError, Version};
use crate::child::Child;
use crate::footer::{Properties, Setting};
use crate::key::DatabaseName;
use crate::sql::{identifier, literal};

/// How long the server may take to answer, beyond connecting.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How often a connection is tried before it counts as failed, and how long is waited between: a database that restarts
/// at the same minute is no reason to go without a backup.
const TRIES: &[Duration] = &[Duration::from_secs(2), Duration::from_secs(5)];

/// The largest answer that is read.
const ANSWER_BYTES: u64 = 64 << 20;

/// The server and the database, as far as a backup needs to know them. Backup and restore fail where this cannot be asked: what only
/// a health check needs is a question of its own.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its version.
    pub version: Version,
    /// Bytes on the server's disk, indexes included.
    pub database_bytes: u64,
    /// The encoding of the database, as PostgreSQL names it.
    pub encoding: String,
    /// Its collation.
    pub collate: String,
    /// Its character classification.
    pub ctype: String,
    /// What the database is beside its contents.
    pub properties: Properties,
    /// Every role of the server but PostgreSQL's own.
    pub roles: Vec<ServerRole>,
    /// The role that has logged in, and the one that it works as where that is another.
    pub logged_in: Vec<String>,
}

/// A role of the server, with what creates it again. Passwords are not among that.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerRole {
    /// Its name.
    pub name: String,
    /// SQL statements: what creates it, then what makes it a member of other roles, then what is set for it.
    pub statements: Vec<String>,
    /// The roles that it is a member of.
    pub member_of: Vec<String>,
    /// What is set for it in every database.
    settings: Vec<Setting>,
}

#[derive(Deserialize)]
struct Answer {
    version: String,
    bytes: u64,
    encoding: String,
    collate: String,
    ctype: String,
    properties: Properties,
    roles: Vec<ServerRole>,
    logged_in: Vec<String>,
}

/// What the database `d` is beside its contents. Columns that only some versions have are read by their names.
const PROPERTIES: &str = "\
json_build_object(
  'owner', pg_get_userbyid(d.datdba),
  'privileges', CASE WHEN d.datacl IS NOT NULL THEN (SELECT coalesce(json_agg(json_build_object(
      'grantee', r.rolname, 'privilege', x.privilege_type, 'grantable', x.is_grantable AND x.grantee <> d.datdba)), '[]'::json)
    FROM aclexplode(d.datacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
    WHERE x.grantee = 0 OR r.oid IS NOT NULL) END,
  'settings', (SELECT coalesce(json_agg(json_build_object(
      'role', r.rolname, 'name', split_part(c.setting, '=', 1), 'value', substr(c.setting, strpos(c.setting, '=') + 1))
      ORDER BY r.rolname NULLS FIRST, c.number), '[]'::json)
    FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS c (setting, number)
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
    WHERE s.setdatabase = d.oid AND (s.setrole = 0 OR r.oid IS NOT NULL)),
  'comment', shobj_description(d.oid, 'pg_database'),
  'connection_limit', d.datconnlimit,
  'locale_provider', to_json(d) ->> 'datlocprovider',
  'locale', coalesce(to_json(d) ->> 'datlocale', to_json(d) ->> 'daticulocale'),
  'icu_rules', to_json(d) ->> 'daticurules',
  'tablespace', (SELECT t.spcname FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace))";

/// One row, one column: a JSON document. Needs no right but to connect.
const QUESTION: &str = "\
SELECT json_build_object(
  'version', current_setting('server_version'),
  'bytes', pg_database_size(d.oid),
  'encoding', pg_encoding_to_char(d.encoding),
  'collate', d.datcollate,
  'ctype', d.datctype,
  'properties', :properties,
  'logged_in', json_build_array(session_user, current_user),
  'roles', (SELECT coalesce(json_agg(json_build_object(
    'name', r.rolname,
    'statements', array_to_json(ARRAY[
      format('CREATE ROLE %I WITH %s %s %s %s %s %s %s CONNECTION LIMIT %s%s;', r.rolname,
        CASE WHEN r.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
        CASE WHEN r.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
        CASE WHEN r.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
        CASE WHEN r.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
        CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN r.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
        CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
        r.rolconnlimit,
        CASE WHEN r.rolvaliduntil IS NULL THEN '' ELSE format(' VALID UNTIL %L', r.rolvaliduntil) END)]
      || ARRAY(SELECT DISTINCT format('GRANT %I TO %I%s;', g.rolname, r.rolname,
        CASE WHEN m.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END) FROM pg_catalog.pg_auth_members m
        JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1)),
    'member_of', array_to_json(ARRAY(SELECT g.rolname FROM pg_catalog.pg_auth_members m
        JOIN pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY g.rolname)),
    'settings', (SELECT coalesce(json_agg(json_build_object(
        'name', split_part(c.setting, '=', 1), 'value', substr(c.setting, strpos(c.setting, '=') + 1)) ORDER BY c.number), '[]'::json)
      FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS c (setting, number)
      WHERE s.setdatabase = 0 AND s.setrole = r.oid)
    ) ORDER BY r.rolname), '[]'::json)
    FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_')
) FROM pg_catalog.pg_database d WHERE d.datname = current_database()";

impl Client {
    /// Logs in and asks the server for all of it.
    pub async fn ask_server(&self) -> Result<Server, PostgresError> {
        for pause in TRIES {
            match self.ask_once().await {
                Err(error @ PostgresError::NotAnswered { no_connection: true, .. }) if !is_final(&error) => {
                    log::warn!("{error}; trying again in {}s", pause.as_secs());
                    tokio::time::sleep(*pause).await;
                }
                ended => return ended,
            }
        }
        self.ask_once().await
    }

    async fn ask_once(&self) -> Result<Server, PostgresError> {
        let answer = self.query(&QUESTION.replace(":properties", PROPERTIES), ANSWER_LIMIT).await?;
        let mut answer: Answer = understand(&answer)?;
        for role in &mut answer.roles {
            let whose = format!("ROLE {}", identifier(&role.name));
            role.statements.extend(role.settings.iter().map(|setting| setting.statement(&whose)));
        }
        let version = Version::parse(&answer.version)
            .ok_or_else(|| PostgresError::OddVersion { program: "the server", said: answer.version.clone() })?;
        let Answer { bytes: database_bytes, encoding, collate, ctype, properties, roles, logged_in, .. } = answer;
        Ok(Server { version, database_bytes, encoding, collate, ctype, properties, roles, logged_in })
    }

    /// What any database of the server is beside its contents; `None`: there is none of this name.
    pub async fn ask_properties(&self, database: &DatabaseName) -> Result<Option<Properties>, PostgresError> {
        let name = literal(database.as_str());
        let question = format!("SELECT {PROPERTIES} FROM pg_catalog.pg_database d WHERE d.datname = {name}");
        let answer = self.query(&question, ANSWER_LIMIT).await?;
        if answer.trim_ascii().is_empty() { Ok(None) } else { understand(&answer).map(Some) }
    }

    /// Of these extensions, those that are not installed on the server.
    pub async fn missing_extensions(&self, wanted: &[String]) -> Result<Vec<String>, PostgresError> {
        let answer = self.query("SELECT name FROM pg_catalog.pg_available_extensions", ANSWER_LIMIT).await?;
        let available = String::from_utf8_lossy(&answer);
        Ok(wanted.iter().filter(|name| available.lines().all(|known| known != name.as_str())).cloned().collect())
    }

    /// Logs in and asks one question, in SQL. The answer is as `psql` prints it without decoration, in UTF-8.
    pub async fn query(&self, sql: &str, limit: Duration) -> Result<Vec<u8>, PostgresError> {
        let limit = self.settings.connect_timeout + limit;
        let mut psql = self.start_psql(&["--tuples-only".to_owned(), format!("--command={sql}")], Stdio::null())?;
        let stdout = psql.stdout();
        let asked = async {
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                let read = stdout.take(ANSWER_BYTES).read_to_end(&mut answer).await;
                read.map_err(|source| PostgresError::Unreadable { program: "psql", source })?;
            }
            Ok::<_, PostgresError>((psql.wait().await?, answer))
        };
        let Ok(asked) = tokio::time::timeout(limit, asked).await else {
            psql.stop().await;
            return Err(PostgresError::NoAnswer { limit });
        };
        let (ended, answer) = asked?;
        if !ended.status.success() {
            // psql: "2 if the connection to the server went bad".
            let no_connection = ended.status.code() == Some(2);
            return Err(PostgresError::NotAnswered { how: ended.how(), said: ended.last_words, no_connection });
        }
        Ok(answer)
    }

    /// `psql`, which stops at the first error. What it says is part of the caller's error.
    pub(super) fn start_psql(&self, arguments: &[String], stdin: Stdio) -> Result<Child, PostgresError> {
        let always = ["--no-psqlrc", "--no-align", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"];
        let always = always.map(str::to_owned).into_iter().chain([format!("--dbname={}", self.conninfo)]);
        let mut variables = self.variables.clone();
        // Ours is UTF-8; a dump sets its own.
        variables.push(("PGCLIENTENCODING".into(), "UTF8".into()));
        let (program, confinement) = (&self.psql.path, self.confinement.as_ref());
        let arguments = always.chain(arguments.iter().cloned());
        Ok(Child::start_confined(program, arguments, &variables, stdin, log::Level::Debug, confinement)?)
    }

    /// Refuses a `pg_dump` older than the server, and warns of a newer one.
    pub fn check_version(&self, server: &Server) -> Result<(), PostgresError> {
        let client = self.dump_version();
        if client.major < server.version.major {
            return Err(PostgresError::ClientTooOld { client: client.clone(), server: server.version.clone() });
        }
        if client.major > server.version.major {
            log::warn!(
                "pg_dump is version {client}, the server is {}: the dump may not restore into a server of version {}",
                server.version,
                server.version.major
            );
        }
        Ok(())
    }
}

/// Names and comments may be in another encoding than the database that was asked: better one odd character than no answer.
fn understand<T: DeserializeOwned>(answer: &[u8]) -> Result<T, PostgresError> {
    serde_json::from_str(&String::from_utf8_lossy(answer)).map_err(PostgresError::OddAnswer)
}

/// Connection failures that no waiting mends.
fn is_final(error: &PostgresError) -> bool {
    let PostgresError::NotAnswered { said, .. } = error else { return true };
    let starting = [
        "starting up",
        "shutting down",
        "recovery mode",
        "not yet accepting connections",
        "Connection refused",
        "could not translate",
        "timeout expired",
    ];
    !starting.iter().any(|words| said.contains(words))
}
