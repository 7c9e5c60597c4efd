//! The start: everything is checked first, and what was missed is caught up.

use acceptance::postgres::Cluster;
use acceptance::sandbox::Sandbox;
use acceptance::store::On;
use nix::sys::signal::Signal;

use super::Host;

#[test]
fn every_mistake_in_settings_and_schedule_is_told_at_once_and_cron_does_not_start() {
    let mut host = Host::new();
    host.cron("touch \"$BACKUP_HOME/cron-ran\"; exec sleep 300");
    host.crontab("0 25 * * * root container job backup\n");
    host.sandbox.env("TZ", "Europe/Nowhere").env("DB_PORT", "0").env("BACKUP_RETENTION_DAYS", "none");
    let outcome = host.start().run().exits(78);
    for name in ["TZ is", "DB_PORT is", "BACKUP_RETENTION_DAYS is"] {
        assert!(outcome.stderr.contains(name), "{name}\n{}", outcome.report());
    }
    assert!(host.output().contains("line 2: the hour is `25`"), "{}", host.output());
    assert!(!host.run_folder().exists());
    assert!(host.sandbox.store().requests(&On::any()).is_empty());
    host.sandbox.assert_no_secret_leaked();
}

#[test]
fn a_mistake_in_a_mounted_env_file_is_found_too() {
    let mut host = Host::new();
    host.sandbox.unset("DB_PORT").write(".env", "DB_PORT=postgres\n");
    host.start().run().exits(78).says("DB_PORT is `postgres`");
}

#[test]
fn without_a_schedule_nothing_starts() {
    let host = Host::new();
    std::fs::remove_file(host.sandbox.home().join("crontab")).unwrap();
    host.start().run().exits(78);
    assert!(host.output().contains("cannot read it"), "{}", host.output());
}

#[test]
fn what_is_wrong_can_be_asked_by_hand() {
    let mut host = Host::new();
    host.sandbox.command("container").arg("check").run().succeeds().prints("the settings are good");
    host.sandbox.env("BACKUP_NOTIFY_ON", "sometimes");
    host.sandbox.command("container").arg("check").run().exits(78).says("BACKUP_NOTIFY_ON");
    host.sandbox.env("BACKUP_ENABLED", "false");
    host.sandbox.command("container").arg("check").run().succeeds().says("BACKUP_ENABLED is false");
}

#[test]
fn the_schedule_is_kept_in_the_containers_time_zone_and_cron_gets_nothing_else() {
    let mut host = Host::new();
    host.sandbox.unset("TZ").write(".env", "TZ=Asia/Kathmandu\n");
    host.cron(&format!("env >'{}'; exec sleep 300", host.sandbox.home().join("seen").display()));
    let mut running = host.started();
    let seen = || std::fs::read_to_string(host.sandbox.home().join("seen")).unwrap_or_default();
    running.wait_until("started cron", |_| seen().contains("PATH="));
    assert!(seen().contains("TZ=Asia/Kathmandu"), "{}", seen());
    assert!(!seen().contains("DB_PASSWORD") && !seen().contains("AWS_"), "{}", seen());
    running.signal(Signal::SIGTERM);
    running.wait().succeeds();
}

#[test]
fn a_first_backup_is_made_when_the_database_has_come_up() {
    let cluster = Cluster::start();
    let host = Host::around(Sandbox::on(cluster.create_database()));
    cluster.stop_immediate();
    let mut running = host.start().spawn();
    host.wait_for(&mut running, "takes no connections yet; it is waited for");
    cluster.restart();
    host.wait_for(&mut running, "backup: ");
    running.wait_until("promoted a backup", |_| host.output().contains("INFO promoted to monthly"));
    running.signal(Signal::SIGTERM);
    running.wait().succeeds();
    // Nobody was told of a database that had not come up yet.
    assert!(!host.output().contains("ERROR"), "{}", host.output());
}
