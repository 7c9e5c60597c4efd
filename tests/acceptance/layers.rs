//! The layer rule of the core library: an arrow never points up, and the edges do not know each other.
//!
//! The order is that of the table in `crates/core/src/lib.rs`, which is the map that people read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that reach out of the process. What one of them needs of another, a tool brings together.
const EDGES: [&str; 3] = ["store", "postgres", "mail"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/core/src")
}

/// The modules in the order of the table.
fn layers() -> Vec<String> {
    let map = fs::read_to_string(source().join("lib.rs")).unwrap();
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split_once('`'));
    rows.map(|(module, _)| module.to_owned()).collect()
}

/// Every file of a module.
fn files(module: &str) -> Vec<PathBuf> {
    let mut folders = vec![source().join(module)];
    let mut files = vec![source().join(format!("{module}.rs"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs") && path.exists());
    files
}

/// The modules that a module names in its code, each with a place where it does. Tests may look up.
fn knows(module: &str) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for file in files(module) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (line, number) in code.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with("//")) {
            for (at, path) in line.match_indices("crate::") {
                let name = line[at + path.len()..].split(|c: char| !c.is_alphanumeric() && c != '_').next();
                let name = name.unwrap_or_default().to_owned();
                known.entry(name).or_insert_with(|| format!("{}:{number}", file.display()));
            }
        }
    }
    known
}

#[test]
fn the_map_names_every_module() {
    let mut declared: Vec<String> = fs::read_to_string(source().join("lib.rs"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    let mut mapped = layers();
    declared.sort();
    mapped.sort();
    assert_eq!(declared, mapped);
}

#[test]
fn no_arrow_points_up() {
    let layers = layers();
    let mut checked = 0;
    for (module, height) in layers.iter().zip(0..) {
        for (known, place) in knows(module) {
            let Some(other) = layers.iter().position(|layer| *layer == known) else { continue };
            assert!(other <= height, "{place}: {module} knows {known}, which stands below it in the map");
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} arrows were found: this test proves nothing");
}

#[test]
fn the_edges_do_not_know_each_other() {
    for edge in EDGES {
        for (known, place) in knows(edge) {
            assert!(known == edge || !EDGES.contains(&known.as_str()), "{place}: {edge} knows {known}");
        }
    }
}
