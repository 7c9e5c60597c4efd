//! What must hold after every run, however it ended: nothing lies around, and no secret was told.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::Sandbox;

/// How long processes may take to go after the tool has gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Command lines with a secret in them, seen while tools ran.
#[derive(Default)]
pub(super) struct Leaks(Mutex<BTreeSet<String>>);

impl Sandbox {
    /// Fails the test if a run left a backup, an unfinished upload, a file, a process or a lock behind.
    pub fn assert_nothing_left_behind(&self) {
        let backups: Vec<_> = self.store.keys().into_iter().filter(|key| looks_like_a_backup(key)).collect();
        assert!(backups.is_empty(), "objects that look like backups: {backups:#?}\n{}", self.store.transcript());
        self.assert_no_litter();
    }

    /// Fails the test if a run left an unfinished upload, a file, a process or a lock behind. Backups may be there.
    pub fn assert_no_litter(&self) {
        let uploads = self.store.unfinished_uploads();
        assert!(uploads.is_empty(), "unfinished uploads: {uploads:#?}\n{}", self.store.transcript());
        for folder in ["temp", "tmp"] {
            let files = files_below(&self.home.join(folder));
            assert!(files.is_empty(), "files left in {folder}: {files:#?}");
        }
        let deadline = Instant::now() + GONE_WITHIN;
        loop {
            let alive = self.processes();
            if alive.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "processes that outlived the tool: {alive:#?}");
            thread::sleep(Duration::from_millis(20));
        }
        for path in files_below(&self.home.join("state")) {
            if path.extension().is_some_and(|extension| extension == "lock") {
                let lock = File::open(&path).unwrap_or_else(|e| panic!("open {}: {e}", path.display()));
                assert!(lock.try_lock().is_ok(), "{} is still locked", path.display());
            }
        }
    }

    /// Fails the test if a secret of the sandbox appears in any output, log, state file, mail or object, or was on a command
    /// line while a tool ran.
    pub fn assert_no_secret_leaked(&self) {
        let leaks = self.leaks.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(leaks.is_empty(), "secrets on command lines: {leaks:#?}");
        let secrets = self.canaries();
        let folder = self.home.parent().expect("the home is in the sandbox's folder");
        for path in files_below(folder).into_iter().filter(|path| !path.starts_with(self.home.join("bin"))) {
            assert_silent(&secrets, &path.display().to_string(), &fs::read(&path).unwrap_or_default());
        }
        for message in self.mail.messages() {
            let letter = message.letter();
            assert_silent(&secrets, "a mail", &message.raw);
            assert_silent(&secrets, "a mail", format!("{letter:?}").as_bytes());
        }
        for key in self.store.keys() {
            assert_silent(&secrets, "a key", key.as_bytes());
            assert_silent(&secrets, &key, &self.store.read(&key));
        }
    }

    /// The processes that belong to this sandbox, by pid and command line: its path is in their arguments or variables.
    pub fn processes(&self) -> Vec<String> {
        let mark = format!("{}/", self.home.display());
        let marked = |pid: &u32| {
            // A backend of PostgreSQL writes its title over both.
            let works_in = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default().display().to_string();
            [process_file(*pid, "cmdline"), process_file(*pid, "environ"), works_in]
                .iter()
                .any(|text| text.contains(&mark))
        };
        let described = |pid: u32| format!("{pid} {}", process_file(pid, "cmdline").replace('\0', " "));
        pids().filter(marked).map(described).collect()
    }

    /// The middle of each secret, which survives every kind of escaping.
    fn canaries(&self) -> Vec<String> {
        let canary = |secret: String| {
            let word = secret.find("canary").map(|start| &secret[start..]);
            let end = word.and_then(|word| word.find(|c: char| !c.is_ascii_alphanumeric()));
            word.map(|word| word[..end.unwrap_or(word.len())].to_owned()).unwrap_or(secret)
        };
        self.secrets().into_iter().map(canary).filter(|secret| !secret.is_empty()).collect()
    }
}

/// Notes every command line on this machine that holds one of the sandbox's secrets.
pub(super) fn look_at_command_lines(sandbox: &Sandbox) {
    let secrets = sandbox.canaries();
    for command_line in pids().map(|pid| process_file(pid, "cmdline")) {
        if secrets.iter().any(|secret| command_line.contains(secret)) {
            sandbox.leaks.0.lock().unwrap_or_else(PoisonError::into_inner).insert(command_line.replace('\0', " "));
        }
    }
}

fn assert_silent(secrets: &[String], place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        assert!(!text.contains(secret), "{place} holds a secret ({secret}):\n{text}");
    }
}

/// A key that a person or a tool would take for a backup, of whatever database.
fn looks_like_a_backup(key: &str) -> bool {
    key.ends_with(".sql.gz") || key.contains("_backup_") || key.contains("restore_test_")
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A file of `/proc`; empty if the process has gone.
fn process_file(pid: u32, name: &str) -> String {
    fs::read(format!("/proc/{pid}/{name}"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => panic!("list {}: {e}", folder.display()),
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
