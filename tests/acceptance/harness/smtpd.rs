//! The SMTP server with TLS, spoken to by another program (Python's `smtplib`).

use std::process::Command;
use std::time::Duration;

use acceptance::mail::{Certificate, Smtpd, Tls};
use acceptance::programs;

const CLIENT: &str = r"
import smtplib, ssl, sys
mode, port, ca, user, password = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
if mode == 'implicit':
    client = smtplib.SMTP_SSL('localhost', int(port), context=context)
else:
    client = smtplib.SMTP('localhost', int(port))
    if mode == 'starttls':
        client.starttls(context=context)
if user:
    client.login(user, password)
client.sendmail('a@example.org', ['b@example.org', 'c@example.org'], b'Subject: hello\r\n\r\nworld\r\n')
";

/// Sends a mail; what the client said if it could not.
fn send(server: &Smtpd, mode: &str, login: (&str, &str)) -> Result<(), String> {
    let output = Command::new(programs::server_from_pypi("python"))
        .args(["-c", CLIENT, mode, &server.port().to_string(), server.ca_file().to_str().unwrap(), login.0, login.1])
        .env_clear()
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn mails_arrive_over_every_kind_of_connection() {
    for (tls, mode) in [(Tls::None, "none"), (Tls::StartTls, "starttls"), (Tls::Implicit, "implicit")] {
        let server = Smtpd::start(tls, Certificate::Valid, None);
        send(&server, mode, ("", "")).unwrap();
        let message = server.wait_for(1, Duration::from_secs(10)).remove(0);
        assert_eq!(message.to, ["b@example.org", "c@example.org"]);
        let letter = message.letter();
        assert_eq!((letter.subject.as_str(), letter.text.as_str(), message.login), ("hello", "world\r\n", None));
    }
}

#[test]
fn who_has_no_login_or_no_encryption_sends_nothing() {
    let server = Smtpd::start(Tls::StartTls, Certificate::Valid, Some(("user", "pass word")));
    assert!(send(&server, "none", ("", "")).unwrap_err().contains("STARTTLS"));
    assert!(send(&server, "starttls", ("user", "wrong")).unwrap_err().contains("535"));
    assert!(send(&server, "starttls", ("", "")).unwrap_err().contains("530"));
    assert!(server.messages().is_empty());
    send(&server, "starttls", ("user", "pass word")).unwrap();
    assert_eq!(server.wait_for(1, Duration::from_secs(10))[0].login, Some(("user".into(), "pass word".into())));
}

#[test]
fn bad_certificates_are_bad() {
    for (certificate, complaint) in [(Certificate::WrongName, "Hostname mismatch"), (Certificate::Expired, "expired")] {
        let server = Smtpd::start(Tls::Implicit, certificate, None);
        let refused = send(&server, "implicit", ("", "")).unwrap_err();
        assert!(refused.contains(complaint), "{refused}");
    }
}
