//! The footer of a stored backup, read from the end of its object without the rest.

use std::io::Read;

use super::{Object, Store};
use crate::footer::Footer;
use crate::gzip::{self, locator};

/// What is read from the end of an object at first: enough for the footer of most databases.
const FIRST_READ: u64 = 64 << 10;

/// The largest footer that is read, compressed: more tables than PostgreSQL is ever used with.
const LARGEST: u64 = 64 << 20;

impl Store {
    /// The footer of a backup in the store. `None`: it has none, or it cannot be read, and the log says why.
    pub async fn footer(&self, object: &Object) -> Option<Footer> {
        let read = async |bytes: u64| {
            let start = object.bytes.saturating_sub(bytes);
            self.read_range(&object.key, start, object.bytes).await
        };
        let not_read =
            |why: &dyn std::fmt::Display| log::warn!("cannot read the footer of {}: {why}", self.address(&object.key));
        let mut end = read(FIRST_READ).await.inspect_err(|error| not_read(error)).ok()?;
        let needed = locator::read(&end)?.saturating_add(locator::BYTES as u64);
        if needed > LARGEST.min(object.bytes) {
            not_read(&format!("it would be {needed} bytes long"));
            return None;
        }
        if needed > end.len() as u64 {
            end = read(needed).await.inspect_err(|error| not_read(error)).ok()?;
        }
        let mut text = Vec::new();
        let members = &end[end.len() - needed as usize..];
        gzip::reader(members).take(LARGEST * 8).read_to_end(&mut text).inspect_err(|error| not_read(error)).ok()?;
        Footer::parse(&text).inspect_err(|error| not_read(error)).ok()
    }
}
