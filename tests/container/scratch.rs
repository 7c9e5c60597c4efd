//! The restore test inside the container: a PostgreSQL server of its own, on a volume, under a read-only root file system, within the
//! memory that docker/compose.yaml allows.

use crate::engine::wait_until;
use crate::site::{PATIENCE, Site};

#[test]
fn a_restore_test_passes_within_the_limits_of_the_compose_file() {
    let mut site = Site::new();
    site.service("command", serde_json::json!(["container", "start", "--no-catch-up"])).up();
    // More than any cache of the server holds, and more than a tmpfs of a usual size.
    site.sql(
        "CREATE TABLE noise AS SELECT n, repeat(sha512(n::text::bytea)::text, 8) AS text FROM generate_series(1, 300000) n; \
         ALTER TABLE noise ADD PRIMARY KEY (n); CREATE INDEX ON noise (left(text, 20));",
    );
    site.exec(&["backup"]).succeeds();
    site.exec(&["/backup/scripts/restore-test.sh"]).succeeds().says("passed");
    assert_eq!(site.inspect("State.OOMKilled"), "false");
    assert_eq!(site.exec(&["ls", "-A", "/backup/temp"]).succeeds().stdout, "");
    assert_eq!(site.inspect("HostConfig.ReadonlyRootfs"), "true");
    site.exec(&["touch", "/etc/anything"]).exits(1).says("Read-only file system");
}

#[test]
fn the_container_is_healthy_once_there_is_a_backup() {
    let mut site = Site::new();
    let check = ["CMD", "health-check", "--no-notify"];
    site.service("healthcheck", serde_json::json!({ "test": check, "interval": "3s", "timeout": "30s" })).up();
    site.wait_for_first_backup();
    wait_until(PATIENCE, || site.inspect("State.Health.Status") == "healthy", || site.inspect("json .State.Health"));
}
