//! What a tool has to say → a message → SMTP.
//!
//! A tool builds a [`Report`]: what happened, facts, what to do, the end of a log. [`Report::render`] turns it into a
//! [`Message`] by the one family of templates, so that every mail of the system reads alike. Rendering is a pure function:
//! no clock, no environment, no network. Nothing in a report is trusted: names, errors and logs may hold markup, control
//! characters or megabytes, and a message is still harmless, readable and smaller than what mail clients clip.
//!
//! A [`Mailer`] sends it. No caller lets the fate of a mail change the result of its job: what cannot be sent waits in the
//! state directory for the next tool that runs, and the log and the health check tell of it.

mod clean;
mod kind;
mod mailer;
mod message;
mod mime;
mod outbox;
mod parts;
mod report;
mod smtp;
mod thread;

pub use clean::Between;
pub use kind::Kind;
pub use mailer::{Delivery, LastMail, Mailer, Undelivered, waiting_mails};
pub use message::{Attachment, Message};
pub use parts::{Bar, Check, Fact, State, Step, as_superuser, in_container};
pub use report::{Origin, Report};
pub use smtp::{Passed, SmtpError, Stage};
pub use thread::{Place, Thread};
