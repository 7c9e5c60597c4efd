//! Mail as it arrives: servers that take it in, and a view of what a reader would see.

mod message;
mod sink;
mod smtpd;

pub use message::{Attachment, Letter, Message};
pub use sink::{Act, Sink};
pub use smtpd::{Certificate, Smtpd, Tls};
