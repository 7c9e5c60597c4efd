//! A container that does not start mails: nobody may be looking at its log, and what would notice does not run either.

use std::time::Duration;

use acceptance::mail::Letter;
use time::OffsetDateTime;

use super::Host;

fn letters(host: &Host) -> Vec<Letter> {
    host.sandbox.mail().messages().iter().map(acceptance::mail::Message::letter).collect()
}

#[test]
fn wrong_settings_and_a_bad_schedule_are_mailed_once_a_day_until_something_else_is_wrong() {
    let mut host = Host::new();
    host.crontab("0 25 * * * root container job backup\n");
    host.sandbox.env("BACKUP_RETENTION_DAYS", "none");
    host.start().run().exits(78);
    // The restart policy starts it again and again.
    host.start().run().exits(78).says("a mail has told of this already");
    let [letter] = &letters(&host)[..] else { panic!("{:?}", letters(&host)) };
    assert!(letter.subject.ends_with("(the container does not start)"), "{}", letter.subject);
    assert!(letter.text.contains("The backup container does not start."), "{}", letter.text);
    assert!(letter.text.contains("BACKUP_RETENTION_DAYS is `none`"), "{}", letter.text);
    assert!(letter.text.contains("line 2: the hour is `25`"), "{}", letter.text);
    assert!(letter.text.contains("docker-compose up -d backup"), "{}", letter.text);

    host.sandbox.unset("BACKUP_RETENTION_DAYS");
    host.start().run().exits(78);
    let [_, letter] = &letters(&host)[..] else { panic!("{:?}", letters(&host)) };
    assert!(letter.text.contains("the hour is `25`") && !letter.text.contains("RETENTION"), "{}", letter.text);
    host.sandbox.assert_no_secret_leaked();
}

#[test]
fn a_settings_file_that_cannot_be_read_is_mailed_by_what_the_environment_says() {
    let mut host = Host::new();
    host.sandbox.unset("DB_NAME").unset("DB_HOST");
    host.sandbox.write(".env", "S3_BUCKET_NAME='shop\n");
    host.start().run().exits(78);
    let [letter] = &letters(&host)[..] else { panic!("{:?}", letters(&host)) };
    assert!(letter.subject.contains("Backup FAILED: eleganttex on db ("), "{}", letter.subject);
    assert!(letter.text.contains(".env, line 1: cannot read the value of S3_BUCKET_NAME"), "{}", letter.text);
}

#[test]
fn wrong_mail_settings_are_said_and_the_container_ends_all_the_same() {
    let mut host = Host::new();
    host.sandbox.env("MAIL_SMTP_PORT", "smtp");
    host.start().run().exits(78).says("MAIL_SMTP_PORT is `smtp`").says("nobody is told by mail");
    assert_eq!(letters(&host).len(), 0);
}

#[test]
fn where_nothing_can_be_remembered_a_container_that_loops_does_not_mail_every_minute() {
    let mut host = Host::new();
    // Any zone in which it is not nine o'clock; by the rules of POSIX, east is negative.
    let east = 12 - i32::from(OffsetDateTime::now_utc().hour());
    host.sandbox.env("TZ", &format!("NOON{:+}", -east)).env("DB_PORT", "none");
    for place in ["BACKUP_STATE_DIR", "BACKUP_LOG_DIR", "BACKUP_TEMP_DIR"] {
        host.sandbox.env(place, "/proc/nowhere");
    }
    host.start().run().exits(78).says("from 09:00 to 09:03 only");
    assert_eq!(letters(&host).len(), 0);
    // One place is enough.
    let temp = host.sandbox.home().join("temp").display().to_string();
    host.sandbox.env("BACKUP_TEMP_DIR", &temp);
    host.start().run().exits(78);
    host.start().run().exits(78).says("a mail has told of this already");
    assert_eq!(letters(&host).len(), 1);
}

#[test]
fn a_cron_that_dies_is_mailed() {
    let host = Host::new();
    host.cron("exit 7");
    host.start().arg("--no-catch-up").run().exits(1);
    let letter = host.sandbox.mail().wait_for(1, Duration::from_mins(1))[0].letter();
    assert!(letter.text.contains("The backup container has ended."), "{}", letter.text);
    assert!(letter.text.contains("cron has ended (exit code 7)"), "{}", letter.text);
}
