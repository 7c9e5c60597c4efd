//! Logs: what the tools write is shown where the container's output goes, and rotation loses none of it.

use crate::site::{PATIENCE, Site};

#[test]
fn rotation_while_jobs_write_loses_no_line_and_shows_each_once() {
    let mut site = Site::new();
    site.up();
    site.wait_for_first_backup();
    // One line of the log for each mail, while root and, by cron's way, the user of the jobs rotate it.
    let mails = "n=0; until [[ -e /tmp/rotated ]]; do n=$((n + 1)); notify NOTE \"number-$n-\" >/dev/null 2>&1 || exit 1; done; echo $n";
    let rotations = "trap 'touch /tmp/rotated' EXIT; for n in 1 2 3 4; do \
                     sleep 1; logrotate --force /etc/logrotate.d/backup || exit 1; \
                     sleep 1; container job logrotate --force /etc/logrotate.d/backup || exit 1; done";
    let sent = std::thread::scope(|scope| {
        let writer = scope.spawn(|| site.exec(&["bash", "-c", mails]).succeeds());
        let rotated = site.exec(&["bash", "-c", rotations]).succeeds();
        // Of notes that it would not lock, for example.
        assert!(!rotated.stderr.contains("warning"), "{rotated}");
        writer.join().unwrap().stdout.trim().parse::<usize>().unwrap()
    });
    let rotated = site.exec(&["bash", "-c", "ls /backup/logs/notify.log.*.gz"]).succeeds().stdout;
    assert!(rotated.lines().count() >= 2, "{rotated}");
    let kept = site.exec(&["bash", "-c", "zcat -f /backup/logs/notify.log*"]).succeeds().stdout;
    site.wait_for_log(&format!("number-{sent}-"), PATIENCE);
    let shown = site.log();
    for number in 1..=sent {
        let mark = format!("number-{number}-");
        assert_eq!((kept.matches(&mark).count(), shown.matches(&mark).count()), (1, 1), "{mark}");
    }
}

#[test]
fn what_a_tool_says_by_hand_is_in_the_containers_log_too() {
    let mut site = Site::new();
    site.up();
    site.wait_for_first_backup();
    site.exec(&["notify", "TEST", "Test message", "Test details"]).succeeds();
    site.wait_for_log("notify: ", PATIENCE);
}
