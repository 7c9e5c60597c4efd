//! TLS, against a server that somebody else wrote: what is encrypted, whom it trusts, and what is never sent.

use acceptance::mail::{Certificate, Smtpd, Tls};
use acceptance::sandbox::{Outcome, Sandbox};

/// A sandbox whose mails go to this server by this kind of security.
fn sandbox(server: &Smtpd, security: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.env("MAIL_SMTP_SERVER", "localhost").env("MAIL_SMTP_PORT", &server.port().to_string());
    sandbox.env("MAIL_SMTP_SECURITY", security);
    sandbox
}

fn with_login(tls: Tls, certificate: Certificate, password: &str) -> Smtpd {
    Smtpd::start(tls, certificate, Some(("mailer@example.org", password)))
}

fn test(sandbox: &Sandbox) -> Outcome {
    sandbox.command("notify").args(["TEST", "Hello"]).run()
}

#[test]
fn mails_go_by_tls_and_by_starttls_with_a_login_and_a_private_authority() {
    for (tls, security) in [(Tls::Implicit, "tls"), (Tls::StartTls, "starttls")] {
        let password = "p$ss \"wörd'\\ #";
        let server = with_login(tls, Certificate::Valid, password);
        let mut sandbox = sandbox(&server, security);
        sandbox.env("MAIL_SMTP_CA_FILE", &server.ca_file().display().to_string()).env("MAIL_PASSWORD", password);
        let run = test(&sandbox).succeeds();
        run.says("TLS 1.3, certificate of Test CA, valid until 20").says("logged in as mailer@example.org");
        sandbox.command("notify").args(["FAILURE", "Größe", "-"]).stdin("ü\n.\n..\n".as_bytes()).run().succeeds();
        let messages = server.messages();
        assert_eq!(messages.len(), 2, "{security}");
        assert_eq!(messages[1].login, Some(("mailer@example.org".to_owned(), password.to_owned())));
        let letter = messages[1].letter();
        assert!(letter.subject.ends_with("(Größe)"), "{}", letter.subject);
        assert!(letter.text.contains("  ü\r\n  .\r\n  ..\r\n"), "{:?}", letter.text);
    }
}

#[test]
fn a_certificate_that_is_not_right_ends_the_conversation_before_the_password() {
    for (certificate, knows_ca, reason) in [
        (Certificate::Valid, false, "UnknownIssuer"),
        (Certificate::WrongName, true, "not valid for name \"localhost\""),
        (Certificate::Expired, true, "expired"),
    ] {
        for (tls, security) in [(Tls::Implicit, "tls"), (Tls::StartTls, "starttls")] {
            let server = with_login(tls, certificate, "any password");
            let mut sandbox = sandbox(&server, security);
            sandbox.env("MAIL_PASSWORD", "any password");
            if knows_ca {
                sandbox.env("MAIL_SMTP_CA_FILE", &server.ca_file().display().to_string());
            }
            let run = test(&sandbox).exits(1).says("no secure connection to the mail server localhost").says(reason);
            run.says("hint: ").never_says("logged in");
            assert_eq!(server.messages().len(), 0);
        }
    }
}

#[test]
fn a_wrong_password_is_told_apart_from_everything_else() {
    let server = with_login(Tls::StartTls, Certificate::Valid, "the right one");
    let mut sandbox = sandbox(&server, "starttls");
    sandbox.env("MAIL_SMTP_CA_FILE", &server.ca_file().display().to_string());
    test(&sandbox).exits(1).says("refused while logging in: 535").says("MAIL_PASSWORD");
    sandbox.assert_no_secret_leaked();
}

#[test]
fn the_wrong_kind_of_security_is_told_with_the_ports_it_belongs_to() {
    let implicit = Smtpd::start(Tls::Implicit, Certificate::Valid, None);
    test(&sandbox(&implicit, "starttls")).exits(1).says("while greeting").says("port 465 needs MAIL_SMTP_SECURITY=tls");
    let starttls = Smtpd::start(Tls::StartTls, Certificate::Valid, None);
    test(&sandbox(&starttls, "tls")).exits(1).says("no secure connection").says("port 587 starttls");
    let mut in_the_clear = sandbox(&starttls, "none");
    in_the_clear.unset("MAIL_USERNAME").unset("MAIL_PASSWORD");
    test(&in_the_clear).exits(1).says("530").says("STARTTLS");
    let plain = Smtpd::start(Tls::None, Certificate::Valid, None);
    test(&sandbox(&plain, "starttls")).exits(1).says("does not offer STARTTLS, and nothing is sent in the clear");
    assert_eq!(plain.messages().len() + starttls.messages().len() + implicit.messages().len(), 0);
}

#[test]
fn a_file_that_holds_no_certificates_is_told() {
    let server = Smtpd::start(Tls::Implicit, Certificate::Valid, None);
    let mut sandbox = sandbox(&server, "tls");
    let file = sandbox.write("ca.pem", "not a certificate\n");
    sandbox.env("MAIL_SMTP_CA_FILE", &file.display().to_string());
    test(&sandbox).exits(1).says("cannot read certificates from").says("BEGIN CERTIFICATE");
    sandbox.env("MAIL_SMTP_CA_FILE", "/nowhere/ca.pem");
    test(&sandbox).exits(78).says("MAIL_SMTP_CA_FILE");
}
