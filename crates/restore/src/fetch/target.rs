//! The file that a backup is fetched into: `FILE.part` until it is whole.
//!
//! It is locked while it is written, readable by its owner alone, and gets its name in one step, which replaces nothing
//! unless that was asked for.

mod name;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use backup_core::files::folder_of;
use bytes::{Bytes, BytesMut};
use nix::sys::statvfs::statvfs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::error::Error;

/// Bytes of what is there already that are read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// A dump holds everything: nobody else may read it.
const MODE: u32 = 0o600;

#[derive(Debug)]
pub(super) struct Target {
    file: tokio::fs::File,
    part: PathBuf,
    path: PathBuf,
    force: bool,
    there: u64,
}

impl Target {
    /// Opens the unfinished file of this one, or makes it.
    pub(super) fn open(path: PathBuf, force: bool) -> Result<Self, Error> {
        if !force && path.symlink_metadata().is_ok() {
            return Err(Error::Taken(path));
        }
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .mode(MODE)
            .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
            .open(&part);
        let file = opened.map_err(|source| Error::NotOpened { part: part.clone(), source })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Held(part)),
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", &part)(source)),
        }
        // Whoever held it may have given it its name since it was opened: then it is not ours to write to.
        let is_still_it = part.symlink_metadata().is_ok_and(|there| {
            file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
        });
        if !is_still_it {
            return Err(Error::Held(part));
        }
        let there = || {
            file.set_permissions(fs::Permissions::from_mode(MODE))?;
            file.metadata().map(|metadata| metadata.len())
        };
        let there = there().map_err(Error::file("look at", &part))?;
        Ok(Self { file: tokio::fs::File::from_std(file), part, path, force, there })
    }

    /// Bytes that an earlier run left.
    pub(super) fn there(&self) -> u64 {
        self.there
    }

    /// Fails where the rest of an object of this size has no room.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), Error> {
        let folder = folder_of(&self.path);
        let system = statvfs(folder).map_err(|error| Error::file("look at", folder)(error.into()))?;
        let free = system.blocks_available() * system.fragment_size();
        let needed = bytes.saturating_sub(self.there);
        if free < needed { Err(Error::NoRoom { folder: folder.to_owned(), free, needed }) } else { Ok(()) }
    }

    /// Throws away what is there.
    pub(super) fn start_over(&mut self) -> Result<(), Error> {
        let cut = OpenOptions::new().write(true).open(&self.part).and_then(|file| file.set_len(0));
        cut.map_err(Error::file("empty", &self.part))?;
        self.there = 0;
        Ok(())
    }

    /// Back to the beginning, to read what is there and then to go on behind it.
    pub(super) async fn rewind(&mut self) -> Result<(), Error> {
        self.file.rewind().await.map(|_| ()).map_err(Error::file("read", &self.part))
    }

    /// The next bytes of what is there.
    pub(super) async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let mut block = BytesMut::with_capacity(BLOCK_BYTES);
        let read = self.file.read_buf(&mut block).await.map_err(Error::file("read", &self.part))?;
        Ok((read > 0).then(|| block.freeze()))
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = async {
            self.file.write_all(bytes).await?;
            // What it writes in the background would be told of too late.
            self.file.flush().await
        };
        written.await.map_err(Error::file("write", &self.part))?;
        self.there += bytes.len() as u64;
        Ok(())
    }

    /// Gives the file its name: from here on it is there, whatever happens to the machine.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Self { part, path, force, .. } = &self;
        let synced = File::open(part).and_then(|file| file.sync_all());
        synced.map_err(Error::file("write", part))?;
        let named = if *force { fs::rename(part, path) } else { name::take(part, path) };
        match named {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                log::info!("what was fetched is whole: it is in {}", part.display());
                return Err(Error::Taken(path.clone()));
            }
            Err(source) => return Err(Error::file("rename to", path)(source)),
        }
        let folder = folder_of(path);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file("write", folder))
    }

    /// Leaves what is there for another try.
    pub(super) fn keep(self) {
        if self.there > 0 {
            log::info!("{} is kept: the same command goes on from there", self.part.display());
        } else {
            self.remove();
        }
    }

    /// Takes it away: it is of no use to anybody.
    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.part) {
            log::warn!("cannot remove {}: {error}", self.part.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_no_room_is_refused_before_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let mut target = Target::open(folder.path().join("b.sql.gz"), false).unwrap();
        target.check_room(1000).unwrap();
        let error = target.check_room(u64::MAX).unwrap_err();
        assert!(matches!(error, Error::NoRoom { .. }), "{error}");
        // What is here already needs no room any more.
        target.write(b"here").await.unwrap();
        assert!(
            matches!(target.check_room(u64::MAX).unwrap_err(), Error::NoRoom { needed, .. } if needed == u64::MAX - 4)
        );
    }

    #[test]
    fn what_came_to_stand_there_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.sql.gz");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let target = Target::open(path.clone(), false).unwrap();
            fs::write(&path, "precious").unwrap();
            assert!(matches!(target.finish(), Err(Error::Taken(_))));
        });
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
