//! The sandbox, with shell scripts in the place of PostgreSQL programs and of tools.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use acceptance::lifeline::write_executable;
use acceptance::sandbox::Sandbox;
use acceptance::store::BUCKET;

/// Puts a script beside the built tools, under a name of its own, and takes it away afterwards.
struct Tool(PathBuf);

impl Tool {
    fn new(name: &str, script: &str) -> Self {
        let path = std::env::current_exe().unwrap().with_file_name(name);
        write_executable(&path, script).unwrap();
        Self(path)
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// The message of the panic that a check must raise.
fn complaint(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check let it pass");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_run_sees_its_environment_and_nothing_else() {
    let _tool = Tool::new("sandbox-env", "#!/bin/sh\ncat; echo \"$1\"; env >&2; exit 3\n");
    let mut sandbox = Sandbox::new();
    sandbox.env("TZ", "Europe/Berlin").unset("MAIL_FROM");
    let outcome = sandbox.command("sandbox-env").arg("one two").env("EXTRA", "1").stdin(b"in\n").run();
    let outcome =
        outcome.exits(3).prints("in\none two\n").says("TZ=Europe/Berlin").says("EXTRA=1").never_says("MAIL_FROM");
    assert!(!outcome.stderr.contains("CARGO"), "{}", outcome.stderr);
    let report = complaint(|| drop(outcome.succeeds()));
    assert!(report.contains("expected exit code 0") && report.contains("command: sandbox-env one two"), "{report}");
    assert!(report.contains("DB_PASSWORD=********"), "{report}");
}

#[test]
fn the_wired_database_answers() {
    let _tool = Tool::new(
        "sandbox-psql",
        "#!/bin/sh\nPGPASSWORD=$DB_PASSWORD exec \"$PG_BIN_DIR/psql\" -XAtw -h $DB_HOST -p $DB_PORT -U $DB_USER -c 'TABLE t' $DB_NAME\n",
    );
    let sandbox = Sandbox::new();
    sandbox.database().sql("CREATE TABLE t AS SELECT 42");
    sandbox.command("sandbox-psql").run().succeeds().prints("42");
    sandbox.assert_nothing_left_behind();
    sandbox.assert_no_secret_leaked();
    sandbox.shim("psql", "#!/bin/sh\necho shimmed; exec @REAL@ --version\n");
    sandbox.command("sandbox-psql").run().succeeds().prints("shimmed\npsql (PostgreSQL)");
}

#[test]
fn what_is_left_behind_is_found() {
    let _tool = Tool::new("sandbox-litter", "#!/bin/sh\nenv -i \"$PG_BIN_DIR/pg_dump\" </dev/null >/dev/null 2>&1 &\n");
    let sandbox = Sandbox::new();
    sandbox.assert_nothing_left_behind();
    sandbox.store().seed("db-backups/daily/2025/01/29/a_backup_20250129_020000.sql.gz", b"");
    assert!(complaint(|| sandbox.assert_nothing_left_behind()).contains("look like backups"));
    sandbox.assert_no_litter();
    let file = sandbox.write("temp/spool/part", "");
    assert!(complaint(|| sandbox.assert_no_litter()).contains("temp/spool/part"));
    std::fs::remove_file(file).unwrap();
    let lock = std::fs::File::create(sandbox.write("state/backup.lock", "")).unwrap();
    lock.lock().unwrap();
    assert!(complaint(|| sandbox.assert_no_litter()).contains("still locked"));
    drop(lock);
    sandbox.assert_no_litter();
    // A child that does not even have the tool's environment.
    sandbox.shim("pg_dump", "#!/bin/sh\nread line </proc/sys/kernel/hostname; while :; do /bin/sleep 1; done\n");
    sandbox.command("sandbox-litter").run().succeeds();
    // Its parent has not waited until it runs.
    let runs = (0..1000).any(|_| {
        sleep(Duration::from_millis(10));
        sandbox.processes().iter().any(|process| process.contains("pg_dump"))
    });
    assert!(runs, "{:?}", sandbox.processes());
    assert!(complaint(|| sandbox.assert_no_litter()).contains("pg_dump"));
    for process in sandbox.processes() {
        let pid = process.split(' ').next().unwrap();
        Command::new("/bin/kill").args(["-9", pid]).status().unwrap();
    }
}

#[test]
fn a_told_secret_is_found_wherever_it_went() {
    let _tool = Tool::new(
        "sandbox-leak",
        "#!/bin/sh\necho \"$DB_PASSWORD\" | sed 's/[^a-z0-9]//g' > $BACKUP_HOME/logs/leak.log\n",
    );
    let sandbox = Sandbox::new();
    sandbox.assert_no_secret_leaked();
    sandbox.command("sandbox-leak").run().succeeds();
    assert!(complaint(|| sandbox.assert_no_secret_leaked()).contains("leak.log holds a secret"));

    let _tool = Tool::new("sandbox-argv", "#!/bin/sh\n/bin/sh -c 'sleep 0.3' \"$AWS_SECRET_ACCESS_KEY\"\n");
    let sandbox = Sandbox::new();
    sandbox.command("sandbox-argv").run().succeeds();
    assert!(complaint(|| sandbox.assert_no_secret_leaked()).contains("secrets on command lines"));
}

#[test]
fn a_running_tool_can_be_watched_and_signalled() {
    let script = "#!/bin/sh\ntrap 'echo ending >&2; exit 143' TERM\necho started >&2\nwhile :; do sleep 0.01; done\n";
    let _tool = Tool::new("sandbox-signal", script);
    let sandbox = Sandbox::new();
    let mut running = sandbox.command("sandbox-signal").spawn();
    running.wait_for_log("started");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.wait().exits(143).says("ending");
    let slow = sandbox.command("sandbox-signal").within(std::time::Duration::from_millis(200)).spawn();
    assert!(complaint(|| drop(slow.wait())).contains("did not end within 200ms"));
    assert_eq!(sandbox.value("S3_BUCKET_NAME"), Some(BUCKET));
}
