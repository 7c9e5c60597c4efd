//! What to do about what others say to a restore: PostgreSQL, whose words mean other things here than to a backup, which only
//! reads; and the system, of a place that was named.

use std::io::ErrorKind;

use backup_core::postgres::PostgresError;
use nix::unistd::{User, geteuid};

/// Words of the server and of `psql` (which we run in English), and what a person can do. The first that fits counts.
const HINTS: &[(&str, &str)] = &[
    (
        "No space left on device",
        "The disk of the database server is full: make room there, and run again. Nothing else has changed.",
    ),
    ("could not extend file", "The disk of the database server is full: make room there, and run again."),
    (
        "locale name",
        "The database server does not have the locale that the database had: install it there (on Debian: locales-all), restart \
         PostgreSQL, and run again.",
    ),
    (
        "locale_provider",
        "The locale of the backup needs a newer PostgreSQL than this server is: restore into a server of the version that was dumped.",
    ),
    (
        "invalid command \\",
        "psql is older than what made the backup: update the PostgreSQL client programs, and let PG_BIN_DIR name their directory.",
    ),
    (
        "unrecognized configuration parameter",
        "The backup is of a newer PostgreSQL than this server is: restore into a server of the version that was dumped.",
    ),
    ("tablespace \"", "Make the tablespace on the server first: CREATE TABLESPACE ... LOCATION '...'."),
    (
        "is being accessed by other users",
        "Stop the application (docker-compose stop app), and whatever else is connected.",
    ),
    (
        "max_locks_per_transaction",
        "A restore locks all that it makes in one transaction: raise max_locks_per_transaction on the server, and restart it.",
    ),
    ("permission denied", SUPERUSER),
    ("must be owner", SUPERUSER),
    ("must be superuser", SUPERUSER),
    ("must be a superuser", SUPERUSER),
    ("must be member of role", SUPERUSER),
    ("must be able to SET ROLE", SUPERUSER),
    ("Only roles with", SUPERUSER),
];

pub(super) const SUPERUSER: &str = "Log in as a superuser for this command alone (with the official image: POSTGRES_USER). On the host: read -rsp \
     'password: ' DB_PASSWORD; export DB_PASSWORD; docker-compose exec -e DB_USER=postgres -e DB_PASSWORD backup restore run ... \
     In the container: the same read and export, and DB_USER=postgres restore run ...";

const LOST: &str = "The connection to the database server broke off: its own log says why (a restart, no memory). All that was restored is \
     undone with it; run again.";

/// The advice for this error.
pub(super) fn for_postgres(error: &PostgresError) -> Option<String> {
    let (said, lost, logged_in) = match error {
        PostgresError::NotRestored { said, in_the_script, .. } => (said, !*in_the_script, true),
        PostgresError::NotAnswered { said, no_connection, .. } => (said, false, !no_connection),
        _ => return error.hint(),
    };
    if said.contains("database \"postgres\" does not exist") {
        return Some("Other databases are made from the one called postgres: CREATE DATABASE postgres;".to_owned());
    }
    // What the server says to whoever cannot log in means the same to everybody.
    let hint = HINTS.iter().find(|(words, _)| logged_in && said.contains(words)).map(|(_, hint)| *hint);
    match hint {
        Some(hint) => Some(hint.to_owned()),
        None if lost => Some(LOST.to_owned()),
        // Whatever does not exist here is nothing that the settings name.
        None if logged_in && said.contains("does not exist") => None,
        None => error.hint(),
    }
}

/// The advice where no file can be made in the folder that was named.
pub(super) fn for_a_place(kind: ErrorKind) -> Option<String> {
    let why = match kind {
        ErrorKind::PermissionDenied => {
            let id = geteuid();
            let name = User::from_uid(id).ok().flatten().map_or_else(|| id.to_string(), |user| user.name);
            format!("This runs as the user {name} (BACKUP_USER, where root has started it), who may not write there")
        }
        ErrorKind::ReadOnlyFilesystem => "Nothing can be written there: the file system is read-only".to_owned(),
        _ => return None,
    };
    Some(format!(
        "{why}. Name a file in another folder with --output; or let the shell write it, as whoever calls: --output - > FILE. \
         From outside of the container: docker-compose exec -T backup restore fetch ... -o - > FILE"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_cannot_be_written_to_is_explained() {
        let hint = |kind| for_a_place(kind).unwrap_or_default();
        let user = User::from_uid(geteuid()).unwrap().unwrap().name;
        let denied = hint(ErrorKind::PermissionDenied);
        assert!(denied.contains(&format!("as the user {user} ")) && denied.contains("--output - > FILE"), "{denied}");
        let read_only = hint(ErrorKind::ReadOnlyFilesystem);
        assert!(read_only.contains("is read-only") && read_only.contains("exec -T"), "{read_only}");
        assert_eq!(for_a_place(ErrorKind::NotFound), None);
    }

    fn not_restored(said: &str, lost: bool) -> PostgresError {
        PostgresError::NotRestored { how: "exit code 3".into(), said: said.into(), bytes: 1, in_the_script: !lost }
    }

    #[test]
    fn words_are_about_a_restore() {
        for (said, lost, words) in [
            (
                "ERROR:  could not extend file \"base/1/2\": No space left on device",
                false,
                "disk of the database server",
            ),
            ("ERROR:  permission denied to create extension \"postgis\"", false, "DB_USER=postgres"),
            ("ERROR:  must be able to SET ROLE \"app\"", false, "DB_USER=postgres"),
            ("ERROR:  unrecognized configuration parameter \"transaction_timeout\"", false, "newer PostgreSQL"),
            ("invalid command \\restrict", false, "psql is older"),
            ("ERROR:  invalid LC_COLLATE locale name: \"de_DE.utf8\"", false, "locales-all"),
            ("server closed the connection unexpectedly", true, "broke off"),
        ] {
            let hint = for_postgres(&not_restored(said, lost)).unwrap_or_default();
            assert!(hint.contains(words), "{said}: {hint}");
        }
        assert_eq!(for_postgres(&not_restored("ERROR:  relation \"x\" does not exist", false)), None);
        let refused = PostgresError::NotAnswered {
            how: "exit code 2".into(),
            said: "FATAL:  role \"app\" does not exist".into(),
            no_connection: true,
        };
        assert!(for_postgres(&refused).is_some_and(|hint| hint.contains("DB_USER")));
    }
}
