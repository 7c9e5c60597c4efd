//! The nouns that every tool of the backup system shares.
//!
//! Inside this crate an arrow never points up: what stands lower in this list may know what stands above it, never the
//! other way round. The edges (`store`, `postgres`, `mail`) do not know each other.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`sql`] | how SQL writes a name and a text |
//! | [`shell`] | how a shell writes a word |
//! | [`key`] | tier, database, instant ↔ key in the store |
//! | [`figures`] | sizes, counts and durations as people read them |
//! | [`files`] | files that appear as a whole |
//! | [`footer`] | what a backup says of itself: tables, rows, digests, versions |
//! | [`sql_scan`] | reads a plain dump as it passes: COPY blocks, rows, digests, end marker |
//! | [`gzip`] | bytes in, compressed blocks out, on several cores |
//! | [`settings`] | what an operator can set, one struct per concern |
//! | [`child`] | starting a program, and being sure that it ends |
//! | [`store`] | the S3 client: upload, list, copy, read back, download |
//! | [`postgres`] | PostgreSQL's own programs: the server's facts, a dump and a restore as streams, the scratch server |
//! | [`journal`] | what each tool last did and how it ended |
//! | [`unfinished`] | uploads that were begun, for the run after a killed one |
//! | [`mail`] | what happened → a message (subject, text, HTML) → SMTP |
//! | [`process`] | what every `main` does: variables, log, lock, signals, exit code |
//! | [`restore`] | a backup read to its end: download → gunzip → scanner → `psql` |

pub mod child;
pub mod figures;
pub mod files;
pub mod footer;
pub mod gzip;
pub mod journal;
pub mod key;
pub mod mail;
pub mod postgres;
pub mod process;
pub mod restore;
pub mod settings;
pub mod shell;
pub mod sql;
pub mod sql_scan;
pub mod store;
pub mod unfinished;
