//! Files that appear as a whole: whoever reads one sees what was there before or what is there now, and never a half of it.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Nobody but the user that writes it.
    Owner,
    /// Everybody on the machine.
    Everybody,
}

/// The folder that a file of this path lies in: `.` where the path names none.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file, or replaces it, in one step, once its bytes are on the disk. Its folder must be there.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".backup-").suffix(".tmp").tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    // What is written first is its owner's alone.
    if readers == Readers::Everybody {
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (bytes, readers, mode) in [(&b"one"[..], Readers::Owner, 0o600), (b"two", Readers::Everybody, 0o644)] {
            replace(&path, bytes, readers).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/file"), b"", Readers::Owner).is_err());
    }

    #[test]
    fn a_path_without_a_folder_is_one_here() {
        assert_eq!(folder_of(Path::new("file")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/file")), Path::new("a"));
    }
}
