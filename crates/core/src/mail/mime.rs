//! A message with its addresses, as the bytes that go over the wire and into the outbox.

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment as Attached, Mailbox, Mailboxes, MultiPart, SinglePart};
use time::OffsetDateTime;

use super::message::Message;
use super::thread::{Place, Thread};

/// RFC 3834: nobody's out-of-office answer is wanted.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Encodes it: text and HTML as alternatives, the attachments beside them; everything in ASCII, so that no server needs an
/// extension for it. Date and Message-ID are set once, here, and stay the same however often the mail is tried.
pub(super) fn encode(
    message: &Message,
    from: &Mailbox,
    to: &[Mailbox],
    now: OffsetDateTime,
) -> Result<Vec<u8>, lettre::error::Error> {
    let alternatives = MultiPart::alternative_plain_html(message.text.clone(), message.html.clone());
    let body = if message.attachments.is_empty() {
        alternatives
    } else {
        message.attachments.iter().fold(MultiPart::mixed().multipart(alternatives), |mixed, file| {
            // Each of our media types parses; the fallback says the least about the bytes.
            let media_type = ContentType::parse(file.media_type()).unwrap_or(ContentType::TEXT_PLAIN);
            let part: SinglePart = Attached::new(file.name().to_owned()).body(file.content().to_vec(), media_type);
            mixed.singlepart(part)
        })
    };
    let to: Mailboxes = to.iter().cloned().collect();
    let (thread, first) = match &message.place {
        Place::Alone => (Thread::new(now), None),
        Place::First(thread) => (thread.clone(), None),
        Place::Later(thread) => (Thread::new(now), Some(thread.message_id(&from.email))),
    };
    let mut mail = lettre::Message::builder()
        .from(from.clone())
        .mailbox(lettre::message::header::To::from(to))
        .subject(message.subject.clone())
        .date(now.into())
        .message_id(Some(thread.message_id(&from.email)))
        .header(AutoSubmitted);
    if let Some(first) = first {
        mail = mail.in_reply_to(first.clone()).references(first);
    }
    Ok(mail.multipart(body)?.formatted())
}
