//! The nouns that every tool of the backup system shares.
//!
//! Inside this crate an arrow never points up: what stands lower in this list may know what stands above it, never the
//! other way round.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`key`] | tier, database, instant ↔ key in the store |
//! | [`figures`] | sizes, counts, durations and instants as people read them |
//! | [`settings`] | what an operator can set, one struct per concern |
//! | [`mail`] | what a tool has to say → a message, by one family of templates → SMTP |

pub mod child;
pub mod figures;
pub mod key;
pub mod mail;
pub mod process;
pub mod settings;
