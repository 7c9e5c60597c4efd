//! The databases that tests fill: scripts for psql.

use std::path::{Path, PathBuf};

/// A fabric shop, as its application would leave it; psql's variable `f` scales it, 0.01 makes a dump of about 18 MB.
pub fn shop() -> PathBuf {
    script("shop.sql")
}

/// One of everything that is hard to dump, restore or name.
pub fn zoo() -> PathBuf {
    script("zoo.sql")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}
