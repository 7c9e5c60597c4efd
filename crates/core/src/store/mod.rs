//! The S3 store: list, look, upload while the size is still unknown, copy, read back, download, delete.
//!
//! Works with AWS and with the stores that follow it: path style, uniform parts, and a plan for stores that do not know a
//! header (see [`Upload`]). Nothing here overwrites an object, and no wait is without an end (see `client`).

mod abort;
mod checksum;
mod client;
mod clock;
mod copy;
mod delete;
mod download;
mod error;
mod footer;
mod list;
mod multipart;
mod part_size;
mod pick;
mod range;
mod read;
mod retry;
mod stall;
mod sweep;
mod upload;
mod way;

pub use abort::{Ledger, Orphan};
pub use client::Store;
pub use clock::ClocksDiffer;
pub use copy::CopyLimits;
pub use delete::{DELETED_AT_ONCE, Deleted};
pub use download::{Download, Source};
pub use error::{Attempt, Remains, StoreError, StoreErrorKind};
pub use list::Object;
pub use part_size::{PartSize, memory_bytes};
pub use pick::{Found, Pick, WHAT_NAMES_ONE, Wanted};
pub use sweep::UnfinishedUpload;
pub use upload::{Stored, Upload};
