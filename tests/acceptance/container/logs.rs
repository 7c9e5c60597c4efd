//! The tools' logs are shown where the container's output goes, each line once.

use std::fs;

use nix::sys::signal::Signal;

use super::Host;

#[test]
fn what_is_run_by_hand_is_shown_too_and_rotation_changes_nothing() {
    let host = Host::new();
    let mut running = host.started();
    for number in 1..=6 {
        host.sandbox.command("notify").args(["NOTE", &format!("number-{number}-")]).run().succeeds();
        if number % 2 == 1 {
            host.wait_for(&mut running, &format!("number-{number}-"));
        } else {
            // Moved away at once after its last line.
            let logs = host.sandbox.home().join("logs");
            fs::rename(logs.join("notify.log"), logs.join(format!("notify.log.{number}"))).unwrap();
        }
    }
    for number in 1..=6 {
        host.wait_for(&mut running, &format!("number-{number}-"));
    }
    running.signal(Signal::SIGTERM);
    running.wait().succeeds();
    let output = host.output();
    for number in 1..=6 {
        assert_eq!(output.matches(&format!("number-{number}-")).count(), 1, "{output}");
    }
    assert!(output.lines().any(|line| line.starts_with("notify: [")), "{output}");
}
