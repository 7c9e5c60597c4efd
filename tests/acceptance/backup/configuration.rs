//! Settings that are wrong: all of them told at once, by mail too, before anything is touched.

use std::time::Duration;

use acceptance::mail::Act;
use acceptance::postgres::canary;
use acceptance::sandbox::{Outcome, Sandbox};
use acceptance::store::On;
use nix::sys::signal::Signal;

use super::only_mail;

/// The run asked nobody anything and wrote nothing down.
fn assert_untouched(sandbox: &Sandbox, outcome: Outcome) -> Outcome {
    let outcome = outcome.exits(78).prints_nothing().says("nothing was touched");
    assert!(sandbox.store().requests(&On::any()).is_empty(), "{}", sandbox.store().transcript());
    let connections = format!("database={} ", sandbox.database().name());
    let log = sandbox.database().cluster().log();
    assert!(!log.contains(&connections), "it connected to the database");
    sandbox.assert_nothing_left_behind();
    sandbox.assert_no_secret_leaked();
    outcome
}

#[test]
fn every_mistake_is_told_in_one_message_and_one_mail() {
    let mut sandbox = Sandbox::new();
    sandbox.env("DB_PORT", "postgres").env("S3_BUCKET_NAME", "s3://shop").env("BACKUP_COMPRESSION_LEVEL", "99");
    sandbox.unset("AWS_ACCESS_KEY_ID").env("BACKUP_RUN_TIMEOUT", "12");
    let outcome = sandbox.command("backup").run();
    let outcome = outcome.says("5 settings are wrong, nothing was touched:");
    let letter = only_mail(&sandbox, &outcome);
    assert!(letter.subject.starts_with("❌ Backup FAILED: "), "{}", letter.subject);
    assert!(letter.subject.ends_with("(a setting is wrong)"), "{}", letter.subject);
    assert!(
        letter.text.starts_with("backup could not start: a setting is wrong. Nothing was touched."),
        "{}",
        letter.text
    );
    let mut outcome = outcome;
    for told in [
        "DB_PORT is `postgres`: must be a whole number from 1 to 65535",
        "for example DB_PORT=5432",
        "S3_BUCKET_NAME is `s3://shop`: must be the bucket's name alone",
        "AWS_ACCESS_KEY_ID is not set, but AWS_SECRET_ACCESS_KEY is",
        "BACKUP_COMPRESSION_LEVEL is `99`: must be a whole number from 1 to 12",
        "BACKUP_RUN_TIMEOUT is `12`: must be a number and a unit",
    ] {
        assert!(letter.text.contains(told), "expected in the mail: {told}\n{}", letter.text);
        outcome = outcome.says(told).logs("backup.log", told);
    }
    assert_untouched(&sandbox, outcome);
}

#[test]
fn json_tells_it_too() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("S3_BUCKET_NAME");
    let outcome = sandbox.command("backup").arg("--json").run().exits(78);
    let document = outcome.json();
    assert_eq!((&document["outcome"], &document["exit_code"]), (&"config-error".into(), &78.into()));
    assert!(document["error"].as_str().unwrap().contains("S3_BUCKET_NAME is not set"), "{document}");
}

#[test]
fn mail_settings_that_are_wrong_too_leave_the_log() {
    let mut sandbox = Sandbox::new();
    sandbox.env("MAIL_SMTP_PORT", "smtp").env("DB_PORT", "x");
    let outcome = sandbox.command("backup").run().says("MAIL_SMTP_PORT is `smtp`").says("DB_PORT is `x`");
    let outcome = outcome.says("nobody is told by mail");
    assert_untouched(&sandbox, outcome);
    assert!(sandbox.mail().transcript().is_empty());
}

#[test]
fn a_mail_server_that_is_down_changes_no_exit_code() {
    let mut sandbox = Sandbox::new();
    sandbox.mail().always("MAIL", Act::Reply("451 4.3.0 try again later".into()));
    sandbox.env("DB_PORT", "x");
    let outcome = sandbox.command("backup").run().says("waits for the next run");
    assert_untouched(&sandbox, outcome);
}

#[test]
fn whoever_ends_a_run_does_not_wait_for_its_mail() {
    let mut sandbox = Sandbox::new();
    sandbox.mail().once("MAIL", Act::Stall);
    sandbox.env("DB_PORT", "x");
    let mut running = sandbox.command("backup").spawn();
    running.wait_until("a mail", |_| sandbox.mail().transcript().iter().any(|line| line.starts_with("MAIL")));
    running.signal(Signal::SIGTERM);
    running.wait().exits(143).ends_within(Duration::from_secs(10)).says("SIGTERM received");
    let outcome = sandbox.command("backup").run().exits(78);
    only_mail(&sandbox, &outcome);
}

#[test]
fn who_wants_no_mail_gets_none() {
    let mut sandbox = Sandbox::new();
    sandbox.env("DB_PORT", "x");
    for argument in ["--no-notify", "--dry-run"] {
        let outcome = sandbox.command("backup").arg(argument).run();
        assert_untouched(&sandbox, outcome);
    }
    assert!(sandbox.mail().transcript().is_empty());
}

#[test]
fn the_value_of_a_secret_is_never_shown() {
    let mut sandbox = Sandbox::new();
    let secret = canary("both");
    let file = sandbox.write("bin/secret", &secret).display().to_string();
    sandbox.env("DB_PASSWORD", &secret).env("DB_PASSWORD_FILE", &file).env("AWS_SESSION_TOKEN", "canarytoken");
    let outcome = sandbox.command("backup").arg("--verbose").run();
    let outcome = outcome.says("DB_PASSWORD_FILE and DB_PASSWORD are both set: leave one out").never_says(&secret);
    assert_untouched(&sandbox, outcome);
}

#[test]
fn what_looks_like_a_setting_and_is_none_is_warned_of() {
    let mut sandbox = Sandbox::new();
    sandbox.env("DB_PASWORD", "canarypasword").env("BACKUP_RETENTION", "3");
    let outcome = sandbox.command("backup").arg("--dry-run").run().succeeds();
    let outcome = outcome.says("DB_PASWORD is set, but is not a setting: is DB_PASSWORD meant?");
    outcome.says("BACKUP_RETENTION is set, but is not a setting").never_says("canarypasword");
    sandbox.unset("S3_BUCKET_NAME").env("S3_BUCKET", "shop");
    let outcome = sandbox.command("backup").run();
    outcome.exits(78).says("S3_BUCKET_NAME is not set (S3_BUCKET is, which is not a setting)");
}

#[test]
fn a_time_zone_that_nobody_knows_is_warned_of() {
    let mut sandbox = Sandbox::new();
    sandbox.env("TZ", "Europe/Nowhere");
    let outcome = sandbox.command("backup").arg("--dry-run").run().succeeds();
    outcome.says("TZ=Europe/Nowhere is not a time zone known here: all times are UTC");
}

#[test]
fn the_time_zone_is_that_of_keys_and_logs() {
    let mut sandbox = Sandbox::new();
    // Ahead of and behind UTC by more than any run takes, without a file to look up.
    for (zone, hours) in [("AHEAD-13", 13), ("BEHIND11", -11)] {
        sandbox.env("TZ", zone);
        let before = time::OffsetDateTime::now_utc();
        let outcome = sandbox.command("backup").arg("--dry-run").run().succeeds().never_says("time zone");
        let (_, stamp) = outcome.stdout.lines().next().unwrap().rsplit_once("_backup_").unwrap();
        let local = |at: time::OffsetDateTime| {
            let at = at + time::Duration::hours(hours);
            format!(
                "{}{:02}{:02}_{:02}{:02}{:02}",
                at.year(),
                u8::from(at.month()),
                at.day(),
                at.hour(),
                at.minute(),
                at.second()
            )
        };
        let stamp = stamp.trim_end_matches(".sql.gz");
        assert!(*stamp >= *local(before) && *stamp <= *local(time::OffsetDateTime::now_utc()), "{stamp}");
    }
}

#[test]
fn help_and_version_need_no_setting() {
    let sandbox = Sandbox::new();
    for argument in ["--help", "--version", "-h"] {
        let mut run = sandbox.command("backup").arg(argument);
        for name in ["S3_BUCKET_NAME", "BACKUP_HOME", "DB_HOST"] {
            run = run.unset(name);
        }
        run.run().succeeds().prints("backup");
    }
    let help = sandbox.command("backup").arg("--help").run().stdout;
    for told in ["--dry-run", "--if-older-than", "Examples:", "Exit codes:", "  78   a setting is wrong", "143"] {
        assert!(help.contains(told), "expected in --help: {told}\n{help}");
    }
}
