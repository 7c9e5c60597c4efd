//! What is wrong is told when the container starts, all of it, where `docker-compose logs` shows it.

use crate::engine::wait_until;
use crate::site::{PATIENCE, Site};

fn refused(site: &mut Site) -> String {
    site.service("restart", serde_json::json!("no")).begin();
    wait_until(PATIENCE, || site.inspect("State.Status") == "exited", || site.log());
    assert_eq!(site.inspect("State.ExitCode"), "78", "{}", site.log());
    assert!(site.store.requests(&acceptance::store::On::any()).is_empty());
    site.log()
}

#[test]
fn wrong_settings_are_told_all_at_once_and_nothing_starts() {
    let mut site = Site::new();
    site.env("S3_BUCKET_NAME", "").env("BACKUP_RETENTION_DAYS", "0").env("TZ", "Europe/Nowhere");
    site.env("MAIL_SMTP_PORT", "smtp").env("DB_PORT", "99999").env("MAIL_PASSWORD", "never-shown");
    let log = refused(&mut site);
    for name in ["S3_BUCKET_NAME", "BACKUP_RETENTION_DAYS", "TZ", "MAIL_SMTP_PORT", "DB_PORT", "MAIL_USERNAME"] {
        assert!(log.contains(&format!("{name} is")), "{name} is missing in:\n{log}");
    }
    assert!(!log.contains("never-shown"), "{log}");
    assert!(!log.contains("INFO started"), "{log}");
}

#[test]
fn a_schedule_that_cron_would_ignore_is_refused() {
    let mut site = Site::new();
    site.crontab("0 25 * * * root container job backup\n0 3 * * 0 root container job sweep\n");
    let log = refused(&mut site);
    assert!(log.contains("line 4: the hour is `25`"), "{log}");
    assert!(log.contains("line 5: there is no program `sweep`"), "{log}");
}

#[test]
fn without_root_there_is_no_cron_and_the_log_says_what_to_do() {
    let mut site = Site::new();
    site.service("user", serde_json::json!("10001:10001"));
    let log = refused(&mut site);
    assert!(log.contains("was not started by root") && log.contains("docker/kubernetes.yaml"), "{log}");
}
