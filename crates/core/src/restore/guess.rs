//! Whether a restore failed for want of something on the machine: `psql` says so in words only.

/// Words of PostgreSQL for what a machine lacks, which say nothing about the backup.
const LACKING: &[&str] = &[
    "could not open extension control file",
    "is not available",
    "could not access file \"$libdir",
    "could not load library",
    "No space left on device",
    "Disk quota exceeded",
    "could not extend file",
    "out of memory",
    "out of shared memory",
    "could not resize shared memory segment",
    "could not create collation",
    "collation \"",
    "server closed the connection unexpectedly",
    "the database system is shutting down",
    "terminating connection",
];

/// Whether these last words are about the machine and not about the backup.
pub fn is_of_this_machine(said: &str) -> bool {
    LACKING.iter().any(|words| said.contains(words))
}
