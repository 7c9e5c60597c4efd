//! The checks: each looks at facts, and judges them by a pure function of the facts, the thresholds and the time.

use std::time::Duration;

use backup_core::key::local_time;
use time::{OffsetDateTime, PrimitiveDateTime};

pub(crate) mod cron;
pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod notifications;
pub(crate) mod recent_backup;
pub(crate) mod restore_test;
pub(crate) mod settings;
pub(crate) mod storage;
pub(crate) mod tools;

/// How long ago a key's instant was. What is yet to come is no time ago.
fn age(taken: PrimitiveDateTime, now: OffsetDateTime) -> Duration {
    Duration::try_from(local_time(now) - taken).unwrap_or_default()
}

/// How long ago something was. What is yet to come is no time ago.
fn since(then: OffsetDateTime, now: OffsetDateTime) -> Duration {
    Duration::try_from(now - then).unwrap_or_default()
}
