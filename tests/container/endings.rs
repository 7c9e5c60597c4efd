//! How it ends: when told to, with a backup under way; when cron dies.

use acceptance::store::{Fault, On, Operation};

use crate::engine::{docker, wait_until};
use crate::site::{PATIENCE, Site};

/// A backup that stands still in its upload, started so.
fn in_the_middle_of_a_backup(crontab: &str, start: impl FnOnce(&Site)) -> Site {
    let mut site = Site::new();
    site.crontab(crontab).service("command", serde_json::json!(["container", "start", "--no-catch-up"])).up();
    // Random enough not to be compressed: several parts.
    site.sql("CREATE TABLE noise AS SELECT n, sha512(n::text::bytea)::text || sha512((-n)::text::bytea)::text AS text FROM generate_series(1, 150000) n");
    site.store.fault(On::operation(Operation::UploadPart).after(1), Fault::Stall);
    start(&site);
    site.store.wait_for(&On::operation(Operation::UploadPart), 2, PATIENCE);
    site
}

fn stops_cleanly(site: &Site) {
    site.compose(&["stop", "backup"]).succeeds();
    // Not killed, neither by Docker nor by the main process, which waits for fifteen seconds.
    assert_eq!(site.inspect("State.ExitCode"), "0", "{}", site.log());
    assert!(!site.log().contains("did not end in time"), "{}", site.log());
    assert_eq!(site.store.keys(), [""; 0]);
    assert_eq!(site.store.unfinished_uploads(), []);
    let log = site.log();
    assert!(log.contains("backup: ") && log.contains("ended by SIGTERM"), "{log}");
    site.mail.wait_for(1, PATIENCE);
}

#[test]
fn a_backup_that_cron_started_ends_in_order_when_the_container_is_stopped() {
    let site = in_the_middle_of_a_backup("* * * * * root container job backup\n", |_| {});
    stops_cleanly(&site);
}

#[test]
fn a_backup_that_was_started_by_hand_ends_in_order_too() {
    let site = in_the_middle_of_a_backup("0 2 * * * root container job backup\n", |site| {
        docker(["exec", "--detach", &site.container(), "/backup/scripts/backup.sh"]).succeeds();
    });
    stops_cleanly(&site);
}

#[test]
fn the_container_ends_when_cron_dies() {
    let mut site = Site::new();
    site.service("restart", serde_json::json!("no")).up();
    site.exec(&["bash", "-c", "kill -KILL $(cat /run/crond.pid)"]).succeeds();
    wait_until(PATIENCE, || site.inspect("State.Status") == "exited", || site.log());
    assert_eq!(site.inspect("State.ExitCode"), "1");
    site.wait_for_log("cron has ended (SIGKILL): no job would run any more", PATIENCE);
}

#[test]
fn the_container_ends_when_cron_starts_nothing_and_a_mail_says_so() {
    let mut site = Site::new();
    site.crontab("* * * * * root container job health-check --no-notify\n");
    site.service("command", serde_json::json!(["container", "start", "--no-catch-up", "--late-after", "1m"]));
    site.service("restart", serde_json::json!("no")).up();
    site.exec(&["bash", "-c", "kill -STOP $(cat /run/crond.pid)"]).succeeds();
    let late = "cron runs, but has not started `health-check --no-notify` when it was time to";
    site.wait_for_log(late, PATIENCE);
    wait_until(PATIENCE, || site.inspect("State.Status") == "exited", || site.log());
    assert_eq!(site.inspect("State.ExitCode"), "1", "{}", site.log());
    assert!(site.mail.wait_for(1, PATIENCE)[0].letter().text.contains(late));
}

#[test]
fn a_container_that_ended_with_cron_is_started_again() {
    let mut site = Site::new();
    site.up();
    site.exec(&["bash", "-c", "kill -KILL $(cat /run/crond.pid)"]).succeeds();
    wait_until(PATIENCE, || site.log().matches("INFO started").count() == 2, || site.log());
    assert_eq!(site.inspect("State.Status"), "running");
}
