//! Giving a file its name where nothing stands, on whatever file system.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

/// Renames a file, and replaces nothing, whatever came to stand there meanwhile.
pub(super) fn take(from: &Path, to: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // The file system does not know how, or the kernel does not (rename(2)).
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => by_link(from, to),
        ended => ended.map_err(io::Error::from),
    }
}

/// A hard link replaces nothing either.
fn by_link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // There are none on FAT and on many network drives.
        Err(_) => by_claim(from, to),
    }
}

/// An empty file that is made only where nothing stands, and then replaced, because it is ours.
fn by_claim(from: &Path, to: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(to)?;
    fs::rename(from, to).inspect_err(|_| {
        // Better no file than an empty one. Where this fails too, at least everybody sees that an empty file is no backup.
        let _ = fs::remove_file(to);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_renames_and_none_replaces() {
        for way in [take, by_link, by_claim] {
            let folder = tempfile::tempdir().unwrap();
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            fs::write(&from, "whole").unwrap();
            way(&from, &to).unwrap();
            assert_eq!((fs::read(&to).unwrap(), from.exists()), (b"whole".to_vec(), false));

            fs::write(&from, "another").unwrap();
            let error = way(&from, &to).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((fs::read(&to).unwrap(), from.exists()), (b"whole".to_vec(), true));
            assert_eq!(
                way(&folder.path().join("none"), &folder.path().join("new")).unwrap_err().kind(),
                io::ErrorKind::NotFound
            );
            assert!(!folder.path().join("new").exists());
        }
    }
}
