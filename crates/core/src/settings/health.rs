//! From when on the health check finds something wrong.

use std::path::PathBuf;
use std::time::Duration;

use super::{Reader, name};

/// What the health check measures by. How old the newest backup may be is one of [`super::Thresholds`], which cleanup
/// shares.
#[derive(Debug, Clone)]
pub struct Health {
    /// A disk fuller than this is a fault.
    pub disk_percent: u32,
    /// Bytes that all log files together may have.
    pub log_bytes: u64,
    /// Bytes that scratch files may have while nothing uses them.
    pub temp_bytes: u64,
    /// How often a fault that lasts is mailed again.
    pub reminder: Duration,
    /// The crontab that starts the tools.
    pub crontab: PathBuf,
}

impl Health {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let disk_percent = reader.number(&name::HEALTH_DISK_MAX_PERCENT, 1..=100);
        let mut megabytes = |setting| reader.number(setting, 1..=100_000_000).map(|number| u64::from(number) << 20);
        let (log_bytes, temp_bytes) = (megabytes(&name::HEALTH_LOG_MAX_MB), megabytes(&name::HEALTH_TEMP_MAX_MB));
        let hours = reader.number(&name::HEALTH_REMINDER_HOURS, 1..=8_760);
        let crontab = reader.required(&name::HEALTH_CRONTAB);
        Some(Self {
            disk_percent: disk_percent?,
            log_bytes: log_bytes?,
            temp_bytes: temp_bytes?,
            reminder: Duration::from_hours(hours?.into()),
            crontab: crontab?,
        })
    }
}
