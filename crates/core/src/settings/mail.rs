//! Who is told, and through which server.

use std::path::PathBuf;
use std::str::FromStr;

use lettre::message::{Mailbox, Mailboxes};

use super::{Reader, Secret, name};

/// How mail is sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Who is told. Never empty.
    pub recipients: Vec<Mailbox>,
    /// The sender.
    pub from: Mailbox,
    /// Host name of the SMTP server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// User and password; without them nobody logs in.
    pub credentials: Option<(String, Secret)>,
    /// Which results are mailed.
    pub notify_on: NotifyOn,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte (port 465).
    Tls,
    /// STARTTLS, required: a server that does not offer it is refused.
    StartTls,
    /// None, because it was asked for in so many words.
    None,
}

/// Which results are mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyOn {
    /// All of them.
    All,
    /// No daily success.
    Failure,
}

impl Mail {
    /// Reads them. `Some(None)`: nobody is to be told.
    pub fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let recipients = reader.optional(&name::BACKUP_NOTIFICATION_EMAIL);
        Self::read_for(reader, recipients)
    }

    /// Reads them, for recipients who were named elsewhere.
    pub fn read_for(reader: &mut Reader<'_>, recipients: Option<Recipients>) -> Option<Option<Self>> {
        let server: Option<String> = reader.required(&name::MAIL_SMTP_SERVER);
        let port = reader.number(&name::MAIL_SMTP_PORT, 1..=65_535).map(|port| port as u16);
        let security: Option<SmtpSecurity> = reader.optional(&name::MAIL_SMTP_SECURITY);
        let ca_file: Option<PathBuf> = reader.optional(&name::MAIL_SMTP_CA_FILE);
        if let Some(file) = ca_file.as_ref().filter(|file| !file.is_file()) {
            reader.note(
                name::MAIL_SMTP_CA_FILE.name,
                format!("is `{}`: no such file", file.display()),
                &name::MAIL_SMTP_CA_FILE,
            );
        }
        let user: Option<String> = reader.optional(&name::MAIL_USERNAME);
        let password = reader.secret(&name::MAIL_PASSWORD);
        let notify_on = reader.required(&name::BACKUP_NOTIFY_ON);
        let from: Option<Sender> = reader.optional(&name::MAIL_FROM);
        let Some(Recipients(recipients)) = recipients else { return Some(None) };

        let from = from.map(|sender| sender.0).or_else(|| user.as_deref()?.parse().ok());
        if from.is_none() && !reader.is_noted(&name::MAIL_FROM) {
            reader.note(
                name::MAIL_FROM.name,
                "is not set, and MAIL_USERNAME is no address to send from",
                &name::MAIL_FROM,
            );
        }
        let credentials = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (Some(_), None) if !reader.is_noted(&name::MAIL_PASSWORD) => {
                reader.note(name::MAIL_PASSWORD.name, "is not set, but MAIL_USERNAME is", &name::MAIL_PASSWORD);
                None
            }
            (None, Some(_)) if !reader.is_noted(&name::MAIL_USERNAME) => {
                reader.note(name::MAIL_USERNAME.name, "is not set, but MAIL_PASSWORD is", &name::MAIL_USERNAME);
                None
            }
            _ => None,
        };
        let port = port?;
        let by_port = if port == 465 { SmtpSecurity::Tls } else { SmtpSecurity::StartTls };
        Some(Some(Self {
            recipients,
            from: from?,
            server: server?,
            port,
            security: security.unwrap_or(by_port),
            ca_file,
            credentials,
            notify_on: notify_on?,
        }))
    }
}

/// One or more mailboxes.
#[derive(Debug, Clone)]
pub struct Recipients(Vec<Mailbox>);

impl FromStr for Recipients {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "must be one or more addresses with commas between";
        let boxes: Mailboxes = text.parse().map_err(|_| wrong)?;
        let boxes: Vec<Mailbox> = boxes.into_iter().collect();
        if boxes.is_empty() || text.contains(char::is_control) { Err(wrong) } else { Ok(Self(boxes)) }
    }
}

struct Sender(Mailbox);

impl FromStr for Sender {
    type Err = &'static str;

    /// A line break in a display name would end the header, so no control character passes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(char::is_control) {
            return Err("must not hold control characters");
        }
        text.parse().map(Self).map_err(|_| "must be an address, or Name <address>")
    }
}

impl FromStr for SmtpSecurity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "tls" => Ok(Self::Tls),
            "starttls" => Ok(Self::StartTls),
            "none" => Ok(Self::None),
            _ => Err("must be tls, starttls or none"),
        }
    }
}

impl FromStr for NotifyOn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "all" => Ok(Self::All),
            "failure" => Ok(Self::Failure),
            _ => Err("must be all or failure"),
        }
    }
}
