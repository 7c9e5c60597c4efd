//! The guide that users know: each of its commands that names the container, by docker-compose, as it is printed there.

use crate::engine::Said;
use crate::site::{PATIENCE, Site};

/// `docker-compose COMMAND`; `exec` needs a `-T` here, for want of a terminal.
fn guide(site: &Site, command: &[&str]) -> Said {
    match command {
        ["exec", rest @ ..] => site.compose(&[&["exec", "-T"], rest].concat()),
        command => site.compose(command),
    }
}

#[test]
fn the_commands_of_the_guide_work() {
    let site = Site::new();
    site.prepare();
    let run = |command: &[&str]| guide(&site, command);
    run(&["build", "backup"]).succeeds();
    run(&["up", "-d"]).succeeds();
    site.sql("CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1)");
    site.wait_for_first_backup();

    run(&["ps", "backup"]).succeeds().says("backup");
    run(&["logs", "backup"]).succeeds().says("INFO started");
    run(&["exec", "backup", "/backup/scripts/backup.sh"]).succeeds().says("s3://");
    run(&["exec", "backup", "bash", "-c", "cd /backup && ./scripts/backup.sh"]).succeeds().says("s3://");
    assert_eq!(site.backups().len(), 3);
    run(&["exec", "backup", "ls", "-la", "/backup/logs/"]).succeeds().says("backup.log");
    run(&["exec", "backup", "/backup/scripts/cleanup.sh"]).succeeds();
    run(&["exec", "backup", "/backup/scripts/restore-test.sh"]).succeeds();
    run(&["exec", "backup", "/backup/scripts/health-check.sh"]).succeeds();
    let notify = ["exec", "backup", "/backup/scripts/notify.sh", "TEST", "Test message", "Test details"];
    run(&notify).succeeds();
    let reach = ["exec", "backup", "pg_isready", "-h", "db", "-p", "5432", "-U", "eleganttex"];
    run(&reach).succeeds().says("accepting connections");
    // `tail -f` does not end by itself.
    for log in ["backup", "health", "notify"] {
        let tail = ["timeout", "1", "tail", "-f", &format!("/backup/logs/{log}.log")];
        site.exec(&tail).exits(124);
    }
    run(&["exec", "backup", "df", "-h"]).succeeds().says("/backup/");
    run(&["exec", "backup", "logrotate", "/etc/logrotate.d/backup"]).succeeds();

    // What the README puts in the place of those that cannot work.
    run(&["exec", "backup", "restore", "list"]).succeeds().says("eleganttex_backup_");
    run(&["exec", "backup", "health-check", "--only", "storage"]).succeeds().says("storage");
    run(&["exec", "backup", "du", "-ah", "/backup/logs"]).succeeds().says("backup.log");

    // Root's files and cron's are one user's.
    let owners =
        site.exec(&["find", "/backup/logs", "/backup/temp", "/backup/state", "!", "-user", "backup"]).succeeds();
    assert_eq!(owners.stdout, "");

    run(&["restart", "backup"]).succeeds();
    site.wait_for_log("no backup is due", PATIENCE);
}
