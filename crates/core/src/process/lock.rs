//! One run of a tool at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Exit;

/// Whoever only asks whether it is held, holds it for an instant: a job that starts in this instant tries again.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);

/// Held as long as this value lives, or the process: the system frees it even after SIGKILL, so none is ever stale.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// It holds a note, which goes with it. That of a process that is killed stays.
    noted: bool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.noted
            && let Err(error) = self.file.set_len(0)
        {
            log::warn!(
                "cannot take the note out of the lock file, so that this run will be told to have been killed: {error}"
            );
        }
    }
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

impl LockError {
    /// How a run ends that does not get its lock.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Held { .. } => Exit::Locked,
            Self::Unusable { .. } => Exit::Failed,
        }
    }
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

    /// Takes the lock of this tool, without waiting for another run.
    pub fn take(state: &Path, tool: &'static str) -> Result<Self, LockError> {
        let path = Self::path(state, tool);
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
        for _ in 1..TRIES {
            if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        // Locking what is ours already changes nothing.
        match file.try_lock() {
            Ok(()) => Ok(Self { file, noted: false }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { tool, path }),
            Err(TryLockError::Error(source)) => Err(LockError::Unusable { path, source }),
        }
    }

    /// The lock file of this tool.
    pub fn path(state: &Path, tool: &str) -> PathBuf {
        state.join(format!("{tool}.lock"))
    }

    /// Replaces the note in the lock file. It goes when the lock is let go of, and stays when the process is killed.
    pub(super) fn note(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.noted = true;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
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
