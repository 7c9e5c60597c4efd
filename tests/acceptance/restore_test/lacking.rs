//! What this machine lacks is no fault of the backup: inconclusive, with what to install.

use acceptance::postgres::Cluster;
use acceptance::store::{Fault, On, Operation};

use super::{Backup, ends, flat, gzip, shop};

/// The dump with another header or statement; the footer would not fit, so there is none.
fn altered(from: &str, to: &str) -> Vec<u8> {
    let text = shop().text();
    let footer = text.find("-- @backup ").unwrap();
    assert!(text.contains(from), "{from}");
    gzip(text[..footer].replacen(from, to, 1).as_bytes())
}

#[test]
fn an_extension_that_is_not_here() {
    let with = "CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;\nCREATE TYPE";
    let sandbox = shop().stored_as(&altered("CREATE TYPE", with));
    let (outcome, letter) = ends(&sandbox, 3, "inconclusive", "this machine does not have the extension postgis");
    outcome.says("hint: Install it beside the PostgreSQL programs");
    assert!(letter.subject.starts_with("⚠️ Restore test INCONCLUSIVE: "), "{}", letter.subject);
    let safety = "All of it was read, and nothing in it is cut or damaged; whether it restores is not known.";
    assert!(flat(&letter).contains(safety), "{}", letter.text);
}

/// What is damaged is called so, though this machine could not have restored it either.
#[test]
fn damage_is_found_where_nothing_can_be_restored() {
    let mut bytes = shop().bytes.clone();
    let at = bytes.len() / 8;
    bytes[at] ^= 0x10;
    let mut sandbox = shop().stored_as(&bytes);
    let small = Tmpfs::mount(&sandbox.home().join("small"), "8m");
    sandbox.env("BACKUP_TEMP_DIR", &small.0.display().to_string());
    ends(&sandbox, 1, "failed", "the file is damaged: its compression breaks off");

    let lacking = "echo 'ERROR:  could not open extension control file' >&2; exit 3";
    for (bytes, code, word, says) in [
        (&shop().bytes, 3, "inconclusive", "could not open extension control file"),
        (&bytes, 1, "failed", "the file is damaged: its compression breaks off"),
    ] {
        let sandbox = shop().stored_as(bytes);
        sandbox
            .shim("psql", &format!("#!/bin/sh\ncase \"$*\" in *--file=-*) {lacking};; *) exec @REAL@ \"$@\";; esac\n"));
        ends(&sandbox, code, word, says);
    }
}

/// It restores, and equals what was dumped: nothing.
#[test]
fn a_database_without_a_table() {
    let sandbox = Backup::of(&Cluster::shared().create_database()).stored();
    let (outcome, letter) = ends(&sandbox, 3, "inconclusive", "there is nothing to prove");
    outcome.says("hint: Look into the database that is backed up: is it the right one (DB_HOST, DB_NAME)");
    assert!(flat(&letter).contains("All of it was restored, so nothing in it is cut or damaged."), "{}", letter.text);
    assert!(letter.subject.starts_with("⚠️ Restore test INCONCLUSIVE: "), "{}", letter.subject);
}

#[test]
fn another_major_version() {
    let sandbox =
        shop().stored_as(&altered("-- Dumped from database version 15", "-- Dumped from database version 29"));
    let (outcome, _) =
        ends(&sandbox, 3, "inconclusive", "PostgreSQL 29, its server programs included, is not on this machine");
    outcome.says("apt-get install postgresql-29");
}

#[test]
fn room_on_the_disk() {
    let mut sandbox = shop().stored();
    let small = Tmpfs::mount(&sandbox.home().join("small"), "8m");
    sandbox.env("BACKUP_TEMP_DIR", &small.0.display().to_string());
    let (outcome, _) = ends(&sandbox, 3, "inconclusive", "and a restore needs about");
    outcome.says("hint: Let BACKUP_TEMP_DIR name a directory on a larger disk");
}

/// What a killed run left there takes no room from the next.
#[test]
fn room_that_a_killed_run_took() {
    let mut sandbox = shop().stored();
    let small = Tmpfs::mount(&sandbox.home().join("small"), "140m");
    let stale = small.0.join("scratch-killed");
    std::fs::create_dir(&stale).unwrap();
    std::fs::write(stale.join("ballast"), vec![0; 100 << 20]).unwrap();
    sandbox.env("BACKUP_TEMP_DIR", &small.0.display().to_string());
    ends(&sandbox, 0, "passed", "an earlier run was killed: its scratch directory");
}

#[test]
fn a_temp_directory_that_the_servers_user_may_not_enter() {
    let mut sandbox = shop().stored();
    let closed = sandbox.home().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    sandbox.env("BACKUP_TEMP_DIR", &closed.join("temp").display().to_string());
    // Whoever is not root runs the server as themselves.
    if nix::unistd::geteuid().is_root() {
        let outcome = sandbox.command("restore-test").run().exits(3).prints("INCONCLUSIVE: ");
        outcome.says(&format!("may not enter {}", closed.display())).says("hint: Let others pass through it");
    } else {
        sandbox.command("restore-test").run().succeeds();
    }
}

/// Enough by the rule, and still too small: the server says so in the middle of the restore.
#[test]
fn a_disk_that_fills_up_in_the_middle() {
    let mut sandbox = shop().stored();
    let small = Tmpfs::mount(&sandbox.home().join("small"), "80m");
    sandbox.env("BACKUP_TEMP_DIR", &small.0.display().to_string());
    sandbox.shim(
        "psql",
        "#!/bin/sh\ncase \"$*\" in *--file=-*) echo 'in the middle' >&2; while [ ! -e ../full ]; do sleep 0.05; done;; \
         esac\nexec @REAL@ \"$@\"\n",
    );
    let mut running = sandbox.command("restore-test").arg("--verbose").spawn();
    running.wait_for_log("in the middle");
    // As much as there is room for.
    std::fs::write(small.0.join("ballast"), vec![0; 80 << 20]).unwrap_err();
    std::fs::write(small.0.join("full"), "").unwrap();
    running.wait().exits(3).prints("INCONCLUSIVE: ").says("No space left on device");
}

#[test]
fn a_store_that_breaks_off() {
    let mut sandbox = shop().stored();
    sandbox.env("AWS_MAX_ATTEMPTS", "1");
    sandbox.store().fault(On::operation(Operation::GetObject), Fault::refuse("AccessDenied"));
    let outcome = sandbox.command("restore-test").run().exits(3);
    outcome.prints("INCONCLUSIVE: ").says("s3:GetObject");
}

#[test]
fn programs_that_are_not_there() {
    let mut sandbox = shop().stored();
    let empty = sandbox.home().join("tmp");
    sandbox.env("PG_BIN_DIR", &empty.display().to_string()).env("PATH", "/nowhere");
    let versioned = std::path::Path::new("/usr/lib/postgresql").exists();
    // Where Debian's own folders are, they are found without any of the two.
    let outcome = sandbox.command("restore-test").run().exits(if versioned { 0 } else { 3 });
    outcome.prints(if versioned { "PASSED: " } else { "INCONCLUSIVE: " });
}

/// A result that cannot be written down is told, and no pass.
#[test]
fn a_store_that_takes_no_copy() {
    let sandbox = shop().stored();
    sandbox.store().fault(On::operation(Operation::CopyObject), Fault::refuse("AccessDenied"));
    let outcome = sandbox.command("restore-test").run().exits(3).says("the tested backup was not copied");
    let outcome = outcome.prints("PASSED: ");
    let letter = sandbox.mail().messages()[0].letter();
    assert!(flat(&letter).contains("the tested backup was not copied"), "{}\n{}", letter.text, outcome.report());
}

/// A file system of its own size, for as long as a test lives.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    fn mount(at: &std::path::Path, size: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=1777"), "tmpfs"]).arg(at);
        assert!(mount.status().unwrap().success(), "a tmpfs can be mounted at {}", at.display());
        Self(at.to_owned())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
