//! Arguments that mean harm.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use acceptance::sandbox::Sandbox;

const INJECTION: &str = "Hello\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script>\u{1b}[31m\u{202e}";

#[test]
fn nothing_that_is_said_becomes_a_header_markup_or_a_control_character() {
    let sandbox = Sandbox::new();
    sandbox.command("notify").args([INJECTION, INJECTION, INJECTION]).run().succeeds();
    let message = sandbox.mail().messages().remove(0);
    assert_eq!(message.to.len(), 1);
    let letter = message.letter();
    assert_eq!(letter.header("Bcc"), None);
    assert_eq!(letter.subject.matches("Bcc: victim@example.org").count(), 2, "{}", letter.subject);
    assert!(!letter.html.contains("<script"));
    for part in [&letter.subject, &letter.text, &letter.html] {
        assert!(!part.contains(['\u{1b}', '\u{202e}', '\u{7f}']), "{part:?}");
    }
    let names: Vec<&str> = letter.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"],
        "no header comes from the content"
    );
}

#[test]
fn bytes_that_are_no_text_are_shown_as_far_as_they_can_be() {
    let sandbox = Sandbox::new();
    let bytes = OsString::from_vec(b"a \xff\xfe b".to_vec());
    let run = sandbox.command("notify").arg(&bytes).arg(&bytes).arg("-").stdin(b"c \xff\x00 d\rprogress 100 %");
    run.run().succeeds();
    let letter = sandbox.mail().messages()[0].letter();
    assert!(letter.text.starts_with("a \u{fffd}\u{fffd} b\r\n"), "{:?}", letter.text);
    assert!(letter.text.contains("  c \u{fffd}\u{fffd} d\r\n  progress 100 %"), "{:?}", letter.text);
}

#[test]
fn a_secret_in_what_is_said_does_not_leave_the_machine() {
    let sandbox = Sandbox::new();
    let password = sandbox.value("DB_PASSWORD").unwrap().to_owned();
    let details = format!("psql: connection to postgres://app:{password}@db/app failed");
    sandbox.command("notify").args(["FAILURE", "Failed", "-"]).stdin(details.as_bytes()).run().succeeds();
    assert!(sandbox.mail().messages()[0].letter().text.contains("psql: connection to postgres://app:"));
    for message in sandbox.mail().messages() {
        assert!(!String::from_utf8_lossy(&message.raw).contains(&password));
        assert!(!message.letter().text.contains(&password));
    }
}

#[test]
fn a_sender_or_recipient_with_a_line_break_is_a_wrong_setting() {
    let mut sandbox = Sandbox::new();
    sandbox.env("MAIL_FROM", "Backup\r\nBcc: victim@example.org <mailer@example.org>");
    sandbox.command("notify").args(["TEST", "Hello"]).run().exits(78).says("MAIL_FROM").never_says("panic");
    sandbox.env("MAIL_FROM", "mailer@example.org").env("BACKUP_NOTIFICATION_EMAIL", "a\nb <a@example.org>");
    sandbox.command("notify").args(["TEST", "Hello"]).run().exits(78).says("BACKUP_NOTIFICATION_EMAIL");
    let to = "a\nb <a@example.org>";
    sandbox.unset("BACKUP_NOTIFICATION_EMAIL");
    sandbox.command("notify").args(["TEST", "Hello", "--to", to]).run().exits(2).never_says("panic");
    assert_eq!(sandbox.mail().transcript(), Vec::<String>::new());
}
