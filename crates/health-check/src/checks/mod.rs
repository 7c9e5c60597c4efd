//! The checks: each looks at facts, and judges them by a pure function of the facts, the thresholds and the time.

pub(crate) mod cron;
pub(crate) mod database;
pub(crate) mod files;
pub(crate) mod notifications;
pub(crate) mod recent_backup;
pub(crate) mod restore_test;
pub(crate) mod settings;
pub(crate) mod space;
pub(crate) mod storage;
pub(crate) mod tools;
