//! Directories.

use std::path::PathBuf;

use super::{Reader, name};

/// Where a tool writes.
#[derive(Debug, Clone)]
pub struct Places {
    /// Log files, one per tool.
    pub logs: PathBuf,
    /// Scratch space; everything in it may vanish between two runs.
    pub temp: PathBuf,
    /// Locks, results and unsent mail; must outlive the container.
    pub state: PathBuf,
}

impl Places {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let home: PathBuf = reader.required(&name::BACKUP_HOME)?;
        let under_home = |given: Option<PathBuf>, folder| given.unwrap_or_else(|| home.join(folder));
        Some(Self {
            logs: under_home(reader.optional(&name::BACKUP_LOG_DIR), "logs"),
            temp: under_home(reader.optional(&name::BACKUP_TEMP_DIR), "temp"),
            state: under_home(reader.optional(&name::BACKUP_STATE_DIR), "state"),
        })
    }
}
