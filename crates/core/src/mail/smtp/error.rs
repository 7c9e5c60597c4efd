//! Where a conversation ended, why, and what to check.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::figures;

/// The steps of a conversation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The name of the server becomes addresses.
    LookUp,
    /// One of the addresses answers.
    Connect,
    /// The server says who it is and what it offers.
    Greet,
    /// The connection is encrypted and the certificate is right.
    Tls,
    /// User and password are right.
    LogIn,
    /// The sender may send.
    Sender,
    /// The server takes mail for a recipient.
    Recipient,
    /// The server has taken the mail.
    Accept,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::LookUp => "looking up its name",
            Self::Connect => "connecting",
            Self::Greet => "greeting",
            Self::Tls => "encrypting",
            Self::LogIn => "logging in",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming a recipient",
            Self::Accept => "handing over the mail",
        })
    }
}

/// Why a conversation ended early. Holds no secret. Each says its cause too: it stands alone in a log and in a report.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// The name of the server is unknown.
    #[error("cannot look up the mail server {server}: {source}")]
    LookUp {
        /// The server.
        server: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No address of the server answers.
    #[error("cannot connect to the mail server {server}, port {port}: {source}")]
    Connect {
        /// The server.
        server: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file of `MAIL_SMTP_CA_FILE` holds no certificates.
    #[error("cannot read certificates from {}: {source}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// TLS failed, most often because of the certificate.
    #[error("no secure connection to the mail server {server}: {source}")]
    Tls {
        /// The server.
        server: String,
        /// What TLS said.
        source: std::io::Error,
    },
    /// STARTTLS is required, and the server, or something on the way to it, does not offer it.
    #[error("the mail server {server} does not offer STARTTLS, and nothing is sent in the clear")]
    NoStartTls {
        /// The server.
        server: String,
    },
    /// The server offers neither PLAIN nor LOGIN.
    #[error("the mail server {server} offers no login by PLAIN or LOGIN")]
    NoLogin {
        /// The server.
        server: String,
    },
    /// The server said no.
    #[error("the mail server refused while {stage}: {reply}")]
    Refused {
        /// At this step.
        stage: Stage,
        /// The code and the text of the reply, in one line.
        reply: String,
        /// A 5xx reply: asking again is of no use.
        permanent: bool,
    },
    /// The server says nothing.
    #[error("the mail server did not answer while {stage}, after {}", figures::duration(*after))]
    Silent {
        /// At this step.
        stage: Stage,
        /// So long.
        after: Duration,
    },
    /// The connection broke, or what came is not SMTP.
    #[error("the conversation with the mail server broke while {stage}: {source}")]
    Broken {
        /// At this step.
        stage: Stage,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SmtpError {
    /// The step at which it ended.
    pub fn stage(&self) -> Stage {
        match self {
            Self::LookUp { .. } => Stage::LookUp,
            Self::Connect { .. } => Stage::Connect,
            Self::CaFile { .. } | Self::Tls { .. } | Self::NoStartTls { .. } => Stage::Tls,
            Self::NoLogin { .. } => Stage::LogIn,
            Self::Refused { stage, .. } | Self::Silent { stage, .. } | Self::Broken { stage, .. } => *stage,
        }
    }

    /// Whether asking again at once may help: the server said so, or the connection broke.
    pub(in crate::mail) fn may_pass(&self) -> bool {
        matches!(self, Self::Refused { permanent: false, .. } | Self::Broken { .. })
    }

    /// Whether the server said that it would take it later: a 4xx reply.
    pub(in crate::mail) fn is_for_now(&self) -> bool {
        matches!(self, Self::Refused { permanent: false, .. })
    }

    /// Whether it came after the server had let us in: another mail may fare better.
    pub(in crate::mail) fn is_about_the_mail(&self) -> bool {
        matches!(self.stage(), Stage::Sender | Stage::Recipient | Stage::Accept)
    }

    /// Whether the server will never take this mail, as opposed to not talking to us at all: that can be mended, and the
    /// mail waits until it is.
    pub(in crate::mail) fn refuses_the_mail(&self) -> bool {
        self.is_about_the_mail() && matches!(self, Self::Refused { permanent: true, .. })
    }

    /// What to check, as full sentences.
    pub fn hint(&self) -> String {
        let text = match self.stage() {
            // A login is refused for the time being where the account is locked or somebody else's server is down.
            Stage::Sender | Stage::Recipient | Stage::Accept if self.is_for_now() => {
                "The server may take it later: many let those whom they do not know wait for some minutes (greylisting). If it \
                 goes on for hours, its reply says why."
            }
            Stage::LookUp => "Check MAIL_SMTP_SERVER for typing mistakes, and that the container can resolve names.",
            Stage::Connect => {
                "Check MAIL_SMTP_SERVER and MAIL_SMTP_PORT, and that no firewall blocks the port: many networks block 25, \
                 some 465 and 587."
            }
            Stage::Greet => {
                "Check that a mail server listens there: port 465 needs MAIL_SMTP_SECURITY=tls, port 587 starttls."
            }
            Stage::Tls => match self {
                Self::NoStartTls { .. } => {
                    "Use port 465 with MAIL_SMTP_SECURITY=tls. Only for a relay on this machine, MAIL_SMTP_SECURITY=none."
                }
                Self::CaFile { .. } => "MAIL_SMTP_CA_FILE must hold certificates in PEM form (BEGIN CERTIFICATE).",
                _ => {
                    "Check that MAIL_SMTP_SERVER is the name in the server's certificate; for a private certificate \
                     authority set MAIL_SMTP_CA_FILE. Port 465 needs MAIL_SMTP_SECURITY=tls, port 587 starttls."
                }
            },
            Stage::LogIn => {
                "Check MAIL_USERNAME and MAIL_PASSWORD. Gmail and others want an app password, not the account's own."
            }
            Stage::Sender => "Check MAIL_FROM: many servers take mail only from the address that logged in.",
            Stage::Recipient => "Check the addresses in BACKUP_NOTIFICATION_EMAIL.",
            Stage::Accept => "The server's reply says why; its size limit and its spam filter are the usual reasons.",
        };
        text.to_owned()
    }
}
