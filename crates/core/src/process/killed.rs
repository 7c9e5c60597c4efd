//! Runs that were killed, which can tell nobody themselves: out of memory, by SIGKILL, with the machine.
//!
//! A run that is the tool's job notes its beginning in its lock file, and the note goes at its end, whatever that is. Where
//! there is a note and nobody holds the lock, the run that wrote it was killed: its age says nothing, because a run may
//! take hours.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Context, Lock, LockError, chain};
use crate::figures;
use crate::journal::Journal;

/// A run that began and never ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Killed {
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// No other run of the tool has begun since.
    #[serde(skip)]
    pub is_last: bool,
}

impl Context {
    /// Takes the lock of this tool, where there can be one at all, and notes there that the job has begun.
    pub fn lock(&self, state: &Path) -> Result<Option<Lock>, LockError> {
        let mut lock = Lock::take_if_possible(state, self.tool)?;
        if let Some(lock) = lock.as_mut().filter(|_| self.is_the_job) {
            begin(lock, state, self.tool, self.started);
        }
        Ok(lock)
    }
}

/// The run of this tool that was killed, if the last one was, or one before it of which the health check may not know yet.
pub fn killed(state: &Path, tool: &str) -> Option<Killed> {
    let in_lock = || {
        let mut file = File::open(Lock::path(state, tool)).ok()?;
        // Asked first, because asking for the lock may be in the way of a run that starts now.
        note_in(&mut file)?;
        if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            return None;
        }
        // It may have ended well meanwhile.
        note_in(&mut File::open(Lock::path(state, tool)).ok()?)
    };
    in_lock().or_else(|| Journal::new(state).read(&entry(tool)))
}

fn begin(lock: &mut Lock, state: &Path, tool: &str, started: OffsetDateTime) {
    let left = File::open(Lock::path(state, tool)).ok().and_then(|mut file| note_in(&mut file));
    if let Some(left) = left {
        log::warn!("the run of {tool} before this one, of {}, was killed", figures::instant(left.started));
        if let Err(error) = Journal::new(state).write(&entry(tool), &left) {
            log::debug!("{}", chain(&error));
        }
    }
    let noted = started.format(&Rfc3339).map_err(std::io::Error::other).and_then(|note| lock.note(&note));
    if let Err(error) = noted {
        log::warn!("cannot note that this run has begun, so that nobody will know if it is killed: {error}");
    }
}

fn entry(tool: &str) -> String {
    format!("{tool}-killed")
}

/// The note, if the file is not empty. One that was cut, or is of another version, was written when its file was changed.
fn note_in(file: &mut File) -> Option<Killed> {
    let mut text = Vec::new();
    file.by_ref().take(64).read_to_end(&mut text).ok()?;
    if text.is_empty() {
        return None;
    }
    let noted = std::str::from_utf8(&text).ok().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let changed = || file.metadata().and_then(|metadata| metadata.modified()).ok().map(OffsetDateTime::from);
    noted.or_else(changed).map(|started| Killed { started, is_last: true })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const TWO: OffsetDateTime = datetime!(2025-01-29 2:00 +1);

    fn begun(state: &Path, started: OffsetDateTime) -> Lock {
        let mut lock = Lock::take(state, "backup").unwrap();
        begin(&mut lock, state, "backup", started);
        lock
    }

    /// What is left of a process that is killed: its file is closed, and nothing more.
    fn kill(state: &Path, lock: Lock) {
        let path = Lock::path(state, "backup");
        let left = std::fs::read(&path).unwrap();
        drop(lock);
        std::fs::write(&path, left).unwrap();
    }

    #[test]
    fn a_run_under_way_and_one_that_ended_are_no_killed_ones() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(killed(state.path(), "backup"), None);
        let lock = begun(state.path(), TWO);
        assert_eq!(killed(state.path(), "backup"), None);
        drop(lock);
        assert_eq!(killed(state.path(), "backup"), None);
    }

    #[test]
    fn a_killed_run_is_known_also_after_the_next_one() {
        let state = tempfile::tempdir().unwrap();
        kill(state.path(), begun(state.path(), TWO));
        assert_eq!(killed(state.path(), "backup"), Some(Killed { started: TWO, is_last: true }));
        assert_eq!(killed(state.path(), "cleanup"), None);
        // One that only looks takes the lock and changes nothing.
        drop(Lock::take(state.path(), "backup").unwrap());
        assert!(killed(state.path(), "backup").unwrap().is_last);
        drop(begun(state.path(), TWO + time::Duration::DAY));
        assert_eq!(killed(state.path(), "backup"), Some(Killed { started: TWO, is_last: false }));
    }

    #[test]
    fn a_note_that_cannot_be_read_is_still_one() {
        let state = tempfile::tempdir().unwrap();
        for note in [&b"2025-01-2"[..], b"\xff\x00", b"version 2: whatever"] {
            std::fs::write(Lock::path(state.path(), "backup"), note).unwrap();
            assert!(killed(state.path(), "backup").is_some_and(|killed| killed.is_last));
        }
    }
}
