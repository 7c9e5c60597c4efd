//! Mails that belong together: an alert, its reminders, its end.
//!
//! A mail program shows a mail under the one that its `In-Reply-To` and `References` name (RFC 5322, section 3.6.4).

use lettre::Address;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Mails that belong together, known by the first of them. To be kept until the last of them has been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Thread(String);

/// Where in a thread a mail stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// In none.
    #[default]
    Alone,
    /// It begins this one.
    First(Thread),
    /// It goes on with this one.
    Later(Thread),
}

impl Thread {
    /// A new one, unlike any other by the instant and the process.
    pub fn new(now: OffsetDateTime) -> Self {
        Self(format!("{}.{}", now.unix_timestamp_nanos(), std::process::id()))
    }

    /// The Message-ID of the first mail; at the sender's domain, as spam filters expect, which the host name of a container
    /// is not.
    pub(super) fn message_id(&self, sender: &Address) -> String {
        format!("<{}@{}>", self.0, sender.domain())
    }
}
