//! Nothing that a test starts or writes outlives the test process, even when that is killed with SIGKILL.
//!
//! Processes: the kernel is asked to signal each child when its parent dies (`PR_SET_PDEATHSIG`, through `setpriv`, after any
//! change of user, since that clears it). The kernel means the *thread* that forked, and the thread of a test ends with
//! the test, so every child is forked by one thread that lives as long as the process.
//!
//! Files: all of them lie in one folder, which a small shell removes when the pipe from this process breaks.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::User;

use crate::programs;

/// Longer folders would not leave room for the name of a Unix socket (107 bytes in all).
const LONGEST_FOLDER: usize = 50;

struct Folder {
    path: PathBuf,
    /// Never waited for, and the pipe to its stdin held open: its end is what tells the janitor that this process is gone.
    _janitor: process::Child,
}

/// The folder of this test process: short, readable by every user, removed when the process is gone.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    &FOLDER
        .get_or_init(|| {
            let parent = std::env::temp_dir();
            let parent = if parent.as_os_str().len() < LONGEST_FOLDER - 20 { parent } else { PathBuf::from("/tmp") };
            let path = tempfile::Builder::new()
                .prefix("bkt-")
                .permissions(fs::Permissions::from_mode(0o755))
                .tempdir_in(&parent)
                .unwrap_or_else(|e| panic!("a folder in {} for the tests: {e}", parent.display()))
                .keep();
            // It waits out Ctrl-C, which the terminal sends to it too, and servers that are still writing as they stop.
            let janitor = Command::new("/bin/sh")
                .args([
                    "-c",
                    "trap '' INT TERM HUP; cat; for _ in 1 2 3 4 5 6 7 8 9; do rm -rf -- \"$1\" && exit; sleep 1; done",
                ])
                .arg("janitor")
                .arg(&path)
                .env_clear()
                .env("PATH", programs::SYSTEM_PATH)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("/bin/sh starts");
            Folder { path, _janitor: janitor }
        })
        .path
}

/// A new folder with a short unique name in [`folder`], owned by `owner` if that is given.
pub fn new_folder(name: &str, owner: Option<&User>) -> PathBuf {
    let path = folder().join(format!("{name}{}", unique()));
    fs::create_dir(&path).unwrap_or_else(|e| panic!("create {}: {e}", path.display()));
    if let Some(owner) = owner {
        std::os::unix::fs::chown(&path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))
            .unwrap_or_else(|e| panic!("give {} to {}: {e}", path.display(), owner.name));
    }
    path
}

/// A number that no other caller in this process has had.
pub fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A command with an empty environment (`PATH` and a UTF-8 locale aside) that the kernel ends with `signal` when this process dies.
/// With `user`, it runs as that user.
pub fn command(program: &Path, signal: &str, user: Option<&User>) -> Command {
    let mut command = Command::new(programs::setpriv());
    command.args(["--pdeathsig", signal]);
    if let Some(user) = user {
        command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).arg("--init-groups");
    }
    command.arg("--").arg(program).env_clear().env("PATH", programs::SYSTEM_PATH).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null());
    command
}

/// Starts a command from the thread whose death the kernel watches.
pub fn spawn(mut command: Command) -> io::Result<process::Child> {
    in_forker(move || command.spawn())
}

/// A server that runs as a process, and is killed when this is dropped.
pub struct Child {
    process: process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts it with stdout and stderr going to this file.
    pub fn spawn_logged(mut command: Command, log: &Path) -> Self {
        let file = fs::File::create(log).unwrap_or_else(|e| panic!("create {}: {e}", log.display()));
        command.stdout(file.try_clone().expect("a file can be opened twice")).stderr(file);
        let shown = format!("{command:?}");
        let process = spawn(command).unwrap_or_else(|e| panic!("start {shown}: {e}"));
        Self { process, log: log.to_owned() }
    }

    /// Waits until the server says where it listens; fails the test if it ends or does not say it in time.
    pub fn wait_for_port(&self, within: Duration, port: impl Fn(&Path) -> Option<u16>) -> u16 {
        let deadline = Instant::now() + within;
        loop {
            if let Some(port) = port(&self.log) {
                return port;
            }
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server did not start within {within:?}:\n{log}");
            assert!(self.is_running(), "the server ended at once:\n{log}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_running(&self) -> bool {
        // One that has ended and was not waited for is a zombie: `PID (NAME) Z …`, proc(5).
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a script that can be run at once.
///
/// A file that is open for writing cannot be run ("text file busy"), and a process forked meanwhile would keep it open
/// for a moment; so the thread that forks is the one that writes.
pub fn write_executable(path: &Path, script: &str) -> io::Result<()> {
    let (path, script) = (path.to_owned(), script.to_owned());
    in_forker(move || {
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    })
}

fn in_forker<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> T {
    type Job = Box<dyn FnOnce() + Send>;
    static FORKER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let forker = FORKER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name("forker".into())
            .spawn(move || queue.into_iter().for_each(|job| job()))
            .expect("a thread can be started");
        jobs
    });
    let (answer, outcome) = mpsc::channel();
    let job = Box::new(move || {
        // The caller waits below, so the receiving end is there.
        let _ = answer.send(task());
    });
    forker.send(job).expect("the forking thread lives as long as the process");
    outcome.recv().expect("the forking thread answers every job")
}
