//! One conversation with a mail server, from its name to its receipt, every step bounded in time.
//!
//! The steps and the messages that a person gets are ours; the protocol's words (commands, replies, login) are lettre's.
//! Nothing is ever sent in the clear where TLS was asked for, least of all a password.

mod certificate;
mod error;
mod session;
mod tls;
mod wire;

pub use error::{SmtpError, Stage};
pub(in crate::mail) use session::{Verdict, converse, knock};

use std::time::Duration;

use tokio::time::Instant;

/// How long a conversation may take: a backup must not wait for its mail.
#[derive(Debug, Clone, Copy)]
pub(in crate::mail) struct Patience {
    /// Each step.
    pub(in crate::mail) step: Duration,
    /// The whole.
    pub(in crate::mail) until: Instant,
}

impl Patience {
    /// For a step that carries so many bytes, at 1 Mbit/s.
    fn for_bytes(self, bytes: usize) -> Self {
        Self { step: self.step + Duration::from_secs_f64(bytes as f64 * 8e-6), ..self }
    }

    /// Waits for a step, but no longer than is left.
    async fn wait<T>(&self, stage: Stage, step: impl Future<Output = Result<T, SmtpError>>) -> Result<T, SmtpError> {
        let begun = Instant::now();
        let until = self.until.min(begun + self.step);
        match tokio::time::timeout_at(until, step).await {
            Ok(ended) => ended,
            Err(_) => Err(SmtpError::Silent { stage, after: begun.elapsed() }),
        }
    }
}

/// A step that went well, and what it showed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Passed {
    /// The step.
    pub stage: Stage,
    /// What it showed, for people: addresses, the certificate, the server's receipt.
    pub found: String,
}

/// Whoever wants to hear of each step as it passes.
pub(in crate::mail) type Listener<'a> = &'a mut (dyn FnMut(Passed) + Send);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mail_gets_time_by_its_size_but_no_more_than_is_left() {
        let patience = Patience { step: Duration::from_secs(15), until: Instant::now() + Duration::from_secs(50) };
        assert_eq!(patience.for_bytes(0).step, Duration::from_secs(15));
        let attached = patience.for_bytes(1_250_000);
        assert_eq!((attached.step, attached.until), (Duration::from_secs(25), patience.until));
    }
}
