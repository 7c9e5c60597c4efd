//! The folders that outlive the container belong to the user that the jobs run as.
//!
//! Docker makes what it mounts root's, and so did the shell scripts that these tools replace. Only what is not that
//! user's is changed, nothing outside the folders is touched, and no link is followed.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::Path;

use backup_core::settings::Places;
use nix::unistd::User;

/// Where logrotate notes what it did when. The image has a link to it in the place where logrotate looks.
const ROTATED: &str = "status";

/// Nobody else may read or lock them.
const NOTES_MODE: u32 = 0o640;

/// What it writes into new notes.
const NOTHING_ROTATED: &[u8] = b"logrotate state -- version 2\n";

/// Makes the folders, and gives them to the user. Says what it could not do; the tools say the rest.
pub(crate) fn hand_over(places: &Places, user: &User) -> Vec<String> {
    let folders = [&places.logs, &places.temp, &places.state];
    begin_notes(&places.state);
    let given = folders.map(|folder| {
        let given = fs::create_dir_all(folder).and_then(|()| give(folder, user));
        given.map_err(|error| format!("cannot give {} to {}: {error}", folder.display(), user.name))
    });
    given.into_iter().filter_map(Result::err).collect()
}

/// Makes logrotate's notes before logrotate does. If root ran it by hand first, the notes would be root's, and cron's job could
/// not read them; and notes that everybody may read, logrotate does not lock.
fn begin_notes(state: &Path) {
    let notes = state.join(ROTATED);
    let begun = fs::create_dir_all(state)
        .and_then(|()| OpenOptions::new().write(true).create_new(true).mode(NOTES_MODE).open(&notes));
    // Without them, logrotate begins by itself.
    let _ = match begun {
        Ok(mut notes) => notes.write_all(NOTHING_ROTATED),
        Err(_) if fs::symlink_metadata(&notes).is_ok_and(|notes| notes.is_file()) => {
            fs::set_permissions(&notes, Permissions::from_mode(NOTES_MODE))
        }
        Err(error) => Err(error),
    };
}

fn give(path: &Path, user: &User) -> std::io::Result<()> {
    match give_all(path, user) {
        // A job of another container on the same volumes may have taken it away just now.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        given => given,
    }
}

fn give_all(path: &Path, user: &User) -> std::io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.uid() != user.uid.as_raw() {
        lchown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}
