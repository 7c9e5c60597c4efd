//! The machine: disks, files, cron, programs, settings.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;

use acceptance::programs;

use super::*;

#[test]
fn a_disk_fuller_than_its_limit() {
    let mut sandbox = healthy();
    look(&sandbox, "disk").is_ok(" % full");
    // Every disk that a test runs on is used to more than one percent.
    sandbox.env("HEALTH_DISK_MAX_PERCENT", "1");
    look(&sandbox, "disk").is_critical(" % full");
}

/// A command to be given, in name spaces of its own. Root may have them, and on most systems everybody.
pub(super) fn apart<'s>(sandbox: &'s Sandbox, spaces: &[&str]) -> Run<'s> {
    let unshare = programs::on_path("unshare").expect("`unshare` is there, as `setpriv` is: both are of util-linux");
    let as_root: &[&str] = if nix::unistd::geteuid().is_root() { &[] } else { &["--map-root-user"] };
    sandbox.command(unshare.to_str().unwrap()).arg("--mount").args(as_root.iter().chain(spaces).copied())
}

/// Where the tool is, for scripts.
pub(super) fn built() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("health-check")
}

#[test]
fn a_directory_that_cannot_be_written_to() {
    let mut sandbox = healthy();
    // Not even root writes there.
    sandbox.env("BACKUP_TEMP_DIR", "/proc/self");
    look(&sandbox, "disk").is_critical("/proc/self cannot be written to");
    // One that cannot even be made says nothing of how full it is.
    sandbox.env("BACKUP_TEMP_DIR", "/proc/nowhere/temp");
    let found = look(&sandbox, "disk");
    found.is_critical("/proc/nowhere/temp cannot be written to");
    assert!(!found.report.contains(" 0 % full"), "{}", found.report);
}

#[test]
fn scratch_files_that_were_left_behind() {
    let sandbox = healthy();
    look(&sandbox, "temp").is_ok("0 files in");
    let left = File::create(sandbox.write("temp/restore-test-1/data", "")).unwrap();
    left.set_len(501 << 20).unwrap();
    look(&sandbox, "temp").is_warning("the largest is restore-test-1/data, 501.0 MiB");
    // While a restore test runs, they are its own.
    let lock = File::create(sandbox.write("state/restore-test.lock", "")).unwrap();
    lock.lock().unwrap();
    look(&sandbox, "temp").is_ok("a restore test is under way");
    drop(lock);
    look(&sandbox, "temp").is_warning("501.0 MiB");
}

#[test]
fn log_files_that_nobody_rotates() {
    let mut sandbox = healthy();
    look(&sandbox, "logs").is_ok("files in");
    let log = fs::OpenOptions::new().append(true).open(sandbox.home().join("logs/backup.log")).unwrap();
    log.set_len(101 << 20).unwrap();
    look(&sandbox, "logs").is_warning("the largest is backup.log, 101.0 MiB");
    sandbox.env("HEALTH_LOG_MAX_MB", "102");
    look(&sandbox, "logs").is_ok("files in");
}

/// In a name space of its own, where no process is seen but those of the test: the machine may have a cron of its own.
#[test]
fn a_cron_daemon_that_is_killed() {
    let sandbox = healthy();
    look(&sandbox, "cron").is_ok("starts none of the tools here");
    sandbox.write("crontab", "0 2 * * *  root  container job backup\n0 * * * *  root  container job health-check\n");
    // A file is not believed.
    sandbox.write("crond.pid", "1");
    let cron = sandbox.home().join("cron");
    acceptance::lifeline::write_executable(&cron, "#!/bin/sh\nwhile sleep 1; do :; done\n").unwrap();
    let look_here = format!("'{}' --no-notify --json --only cron || true\n", built().display());
    let script = [
        format!("'{}' >/dev/null & cron=$!\n", cron.display()),
        "until grep -qx cron /proc/$cron/comm; do :; done\n".to_owned(),
        look_here.clone(),
        "kill -KILL $cron\nwait $cron || true\n".to_owned(),
        look_here,
    ];
    let script = sandbox.write("killing", &script.concat());
    let outcome = apart(&sandbox, &["--pid", "--fork", "--mount-proc"]).arg("sh").arg(script).run().succeeds();
    let documents: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 2, "{}", outcome.report());
    found_in(&documents[0], "cron", outcome.report()).is_ok("cron (process ");
    found_in(&documents[1], "cron", outcome.report()).is_critical("no cron daemon runs");

    sandbox.write("crontab", "# 0 2 * * *  root  container job backup\n");
    look(&sandbox, "cron").is_ok("starts none of the tools here");
}

/// The system is made to say that it, and so its cron, has run for months.
#[test]
fn a_cron_daemon_that_runs_and_starts_nothing() {
    let sandbox = healthy();
    sandbox.write("crontab", "0 * * * *  root  container job health-check\n");
    let uptime = sandbox.write("uptime", "9999999.00 9999999.00\n");
    let cron = sandbox.home().join("cron");
    acceptance::lifeline::write_executable(&cron, "#!/bin/sh\nwhile sleep 1; do :; done\n").unwrap();
    let look_here = format!("'{}' --no-notify --json --only cron || true\n", built().display());
    let script = [
        format!("mount --bind '{}' /proc/uptime\n", uptime.display()),
        format!("'{}' >/dev/null & cron=$!\n", cron.display()),
        "until grep -qx cron /proc/$cron/comm; do :; done\n".to_owned(),
        look_here.clone(),
        // What cron would have started.
        format!("'{}' >/dev/null || true\n", built().display()),
        look_here,
        "kill -KILL $cron\n".to_owned(),
    ];
    let script = sandbox.write("starting-nothing", &script.concat());
    let outcome = apart(&sandbox, &["--pid", "--fork", "--mount-proc"]).arg("sh").arg(script).run().succeeds();
    let documents: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 2, "{}", outcome.report());
    found_in(&documents[0], "cron", outcome.report())
        .is_critical("but starts nothing: the hourly health check last ran never");
    found_in(&documents[1], "cron", outcome.report()).is_ok("its last health check was ");
}

#[test]
fn a_cleanup_that_failed() {
    let sandbox = healthy();
    make_older(&sandbox, 40);
    sandbox.command("cleanup").arg("--no-notify").run().exits(1);
    look(&sandbox, "cron").is_warning("the last cleanup, ");
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    sandbox.command("cleanup").arg("--no-notify").run().succeeds();
    look(&sandbox, "cron").is_ok("");
}

#[test]
fn a_tool_that_was_removed_and_one_that_cannot_be_run() {
    let sandbox = healthy();
    // In a folder of its own, beside which nothing is.
    let own = sandbox.home().join("alone/health-check");
    fs::create_dir(sandbox.home().join("alone")).unwrap();
    fs::copy(built(), &own).unwrap();
    let tools = || {
        let run = sandbox.command(own.to_str().unwrap()).args(["--no-notify", "--json", "--only", "tools"]);
        found(&run.run(), "tools")
    };
    tools().is_ok("6 tools, and PostgreSQL's programs of version ");
    fs::remove_file(sandbox.home().join("tools/cleanup")).unwrap();
    tools().is_critical("missing, or not to be run: cleanup");
    fs::set_permissions(sandbox.home().join("tools/notify"), PermissionsExt::from_mode(0o644)).unwrap();
    tools().is_critical("missing, or not to be run: cleanup, notify");
}

#[test]
fn postgresql_programs_that_are_missing_broken_or_of_another_version() {
    let sandbox = healthy();
    sandbox.shim("pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n");
    look(&sandbox, "tools").is_critical("pg_dump is version 9.6.24, the server is ");
    sandbox.shim("pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 99.1'\n");
    look(&sandbox, "tools").is_warning("pg_dump is version 99.1, the server is ");
    sandbox.shim("pg_dump", "#!/bin/sh\necho 'error while loading shared libraries: libpq.so.5' >&2\nexit 127\n");
    look(&sandbox, "tools").is_critical("libpq.so.5");
    sandbox.shim("pg_dump", "#!/bin/sh\nexec @REAL@ \"$@\"\n");
    look(&sandbox, "tools").is_ok("PostgreSQL's programs of version ");
    sandbox.shim("psql", "#!/bin/sh\necho 'psql (PostgreSQL) 15.18'\n");
    look(&sandbox, "tools").is_warning("psql 15.18 runs shell commands that somebody hid in a backup");
    sandbox.without_program("pg_dump");
    look(&sandbox, "tools").is_critical("cannot find pg_dump in PG_BIN_DIR");
}

#[test]
fn settings_that_will_hurt() {
    let sandbox = healthy();
    look(&sandbox, "settings").is_ok("none is odd");
    let with = |settings: &[(&str, &str)]| {
        let run = health(&sandbox).args(["--no-notify", "--json", "--only", "settings"]);
        let run = settings.iter().fold(run, |run, (name, value)| run.env(name, value));
        found(&run.run(), "settings")
    };
    let short = [("BACKUP_RETENTION_DAYS", "5"), ("BACKUP_WEEKLY_RETENTION", "2"), ("BACKUP_MONTHLY_RETENTION", "1")];
    with(&short).is_warning("every backup is deleted after 28 days at most");
    with(&[("BACKUP_WEEKLY_RETENTION", "4")]).is_warning("the weekly backups add nothing");
    with(&[("TZ", "Europe/Nowhere")]).is_warning("TZ=Europe/Nowhere is not a time zone known here");
    with(&[("HEALTH_REMINDER_HOUR", "12")]).is_warning("is HEALTH_REMINDER_HOURS meant?");
}

#[test]
fn colours_are_for_terminals() {
    let sandbox = healthy();
    // `script` of util-linux-extra is not everywhere; Python is where the tests' own servers are.
    let python = programs::server_from_pypi("python");
    let pty = format!("import pty, sys; sys.exit(pty.spawn(['{}', '--no-notify']) >> 8)", built().display());
    let mut command = sandbox.command(python.to_str().unwrap()).args(["-c", &pty]);
    command = command.stdout(Stdio::from(File::create(sandbox.home().join("terminal")).unwrap()));
    command.run().succeeds();
    let shown = fs::read_to_string(sandbox.home().join("terminal")).unwrap();
    assert!(shown.contains("\u{1b}[32mok\u{1b}[0m        recent-backup"), "{shown}");
}
