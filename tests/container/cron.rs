//! The schedule: Debian's own cron, in its own time, starts each job, which finds everything that it needs.

use crate::engine::wait_until;
use crate::site::{PATIENCE, Site};

/// Everything that a shell, a YAML file or cron itself would trip over.
const ODD: &str = "a b\t'c' \"d\" $e ${f} `g` $(h) \\ % # ; & | * ? ~ = é \u{1}\nMAILTO=root\n";

#[test]
fn cron_runs_every_job_of_the_image_as_backup_with_the_variables_of_the_container() {
    let mut site = Site::new();
    // The image's own lines, each at every minute. The catch-up at the start makes the backup that the others need.
    let ours = include_str!("../../crontab").lines().filter(|line| line.contains("container job"));
    let every_minute = ours.map(|line| format!("* * * * * root {}\n", &line[line.find("container").unwrap()..]));
    let seen = "* * * * * root container job sh -c 'id -un >/backup/temp/user; env -0 >/backup/temp/seen'\n";
    site.crontab(&(every_minute.collect::<String>() + seen)).env("ODD", ODD).env("TZ", "Asia/Kathmandu").up();

    wait_until(PATIENCE, || site.backups().len() >= 2, || format!("a backup by cron:\n{}", site.log()));
    for job in ["cleanup: ", "restore-test: ", "health: ", "backup: "] {
        site.wait_for_log(job, PATIENCE);
    }
    wait_until(
        PATIENCE,
        || site.exec(&["test", "-s", "/backup/state/status"]).code == Some(0),
        || format!("logrotate left no note of itself:\n{}", site.log()),
    );
    assert_eq!(site.exec(&["cat", "/backup/temp/user"]).succeeds().stdout, "backup\n");

    let variables = |text: &str| {
        let mut variables: Vec<String> = text.split('\0').map(str::to_owned).collect();
        // What a shell and the way into the container add by themselves; the mark that settings are loaded is taken away by the tools.
        variables.retain(|entry| {
            !["PWD=", "OLDPWD=", "SHLVL=", "_=", "TERM=", "BACKUP_SETTINGS_LOADED="]
                .iter()
                .any(|name| entry.starts_with(name))
        });
        variables.sort();
        variables
    };
    let by_cron = variables(&site.exec(&["cat", "/backup/temp/seen"]).succeeds().stdout);
    let by_hand = variables(&site.exec(&["env", "-0"]).succeeds().stdout);
    assert_eq!(by_cron, by_hand);
    assert!(by_cron.contains(&format!("ODD={ODD}")), "{by_cron:?}");
}

#[test]
fn a_night_that_was_missed_is_caught_up_and_one_that_was_not_is_left_alone() {
    let mut site = Site::new();
    site.up();
    site.wait_for_first_backup();

    site.compose(&["restart", "backup"]).succeeds();
    site.wait_for_log("no backup is due", PATIENCE);
    assert_eq!(site.backups().len(), 1);

    // The host was off for two days.
    let key = site.backups().remove(0);
    let bytes = site.store.read(&key);
    site.store.remove(&key);
    site.store.seed("db-backups/daily/2025/01/29/eleganttex_backup_20250129_020000.sql.gz", &bytes);
    site.compose(&["restart", "backup"]).succeeds();
    wait_until(PATIENCE, || site.backups().len() == 2, || format!("the backup of the missed night:\n{}", site.log()));
}
