//! The servers that the tools need: each taken away, or made odd.

use std::time::{Duration, SystemTime};

use acceptance::mail::{Act, Certificate, Smtpd, Tls};
use acceptance::postgres::Cluster;
use acceptance::store::{Fault, On, Operation};

use super::*;

#[test]
fn a_database_server_that_is_stopped() {
    let cluster = Cluster::start();
    let sandbox = Sandbox::on(cluster.create_database());
    look(&sandbox, "database").is_ok("answers: PostgreSQL");
    cluster.stop_immediate();
    look(&sandbox, "database").is_critical("Connection refused");
    cluster.restart();
    look(&sandbox, "database").is_ok("answers: PostgreSQL");
}

#[test]
fn a_database_that_lets_nobody_in_although_its_port_is_open() {
    let mut sandbox = Sandbox::new();
    sandbox.env("DB_PASSWORD", "wrong-canary-password");
    look(&sandbox, "database").is_critical("password authentication failed");
    let mut sandbox = Sandbox::new();
    sandbox.env("DB_NAME", "nowhere");
    look(&sandbox, "database").is_critical("database \"nowhere\" does not exist");
}

#[test]
fn a_bucket_that_is_gone() {
    let sandbox = Sandbox::new();
    look(&sandbox, "storage").is_ok("s3://shop-backups/db-backups/ can be listed");
    std::fs::remove_dir_all(sandbox.store().folder()).unwrap();
    look(&sandbox, "storage").is_critical("NoSuchBucket");
    look(&sandbox, "recent-backup").is_critical("it is not known which backups there are: cannot list");
    look(&sandbox, "restore-test").is_critical("it is not known what was tested: cannot list");
}

#[test]
fn keys_that_may_not_list() {
    let mut sandbox = Sandbox::new();
    sandbox.env("AWS_SECRET_ACCESS_KEY", "wrong");
    let found = look(&sandbox, "storage");
    found.is_critical("SignatureDoesNotMatch");
    assert!(found.advice.contains("AWS_SECRET_ACCESS_KEY"), "{found:?}");
}

#[test]
fn a_store_with_another_clock() {
    let sandbox = Sandbox::new();
    let date = Fault::alter(|answer| {
        answer.headers.retain(|(name, _)| name != "date");
        answer.headers.push(("date".into(), "Sun, 06 Nov 1994 08:49:37 GMT".into()));
    });
    sandbox.store().fault(On::operation(Operation::ListObjects).query("max-keys", "1"), date);
    look(&sandbox, "storage").is_warning("the clocks here and at the store differ by");
}

#[test]
fn unfinished_uploads_that_pile_up_and_a_store_that_does_not_tell_of_them() {
    let sandbox = Sandbox::new();
    for hours in 20..33 {
        let key = layout(&sandbox).key(BackupId { taken: hours_ago(hours), tier: Tier::Daily });
        sandbox.store().seed_upload(&key, SystemTime::now() - Duration::from_hours(hours.unsigned_abs()));
    }
    // Younger than a day: 20 to 23.
    look(&sandbox, "storage").is_warning("9 uploads were begun and never finished");
    sandbox.store().fault(On::operation(Operation::ListMultipartUploads), Fault::refuse("AccessDenied"));
    look(&sandbox, "storage").is_ok("can be listed");
}

#[test]
fn a_mail_that_did_not_get_through_and_one_that_would_not() {
    let sandbox = Sandbox::new();
    let notifications = || found(&health(&sandbox).args(["--only", "notifications", "--json"]).run(), "notifications");
    notifications().is_ok("the mail server answers; no mail has been sent yet");
    sandbox.command("notify").args(["TEST", "hello"]).run().succeeds();
    notifications().is_ok("got through");

    sandbox.mail().once("RCPT", Act::Reply("550 5.1.1 no such user".into()));
    sandbox.command("notify").args(["FAILURE", "hello"]).run().exits(1);
    look(&sandbox, "notifications").is_critical("550 5.1.1 no such user");
    sandbox.command("notify").args(["TEST", "hello"]).run().succeeds();
    look(&sandbox, "notifications").is_ok("got through");

    // The password was changed, and no mail has been sent since.
    sandbox.mail().always("AUTH", Act::Reply("535 5.7.8 wrong password".into()));
    notifications().is_critical("535 5.7.8 wrong password");
}

#[test]
fn a_mail_server_that_is_not_there_and_nobody_to_be_told() {
    let mut sandbox = Sandbox::new();
    sandbox.env("MAIL_SMTP_PORT", "1");
    let outcome = health(&sandbox).args(["--only", "notifications", "--json"]).run();
    found(&outcome, "notifications").is_critical("cannot connect to the mail server");
    sandbox.unset("BACKUP_NOTIFICATION_EMAIL");
    look(&sandbox, "notifications").is_warning("nobody is told of anything");
}

#[test]
fn a_mail_server_whose_certificate_is_about_to_end() {
    let server = Smtpd::start(Tls::StartTls, Certificate::Valid, None);
    let mut sandbox = Sandbox::new();
    sandbox.unset("MAIL_USERNAME").unset("MAIL_PASSWORD");
    sandbox.env("MAIL_SMTP_SERVER", "localhost").env("MAIL_SMTP_PORT", &server.port().to_string());
    sandbox.env("MAIL_SMTP_SECURITY", "starttls").env("MAIL_SMTP_CA_FILE", &server.ca_file().display().to_string());
    let outcome = health(&sandbox).args(["--only", "notifications", "--json"]).run();
    let document = outcome.json();
    found(&outcome, "notifications").is_warning("the mail server's certificate is valid for 23 h");
    assert!(document["figures"]["backup_mail_certificate_expiry_timestamp_seconds"].as_f64().unwrap() > 1.7e9);
    assert_eq!(server.messages().len(), 1, "a warning is mailed");
}
