//! `database`: somebody can log in to the database, and it answers.
//!
//! An open port is not enough: `pg_isready` is content with a wrong password and a database that does not exist.

use backup_core::figures;
use backup_core::postgres::{Client, PostgresError, Server};
use backup_core::settings::Database;

use crate::figure;
use crate::finding::{Finding, Name, Remark};

pub(crate) type Facts = Result<Server, PostgresError>;

pub(crate) async fn look(settings: &Database) -> Facts {
    Client::new(settings.clone()).await?.ask_server().await
}

pub(crate) fn judge(facts: &Facts, settings: &Database) -> Finding {
    match facts {
        Ok(server) => {
            let fact = format!(
                "{} on {} answers: PostgreSQL {}, {}",
                settings.name,
                settings.host,
                server.version,
                figures::size(server.database_bytes)
            );
            let size = figure::DATABASE_BYTES.is(server.database_bytes as f64);
            Finding::new(Name::Database, [Remark::ok(fact)], vec![size])
        }
        Err(error) => {
            let advice = error.hint().unwrap_or_else(|| "Until this is mended, no backup can be made.".to_owned());
            Finding::new(Name::Database, [Remark::critical(error.to_string(), advice)], Vec::new())
        }
    }
}
