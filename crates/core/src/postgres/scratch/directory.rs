//! The directory of a scratch server: its own, on a disk with room, gone afterwards whatever happens.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;
use nix::unistd::{User, chown};

use super::ScratchError;

/// How the directories are called, so that a later run knows what a killed one left behind.
const PREFIX: &str = "scratch-";

/// Locked as long as its run lives.
const LOCK: &str = "lock";

/// How long a directory is removed again and again, while the last processes of a server that was killed still write to it. A run that
/// is told to end has ten seconds for everything.
const TIME_TO_REMOVE: Duration = Duration::from_secs(5);

/// A directory of its own, gone when it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    is_kept: bool,
    owner: Option<User>,
    _lock: File,
}

impl Directory {
    /// Makes one below the temp directory, for this user, after removing what killed runs left there.
    pub(super) fn new(temp: &Path, owner: Option<User>) -> Result<Self, ScratchError> {
        let failed = |source| ScratchError::Directory { path: temp.to_owned(), source };
        fs::create_dir_all(temp).map_err(failed)?;
        remove_stale(temp);
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(temp).map_err(failed)?;
        let lock = File::create(folder.path().join(LOCK)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let directory = Self { path: folder.keep(), is_kept: false, owner, _lock: lock };
        hand_over(&directory.path, directory.owner.as_ref()).map_err(failed)?;
        if let Some(user) = &directory.owner {
            check_reach(&directory.path, user)?;
        }
        Ok(directory)
    }

    /// Makes an empty directory in it.
    pub(super) fn add(&self, name: &str) -> Result<PathBuf, ScratchError> {
        let path = self.path().join(name);
        let made = fs::create_dir(&path).and_then(|()| hand_over(&path, self.owner.as_ref()));
        made.map(|()| path.clone()).map_err(|source| ScratchError::Directory { path, source })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is, under a name that no later run removes.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.is_kept = true;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let kept = self.path.with_file_name(format!("kept-{name}"));
        match fs::rename(&self.path, &kept) {
            Ok(()) => kept,
            Err(_) => self.path.clone(),
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.is_kept {
            remove(&self.path);
        }
    }
}

/// Removes it with all that is in it.
fn remove(path: &Path) {
    let begun = Instant::now();
    while let Err(error) = fs::remove_dir_all(path) {
        let is_written_to = matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) && path.exists();
        if !is_written_to || begun.elapsed() > TIME_TO_REMOVE {
            return log::warn!("cannot remove {}: {error}", path.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn hand_over(path: &Path, owner: Option<&User>) -> std::io::Result<()> {
    let Some(user) = owner else { return Ok(()) };
    Ok(chown(path, Some(user.uid), Some(user.gid))?)
}

/// Fails where a directory above lets this user not through. The system would only say that a program cannot be started.
fn check_reach(path: &Path, user: &User) -> Result<(), ScratchError> {
    for above in path.ancestors().skip(1) {
        let Ok(found) = fs::metadata(above) else { continue };
        let (owns, shares) = (found.uid() == user.uid.as_raw(), found.gid() == user.gid.as_raw());
        let passes = if owns {
            0o100
        } else if shares {
            0o010
        } else {
            0o001
        };
        if found.mode() & passes == 0 {
            return Err(ScratchError::OutOfReach { path: above.to_owned(), user: user.name.clone() });
        }
    }
    Ok(())
}

/// Removes the directories whose run was killed: nobody holds their lock.
pub(super) fn remove_stale(temp: &Path) {
    let entries = fs::read_dir(temp).into_iter().flatten().filter_map(Result::ok);
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let in_use = File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err());
        if !in_use {
            log::warn!("an earlier run was killed: its scratch directory {} is removed", path.display());
            remove(&path);
        }
    }
}

/// Bytes that are free for us where this directory is.
pub(super) fn free_bytes(path: &Path) -> Result<u64, ScratchError> {
    let existing = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat =
        statvfs(existing).map_err(|error| ScratchError::Directory { path: path.to_owned(), source: error.into() })?;
    Ok(stat.blocks_available() * stat.fragment_size())
}
