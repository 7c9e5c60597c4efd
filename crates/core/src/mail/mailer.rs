//! Sending: every mail gets through once, waits for a better time, or is given up with its reason.
//!
//! A mail goes through the outbox, so that nothing is lost when the server is down or the tool is killed. What a server
//! refuses for good is given up at once; whatever else goes wrong leaves the mail waiting for the next tool that runs.

use std::path::Path;
use std::time::Duration;

use lettre::Address;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::message::Message;
use super::mime;
use super::outbox::{Claim, Outbox, Slip};
use super::smtp::{self, Listener, Passed, Patience, SmtpError, Verdict};
use crate::journal::Journal;
use crate::settings::Mail;

/// Each step of a conversation: servers that make newcomers wait for their greeting do so for less.
const STEP: Duration = Duration::from_secs(15);
/// Everything that one call may take. The job has its result by now and waits for nothing but its mail.
const WHOLE: Duration = Duration::from_secs(50);
/// Before the one immediate retry.
const PAUSE: Duration = Duration::from_secs(2);
/// A mail that waited so long tells nothing new any more, and the health check has told of it every day.
const OLDEST: time::Duration = time::Duration::days(7);

/// Sends mails.
#[derive(Debug, Clone)]
pub struct Mailer {
    settings: Mail,
    outbox: Outbox,
    journal: Journal,
}

/// What became of a mail, by recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The server has taken it for these.
    pub accepted: Vec<String>,
    /// These wait for the next tool that runs.
    pub waiting: Vec<Undelivered>,
    /// These will not get it.
    pub failed: Vec<Undelivered>,
}

/// Somebody who has not got a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The address.
    pub recipient: String,
    /// Why not: the server's reply, or what broke.
    pub reason: String,
}

/// How the last mail fared: an entry of the journal, for the health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMail {
    /// When it was tried.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Its subject.
    pub subject: String,
    /// What became of it.
    pub delivery: Delivery,
}

impl LastMail {
    /// The name of its entry in the journal.
    pub const ENTRY: &str = "last-mail";
}

impl Delivery {
    /// Whether everybody has it.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty() && self.failed.is_empty()
    }
}

impl Mailer {
    /// Sends with these settings; what cannot be sent waits in this state directory.
    pub fn new(settings: Mail, state: &Path) -> Self {
        Self { settings, outbox: Outbox::new(state), journal: Journal::new(state) }
    }

    /// Sends a mail to everybody who is to be told, and, unless it waits itself, what earlier runs could not send.
    ///
    /// Ends within a minute. What became of it is in the log and is written down for the health check; no caller has to
    /// do more, and none should let it change the result of its job.
    pub async fn send(&self, message: &Message, now: OffsetDateTime) -> Delivery {
        let until = Instant::now() + WHOLE;
        let (delivery, error) = match self.encode(message, now) {
            Ok((slip, raw)) => self.deliver(self.outbox.put(slip, raw), now, until).await,
            Err(delivery) => {
                self.note(now, &message.subject, &delivery);
                (delivery, None)
            }
        };
        // One recipient whom the server does not know keeps no other mail waiting.
        if delivery.waiting.is_empty() && error.is_none_or(|error| error.is_about_the_mail()) {
            self.send_waiting_until(now, until).await;
        }
        delivery
    }

    /// Sends what earlier runs could not: for a run that has nothing to say itself. Ends within a minute.
    pub async fn send_waiting(&self, now: OffsetDateTime) {
        self.send_waiting_until(now, Instant::now() + WHOLE).await;
    }

    /// Tries a mail, once more where the server says that it would take it later, and tells of every step. It is not kept:
    /// somebody is watching.
    pub async fn test(
        &self,
        message: &Message,
        now: OffsetDateTime,
        listener: &mut (dyn FnMut(Passed) + Send),
    ) -> Result<Delivery, SmtpError> {
        let (slip, raw) = match self.encode(message, now) {
            Ok(encoded) => encoded,
            Err(delivery) => return Ok(delivery),
        };
        let until = Instant::now() + WHOLE;
        let (delivery, error) = self.attempt(&slip.to, &raw, until, &mut *listener).await;
        let refused_for_now = error.as_ref().is_none_or(SmtpError::is_for_now);
        let (mut delivery, error) = if refused_for_now && !delivery.waiting.is_empty() {
            log::warn!("the mail server refused for the time being: trying once more");
            self.attempt_again(delivery, &raw, until, listener).await
        } else {
            (delivery, error)
        };
        delivery.failed.append(&mut delivery.waiting);
        if let Some(error) = error {
            // Whoever watches is told by the error itself.
            self.record(now, &slip.subject, &delivery);
            return Err(error);
        }
        self.note(now, &slip.subject, &delivery);
        Ok(delivery)
    }

    /// Whether a mail would get through now, as far as the login, without sending one. Tells until when the server's
    /// certificate is valid, where it has one.
    pub async fn knock(&self) -> Result<Option<OffsetDateTime>, SmtpError> {
        smtp::knock(&self.settings, Patience { step: STEP, until: Instant::now() + STEP }).await
    }

    fn encode(&self, message: &Message, now: OffsetDateTime) -> Result<(Slip, Vec<u8>), Delivery> {
        let Mail { from, recipients, .. } = &self.settings;
        let to: Vec<Address> = recipients.iter().map(|mailbox| mailbox.email.clone()).collect();
        match mime::encode(message, from, recipients, now) {
            Ok(raw) => Ok((Slip { to, subject: message.subject.clone(), written: now }, raw)),
            Err(error) => Err(Delivery { failed: everybody(&to, &error), ..Delivery::default() }),
        }
    }

    async fn send_waiting_until(&self, now: OffsetDateTime, until: Instant) {
        for mut claim in self.outbox.claim_waiting() {
            if now - claim.slip.written > OLDEST {
                let failed = everybody(&claim.slip.to, &"it waited for 7 days");
                self.note(now, &claim.slip.subject, &Delivery { failed, ..Delivery::default() });
                self.outbox.settle(&mut claim, Vec::new());
                continue;
            }
            if Instant::now() + STEP > until {
                break;
            }
            // A mail that the server does not take says nothing about the next one; a server that cannot be talked to does.
            let (_, error) = self.deliver(claim, now, until).await;
            if error.is_some_and(|error| !error.is_about_the_mail()) {
                break;
            }
        }
    }

    /// Tries a claimed mail, once more where that may help, and leaves in the outbox what still waits.
    async fn deliver(&self, mut claim: Claim, now: OffsetDateTime, until: Instant) -> (Delivery, Option<SmtpError>) {
        let mut quietly = |passed: Passed| log::debug!("mail: {}", passed.found);
        let (mut delivery, mut error) = self.attempt(&claim.slip.to, &claim.raw, until, &mut quietly).await;
        let may_pass = error.as_ref().is_none_or(SmtpError::may_pass) && !delivery.waiting.is_empty();
        if may_pass && Instant::now() + PAUSE + STEP < until {
            (delivery, error) = self.attempt_again(delivery, &claim.raw, until, &mut quietly).await;
        }
        self.outbox.settle(&mut claim, addresses(&delivery.waiting));
        if !claim.is_kept() {
            delivery.failed.append(&mut delivery.waiting);
        }
        self.note(now, &claim.slip.subject, &delivery);
        if let Some(error) = &error {
            log::error!("hint: {}", error.hint());
        }
        (delivery, error)
    }

    /// Another conversation a little later, for those who still wait: what became of the mail in both.
    async fn attempt_again(
        &self,
        mut delivery: Delivery,
        raw: &[u8],
        until: Instant,
        listener: Listener<'_>,
    ) -> (Delivery, Option<SmtpError>) {
        tokio::time::sleep(PAUSE).await;
        let (again, error) = self.attempt(&addresses(&delivery.waiting), raw, until, listener).await;
        delivery.accepted.extend(again.accepted);
        delivery.failed.extend(again.failed);
        delivery.waiting = again.waiting;
        (delivery, error)
    }

    /// One conversation: what became of the mail, and the error that ended it early.
    async fn attempt(
        &self,
        to: &[Address],
        raw: &[u8],
        until: Instant,
        listener: Listener<'_>,
    ) -> (Delivery, Option<SmtpError>) {
        match smtp::converse(&self.settings, to, raw, Patience { step: STEP, until }, listener).await {
            Ok(verdicts) => (sort(verdicts), None),
            Err(error) => {
                let nobody = everybody(to, &error);
                let delivery = if error.refuses_the_mail() {
                    Delivery { failed: nobody, ..Delivery::default() }
                } else {
                    Delivery { waiting: nobody, ..Delivery::default() }
                };
                (delivery, Some(error))
            }
        }
    }

    /// Tells the log, and the health check.
    fn note(&self, now: OffsetDateTime, subject: &str, delivery: &Delivery) {
        if !delivery.accepted.is_empty() {
            log::info!("mail `{subject}` accepted for {}", delivery.accepted.join(", "));
        }
        for Undelivered { recipient, reason } in &delivery.waiting {
            log::error!("mail `{subject}` waits for the next run, {recipient} has not got it: {reason}");
        }
        for Undelivered { recipient, reason } in &delivery.failed {
            log::error!("mail `{subject}` given up, {recipient} does not get it: {reason}");
        }
        self.record(now, subject, delivery);
    }

    fn record(&self, now: OffsetDateTime, subject: &str, delivery: &Delivery) {
        let last = LastMail { at: now, subject: subject.to_owned(), delivery: delivery.clone() };
        if let Err(error) = self.journal.write(LastMail::ENTRY, &last) {
            log::warn!("{error}: the health check will not know how this mail fared");
        }
    }
}

/// How many mails wait in this state directory for a better time.
pub fn waiting_mails(state: &Path) -> std::io::Result<usize> {
    Outbox::new(state).waiting()
}

fn sort(verdicts: Vec<(Address, Verdict)>) -> Delivery {
    let mut delivery = Delivery::default();
    for (address, verdict) in verdicts {
        let recipient = address.to_string();
        match verdict {
            Verdict::Accepted => delivery.accepted.push(recipient),
            Verdict::Later(reason) => delivery.waiting.push(Undelivered { recipient, reason }),
            Verdict::Refused(reason) => delivery.failed.push(Undelivered { recipient, reason }),
        }
    }
    delivery
}

fn everybody(to: &[Address], reason: &dyn std::fmt::Display) -> Vec<Undelivered> {
    let undelivered = |address: &Address| Undelivered { recipient: address.to_string(), reason: reason.to_string() };
    to.iter().map(undelivered).collect()
}

/// Back to addresses, which these texts were made from.
fn addresses(undelivered: &[Undelivered]) -> Vec<Address> {
    undelivered.iter().filter_map(|one| one.recipient.parse().ok()).collect()
}
