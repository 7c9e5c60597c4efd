//! What kind of mail it is: its symbol, its words and its colour.

use std::convert::Infallible;
use std::str::FromStr;

use super::clean;

/// What a mail is about and how it ended. The words are those that `notify` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A backup is in the store, verified.
    Success,
    /// A backup is in the store, verified, but something beside it went wrong.
    SuccessWithWarning,
    /// No backup was made.
    Failure,
    /// The retention was not carried out, in whole or in part.
    CleanupFailure,
    /// A backup was restored and equals its original.
    RestoreTestSuccess,
    /// A backup could not be restored or differs from its original.
    RestoreTestFailure,
    /// The test could not be carried out here, or proves less than it should: neither a pass nor a bad backup.
    RestoreTestInconclusive,
    /// What the store holds and how it grows.
    StorageReport,
    /// A check of the system fails.
    HealthAlert,
    /// Every check passes again.
    HealthRecovered,
    /// A person wants to know whether mails arrive.
    Test,
    /// Anything else, by the word that its sender chose.
    Notice(String),
}

/// The colour of the bar. Mid-tones with white text survive clients that recolour a mail for the dark; the state stands
/// there as a word too, so that nobody depends on the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Warning,
    Neutral,
}

impl Tone {
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Good => "#1b6e3c",
            Self::Bad => "#b3261e",
            Self::Warning => "#8a5a00",
            Self::Neutral => "#2b5c94",
        }
    }
}

impl Kind {
    /// The same without what could do harm: the word of a notice comes from outside.
    pub(super) fn cleaned(self) -> Self {
        match self {
            Self::Notice(word) => Self::Notice(clean::line(&word, 40)),
            ours => ours,
        }
    }

    /// The symbol that leads the subject.
    pub(super) fn symbol(&self) -> &'static str {
        match self {
            Self::Success | Self::HealthRecovered | Self::Test => "✅",
            Self::Failure | Self::CleanupFailure | Self::RestoreTestFailure => "❌",
            Self::RestoreTestSuccess => "🔍",
            Self::StorageReport => "📊",
            Self::SuccessWithWarning | Self::HealthAlert | Self::RestoreTestInconclusive => "⚠️",
            Self::Notice(_) => "ℹ️",
        }
    }

    /// What the mail is about.
    pub(super) fn subject_matter(&self) -> &str {
        match self {
            Self::Success | Self::SuccessWithWarning | Self::Failure => "Backup",
            Self::CleanupFailure => "Cleanup",
            Self::RestoreTestSuccess | Self::RestoreTestFailure | Self::RestoreTestInconclusive => "Restore test",
            Self::StorageReport => "Storage",
            Self::HealthAlert | Self::HealthRecovered => "Health",
            Self::Test => "Mail",
            Self::Notice(word) => word,
        }
    }

    /// The state as a word: capitals where a person has to act.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Success => "succeeded",
            Self::SuccessWithWarning => "succeeded with a WARNING",
            Self::Failure | Self::CleanupFailure | Self::RestoreTestFailure => "FAILED",
            Self::RestoreTestSuccess => "passed",
            Self::RestoreTestInconclusive => "INCONCLUSIVE",
            Self::StorageReport => "report",
            Self::HealthAlert => "ALERT",
            Self::HealthRecovered => "recovered",
            Self::Test => "test",
            Self::Notice(_) => "notice",
        }
    }

    pub(super) fn tone(&self) -> Tone {
        match self {
            Self::Success | Self::RestoreTestSuccess | Self::HealthRecovered => Tone::Good,
            Self::Failure | Self::CleanupFailure | Self::RestoreTestFailure => Tone::Bad,
            Self::SuccessWithWarning | Self::HealthAlert | Self::RestoreTestInconclusive => Tone::Warning,
            Self::StorageReport | Self::Test | Self::Notice(_) => Tone::Neutral,
        }
    }
}

impl FromStr for Kind {
    type Err = Infallible;

    /// Any word is a kind: those that are not ours are general notices.
    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(match word.trim().to_uppercase().as_str() {
            "SUCCESS" => Self::Success,
            "SUCCESS_WITH_WARNING" => Self::SuccessWithWarning,
            "FAILURE" => Self::Failure,
            "CLEANUP_FAILURE" => Self::CleanupFailure,
            "RESTORE_TEST_SUCCESS" => Self::RestoreTestSuccess,
            "RESTORE_TEST_FAILURE" => Self::RestoreTestFailure,
            "RESTORE_TEST_INCONCLUSIVE" => Self::RestoreTestInconclusive,
            "STORAGE_REPORT" => Self::StorageReport,
            "HEALTH_ALERT" => Self::HealthAlert,
            "HEALTH_RECOVERED" => Self::HealthRecovered,
            "TEST" => Self::Test,
            _ => Self::Notice(word.trim().to_owned()),
        })
    }
}
