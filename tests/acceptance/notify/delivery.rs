//! Refusals, silence and sudden ends: every mail gets through once, waits, or is given up with a reason.

use std::time::Duration;

use acceptance::mail::Act;
use acceptance::sandbox::{OPERATOR, Outcome, Sandbox};
use aws_smithy_types::base64;
use nix::sys::signal::Signal;

use super::waiting;

/// Every step of a conversation ends in 15 s, and the whole in a minute (reliability: a job never waits for its mail).
const A_MINUTE: Duration = Duration::from_mins(1);

fn reply(line: &str) -> Act {
    Act::Reply(line.to_owned())
}

fn send(sandbox: &Sandbox, message: &str) -> Outcome {
    sandbox.command("notify").args(["FAILURE", message]).run()
}

fn last_mail(sandbox: &Sandbox) -> serde_json::Value {
    let text = std::fs::read_to_string(sandbox.home().join("state/last-mail.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn one_refused_recipient_does_not_stop_the_others() {
    let mut sandbox = Sandbox::new();
    sandbox.env("BACKUP_NOTIFICATION_EMAIL", "one@example.org, two@example.org, three@example.org");
    sandbox.mail().once("RCPT", reply("550 5.1.1 no such user here"));
    let run = send(&sandbox, "Hello").exits(3).prints("accepted for two@example.org, three@example.org");
    run.logs("notify.log", "one@example.org does not get it: 550 5.1.1 no such user here");
    assert_eq!(sandbox.mail().messages()[0].to, ["two@example.org", "three@example.org"]);
    assert_eq!(waiting(&sandbox).len(), 0);
    let last = last_mail(&sandbox);
    assert_eq!(last["delivery"]["failed"][0]["recipient"], "one@example.org");
    assert_eq!(last["delivery"]["failed"][0]["reason"], "550 5.1.1 no such user here");
}

#[test]
fn a_refusal_for_the_moment_is_tried_again_at_once() {
    for (command, line) in [
        ("CONNECT", "421 4.3.2 too busy"),
        ("MAIL", "451 4.7.1 greylisted"),
        ("RCPT", "450 4.2.1 mailbox busy"),
        ("DATA", "452 4.3.1 no space"),
        (".", "451 4.3.0 try again"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.mail().once(command, reply(line));
        send(&sandbox, "Hello").succeeds();
        assert_eq!(sandbox.mail().messages().len(), 1, "{command}");
        assert_eq!(waiting(&sandbox).len(), 0, "{command}");
    }
}

#[test]
fn a_lasting_refusal_for_the_moment_leaves_the_mail_for_the_next_tool_which_sends_it_once() {
    let sandbox = Sandbox::new();
    sandbox.mail().once("RCPT", reply("450 4.2.1 greylisted"));
    sandbox.mail().once("RCPT", reply("450 4.2.1 greylisted"));
    send(&sandbox, "the first").exits(1).prints_nothing().says("waits for the next run").says("450 4.2.1 greylisted");
    assert_eq!((sandbox.mail().messages().len(), waiting(&sandbox).len()), (0, 1));
    assert_eq!(last_mail(&sandbox)["delivery"]["waiting"][0]["recipient"], OPERATOR);

    send(&sandbox, "the second").succeeds().logs("notify.log", "(the first)` accepted for");
    send(&sandbox, "the third").succeeds();
    let subjects: Vec<String> = sandbox.mail().messages().iter().map(|message| message.letter().subject).collect();
    for text in ["(the first)", "(the second)", "(the third)"] {
        assert_eq!(subjects.iter().filter(|subject| subject.contains(text)).count(), 1, "{subjects:#?}");
    }
    assert_eq!(waiting(&sandbox).len(), 0);
    sandbox.assert_no_secret_leaked();
}

#[test]
fn only_those_who_have_not_got_it_get_it_later() {
    let mut sandbox = Sandbox::new();
    sandbox.env("BACKUP_NOTIFICATION_EMAIL", "one@example.org, two@example.org");
    sandbox.mail().once("RCPT", reply("450 4.2.1 later"));
    sandbox.mail().once("RCPT", reply("250 ok"));
    sandbox.mail().once("RCPT", reply("450 4.2.1 later"));
    send(&sandbox, "Hello").exits(3);
    assert_eq!(waiting(&sandbox).len(), 1);
    send(&sandbox, "Next").succeeds();
    let hello: Vec<_> =
        sandbox.mail().messages().into_iter().filter(|m| m.letter().subject.contains("Hello")).collect();
    assert_eq!(hello.len(), 2);
    assert_eq!(hello[1].to, ["one@example.org"]);
    let ids: Vec<_> = hello.iter().map(|message| message.letter().header("Message-ID").unwrap().to_owned()).collect();
    assert_eq!(ids[0], ids[1], "it is the same mail");
}

#[test]
fn two_tools_at_once_send_a_waiting_mail_once() {
    let sandbox = Sandbox::new();
    sandbox.mail().always("MAIL", reply("451 4.7.1 later"));
    send(&sandbox, "the waiting one").exits(1);
    sandbox.mail().always("MAIL", reply("250 ok"));
    let runs: Vec<_> = (0..4).map(|_| sandbox.command("notify").args(["SUCCESS", "Hello"]).spawn()).collect();
    for run in runs {
        run.wait().succeeds();
    }
    let subjects: Vec<String> = sandbox.mail().messages().iter().map(|message| message.letter().subject).collect();
    assert_eq!(subjects.iter().filter(|subject| subject.contains("the waiting one")).count(), 1, "{subjects:#?}");
    assert_eq!(subjects.len(), 5);
}

#[test]
fn a_mail_that_is_never_taken_keeps_no_other_waiting() {
    let mut sandbox = Sandbox::new();
    let port = sandbox.value("MAIL_SMTP_PORT").unwrap().to_owned();
    sandbox.env("MAIL_SMTP_PORT", "1");
    for text in ["one", "two"] {
        send(&sandbox, text).exits(1);
    }
    sandbox.env("MAIL_SMTP_PORT", &port);
    // The new mail is taken; the first of the two that wait is not, at once and again; the other is.
    for line in ["250 ok", "451 4.7.1 later", "451 4.7.1 later"] {
        sandbox.mail().once("MAIL", reply(line));
    }
    send(&sandbox, "three").succeeds();
    assert_eq!((sandbox.mail().messages().len(), waiting(&sandbox).len()), (2, 1));
    send(&sandbox, "four").succeeds();
    assert_eq!((sandbox.mail().messages().len(), waiting(&sandbox).len()), (4, 0));
}

#[test]
fn an_address_that_is_gone_keeps_no_mail_waiting() {
    let mut sandbox = Sandbox::new();
    let port = sandbox.value("MAIL_SMTP_PORT").unwrap().to_owned();
    sandbox.env("MAIL_SMTP_PORT", "1");
    send(&sandbox, "one").exits(1);
    sandbox.env("MAIL_SMTP_PORT", &port).env("BACKUP_NOTIFICATION_EMAIL", "gone@example.org, two@example.org");
    sandbox.mail().once("RCPT", reply("550 5.1.1 no such user"));
    send(&sandbox, "two").exits(3);
    assert_eq!((sandbox.mail().messages().len(), waiting(&sandbox).len()), (2, 0));
}

#[test]
fn what_the_server_refuses_for_good_is_given_up_and_written_down() {
    for (command, line) in [
        ("MAIL", "553 5.7.1 you may not send as this"),
        ("RCPT", "550 5.1.1 no such user"),
        (".", "554 5.7.1 this looks like spam"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.mail().always(command, reply(line));
        send(&sandbox, "Hello").exits(1).logs("notify.log", line);
        assert_eq!(waiting(&sandbox).len(), 0, "{command}");
        let asked = |line: &&String| line.starts_with("EHLO");
        assert_eq!(sandbox.mail().transcript().iter().filter(asked).count(), 1, "{command}: it is not tried again");
        assert!(last_mail(&sandbox)["delivery"]["failed"][0]["reason"].as_str().unwrap().contains(line));
    }
}

#[test]
fn a_wrong_password_is_told_and_the_mail_waits_until_it_is_mended() {
    let sandbox = Sandbox::new();
    sandbox.mail().once("AUTH", reply("535 5.7.8 bad credentials"));
    let run = send(&sandbox, "Hello").exits(1).says("refused while logging in: 535 5.7.8 bad credentials");
    run.says("Check MAIL_USERNAME and MAIL_PASSWORD");
    assert_eq!(sandbox.mail().transcript().iter().filter(|line| line.starts_with("AUTH")).count(), 1, "no lock-out");
    send(&sandbox, "Next").succeeds();
    assert_eq!(sandbox.mail().messages().len(), 2);
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_server_that_repeats_the_login_gives_nothing_away() {
    let sandbox = Sandbox::new();
    let encoded = |text: String| base64::encode(text);
    let (user, password) = (sandbox.value("MAIL_USERNAME").unwrap(), sandbox.value("MAIL_PASSWORD").unwrap());
    let forms = [encoded(password.to_owned()), encoded(format!("\0{user}\0{password}"))];
    for extensions in [&["AUTH LOGIN"][..], &["AUTH PLAIN"]] {
        sandbox.mail().announce(extensions);
        sandbox.mail().once("AUTH", Act::Echo("535 5.7.8 not understood:".into()));
        let run = sandbox.command("notify").args(["TEST", "Hello", "--json"]).run().exits(1);
        let run = run.says("535 5.7.8 not understood:").says("[secret]");
        let written = format!("{}{}{:?}{}", run.stdout, run.stderr, run.logs, last_mail(&sandbox));
        for form in &forms {
            assert!(!written.contains(form), "{extensions:?}: {written}");
        }
    }
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_server_that_is_down_costs_no_mail() {
    let mut sandbox = Sandbox::new();
    let port = sandbox.value("MAIL_SMTP_PORT").unwrap().to_owned();
    sandbox.env("MAIL_SMTP_PORT", "1");
    send(&sandbox, "Hello").exits(1).says("cannot connect to the mail server").says("MAIL_SMTP_PORT");
    sandbox.env("MAIL_SMTP_PORT", &port);
    send(&sandbox, "Next").succeeds();
    assert_eq!(sandbox.mail().messages().len(), 2);
}

#[test]
fn a_server_that_hangs_up_is_tried_again() {
    for command in ["CONNECT", "EHLO", "AUTH", "DATA", "."] {
        let sandbox = Sandbox::new();
        sandbox.mail().once(command, Act::Close);
        send(&sandbox, "Hello").succeeds();
        assert_eq!(sandbox.mail().messages().len(), 1, "{command}");
    }
}

#[test]
fn a_server_that_falls_silent_or_drips_bytes_holds_nobody_up() {
    let stalls = ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."].map(|command| (command, Act::Stall));
    let acts = stalls.into_iter().chain([("EHLO", Act::Drip(Duration::from_secs(1)))]);
    let sandboxes: Vec<Sandbox> = acts
        .map(|(command, act)| {
            let sandbox = Sandbox::new();
            sandbox.mail().always(command, act);
            sandbox
        })
        .collect();
    let runs: Vec<_> =
        sandboxes.iter().map(|sandbox| sandbox.command("notify").args(["FAILURE", "Hi"]).spawn()).collect();
    for (run, sandbox) in runs.into_iter().zip(&sandboxes) {
        run.wait().exits(1).says("did not answer while").ends_within(A_MINUTE);
        assert_eq!(waiting(sandbox).len(), 1);
    }
}

#[test]
fn a_killed_tool_loses_no_mail() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let sandbox = Sandbox::new();
        sandbox.mail().once("DATA", Act::Stall);
        let mut run = sandbox.command("notify").args(["FAILURE", "Hello"]).spawn();
        run.wait_until("came to DATA", |_| sandbox.mail().transcript().iter().any(|line| line == "DATA"));
        run.signal(signal);
        let ended = run.wait();
        assert_eq!(ended.code, (signal == Signal::SIGTERM).then_some(143), "{}", ended.report());
        send(&sandbox, "Next").succeeds();
        assert_eq!(sandbox.mail().messages().len(), 2);
        assert_eq!(waiting(&sandbox).len(), 0);
    }
}

#[test]
fn a_mail_that_waited_for_a_week_is_given_up() {
    let sandbox = Sandbox::new();
    sandbox.mail().always("MAIL", reply("451 4.7.1 later"));
    send(&sandbox, "an old one").exits(1);
    let path = waiting(&sandbox).remove(0);
    let file = std::fs::read_to_string(&path).unwrap();
    let written = serde_json::from_str::<serde_json::Value>(file.lines().next().unwrap()).unwrap()["written"].clone();
    std::fs::write(&path, file.replacen(written.as_str().unwrap(), "2025-01-29T02:00:00Z", 1)).unwrap();
    sandbox.mail().always("MAIL", reply("250 ok"));
    send(&sandbox, "Next").succeeds().logs("notify.log", "it waited for 7 days");
    assert_eq!((sandbox.mail().messages().len(), waiting(&sandbox).len()), (1, 0));
}

#[test]
fn a_state_directory_that_cannot_be_written_does_not_stop_a_mail() {
    let mut sandbox = Sandbox::new();
    sandbox.env("BACKUP_STATE_DIR", "/proc/nowhere");
    send(&sandbox, "Hello").succeeds().says("cannot keep the mail");
    assert_eq!(sandbox.mail().messages().len(), 1);
    sandbox.mail().always("MAIL", reply("451 4.7.1 later"));
    send(&sandbox, "Hello").exits(1).says("given up");
}
