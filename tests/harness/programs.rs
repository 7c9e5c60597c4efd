//! Finds the programs that the tests start, and says how to install the ones that are missing.

use std::path::{Path, PathBuf};

/// Where the servers that the harness starts look for programs of their own.
pub const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const NEEDED: [&str; 5] = ["initdb", "postgres", "psql", "pg_dump", "pg_dumpall"];

const POSTGRES_PACKAGE: &str = "apt-get install -y --no-install-recommends postgresql";

/// A PostgreSQL program, by its full path.
pub fn postgres(name: &str) -> PathBuf {
    postgres_folder().join(name)
}

/// The folder that holds PostgreSQL's programs, the server's and the clients', all of one version: one on `PATH` if it has
/// them all, else the newest below `/usr/lib/postgresql`, where Debian keeps them (its `/usr/bin` has only wrappers).
pub fn postgres_folder() -> PathBuf {
    search_path().find(|folder| is_complete(folder)).or_else(newest_debian_folder).unwrap_or_else(|| {
        let needed = NEEDED.join(", ");
        panic!("PostgreSQL's programs ({needed}) are neither on PATH nor below /usr/lib/postgresql; install them: {POSTGRES_PACKAGE}")
    })
}

fn is_complete(folder: &Path) -> bool {
    NEEDED.iter().all(|name| folder.join(name).is_file())
}

fn newest_debian_folder() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let major: u32 = path.file_name()?.to_str()?.parse().ok()?;
            Some((major, path.join("bin")))
        })
        .filter(|(_, bin)| is_complete(bin))
        .max()
        .map(|(_, bin)| bin)
}

/// A program of the servers from `PyPI`, which `scripts/test` installs.
pub fn server_from_pypi(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers/bin").join(name);
    assert!(path.is_file(), "{} is not there; run scripts/test, which installs it", path.display());
    path
}

/// `setpriv` of util-linux: changes the user and ties a child's life to its parent's.
pub fn setpriv() -> PathBuf {
    on_path("setpriv").unwrap_or_else(|| {
        panic!("`setpriv` is not on PATH; install it: apt-get install -y --no-install-recommends util-linux")
    })
}

/// The first file of this name on the `PATH` of whoever runs the tests, then on [`SYSTEM_PATH`].
pub fn on_path(name: &str) -> Option<PathBuf> {
    search_path().map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain(std::env::split_paths(SYSTEM_PATH)).collect();
    folders.into_iter()
}
