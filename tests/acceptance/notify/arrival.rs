//! Mails as their readers get them.

use std::time::Duration;

use acceptance::mail::Letter;
use acceptance::sandbox::{OPERATOR, Sandbox};

/// Far longer than any of these runs takes.
const SOON: Duration = Duration::from_secs(30);

/// The only mail that the server has taken.
fn letter(sandbox: &Sandbox) -> Letter {
    let messages = sandbox.mail().messages();
    assert_eq!(messages.len(), 1, "{:#?}", sandbox.mail().transcript());
    messages[0].letter()
}

#[test]
fn every_type_arrives_with_its_symbol_its_state_the_database_and_the_host() {
    let sandbox = Sandbox::new();
    let database = sandbox.database().name().to_owned();
    for (kind, subject) in [
        ("SUCCESS", "✅ Backup succeeded"),
        ("SUCCESS_WITH_WARNING", "⚠️ Backup succeeded with a WARNING"),
        ("FAILURE", "❌ Backup FAILED"),
        ("CLEANUP_FAILURE", "❌ Cleanup FAILED"),
        ("RESTORE_TEST_SUCCESS", "🔍 Restore test passed"),
        ("RESTORE_TEST_FAILURE", "❌ Restore test FAILED"),
        ("RESTORE_TEST_INCONCLUSIVE", "⚠️ Restore test INCONCLUSIVE"),
        ("STORAGE_REPORT", "📊 Storage report"),
        ("HEALTH_ALERT", "⚠️ Health ALERT"),
        ("HEALTH_RECOVERED", "✅ Health recovered"),
        ("TEST", "✅ Mail test"),
        ("test", "✅ Mail test"),
        ("DEPLOYMENT", "ℹ️ DEPLOYMENT notice"),
    ] {
        let count = sandbox.mail().messages().len();
        let run = sandbox.command("notify").args([kind, "What happened", "line one\nline <two>"]).run().succeeds();
        run.prints(&format!("accepted for {OPERATOR}"));
        let letter = sandbox.mail().messages()[count].letter();
        assert_eq!(letter.subject, format!("{subject}: {database} on 127.0.0.1 (What happened)"));
        assert!(letter.text.starts_with("What happened"), "{}", letter.text);
        assert!(letter.text.contains("  line one\r\n  line <two>\r\n"), "{:?}", letter.text);
        assert!(letter.html.contains("line &#60;two&#62;"), "{}", letter.html);
        for reference in ["http:", "https:", "src=", "url("] {
            assert!(!letter.html.contains(reference), "{reference} in {}", letter.html);
        }
    }
    sandbox.assert_no_secret_leaked();
    sandbox.assert_nothing_left_behind();
}

#[test]
fn the_headers_are_those_of_a_mail_that_a_machine_sends() {
    let mut sandbox = Sandbox::new();
    sandbox.env("MAIL_FROM", "Zoë, \"the\" Backup <mailer@example.org>");
    sandbox.env("BACKUP_NOTIFICATION_EMAIL", "operator@example.org, Second Reader <two@example.org>");
    sandbox.command("notify").args(["SUCCESS", "Größe: 5 €"]).run().exits(78);
    sandbox.env("MAIL_FROM", "\"Zoë, \\\"the\\\" Backup\" <mailer@example.org>");
    sandbox.command("notify").args(["SUCCESS", "Größe: 5 €"]).run().succeeds();
    let message = sandbox.mail().messages().remove(0);
    assert_eq!(message.from, "mailer@example.org");
    assert_eq!(message.to, ["operator@example.org", "two@example.org"]);
    assert_eq!(message.login.as_ref().map(|(user, _)| user.as_str()), Some("mailer@example.org"));
    assert_eq!(message.login.as_ref().map(|(_, password)| password.as_str()), sandbox.value("MAIL_PASSWORD"));
    assert!(message.raw.is_ascii(), "a server without 8BITMIME must take it");
    assert!(message.raw.split(|byte| *byte == b'\n').all(|line| line.len() <= 998), "RFC 5322, section 2.1.1");

    let letter = message.letter();
    assert_eq!(letter.header("From"), Some("Zoë, \"the\" Backup <mailer@example.org>"));
    assert_eq!(letter.header("To"), Some("operator@example.org, \"Second Reader\" <two@example.org>"));
    assert_eq!(letter.header("Auto-Submitted"), Some("auto-generated"));
    assert!(letter.header("Message-ID").is_some_and(|id| id.starts_with('<') && id.ends_with("@example.org>")));
    assert!(letter.header("Date").is_some_and(|date| date.ends_with("+0000")));
    assert!(letter.subject.ends_with("(Größe: 5 €)"), "{}", letter.subject);
}

#[test]
fn details_come_from_stdin_too_and_ten_megabytes_of_them_are_cut_with_a_word() {
    let sandbox = Sandbox::new();
    let mut details = b"the first line\n".to_vec();
    while details.len() < 10 << 20 {
        details.extend_from_slice(b"one of very many lines, and none of them is worth a megabyte\n");
    }
    details.extend_from_slice(b"the last line");
    sandbox.command("notify").args(["FAILURE", "Import failed", "-"]).stdin(&details).run().succeeds();
    let message = sandbox.mail().messages().remove(0);
    assert!(message.raw.len() < 100_000, "{} bytes", message.raw.len());
    let letter = message.letter();
    for part in [&letter.text, &letter.html] {
        for line in ["the first line", "the last line", "10.0 MiB of 171,", "lines left out here"] {
            assert!(part.contains(line), "{line} is not in {part}");
        }
    }
}

/// Whoever writes them is not cut off, and the mail has their end.
#[test]
fn details_that_fit_in_no_memory_are_read_to_their_end() {
    let sandbox = Sandbox::new();
    let lines = "one of very many lines, and none of them is worth a megabyte
"
    .repeat(1_300_000);
    let details = format!(
        "the first line
{lines}the last line"
    );
    sandbox.command("notify").args(["FAILURE", "It broke", "-"]).stdin(details.as_bytes()).run().succeeds();
    let letter = letter(&sandbox);
    for line in ["the first line", "the last line", "75.6 MiB of 1,300,002 ", "lines left out here"] {
        assert!(letter.text.contains(line), "{line} is not in {}", letter.text);
    }
}

#[test]
fn attachments_go_along_by_option_and_as_the_fourth_argument() {
    let sandbox = Sandbox::new();
    let log = sandbox.write("logs/some day.log", "all of the log\n");
    let odd = sandbox.write("\"q\"; näme\r\nX-Evil: 1 'z'.bin", "\u{0}\u{1}\r\n.\r\n");
    let run = sandbox.command("notify").args(["FAILURE", "Look", ""]).arg(&log).arg("--attach").arg(&odd);
    run.run().succeeds();
    let letter = letter(&sandbox);
    let attached: Vec<_> = letter
        .attachments
        .iter()
        .map(|file| (file.name.as_str(), file.content_type.as_str(), &*file.content))
        .collect();
    assert_eq!(
        attached,
        [
            ("some day.log", "text/plain", b"all of the log\n".as_slice()),
            ("\"q\"; näme X-Evil: 1 'z'.bin", "application/octet-stream", b"\x00\x01\r\n.\r\n".as_slice()),
        ]
    );
    assert_eq!(letter.header("X-Evil"), None);
    assert!(!letter.text.contains("Details"), "empty details have no heading: {}", letter.text);
}

#[test]
fn a_mail_goes_even_where_its_attachment_cannot() {
    let sandbox = Sandbox::new();
    let huge = sandbox.write("huge.bin", &"x".repeat((10 << 20) + 1));
    let run = sandbox.command("notify").args(["FAILURE", "Look", "--attach", "/nowhere/a.log", "--attach"]).arg(huge);
    run.run().exits(3).says("/nowhere/a.log");
    let letter = letter(&sandbox);
    assert!(letter.text.contains("Warning: The attachment /nowhere/a.log is missing: No such file"), "{}", letter.text);
    assert!(
        letter.text.contains("huge.bin is missing: the attachments of a mail may have 10.0 MiB"),
        "{}",
        letter.text
    );
    assert!(letter.attachments.is_empty());
}

/// Nothing of it may be waited for.
#[test]
fn a_pipe_is_neither_attached_nor_written_to() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.home().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    sandbox.command("notify").args(["FAILURE", "Look", "--attach"]).arg(&pipe).within(SOON).run().exits(3);
    let letter = letter(&sandbox);
    assert!(letter.text.contains("pipe is missing: it is no regular file."), "{}", letter.text);
    let run = sandbox.command("notify").args(["FAILURE", "Look", "--preview"]).arg(&pipe).within(SOON).run();
    run.exits(1).says("pipe: it is no regular file");
}

#[test]
fn another_address_can_be_named() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("BACKUP_NOTIFICATION_EMAIL");
    let to = ["SUCCESS", "Hello", "--to", "Me <me@example.org>, you@example.org"];
    sandbox.command("notify").args(to).run().succeeds().prints("accepted for me@example.org, you@example.org");
    assert_eq!(sandbox.mail().messages()[0].to, ["me@example.org", "you@example.org"]);
    sandbox.command("notify").args(["SUCCESS", "Hello", "--to", "nobody"]).run().exits(2).says("addresses");
}

#[test]
fn where_nobody_is_to_be_told_nobody_is_and_the_log_says_so() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("BACKUP_NOTIFICATION_EMAIL");
    let run = sandbox.command("notify").args(["FAILURE", "Hello"]).run().succeeds();
    run.prints_nothing().logs("notify.log", "BACKUP_NOTIFICATION_EMAIL is not set");
    let test = sandbox.command("notify").args(["TEST", "Hello"]).run().exits(78);
    test.says("BACKUP_NOTIFICATION_EMAIL is not set").says("--to");
    assert_eq!(sandbox.mail().transcript(), Vec::<String>::new());
}

#[test]
fn a_preview_is_what_would_be_sent_and_needs_no_server() {
    let mut sandbox = Sandbox::new();
    let arguments = ["RESTORE_TEST_FAILURE", "The orders differ", "10,481 rows"];
    sandbox.unset("BACKUP_NOTIFICATION_EMAIL").env("MAIL_SMTP_PORT", "no port");
    let run = sandbox.command("notify").args(arguments).args(["--preview", "mail.html"]).run();
    run.succeeds().prints("mail.html");
    assert!(sandbox.mail().messages().is_empty());
    let preview = std::fs::read_to_string(sandbox.home().join("mail.html")).unwrap();
    assert!(preview.contains("10,481 rows"));

    let port = sandbox.mail().port().to_string();
    sandbox.env("BACKUP_NOTIFICATION_EMAIL", OPERATOR).env("MAIL_SMTP_PORT", &port);
    sandbox.command("notify").args(arguments).run().succeeds();
    // They differ in nothing but the instant of the run, in the last line that is seen.
    let but_the_instant = |html: &str| html.replace("\r\n", "\n").split_once("run of ").unwrap().0.to_owned();
    assert_eq!(but_the_instant(&letter(&sandbox).html), but_the_instant(&preview));

    sandbox.command("notify").args(arguments).args(["--preview", "/nowhere/mail.html"]).run().exits(1);
}

#[test]
fn a_script_reads_the_result() {
    let sandbox = Sandbox::new();
    let document = sandbox.command("notify").args(["SUCCESS", "Hello", "--json"]).run().succeeds().json();
    assert_eq!(document["outcome"], "done");
    assert_eq!(document["accepted"], serde_json::json!([OPERATOR]));
    assert_eq!(document["waiting"], serde_json::json!([]));
}
