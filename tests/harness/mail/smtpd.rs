//! An SMTP server that somebody else wrote (`aiosmtpd`), with TLS and a login: for what the sink does not do, and as a second opinion on
//! what it does.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use super::Message;
use crate::lifeline::{self, Child};
use crate::programs;

const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    None,
    /// On the client's demand, and nothing goes without it.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// What is right or wrong with the server's certificate. Its CA is private, so a client that does not know it must refuse each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, today.
    Valid,
    /// For another host.
    WrongName,
    /// For a day last week.
    Expired,
}

/// A running server; it stops when this is dropped.
pub struct Smtpd {
    folder: PathBuf,
    port: u16,
    _process: Child,
}

impl Smtpd {
    /// Starts a server on 127.0.0.1. With a login, nobody else may send.
    pub fn start(tls: Tls, certificate: Certificate, login: Option<(&str, &str)>) -> Self {
        let folder = lifeline::new_folder("smtpd", None);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/harness/mail/smtpd.py");
        let mut command = lifeline::command(&programs::server_from_pypi("python"), "KILL", None);
        command.arg(script).arg(&folder);
        command.arg(match tls {
            Tls::None => "none",
            Tls::StartTls => "starttls",
            Tls::Implicit => "implicit",
        });
        command.arg(match certificate {
            Certificate::Valid => "valid",
            Certificate::WrongName => "wrong-name",
            Certificate::Expired => "expired",
        });
        if let Some((user, password)) = login {
            command.env("SMTPD_USER", user).env("SMTPD_PASSWORD", password);
        }
        let process = Child::spawn_logged(command, &folder.join("log"));
        let port = process.wait_for_port(STARTS_WITHIN, |_| fs::read_to_string(folder.join("port")).ok()?.parse().ok());
        Self { folder, port, _process: process }
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the private CA.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The mails taken in so far.
    pub fn messages(&self) -> Vec<Message> {
        (1..).map_while(|number| self.read(number)).collect()
    }

    /// Waits for so many mails and gives all that came; fails the test if they do not come in time.
    pub fn wait_for(&self, count: usize, within: Duration) -> Vec<Message> {
        let deadline = Instant::now() + within;
        loop {
            let messages = self.messages();
            if messages.len() >= count {
                return messages;
            }
            assert!(Instant::now() < deadline, "{} of {count} mails came within {within:?}", messages.len());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn read(&self, number: usize) -> Option<Message> {
        let facts = fs::read(self.folder.join(format!("{number}.json"))).ok()?;
        let facts: serde_json::Value = serde_json::from_slice(&facts).expect("the script writes JSON");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let login = facts["login"].as_array().map(|login| (text(&login[0]), text(&login[1])));
        Some(Message {
            from: text(&facts["from"]),
            to: facts["to"].as_array().into_iter().flatten().map(text).collect(),
            login,
            raw: fs::read(self.folder.join(format!("{number}.eml"))).expect("written before the JSON"),
        })
    }
}
