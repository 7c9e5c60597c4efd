//! A throwaway PostgreSQL server: real, on 127.0.0.1 with a password as the tools need it, on a Unix socket without one for the
//! harness itself.
//!
//! `initdb` runs once per test process; every server starts from a copy. [`Cluster::shared`] serves all tests, each with
//! databases of its own; a test that stops, freezes or reconfigures a server starts its own with [`Cluster::start`].
//! As root, the server runs as the user `postgres`, because it refuses to run as root.

mod database;

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

pub use database::{Database, quote_name, quote_text};

use crate::{lifeline, programs};

/// The superuser's name: not `postgres`, so that nothing works by the accident of a default.
pub const SUPERUSER: &str = "harness";

/// A server with room for a schema of 10,000 tables, that does not wait for the disk, and says who connected.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = '2GB'
max_locks_per_transaction = 256
log_connections = on
log_line_prefix = '%m [%p] %u@%d %a '
timezone = 'UTC'
";

const ACCESS: &str = "
local all all trust
host all all 127.0.0.1/32 scram-sha-256
";

const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// A running server. Clones are handles to the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Cluster {
    server: Arc<Server>,
}

struct Server {
    folder: PathBuf,
    port: u16,
    password: String,
    postmaster: Mutex<Option<Child>>,
}

impl Cluster {
    /// The server of this test process.
    pub fn shared() -> Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start).clone()
    }

    /// A server of the caller's own.
    pub fn start() -> Self {
        let template = template();
        let folder = lifeline::new_folder("pg", server_user().as_ref());
        run(lifeline::command(Path::new("/bin/cp"), "KILL", server_user().as_ref())
            .args(["-a", "--reflink=auto", "--"])
            .arg(template.folder.join("data"))
            .arg(&folder));
        // Between finding a free port and listening on it, somebody else may take it: then with another.
        for _ in 0..5 {
            let port = free_port();
            if let Some(postmaster) = start_postmaster(&folder, port) {
                let postmaster = Mutex::new(Some(postmaster));
                return Self {
                    server: Arc::new(Server { folder, port, password: template.password.clone(), postmaster }),
                };
            }
        }
        panic!("PostgreSQL did not start; its log:\n{}", read_log(&folder))
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The superuser's password over TCP. It holds every character that a shell, a URL or a `.env` file would trip over.
    pub fn password(&self) -> &str {
        &self.server.password
    }

    /// The folder of the Unix socket, on which nobody is asked for a password.
    pub fn socket_folder(&self) -> &Path {
        &self.server.folder
    }

    /// A new empty database with a name of its own, in UTF-8, with the C.UTF-8 locale.
    pub fn create_database(&self) -> Database {
        self.create_database_named(&format!("shop_{}", lifeline::unique()))
    }

    /// A new empty database with this name, however odd.
    pub fn create_database_named(&self, name: &str) -> Database {
        self.maintenance().sql(&format!("CREATE DATABASE {} TEMPLATE template0", quote_name(name)));
        self.database(name)
    }

    /// A handle to a database, whether it exists or not.
    pub fn database(&self, name: &str) -> Database {
        Database { cluster: self.clone(), name: name.to_owned() }
    }

    /// The database `postgres`, for statements that concern the whole server.
    pub fn maintenance(&self) -> Database {
        self.database("postgres")
    }

    /// Creates a role with a name and a password of its own. `options` as in `CREATE ROLE`: `"NOSUPERUSER IN ROLE pg_read_all_data"`.
    pub fn create_role(&self, options: &str) -> Login {
        let login = Login { user: format!("role_{}", lifeline::unique()), password: odd_password() };
        let (user, password) = (quote_name(&login.user), quote_text(&login.password));
        self.maintenance().sql(&format!("CREATE ROLE {user} LOGIN PASSWORD {password} {options}"));
        login
    }

    /// The superuser as the tools log in.
    pub fn superuser(&self) -> Login {
        Login { user: SUPERUSER.to_owned(), password: self.server.password.clone() }
    }

    /// Changes a setting for the sessions to come, without a restart.
    pub fn set(&self, name: &str, value: &str) {
        self.maintenance().sql(&format!("ALTER SYSTEM SET {name} = {};\nSELECT pg_reload_conf();", quote_text(value)));
    }

    /// The pids of the server processes that serve this client program, such as `pg_dump`.
    pub fn backends(&self, application_name: &str) -> Vec<i32> {
        let name = quote_text(application_name);
        let pids =
            self.maintenance().query(&format!("SELECT pid FROM pg_stat_activity WHERE application_name = {name}"));
        pids.lines().map(|pid| pid.parse().expect("a pid is a number")).collect()
    }

    /// Waits until a server process serves this client program, and gives its pid.
    pub fn wait_for_backend(&self, application_name: &str) -> i32 {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            if let Some(pid) = self.backends(application_name).first() {
                return *pid;
            }
            assert!(Instant::now() < deadline, "{application_name} never connected");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends a session as an administrator would.
    pub fn terminate(&self, backend: i32) {
        self.maintenance().query(&format!("SELECT pg_terminate_backend({backend})"));
    }

    /// Stops one server process in its tracks, until the answer is dropped.
    pub fn freeze(&self, backend: i32) -> Frozen {
        let pid = Pid::from_raw(backend);
        kill(pid, Signal::SIGSTOP).expect("the server process is there");
        Frozen { pid, _cluster: self.clone() }
    }

    /// Ends the server at once, as a crash would, without telling its clients.
    pub fn stop_immediate(&self) {
        self.server.stop();
    }

    /// Stops the server if it runs, and starts it on the same data and port.
    pub fn restart(&self) {
        self.server.stop();
        let postmaster = start_postmaster(&self.server.folder, self.server.port)
            .unwrap_or_else(|| panic!("PostgreSQL did not start again; its log:\n{}", self.log()));
        *self.server.postmaster.lock().expect("no test panics while it holds the postmaster") = Some(postmaster);
    }

    /// What the server logged, connections included.
    pub fn log(&self) -> String {
        read_log(&self.server.folder)
    }
}

impl Server {
    fn stop(&self) {
        let postmaster = self.postmaster.lock().ok().and_then(|mut postmaster| postmaster.take());
        if let Some(mut postmaster) = postmaster {
            let pid = Pid::from_raw(i32::try_from(postmaster.id()).expect("a pid fits an i32"));
            // It may have died by itself; waiting for it settles that.
            let _ = kill(pid, Signal::SIGQUIT);
            let _ = postmaster.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        // What is left goes with the folder of the process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A stopped server process, which goes on when this is dropped.
pub struct Frozen {
    pid: Pid,
    _cluster: Cluster,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It may have been killed meanwhile, which is an end of the freeze too.
        let _ = kill(self.pid, Signal::SIGCONT);
    }
}

/// A name and a password that the server accepts over TCP.
#[derive(Clone, Debug)]
pub struct Login {
    /// The role's name.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// A password that is easy to find in an output, by its middle, and hard to pass on unharmed.
fn odd_password() -> String {
    format!("p$w#{}'\"\\ %=", canary("db"))
}

/// A word that appears nowhere by chance, to look for in everything that a tool writes.
pub fn canary(what: &str) -> String {
    format!("canary{what}{:x}x{}", std::process::id(), lifeline::unique())
}

struct Template {
    folder: PathBuf,
    password: String,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let user = server_user();
        let folder = lifeline::new_folder("pg", user.as_ref());
        let password = odd_password();
        let password_file = folder.join("password");
        fs::write(&password_file, &password).expect("the folder can be written");
        let data = folder.join("data");
        run(lifeline::command(&programs::postgres("initdb"), "KILL", user.as_ref())
            .args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--username", SUPERUSER])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--wal-segsize=16", "--pwfile"])
            .arg(&password_file)
            .arg("--pgdata")
            .arg(&data)
            .current_dir(&folder));
        let mut settings = fs::read_to_string(data.join("postgresql.conf")).expect("initdb wrote postgresql.conf");
        settings.push_str(SETTINGS);
        fs::write(data.join("postgresql.conf"), settings).expect("postgresql.conf can be written");
        fs::write(data.join("pg_hba.conf"), ACCESS).expect("pg_hba.conf can be written");
        Template { folder, password }
    })
}

/// Whom the server runs as: `postgres` if we are root, ourselves (`None`) otherwise.
fn server_user() -> Option<User> {
    geteuid().is_root().then(|| {
        User::from_name("postgres").ok().flatten().unwrap_or_else(|| {
            panic!("PostgreSQL does not run as root, and there is no user `postgres`: apt-get install -y --no-install-recommends postgresql")
        })
    })
}

/// Starts a server and waits until it accepts connections; `None` if it ended instead.
fn start_postmaster(folder: &Path, port: u16) -> Option<Child> {
    let data = folder.join("data");
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).expect("the log can be opened");
    let mut command = lifeline::command(&programs::postgres("postgres"), "QUIT", server_user().as_ref());
    command.arg("-D").arg(&data).arg("-p").arg(port.to_string()).arg("-k").arg(folder);
    command.stdout(log.try_clone().expect("the log can be opened twice")).stderr(log).current_dir(folder);
    let mut postmaster = lifeline::spawn(command).expect("PostgreSQL starts");
    let deadline = Instant::now() + STARTS_WITHIN;
    loop {
        if let Some(status) = postmaster.try_wait().expect("the postmaster can be waited for") {
            eprintln!("PostgreSQL ended at once: {}", status.code().or(status.signal()).unwrap_or_default());
            return None;
        }
        // The last line of the file says what the server is doing (PostgreSQL's utils/pidfile.h).
        let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return Some(postmaster);
        }
        assert!(Instant::now() < deadline, "PostgreSQL was not ready in time; its log:\n{}", read_log(folder));
        thread::sleep(Duration::from_millis(10));
    }
}

fn read_log(folder: &Path) -> String {
    fs::read(folder.join("log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
}

fn free_port() -> u16 {
    let probe = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    probe.expect("127.0.0.1 has a free port").port()
}

/// Runs a command that has to succeed.
fn run(command: &mut Command) {
    let mut owned = Command::new("");
    std::mem::swap(command, &mut owned);
    owned.stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = format!("{owned:?}");
    let output = lifeline::spawn(owned).and_then(Child::wait_with_output);
    let Output { status, stdout, stderr } = output.unwrap_or_else(|e| panic!("{shown} does not start: {e}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{shown} failed, {status}:\n{stdout}{stderr}");
}
