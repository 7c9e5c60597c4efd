//! What scripts, Docker and Prometheus get.

use std::path::Path;
use std::process::Command;

use acceptance::programs;

use super::*;

#[test]
fn json_has_every_check_by_its_name_and_figures() {
    let sandbox = healthy();
    let document = health(&sandbox).arg("--json").run().succeeds().json();
    let names: Vec<&str> =
        document["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, CHECKS);
    assert_eq!((&document["tool"], &document["state"]), (&"health-check".into(), &"ok".into()));
    let figures = &document["figures"];
    assert_eq!(figures["backup_newest_rows"], 1000.0);
    assert_eq!(
        figures["backup_newest_stored_bytes"].as_f64(),
        Some(sandbox.store().read(&newest(&sandbox)).len() as f64)
    );
    assert_eq!(figures["backup_restore_test_restore_seconds"], 192.5);
    assert_eq!(figures["backup_restore_test_passed"], 1.0);
}

#[test]
fn only_what_is_asked_for_is_looked_at() {
    let sandbox = healthy();
    let document = health(&sandbox).args(["--only", "disk,logs", "--json"]).run().succeeds().json();
    assert_eq!(document["checks"].as_array().unwrap().len(), 2);
    assert_eq!(document["checks"][0]["name"], "disk");
    health(&sandbox).args(["--only", "everything"]).run().exits(2).says("recent-backup");
}

#[test]
fn docker_gets_a_line_of_every_check_however_bad_it_is() {
    let mut sandbox = healthy();
    sandbox.env("DB_PASSWORD", "wrong-canary").env("S3_BUCKET_NAME", "gone").env("HEALTH_DISK_MAX_PERCENT", "1");
    sandbox.env("BACKUP_TEMP_DIR", &format!("/proc/self/{}", "long/".repeat(400))).env("TZ", "Europe/Nowhere");
    sandbox.without_program("pg_dump").without_program("psql");
    let outcome = health(&sandbox).arg("--no-notify").run().exits(1);
    assert!(outcome.stdout.len() < 4_096, "{} bytes\n{}", outcome.stdout.len(), outcome.report());
    assert_eq!(outcome.stdout.lines().count(), CHECKS.len() + 1, "{}", outcome.report());
    let outcome =
        outcome.prints("UNHEALTHY: database, storage, recent-backup, restore-test, tools, disk; look at: settings");
    outcome.prints("CRITICAL  storage");
}

#[test]
fn what_is_switched_off_is_said_and_not_looked_at() {
    let sandbox = Sandbox::new();
    let outcome = health(&sandbox).env("BACKUP_ENABLED", "no").unset("S3_BUCKET_NAME").run().succeeds();
    outcome.prints("look at: settings").prints("BACKUP_ENABLED is false");
    health(&sandbox)
        .env("BACKUP_ENABLED", "maybe")
        .arg("--no-notify")
        .run()
        .exits(78)
        .says("BACKUP_ENABLED is `maybe`");
    // Figures of the time before would go on saying that backups are young.
    let file = sandbox.write("backup.prom", "backup_newest_age_seconds 60\n");
    health(&sandbox).env("BACKUP_ENABLED", "no").arg("--metrics").arg(&file).run().succeeds();
    let written = samples(&file);
    assert!(written.iter().all(|(name, _, _)| name != "backup_newest_age_seconds"), "{written:?}");
    assert!(written.iter().any(|(name, _, _)| name == "backup_check_state"), "{written:?}");
    assert_eq!((letters(&sandbox).len(), sandbox.store().requests(&acceptance::store::On::any()).len()), (0, 0));
}

/// Reads a file as Prometheus does, and as strictly as its successor: HELP and TYPE in order, once, no sample twice.
const PARSE: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families as lenient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict
text = open(sys.argv[1]).read()
families = list(lenient(text))
assert [f.name for f in families] == [f.name for f in strict(text + '# EOF\\n')]
for family in families:
    assert family.documentation and family.type == 'gauge', family
print(json.dumps([[s.name, s.labels, s.value] for f in families for s in f.samples]))
";

fn samples(file: &Path) -> Vec<(String, Value, f64)> {
    let python = Command::new(programs::server_from_pypi("python")).args(["-c", PARSE]).arg(file).output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    serde_json::from_slice(&python.stdout).unwrap()
}

#[test]
fn prometheus_gets_a_file_that_it_can_read_whole_or_not_at_all() {
    let mut sandbox =
        Sandbox::on(acceptance::postgres::Cluster::shared().create_database_named("odd \"name\" \\ here"));
    sandbox = healthy_on(sandbox);
    let file = sandbox.home().join("metrics/backup.prom");
    std::fs::create_dir(sandbox.home().join("metrics")).unwrap();
    let write = || health(&sandbox).arg("--no-notify").arg("--metrics").arg(&file);
    write().run().succeeds();
    let found = samples(&file);
    let value = |name: &str| found.iter().find(|(found, _, _)| found == name).map(|(_, _, value)| *value);
    assert!(found.iter().all(|(_, labels, _)| labels["database"] == "odd \"name\" \\ here"), "{found:?}");
    assert_eq!((value("backup_healthy"), value("backup_newest_rows")), (Some(1.0), Some(1000.0)));
    assert!(value("backup_newest_age_seconds").unwrap() < 60.0);
    assert_eq!(found.iter().filter(|(name, _, _)| name == "backup_check_state").count(), CHECKS.len());
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "the collector runs as somebody else");

    // What is not known is left out.
    write().env("S3_BUCKET_NAME", "gone").run().exits(1);
    let found = samples(&file);
    assert!(found.iter().all(|(name, _, _)| name != "backup_newest_rows"), "{found:?}");
    assert!(found.iter().any(|(name, _, value)| name == "backup_healthy" && *value == 0.0), "{found:?}");
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing half is left");

    let nowhere = health(&sandbox).args(["--no-notify", "--metrics", "/proc/nowhere/backup.prom"]).run();
    nowhere.exits(1).says("cannot write the metrics into /proc/nowhere/backup.prom").prints("All is well.");
}
