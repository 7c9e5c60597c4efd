//! The footer of a stored backup, read from the end of its object without the rest.

use super::{Object, Store};
use crate::footer::Footer;
use crate::gzip::locator;

impl Store {
    /// The footer of a backup in the store. `None`: it has none, or it cannot be read, and the log says why.
    pub async fn footer(&self, object: &Object) -> Option<Footer> {
        let end = async |bytes: u64| {
            let start = object.bytes.saturating_sub(bytes);
            self.read_range(&object.key, start, object.bytes).await
        };
        let text = locator::footer(object.bytes, end).await;
        Footer::of_the_end(text, &self.address(&object.key))
    }
}
