//! `notify`, and the way of every mail: what arrives, what waits, what is given up.

mod arrival;
mod delivery;
mod diagnosis;
mod encryption;
mod hostile;

use std::path::PathBuf;

use acceptance::sandbox::Sandbox;

/// The files of mails that wait.
fn waiting(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(sandbox.home().join("state/mail")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}
