//! The nouns that every tool of the backup system shares.
//!
//! Inside this crate an arrow never points up: what stands lower in this list may know what stands above it, never the
//! other way round.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`key`] | tier, database, instant ↔ key in the store |
//! | [`settings`] | what an operator can set, one struct per concern |

pub mod child;
pub mod gzip;
pub mod key;
pub mod postgres;
pub mod process;
pub mod settings;
pub mod store;
