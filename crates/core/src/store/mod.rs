//! The S3 store: list, look, upload while the size is still unknown, copy, read back, delete.
//!
//! Works with AWS and with the stores that follow it: path style, uniform parts, and a plan for stores that do not know a
//! header (see [`Upload`]). Nothing here overwrites an object.

mod checksum;
mod client;
mod copy;
mod delete;
mod error;
mod list;
mod part_size;
mod parts;
mod read;
mod sweep;
mod upload;

pub use client::{Object, Store};
pub use copy::CopyLimits;
pub use delete::Deleted;
pub use error::{StoreError, StoreErrorKind};
pub use part_size::{PartSize, memory_bytes};
pub use sweep::UnfinishedUpload;
pub use upload::{Orphan, Stored, Upload};
