//! The figures that checks come upon: for `--json`, and for Prometheus under the same names.

/// A figure, by its stable name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figure {
    pub(crate) meaning: &'static Meaning,
    pub(crate) value: f64,
}

/// What a figure is called and what it says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Base units, as Prometheus wants them: seconds, bytes, ratios.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
}

impl Meaning {
    pub(crate) fn is(&'static self, value: f64) -> Figure {
        Figure { meaning: self, value }
    }
}

macro_rules! figures {
    ($($constant:ident $name:literal $help:literal;)*) => {
        $(pub(crate) static $constant: Meaning = Meaning { name: $name, help: $help };)*
        /// All of them, in the order in which they are written.
        pub(crate) static ALL: &[&Meaning] = &[$(&$constant),*];
    };
}

figures! {
    NEWEST_TIMESTAMP "backup_newest_timestamp_seconds" "When the newest backup in the store was started, in seconds since 1970.";
    NEWEST_AGE "backup_newest_age_seconds" "How old the newest backup in the store is.";
    NEWEST_STORED "backup_newest_stored_bytes" "The size of the newest backup in the store, compressed.";
    NEWEST_DUMPED "backup_newest_dumped_bytes" "The size of the newest backup before compression.";
    NEWEST_ROWS "backup_newest_rows" "The rows of all tables in the newest backup.";
    NEWEST_TABLES "backup_newest_tables" "The tables with data in the newest backup.";
    DURATION "backup_last_duration_seconds" "How long the last backup that was made here took.";
    DAILY_COUNT "backup_daily_backups" "How many daily backups the store holds.";
    TEST_TIMESTAMP "backup_restore_test_timestamp_seconds" "When the last restore test was started, in seconds since 1970.";
    TEST_PASSED "backup_restore_test_passed" "Whether the last restore test passed: 1, else 0.";
    TEST_RESTORE_SECONDS "backup_restore_test_restore_seconds" "How long the restore in the last restore test took.";
    DATABASE_BYTES "backup_database_bytes" "The size of the database on the server, indexes included.";
    STORE_CLOCK "backup_store_clock_offset_seconds" "How far the clock of the store is ahead of ours.";
    UNFINISHED "backup_unfinished_uploads" "Uploads to our prefix that were begun more than a day ago and never finished.";
    DISK_USED "backup_disk_used_ratio" "How full the fullest disk is that the tools write to: 0 to 1.";
    TEMP_BYTES "backup_temp_bytes" "The size of all scratch files.";
    LOG_BYTES "backup_log_bytes" "The size of all log files.";
    WAITING_MAILS "backup_waiting_mails" "Mails that could not be sent yet.";
    CERTIFICATE_END "backup_mail_certificate_expiry_timestamp_seconds" "Until when the mail server's certificate is valid, in seconds since 1970.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_figure_has_a_name_of_its_own_and_a_whole_sentence() {
        let names: BTreeSet<&str> = ALL.iter().map(|meaning| meaning.name).collect();
        assert_eq!(names.len(), ALL.len());
        for Meaning { name, help } in ALL {
            assert!(name.starts_with("backup_") && help.ends_with('.'), "{name}: {help}");
        }
    }
}
