//! `notify TEST`: each step to the server, and where it ends.

use acceptance::mail::Act;
use acceptance::sandbox::{OPERATOR, Sandbox};

use super::waiting;

#[test]
fn a_test_tells_of_every_step_and_its_mail_of_the_way_it_came() {
    let mut sandbox = Sandbox::new();
    let run = sandbox.command("notify").args(["TEST", "Hello"]).run().succeeds();
    run.never_says("127.0.0.1 is 127.0.0.1").says("INFO 127.0.0.1:");
    sandbox.env("MAIL_SMTP_SERVER", "localhost");
    let run = sandbox.command("notify").args(["TEST", "Hello", "--json"]).run().succeeds();
    run.clone().says("localhost is ").says("sink.test greets").says("logged in as mailer@example.org");
    let document = run.clone().says("2.0.0 taken").json();
    let steps: Vec<&str> =
        document["steps"].as_array().unwrap().iter().map(|step| step["stage"].as_str().unwrap()).collect();
    assert_eq!(steps, ["look-up", "connect", "greet", "log-in", "accept"]);
    assert_eq!(document["accepted"], serde_json::json!([OPERATOR]));
    let text = sandbox.mail().messages()[1].letter().text;
    assert!(text.starts_with("Hello. Mails from the backup system arrive."), "{text}");
    assert!(text.contains(&format!("Server: localhost, port {}", sandbox.mail().port())), "{text}");
    assert!(text.contains("Logged in as: mailer@example.org"), "{text}");
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_failed_test_names_the_step_and_what_to_check_and_leaves_nothing_to_be_sent_later() {
    let mut sandbox = Sandbox::new();
    let test = |sandbox: &Sandbox| sandbox.command("notify").args(["TEST", "Hello"]).run().exits(1).prints_nothing();

    let refuse = |command: &str, line: &str| sandbox.mail().once(command, Act::Reply(line.to_owned()));
    refuse("CONNECT", "554 5.7.1 you are on a list");
    test(&sandbox).says("refused while greeting: 554 5.7.1 you are on a list");
    refuse("AUTH", "535 5.7.8 bad credentials");
    test(&sandbox).says("refused while logging in: 535 5.7.8 bad credentials").says("app password");
    refuse("MAIL", "553 5.7.1 not your address");
    test(&sandbox).says("refused while naming the sender: 553 5.7.1 not your address").says("MAIL_FROM");
    refuse("RCPT", "550 5.1.1 unknown");
    test(&sandbox).says("550 5.1.1 unknown");
    // For the time being, and again when it is tried once more.
    for command in [".", "MAIL"] {
        refuse(command, "451 4.7.1 greylisted");
        refuse(command, "451 4.7.1 greylisted");
        let outcome = test(&sandbox).says("trying once more").says(": 451 4.7.1 greylisted").says("may take it later");
        outcome.never_says("MAIL_FROM");
    }

    sandbox.mail().announce(&["AUTH CRAM-MD5"]);
    test(&sandbox).says("offers no login by PLAIN or LOGIN");

    sandbox.env("MAIL_SMTP_SERVER", "no-such-server.invalid");
    test(&sandbox).says("cannot look up the mail server no-such-server.invalid").says("MAIL_SMTP_SERVER");
    sandbox.env("MAIL_SMTP_SERVER", "127.0.0.1").env("MAIL_SMTP_PORT", "1");
    test(&sandbox).says("cannot connect to the mail server 127.0.0.1, port 1").says("firewall");

    assert_eq!((sandbox.mail().messages().len(), waiting(&sandbox).len()), (0, 0));
}

#[test]
fn a_test_that_is_refused_for_the_moment_is_tried_again_at_once() {
    for (command, line) in
        [("CONNECT", "421 4.3.2 too busy"), ("MAIL", "451 4.7.1 greylisted"), ("RCPT", "450 4.2.1 busy")]
    {
        let sandbox = Sandbox::new();
        sandbox.mail().once(command, Act::Reply(line.to_owned()));
        sandbox.command("notify").args(["TEST", "Hello"]).run().succeeds().says("trying once more");
        assert_eq!(sandbox.mail().messages().len(), 1, "{command}");
    }
}

#[test]
fn a_server_that_knows_only_login_is_logged_in_to() {
    let sandbox = Sandbox::new();
    sandbox.mail().announce(&["AUTH LOGIN"]);
    sandbox.command("notify").args(["TEST", "Hello"]).run().succeeds();
    let login = sandbox.mail().messages()[0].login.clone().unwrap();
    assert_eq!(login.1, sandbox.value("MAIL_PASSWORD").unwrap());
}

#[test]
fn a_relay_without_a_login_is_used_without_one() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("MAIL_USERNAME").unset("MAIL_PASSWORD");
    sandbox.mail().announce(&["8BITMIME"]);
    sandbox.command("notify").args(["TEST", "Hello"]).run().succeeds();
    assert_eq!(sandbox.mail().messages()[0].login, None);
}

#[test]
fn nothing_is_said_in_the_clear_to_a_server_that_does_not_offer_starttls() {
    for extensions in [["AUTH PLAIN LOGIN"].as_slice(), &["STARTTLS", "AUTH PLAIN LOGIN"]] {
        let mut sandbox = Sandbox::new();
        sandbox.unset("MAIL_SMTP_SECURITY");
        sandbox.mail().announce(extensions);
        sandbox.command("notify").args(["FAILURE", "Hello"]).run().exits(1).says("hint: ");
        let said: Vec<String> = sandbox.mail().transcript();
        assert!(said.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS" || line.is_empty()), "{said:#?}");
        assert_eq!(waiting(&sandbox).len(), 1);
    }
}

#[test]
fn what_comes_before_encryption_is_not_read_after_it() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("MAIL_SMTP_SECURITY");
    sandbox.mail().announce(&["STARTTLS"]);
    sandbox.mail().always("STARTTLS", Act::Reply("220 go ahead\r\n250 planted".to_owned()));
    let run = sandbox.command("notify").args(["TEST", "Hello"]).run().exits(1);
    run.says("the server sent more than it was asked for, before encryption");
}

#[test]
fn a_server_that_does_not_speak_the_protocol_is_told_apart() {
    let mut sandbox = Sandbox::new();
    sandbox.mail().always("CONNECT", Act::Reply("SSH-2.0-OpenSSH_9.2".to_owned()));
    sandbox.command("notify").args(["TEST", "Hello"]).run().exits(1).says("while greeting").says("port 465");
    sandbox.unset("MAIL_SMTP_SECURITY");
    sandbox.command("notify").args(["TEST", "Hello"]).run().exits(1).says("does not speak SMTP");
    // TLS from the first byte, to a server that waits for STARTTLS.
    sandbox.env("MAIL_SMTP_SECURITY", "tls");
    sandbox.command("notify").args(["TEST", "Hello"]).run().exits(1).says("no secure connection").says("port 587");
}
