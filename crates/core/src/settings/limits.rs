//! How hard a tool may work, and for how long.

use std::num::NonZero;
use std::time::Duration;

use super::{Reader, name};

/// How hard to compress.
#[derive(Debug, Clone, Copy)]
pub struct Compression {
    /// libdeflate's level, 1 to 12.
    pub level: u32,
    /// Blocks compressed at the same time.
    pub threads: usize,
}

impl Compression {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let level = reader.number(&name::BACKUP_COMPRESSION_LEVEL, 1..=12);
        let threads = reader.number(&name::BACKUP_COMPRESSION_THREADS, 1..=64);
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        Some(Self { level: level?, threads: threads.map_or_else(cores, |threads| threads as usize) })
    }
}

/// How long a run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The whole of it.
    pub run: Duration,
}

impl Limits {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { run: reader.duration(&name::BACKUP_RUN_TIMEOUT)? })
    }
}
