//! What to do about what PostgreSQL's programs say.

/// Words of libpq, `psql` and `pg_dump` (which we run in English), and what a person can do. The first that fits counts.
const HINTS: &[(&str, &str)] = &[
    (
        "password authentication failed",
        "Check DB_USER and DB_PASSWORD: in .env, one with a $, a # or a blank in it stands within single quotes.",
    ),
    ("no password supplied", "Set DB_PASSWORD, or DB_PASSWORD_FILE."),
    ("pg_hba.conf", "The server's pg_hba.conf does not let this role in from here."),
    (
        "could not translate host name",
        "Is the database running (`docker-compose ps`; `docker-compose up -d` starts it), is DB_HOST the name of its service, and is \
         the backup service in the same network?",
    ),
    ("Connection refused", "Is the database running, and are DB_HOST and DB_PORT right?"),
    (
        "timeout expired",
        "Nothing answers at DB_HOST and DB_PORT: is the host right, and does a firewall let us through?",
    ),
    ("the database system is starting up", "The database is starting: try again in a moment."),
    ("not yet accepting connections", "The database is starting: try again in a moment."),
    (
        "in recovery mode",
        "The database is starting after a crash: try again in a moment. Its own log says what happened.",
    ),
    ("row-level security", "Row security hides rows from this role: ALTER ROLE ... BYPASSRLS lets it dump them."),
    // pg_dump carries out --lock-wait-timeout by a statement_timeout for LOCK TABLE, and has none otherwise.
    (
        "due to statement timeout",
        "Another session holds a lock on the table. BACKUP_LOCK_TIMEOUT sets how long is waited for it.",
    ),
    (
        "permission denied to create database",
        "Log in as a role that may create databases: set DB_USER and DB_PASSWORD for this command.",
    ),
    ("must be able to SET ROLE", "Log in as a superuser: what is restored is given to its owners."),
    ("must be member of role", "Log in as a superuser: what is restored is given to its owners."),
    (
        "max_locks_per_transaction",
        "A restore locks all that it makes in one transaction: raise max_locks_per_transaction on the server, and restart it.",
    ),
    ("permission denied for large object", "Grant SELECT on the large object to the role, or dump as its owner."),
    (
        "permission denied",
        "Let the role read everything: GRANT pg_read_all_data TO the role in DB_USER (PostgreSQL 14 and later).",
    ),
    (
        "invalid memory alloc request size",
        "A value is too large to be dumped as text: a field may hold at most 1 GB, a bytea 512 MB.",
    ),
    (
        "invalid page in block",
        "The database's own files are damaged. Keep the older backups, and look into pg_amcheck.",
    ),
    ("could not read block", "The database's own files are damaged or its disk is failing. Keep the older backups."),
    (
        "terminating connection due to administrator command",
        "Somebody ended the session in the server (pg_terminate_backend, or a shutdown).",
    ),
    ("server closed the connection unexpectedly", "The server ended or restarted: its own log says why."),
    ("does not exist", "Check DB_NAME and DB_USER."),
];

/// The advice for these words.
pub(super) fn for_words(said: &str) -> Option<&'static str> {
    HINTS.iter().find(|(words, _)| said.contains(words)).map(|(_, hint)| *hint)
}
