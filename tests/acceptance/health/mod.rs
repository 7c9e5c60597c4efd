//! `health-check`: each check made to fail for real, what is told and when, and what scripts get.

mod alerts;
mod backups;
mod forgetful;
mod hanging;
mod killed;
mod machine;
mod results;
mod servers;

use std::os::unix::fs::PermissionsExt;

use acceptance::mail::Letter;
use acceptance::sandbox::{Outcome, Run, Sandbox};
use backup_core::key::{BackupId, Layout, Outcome as TestOutcome, RecordId, Tier};
use serde_json::Value;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Every check, in the order in which they are shown.
pub(crate) const CHECKS: &[&str] = &[
    "database",
    "storage",
    "recent-backup",
    "restore-test",
    "cron",
    "tools",
    "notifications",
    "disk",
    "temp",
    "logs",
    "settings",
];

/// The tools that a complete installation has. They are looked for, not run.
const TOOLS: [&str; 6] = ["backup", "cleanup", "restore-test", "notify", "health-check", "restore"];

/// A sandbox in which all is well: a backup, a restore test that passed, every tool.
fn healthy() -> Sandbox {
    healthy_on(Sandbox::new())
}

fn healthy_on(mut sandbox: Sandbox) -> Sandbox {
    install(&mut sandbox);
    // Its programs may be due for an update, which is told; the sandbox's are not.
    let major = sandbox.database().query("SELECT current_setting('server_version_num')::int / 10000");
    let version = format!("[ \"$1\" = --version ] && {{ echo 'psql (PostgreSQL) {major}.99'; exit; }}");
    sandbox.shim("psql", &format!("#!/bin/sh\n{version}\nexec @REAL@ \"$@\"\n"));
    // Whatever cron, and however full a disk, the machine has that the tests run on.
    let crontab = sandbox.home().join("crontab").display().to_string();
    sandbox.env("HEALTH_CRONTAB", &crontab).env("HEALTH_DISK_MAX_PERCENT", "100");
    sandbox.database().sql("CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id");
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    seed_test(&sandbox, hours_ago(48), TestOutcome::Passed);
    sandbox
}

/// Puts every tool on `PATH`.
fn install(sandbox: &mut Sandbox) {
    let folder = sandbox.home().join("tools");
    for tool in TOOLS {
        let program = sandbox.write(&format!("tools/{tool}"), "#!/bin/sh\n");
        std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.display(), sandbox.value("PATH").unwrap());
    sandbox.env("PATH", &path);
}

fn layout(sandbox: &Sandbox) -> Layout {
    Layout::new("db-backups".parse().unwrap(), sandbox.database().name().parse().unwrap())
}

fn hours_ago(hours: i64) -> PrimitiveDateTime {
    let then = OffsetDateTime::now_utc() - time::Duration::hours(hours);
    PrimitiveDateTime::new(then.date(), then.time().replace_nanosecond(0).unwrap())
}

/// The record that a restore test leaves in the store.
fn seed_test(sandbox: &Sandbox, tested: PrimitiveDateTime, outcome: TestOutcome) {
    let key = layout(sandbox).record_key(&RecordId { tested, backup: tested, outcome });
    let document = serde_json::json!({
        "database": sandbox.database().name(), "backup": "s3://b/k", "tested": "2025-02-01T03:00:00Z",
        "outcome": outcome, "finding": "public.orders: 999 rows restored.", "restore_seconds": 192.5,
    });
    sandbox.store().seed(&key, document.to_string().as_bytes());
}

/// Gives the newest backup another time, and its new key.
fn make_older(sandbox: &Sandbox, hours: i64) -> String {
    let newest = newest(sandbox);
    let key = layout(sandbox).key(BackupId { taken: hours_ago(hours), tier: Tier::Daily });
    sandbox.store().seed(&key, &sandbox.store().read(&newest));
    sandbox.store().remove(&newest);
    // What a run wrote down to have made would be missed.
    let _ = std::fs::remove_file(sandbox.home().join("state/last-backup.json"));
    key
}

fn newest(sandbox: &Sandbox) -> String {
    let daily = sandbox.store().keys().into_iter().filter(|key| key.starts_with("db-backups/daily/"));
    daily.max().expect("there is a backup")
}

fn health(sandbox: &Sandbox) -> Run<'_> {
    sandbox.command("health-check")
}

/// A look at one check, of which nobody is told.
fn look(sandbox: &Sandbox, check: &str) -> Found {
    found(&health(sandbox).args(["--no-notify", "--json", "--only", check]).run(), check)
}

/// What a check found.
#[derive(Debug)]
struct Found {
    state: String,
    fact: String,
    advice: String,
    report: String,
}

impl Found {
    fn is(&self, state: &str, fact: &str) {
        assert!(self.state == state && self.fact.contains(fact), "expected {state}: {fact}\n{self:?}\n{}", self.report);
        assert_eq!(self.advice.is_empty(), state == "ok", "{self:?}");
    }

    fn is_critical(&self, fact: &str) {
        self.is("critical", fact);
    }

    fn is_warning(&self, fact: &str) {
        self.is("warning", fact);
    }

    fn is_ok(&self, fact: &str) {
        self.is("ok", fact);
    }
}

/// What one of the checks of a JSON result found; the exit code must be that of the worst.
fn found(outcome: &Outcome, check: &str) -> Found {
    let document = outcome.json();
    let healthy = document["state"] != "critical";
    assert_eq!(outcome.code, Some(i32::from(!healthy)), "{}", outcome.report());
    found_in(&document, check, outcome.report())
}

fn found_in(document: &Value, check: &str, report: String) -> Found {
    let found = document["checks"].as_array().unwrap().iter().find(|found| found["name"] == check);
    let found = found.unwrap_or_else(|| panic!("no check of this name: {check}\n{report}"));
    let text = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    Found { state: text("state"), fact: text("fact"), advice: text("advice"), report }
}

/// The mails so far.
fn letters(sandbox: &Sandbox) -> Vec<Letter> {
    sandbox.mail().messages().iter().map(acceptance::mail::Message::letter).collect()
}

fn state_file(sandbox: &Sandbox) -> Option<Value> {
    let text = std::fs::read(sandbox.home().join("state/health-alert.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

#[test]
fn where_all_is_well_it_says_so_and_mails_nothing() {
    let sandbox = healthy();
    let outcome = health(&sandbox).run().succeeds();
    let outcome = outcome.prints("All is well.").prints("ok        recent-backup  the newest backup is ");
    assert_eq!(outcome.stdout.lines().count(), CHECKS.len() + 1, "{}", outcome.report());
    assert!(!outcome.stdout.contains('\u{1b}'), "colours are for terminals\n{}", outcome.report());
    assert_eq!(letters(&sandbox).len(), 0);
    sandbox.assert_no_secret_leaked();
    sandbox.assert_no_litter();
}
