//! The conversation itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use time::OffsetDateTime;
use tokio::net::TcpStream;

use super::certificate::Certificate;
use super::wire::{self, Wire};
use super::{Listener, Passed, Patience, SmtpError, Stage, tls};
use crate::mail::clean;
use crate::settings::{Mail, SmtpSecurity};

/// How long one of several addresses may take to answer.
const PER_ADDRESS: Duration = Duration::from_secs(5);

/// What the server said to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mail) enum Verdict {
    /// The mail is the server's now.
    Accepted,
    /// Not now.
    Later(String),
    /// Never.
    Refused(String),
}

/// Hands one mail over, for several recipients in one go: a refused one does not stop the others.
///
/// An error is about the conversation or the mail as a whole; nobody got it then.
pub(in crate::mail) async fn converse(
    settings: &Mail,
    recipients: &[Address],
    raw: &[u8],
    patience: Patience,
    listener: Listener<'_>,
) -> Result<Vec<(Address, Verdict)>, SmtpError> {
    let Opened { mut connection, .. } = open(settings, patience, &mut *listener).await?;
    let verdicts = hand_over(&mut connection, settings, recipients, raw, patience, &mut *listener).await?;
    // The mail is the server's; whether it hears us leave makes no difference.
    let _ = tokio::time::timeout(Duration::from_secs(2), connection.quit()).await;
    Ok(verdicts)
}

/// Goes the whole way but hands over no mail. Tells until when the server's certificate is valid, where it has one.
pub(in crate::mail) async fn knock(settings: &Mail, patience: Patience) -> Result<Option<OffsetDateTime>, SmtpError> {
    let Opened { mut connection, certificate } = open(settings, patience, &mut |_| {}).await?;
    // As above: it has shown what there is to see.
    let _ = tokio::time::timeout(Duration::from_secs(2), connection.quit()).await;
    Ok(certificate.map(|certificate| certificate.valid_until))
}

/// A conversation that may begin, and the certificate that it is encrypted by.
struct Opened {
    connection: AsyncSmtpConnection,
    certificate: Option<Certificate>,
}

async fn open(settings: &Mail, patience: Patience, listener: Listener<'_>) -> Result<Opened, SmtpError> {
    let server = settings.server.as_str();
    let mut pass = |stage, found: String| listener(Passed { stage, found: clean::line(&found, 300) });

    let addresses = patience.wait(Stage::LookUp, look_up(settings)).await?;
    // That an address is itself tells nobody anything.
    if server.parse::<IpAddr>().is_err() {
        let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        pass(Stage::LookUp, format!("{server} is {}", shown.join(", ")));
    }

    let mut tcp = patience.wait(Stage::Connect, connect(settings, &addresses)).await?;
    if let Ok(peer) = tcp.peer_addr() {
        pass(Stage::Connect, format!("{peer} answers"));
    }

    let name = client_name(&tcp);
    let ca_file = settings.ca_file.as_deref();
    let mut certificate = None;
    let wire = match settings.security {
        SmtpSecurity::None => Wire::plain(tcp),
        SmtpSecurity::Tls => {
            let tls = patience.wait(Stage::Tls, tls::encrypt(tcp, server, ca_file)).await?;
            pass(Stage::Tls, tls::describe(&tls));
            certificate = tls::certificate(&tls);
            Wire::encrypted(tls, Vec::new())
        }
        SmtpSecurity::StartTls => {
            let greeting = patience.wait(Stage::Greet, wire::ask_for_tls(&mut tcp, server, &name)).await?;
            let tls = patience.wait(Stage::Tls, tls::encrypt(tcp, server, ca_file)).await?;
            pass(Stage::Tls, tls::describe(&tls));
            certificate = tls::certificate(&tls);
            Wire::encrypted(tls, greeting)
        }
    };

    let greeted = async {
        AsyncSmtpConnection::connect_with_transport(Box::new(wire), &name)
            .await
            .map_err(|error| lost(Stage::Greet, error))
    };
    let mut connection = patience.wait(Stage::Greet, greeted).await?;
    pass(Stage::Greet, format!("{} greets", connection.server_info().name()));

    if let Some((user, password)) = &settings.credentials {
        if connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            return Err(SmtpError::NoLogin { server: server.to_owned() });
        }
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        let log_in = async {
            let answer = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            answer
                .map_err(|error| lost_saying(Stage::LogIn, error, |text| without_login(text, user, password.reveal())))
        };
        patience.wait(Stage::LogIn, log_in).await?;
        pass(Stage::LogIn, format!("logged in as {user}"));
    }
    Ok(Opened { connection, certificate })
}

async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    settings: &Mail,
    recipients: &[Address],
    raw: &[u8],
    patience: Patience,
    listener: Listener<'_>,
) -> Result<Vec<(Address, Verdict)>, SmtpError> {
    let sender = settings.from.email.clone();
    let foreign = std::iter::once(&sender).chain(recipients).any(|address| !AsRef::<str>::as_ref(address).is_ascii());
    let parameters = if foreign && connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        vec![MailParameter::SmtpUtfEight]
    } else {
        Vec::new()
    };
    step(connection, MailFrom::new(Some(sender), parameters), Stage::Sender, patience).await?;

    let mut verdicts = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let verdict = match step(connection, Rcpt::new(recipient.clone(), Vec::new()), Stage::Recipient, patience).await
        {
            Ok(_) => Verdict::Accepted,
            Err(SmtpError::Refused { reply, permanent: true, .. }) => Verdict::Refused(reply),
            Err(SmtpError::Refused { reply, permanent: false, .. }) => Verdict::Later(reply),
            Err(error) => return Err(error),
        };
        verdicts.push((recipient.clone(), verdict));
    }
    if verdicts.iter().all(|(_, verdict)| *verdict != Verdict::Accepted) {
        return Ok(verdicts);
    }
    step(connection, Data, Stage::Accept, patience).await?;
    let sent = async { connection.message(raw).await.map_err(|error| lost(Stage::Accept, error)) };
    let receipt = patience.for_bytes(raw.len()).wait(Stage::Accept, sent).await?;
    let receipt: Vec<&str> = receipt.message().collect();
    listener(Passed {
        stage: Stage::Accept,
        found: clean::line(&format!("the server took the mail: {}", receipt.join(" ")), 300),
    });
    Ok(verdicts)
}

async fn step<C: std::fmt::Display>(
    connection: &mut AsyncSmtpConnection,
    command: C,
    stage: Stage,
    patience: Patience,
) -> Result<Response, SmtpError> {
    patience.wait(stage, async { connection.command(command).await.map_err(|error| lost(stage, error)) }).await
}

async fn look_up(settings: &Mail) -> Result<Vec<SocketAddr>, SmtpError> {
    let failed = |source| SmtpError::LookUp { server: settings.server.clone(), source };
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((settings.server.as_str(), settings.port)).await.map_err(failed)?.collect();
    if found.is_empty() { Err(failed(std::io::Error::other("the name has no address"))) } else { Ok(found) }
}

/// The first address that answers. None may use up the time of the others: an IPv6 address that nothing leads to often comes
/// before the IPv4 address that works.
async fn connect(settings: &Mail, addresses: &[SocketAddr]) -> Result<TcpStream, SmtpError> {
    let mut last = std::io::Error::from(std::io::ErrorKind::TimedOut);
    for address in addresses {
        match tokio::time::timeout(PER_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = error,
            Err(_) => last = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(SmtpError::Connect { server: settings.server.clone(), port: settings.port, source: last })
}

/// How we name ourselves: a container's host name is no name on the Internet, and RFC 5321, section 4.1.4, then wants the
/// address in brackets.
fn client_name(tcp: &TcpStream) -> ClientId {
    match (ClientId::default(), tcp.local_addr().map(|local| local.ip())) {
        (ClientId::Domain(name), Ok(address)) if !name.contains('.') => match address {
            IpAddr::V4(address) => ClientId::Ipv4(address),
            IpAddr::V6(address) => ClientId::Ipv6(address),
        },
        (name, _) => name,
    }
}

/// What the protocol's own error means at this step.
fn lost(stage: Stage, error: lettre::transport::smtp::Error) -> SmtpError {
    lost_saying(stage, error, |text| text)
}

/// A server may repeat the line that it refuses, with the password as it came.
fn without_login(text: String, user: &str, password: &str) -> String {
    let encoded = [format!("\0{user}\0{password}"), password.to_owned()].map(|login| BASE64_STANDARD.encode(login));
    let forms = encoded.iter().map(String::as_str).chain([password]);
    // A shorter one would blot out ordinary words.
    forms.filter(|form| form.len() >= 4).fold(text, |text, form| text.replace(form, "[secret]"))
}

fn lost_saying(stage: Stage, error: lettre::transport::smtp::Error, show: impl FnOnce(String) -> String) -> SmtpError {
    match error.status() {
        Some(code) => {
            let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let reply = clean::line(&format!("{code} {}", show(text)), 300);
            SmtpError::Refused { stage, reply, permanent: error.is_permanent() }
        }
        None if error.is_response() => {
            SmtpError::Broken { stage, source: "the server hung up, or does not speak SMTP".into() }
        }
        None => SmtpError::Broken { stage, source: error.into() },
    }
}
