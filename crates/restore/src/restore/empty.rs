//! Whether a database holds anything that somebody could miss.
//!
//! A new server comes with an empty database of the right name, because the official image makes one. That one has nothing to be
//! dumped, and what it is beside its contents nobody has chosen.

use backup_core::key::DatabaseName;
use backup_core::postgres::PostgresError;

use super::server::{STATEMENT, Server};

/// Asked in the database itself. What lies in a schema is looked for in all that are not PostgreSQL's own, and those of other
/// sessions' temporary tables begin with `pg_` too. What lies in none is known by its number: below 16384
/// (`FirstNormalObjectId`) is what every database is born with. The numbers of large objects are chosen freely.
const QUESTION: &str = "\
WITH schemas AS (SELECT s.oid, s.nspname FROM pg_catalog.pg_namespace s WHERE s.nspname !~ '^pg_' AND s.nspname <> 'information_schema')
SELECT NOT EXISTS (SELECT FROM schemas WHERE nspname <> 'public')
  AND NOT EXISTS (SELECT FROM schemas JOIN (
    SELECT relnamespace FROM pg_catalog.pg_class UNION ALL
    SELECT pronamespace FROM pg_catalog.pg_proc UNION ALL
    SELECT typnamespace FROM pg_catalog.pg_type UNION ALL
    SELECT oprnamespace FROM pg_catalog.pg_operator UNION ALL
    SELECT opcnamespace FROM pg_catalog.pg_opclass UNION ALL
    SELECT opfnamespace FROM pg_catalog.pg_opfamily UNION ALL
    SELECT collnamespace FROM pg_catalog.pg_collation UNION ALL
    SELECT connamespace FROM pg_catalog.pg_conversion UNION ALL
    SELECT cfgnamespace FROM pg_catalog.pg_ts_config UNION ALL
    SELECT dictnamespace FROM pg_catalog.pg_ts_dict UNION ALL
    SELECT prsnamespace FROM pg_catalog.pg_ts_parser UNION ALL
    SELECT tmplnamespace FROM pg_catalog.pg_ts_template) AS inside (schema) ON inside.schema = schemas.oid)
  AND NOT EXISTS (SELECT FROM (
    SELECT oid FROM pg_catalog.pg_extension UNION ALL
    SELECT oid FROM pg_catalog.pg_default_acl UNION ALL
    SELECT oid FROM pg_catalog.pg_language UNION ALL
    SELECT oid FROM pg_catalog.pg_cast UNION ALL
    SELECT oid FROM pg_catalog.pg_transform UNION ALL
    SELECT oid FROM pg_catalog.pg_am UNION ALL
    SELECT oid FROM pg_catalog.pg_event_trigger UNION ALL
    SELECT oid FROM pg_catalog.pg_publication UNION ALL
    SELECT oid FROM pg_catalog.pg_foreign_data_wrapper UNION ALL
    SELECT oid FROM pg_catalog.pg_foreign_server) AS beside WHERE beside.oid >= 16384)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
    WHERE d.datname = current_database())";

/// Whether nothing is in it but an empty `public`.
pub(super) async fn is_empty(server: &Server, database: &DatabaseName) -> Result<bool, PostgresError> {
    let answer = server.client_of(database).await?.query(QUESTION, STATEMENT).await?;
    Ok(answer.trim_ascii() == b"t")
}
