//! Who is told, when, and how the mails of one fault hang together.

use std::time::Duration;

use acceptance::mail::Act;
use acceptance::sandbox::Running;
use nix::sys::signal::Signal;
use time::format_description::well_known::Rfc3339;

use super::*;

/// A sandbox in which the database's server can be taken away.
fn healthy_alone() -> Sandbox {
    healthy_on(Sandbox::on(acceptance::postgres::Cluster::start().create_database()))
}

/// Lets so many hours have passed since the last mail, and since the fault began.
fn let_hours_pass(sandbox: &Sandbox, hours: i64) {
    let mut state = state_file(sandbox).expect("an alert is open");
    for member in ["told", "since"] {
        let then = OffsetDateTime::parse(state[member].as_str().unwrap(), &Rfc3339).unwrap();
        state[member] = (then - time::Duration::hours(hours)).format(&Rfc3339).unwrap().into();
    }
    sandbox.write("state/health-alert.json", &state.to_string());
}

#[test]
fn an_alert_that_a_signal_keeps_from_being_sent_comes_once() {
    let sandbox = healthy_alone();
    health(&sandbox).run().succeeds();
    sandbox.database().cluster().stop_immediate();
    sandbox.mail().once("MAIL", Act::Stall);
    let mut running = health(&sandbox).spawn();
    running.wait_until("a mail", |_| sandbox.mail().transcript().iter().any(|line| line.starts_with("MAIL")));
    running.signal(Signal::SIGTERM);
    running.wait().exits(1).ends_within(Duration::from_mins(1)).says("kept for the next tool that runs");
    assert_eq!(letters(&sandbox).len(), 0);
    for _ in 0..2 {
        health(&sandbox).run().exits(1);
    }
    assert_eq!(letters(&sandbox).len(), 1);
}

#[test]
fn an_alert_its_reminder_and_its_end_are_one_conversation() {
    let sandbox = healthy_alone();
    health(&sandbox).run().succeeds();
    sandbox.database().cluster().stop_immediate();
    for _ in 0..3 {
        health(&sandbox).run().exits(1);
    }
    assert_eq!(letters(&sandbox).len(), 1, "once, and not every hour");
    let_hours_pass(&sandbox, 23);
    health(&sandbox).run().exits(1);
    assert_eq!(letters(&sandbox).len(), 1, "not before its time");
    let_hours_pass(&sandbox, 1);
    health(&sandbox).run().exits(1);
    health(&sandbox).run().exits(1);
    assert_eq!(letters(&sandbox).len(), 2, "a reminder, once");
    sandbox.database().cluster().restart();
    health(&sandbox).run().succeeds();
    health(&sandbox).run().succeeds();

    let letters = letters(&sandbox);
    let [alert, reminder, over] = letters.as_slice() else { panic!("{} mails", letters.len()) };
    assert!(
        alert.subject.starts_with("⚠️ Health ALERT: ") && alert.subject.ends_with("(critical: database)"),
        "{}",
        alert.subject
    );
    assert!(alert.text.contains("CRITICAL  database: cannot ask the database server"), "{}", alert.text);
    assert!(alert.text.contains("The newest backup is "), "{}", alert.text);
    assert!(
        alert.text.contains("THE END OF HEALTH.LOG") && alert.text.contains("docker-compose exec backup health-check")
    );
    assert!(reminder.subject.ends_with("(still: database)") && reminder.text.contains("Still not well, since"));
    assert!(
        over.subject.starts_with("✅ Health recovered: ") && over.subject.ends_with("(was: database)"),
        "{}",
        over.subject
    );
    assert!(over.text.contains("All is well again, after 1 day"), "{}", over.text);
    let first = alert.header("Message-ID").unwrap();
    assert_eq!((alert.header("In-Reply-To"), alert.header("References")), (None, None));
    for later in [reminder, over] {
        assert_eq!((later.header("In-Reply-To"), later.header("References")), (Some(first), Some(first)));
        assert_ne!(later.header("Message-ID"), Some(first));
    }
    sandbox.assert_no_secret_leaked();
}

#[test]
fn what_gets_worse_is_told_at_once_in_the_same_conversation() {
    let sandbox = healthy_alone();
    make_older(&sandbox, 30);
    health(&sandbox).run().exits(1);
    sandbox.database().cluster().stop_immediate();
    health(&sandbox).run().exits(1);
    // One of the two is over, which is not hidden behind the other.
    sandbox.database().cluster().restart();
    health(&sandbox).run().exits(1);
    health(&sandbox).run().exits(1);
    let letters = letters(&sandbox);
    assert_eq!(letters.len(), 3);
    assert!(letters[2].subject.ends_with("(over: database; still: recent-backup)"), "{}", letters[2].subject);
    assert!(letters[1].subject.ends_with("(critical: database)"), "{}", letters[1].subject);
    assert_eq!(letters[1].header("References"), letters[0].header("Message-ID"));
    // Both stand in it, what is known with its beginning.
    assert!(
        letters[1].text.contains("(since ") && letters[1].text.contains("CRITICAL  recent-backup"),
        "{}",
        letters[1].text
    );
    assert!(letters[0].text.contains("THE END OF BACKUP.LOG"), "{}", letters[0].text);
}

#[test]
fn what_is_only_odd_is_left_over_when_nothing_is_broken_any_more() {
    let sandbox = healthy_alone();
    sandbox.database().cluster().stop_immediate();
    sandbox.command("backup").arg("--no-notify").run().exits(1);
    health(&sandbox).run().exits(1);
    sandbox.database().cluster().restart();
    health(&sandbox).run().succeeds().prints("Healthy, but look at: recent-backup");
    let over = letters(&sandbox).pop().unwrap();
    assert!(
        over.subject.starts_with("✅ Health recovered: ") && over.subject.ends_with("(was: database)"),
        "{}",
        over.subject
    );
    assert!(over.text.contains("Nothing is broken any more; some things are still odd, after "), "{}", over.text);
    assert!(over.text.contains(" old and has "), "{}", over.text);
}

#[test]
fn a_state_that_is_lost_or_damaged_costs_one_mail() {
    let sandbox = healthy();
    make_older(&sandbox, 30);
    health(&sandbox).run().exits(1);
    for damage in ["remove", "damage"] {
        let before = letters(&sandbox).len();
        match damage {
            "remove" => std::fs::remove_file(sandbox.home().join("state/health-alert.json")).unwrap(),
            _ => drop(sandbox.write("state/health-alert.json", "{\"thread\":")),
        }
        for _ in 0..3 {
            health(&sandbox).run().exits(1);
        }
        assert_eq!(letters(&sandbox).len(), before + 1, "{damage}");
    }
}

#[test]
fn twenty_runs_at_once_send_one_mail() {
    let sandbox = healthy();
    make_older(&sandbox, 30);
    for expected in [1, 2] {
        let running: Vec<Running<'_>> =
            (0..20).map(|_| health(&sandbox).args(["--only", "recent-backup"]).spawn()).collect();
        for run in running {
            run.wait().exits(1);
        }
        assert_eq!(letters(&sandbox).len(), expected);
        // What is known is whole, whoever wrote it; without it, they are told once more.
        assert_eq!(state_file(&sandbox).unwrap()["problems"]["recent-backup"]["state"], "critical");
        std::fs::remove_file(sandbox.home().join("state/health-alert.json")).unwrap();
    }
    sandbox.assert_no_litter();
}

#[test]
fn a_warning_is_told_once_and_when_it_is_over() {
    let sandbox = healthy();
    let odd = || health(&sandbox).env("BACKUP_WEEKLY_RETENTION", "4");
    odd().run().succeeds().prints("Healthy, but look at: settings");
    odd().run().succeeds();
    assert_eq!(letters(&sandbox).len(), 1);
    let_hours_pass(&sandbox, 30);
    odd().run().succeeds();
    assert_eq!(letters(&sandbox).len(), 1, "what is only odd is recalled every week");
    let_hours_pass(&sandbox, 7 * 24);
    odd().run().succeeds();
    assert_eq!(letters(&sandbox).len(), 2);
    health(&sandbox).run().succeeds();
    assert!(letters(&sandbox)[2].subject.ends_with("(was: settings)"), "{}", letters(&sandbox)[2].subject);
    assert!(letters(&sandbox)[2].subject.contains("recovered"), "{}", letters(&sandbox)[2].subject);
}

#[test]
fn with_no_notify_nobody_is_told_and_nothing_is_remembered() {
    let sandbox = healthy();
    make_older(&sandbox, 30);
    health(&sandbox).arg("--no-notify").run().exits(1);
    assert_eq!((letters(&sandbox).len(), sandbox.mail().transcript().len()), (0, 0));
    assert_eq!(state_file(&sandbox), None);
    assert!(
        !sandbox.home().join("state/health-check.json").exists(),
        "Docker's looks are no sign that cron starts jobs"
    );
    health(&sandbox).run().exits(1);
    assert_eq!(letters(&sandbox).len(), 1);
    assert!(sandbox.home().join("state/health-check.json").exists());
}

#[test]
fn an_alert_that_could_not_be_sent_comes_before_its_end() {
    let sandbox = healthy();
    sandbox.mail().always("CONNECT", Act::Reply("421 4.3.2 shutting down".into()));
    health(&sandbox).run().exits(1).prints("CRITICAL  notifications");
    assert_eq!(letters(&sandbox).len(), 0);
    sandbox.mail().always("CONNECT", Act::Reply("220 sink.test ESMTP".into()));
    health(&sandbox).run().succeeds();
    let letters = letters(&sandbox);
    assert_eq!(letters.len(), 2);
    assert!(letters[0].subject.contains("ALERT") && letters[1].subject.contains("recovered"), "{}", letters[0].subject);
    assert_eq!(letters[1].header("In-Reply-To"), letters[0].header("Message-ID"));
}

#[test]
fn a_mail_that_another_tool_could_not_send_is_sent() {
    let sandbox = healthy();
    sandbox.command("notify").args(["FAILURE", "from yesterday"]).env("MAIL_SMTP_PORT", "1").run();
    look(&sandbox, "notifications").is_critical("did not get through");
    health(&sandbox).run().succeeds();
    assert!(letters(&sandbox)[0].subject.contains("from yesterday"));
}

#[test]
fn settings_that_are_wrong_are_mailed_once_and_not_every_hour() {
    let sandbox = healthy();
    for _ in 0..3 {
        health(&sandbox).env("HEALTH_DISK_MAX_PERCENT", "101").run().exits(78).says("HEALTH_DISK_MAX_PERCENT");
    }
    assert_eq!(letters(&sandbox).len(), 1);
    // Another mistake is news.
    health(&sandbox).env("HEALTH_REMINDER_HOURS", "0").run().exits(78);
    let letters = letters(&sandbox);
    assert!(letters.len() == 2 && letters[1].text.contains("HEALTH_REMINDER_HOURS"), "{}", letters.len());
}
