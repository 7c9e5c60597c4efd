//! The guide that users know: each of its commands that names the container.

use std::time::Duration;

use crate::engine::wait_until;
use crate::site::Site;

#[test]
fn the_commands_of_the_guide_work() {
    let mut site = Site::new();
    site.up();
    site.compose(&["build", "backup"]).succeeds();
    site.compose(&["up", "-d"]).succeeds();
    wait_until(Duration::from_mins(1), || site.backups().len() == 1, || site.log());

    site.compose(&["ps", "backup"]).succeeds().says("backup");
    site.compose(&["logs", "backup"]).succeeds().says("INFO started");
    site.exec(&["/backup/scripts/backup.sh"]).succeeds().says("s3://");
    site.exec(&["bash", "-c", "cd /backup && ./scripts/backup.sh"]).succeeds().says("s3://");
    assert_eq!(site.backups().len(), 3);
    site.exec(&["timeout", "1", "tail", "-f", "/backup/logs/backup.log"]).exits(124).says("INFO");
    site.exec(&["ls", "-la", "/backup/logs/"]).succeeds().says("backup.log");
    site.exec(&["/backup/scripts/cleanup.sh"]).succeeds();
    site.exec(&["/backup/scripts/restore-test.sh"]).succeeds();
    site.exec(&["/backup/scripts/health-check.sh"]).succeeds();
    site.exec(&["pg_isready", "-h", "db", "-p", "5432", "-U", "eleganttex"]).succeeds().says("accepting connections");
    site.exec(&["timeout", "1", "tail", "-f", "/backup/logs/health.log"]).exits(124);
    site.exec(&["/backup/scripts/notify.sh", "TEST", "Test message", "Test details"]).succeeds();
    site.exec(&["timeout", "1", "tail", "-f", "/backup/logs/notify.log"]).exits(124);
    site.exec(&["df", "-h"]).succeeds().says("/backup/");
    site.exec(&["bash", "-c", "du -sh /backup/logs/*"]).succeeds().says("backup.log");
    site.exec(&["logrotate", "/etc/logrotate.d/backup"]).succeeds();
    // What replaces `aws s3 ls`.
    site.exec(&["restore", "list"]).succeeds().says("eleganttex_backup_");

    // Root's files and cron's are one user's.
    let owners =
        site.exec(&["find", "/backup/logs", "/backup/temp", "/backup/state", "!", "-user", "backup"]).succeeds();
    assert_eq!(owners.stdout, "");
}
