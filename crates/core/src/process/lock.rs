//! One run of a tool at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Held as long as this value lives, or the process: the system frees it even after SIGKILL, so none is ever stale.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run of {tool} is under way (it holds {})", path.display())]
    Held {
        /// The tool.
        tool: &'static str,
        /// The lock file.
        path: PathBuf,
    },
    /// The file cannot be locked at all.
    #[error("cannot lock {}", path.display())]
    Unusable {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Lock {
    /// Takes the lock of this tool where there can be one at all: two runs at once are to be kept apart, but a state
    /// directory that cannot be written is no reason to leave the work undone.
    pub fn take_if_possible(state: &Path, tool: &'static str) -> Result<Option<Self>, LockError> {
        match Self::take(state, tool) {
            Err(error @ LockError::Unusable { .. }) => {
                log::warn!("{}: going on without", super::chain(&error));
                Ok(None)
            }
            taken => taken.map(Some),
        }
    }

    /// Takes the lock of this tool, without waiting.
    pub fn take(state: &Path, tool: &'static str) -> Result<Self, LockError> {
        let path = state.join(format!("{tool}.lock"));
        let open = || {
            std::fs::create_dir_all(state)?;
            // A file of another user can still be locked by whoever may read it.
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .or_else(|error| File::open(&path).map_err(|_| error))
        };
        let file = open().map_err(|source| LockError::Unusable { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { tool, path }),
            Err(TryLockError::Error(source)) => Err(LockError::Unusable { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_free_again() {
        let state = tempfile::tempdir().unwrap();
        let first = Lock::take(state.path(), "backup").unwrap();
        assert!(matches!(Lock::take(state.path(), "backup"), Err(LockError::Held { .. })));
        Lock::take(state.path(), "cleanup").unwrap();
        drop(first);
        Lock::take(state.path(), "backup").unwrap();
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_apart_from_a_held_lock() {
        assert!(matches!(Lock::take(Path::new("/proc/nowhere"), "backup"), Err(LockError::Unusable { .. })));
        assert!(matches!(Lock::take_if_possible(Path::new("/proc/nowhere"), "backup"), Ok(None)));
    }
}
