//! Time zones: the schedule is kept in TZ, and the nights on which the clocks change have one backup each.
//!
//! The clock of the whole container is moved, by a library that every process in it loads.

use time::OffsetDateTime;
use time::macros::datetime;

use crate::engine::{self, docker, wait_until};
use crate::site::{PATIENCE, Site};

/// A site in Berlin where it is this time when the container starts; jobs write down when they run.
///
/// A minute lies between the start and what is looked at: a busy machine takes that long until cron runs.
fn in_berlin_at(start: OffsetDateTime, lines: &str) -> Site {
    let mut site = Site::new();
    site.service("image", serde_json::json!(image_with_another_clock()));
    // Every program but this shell finds the clock moved, by what then is left of the true time.
    let moved = format!("echo $(({} - $(date +%s))) | sed 's/^[0-9]/+&/' >/run/clock", start.unix_timestamp());
    let command = ["bash", "-c", &format!("{moved}; exec container start --no-catch-up")];
    site.service("command", serde_json::json!(command.map(|word| word.replace('$', "$$"))));
    site.env("TZ", "Europe/Berlin").crontab(lines).up();
    site
}

/// The image under test, in which every program asks a library for the time.
fn image_with_another_clock() -> &'static str {
    static BUILT: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = acceptance::lifeline::new_folder("clock", None);
        let library = "/usr/lib/*/faketime/libfaketime.so.1";
        let script = format!(
            "FROM {}\nRUN apt-get update && apt-get install -y --no-install-recommends libfaketime \
             && ls {library} >/etc/ld.so.preload && ln -s /run/clock /etc/faketimerc\n",
            engine::image()
        );
        std::fs::write(folder.join("Dockerfile"), script).unwrap();
        let folder = folder.display().to_string();
        docker(["build", "--network", "host", "--tag", "backup-test-clock", &folder]).succeeds();
    });
    "backup-test-clock"
}

fn job(file: &str) -> String {
    format!("root container job sh -c 'date +\\%H:\\%M:\\%Z >>/backup/temp/{file}'\n")
}

fn runs(site: &Site, file: &str) -> Vec<String> {
    site.exec(&["cat", &format!("/backup/temp/{file}")]).stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_job_in_the_hour_that_does_not_exist_runs_once() {
    // 02:00 becomes 03:00 on this night.
    let lines = format!("0 2 * * * {}30 2 * * * {}* * * * * {}", job("two"), job("half-past"), job("ticks"));
    let site = in_berlin_at(datetime!(2025-03-30 01:59 +01:00), &lines);
    wait_until(PATIENCE, || runs(&site, "ticks").len() >= 2, || site.log());
    let (two, half_past) = (runs(&site, "two"), runs(&site, "half-past"));
    assert_eq!((two.len(), half_past.len()), (1, 1), "{two:?} {half_past:?} {:?}", runs(&site, "ticks"));
    assert!(two[0].starts_with("03:0") && two[0].ends_with("CEST"), "{two:?}");
}

#[test]
fn a_job_in_the_hour_that_comes_twice_runs_once() {
    // 03:00 becomes 02:00 on this night; the job of 02:00 has run an hour ago.
    let lines = format!("0 2 * * * {}59 2 * * * {}* * * * * {}", job("two"), job("before"), job("ticks"));
    let site = in_berlin_at(datetime!(2025-10-26 02:58 +02:00), &lines);
    wait_until(PATIENCE, || runs(&site, "ticks").len() >= 3, || site.log());
    assert_eq!(runs(&site, "before"), ["02:59:CEST"], "{:?}", runs(&site, "ticks"));
    assert_eq!(runs(&site, "two"), [""; 0], "{:?}", runs(&site, "ticks"));
}
