//! One tool run after another in a world of its own: the way tests read.
//!
//! A [`Sandbox`] is a home folder, a database on the shared server, a store, a mail sink, and an environment that wires the
//! tools to them and holds nothing else. Its secrets are words that appear nowhere by chance. Checks for after a run
//! are in [`Sandbox::assert_nothing_left_behind`] and [`Sandbox::assert_no_secret_leaked`].

mod checks;
mod outcome;
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub use outcome::Outcome;
pub use run::{Run, Running};

use crate::mail::Sink;
use crate::postgres::{Cluster, Database, Login, canary};
use crate::store::{BUCKET, Store};
use crate::{lifeline, programs};

/// Where mails go.
pub const OPERATOR: &str = "operator@example.org";

/// What a tool finds around it.
pub struct Sandbox {
    home: PathBuf,
    environment: BTreeMap<String, String>,
    database: Database,
    store: Store,
    mail: Sink,
    leaks: checks::Leaks,
}

impl Sandbox {
    /// A sandbox with an empty database on the shared server.
    #[expect(clippy::new_without_default, reason = "it starts servers, which nobody expects of a default")]
    pub fn new() -> Self {
        Self::on(Cluster::shared().create_database())
    }

    /// A sandbox around this database, its server included.
    pub fn on(database: Database) -> Self {
        // A folder of another depth than the process's own, whose name is no prefix of a sibling's: the name is the mark by which
        // processes are recognised.
        let home = lifeline::new_folder("sandbox", None).join("home");
        for folder in ["logs", "temp", "state", "tmp", "bin"] {
            fs::create_dir_all(home.join(folder)).expect("the new folder can be written");
        }
        link_programs(&home.join("bin"));
        let mut sandbox = Self {
            home,
            environment: BTreeMap::new(),
            database,
            store: Store::start(),
            mail: Sink::start(),
            leaks: checks::Leaks::default(),
        };
        sandbox.wire();
        sandbox
    }

    fn wire(&mut self) {
        let superuser = self.database.cluster().superuser();
        let (port, name) = (self.database.cluster().port().to_string(), self.database.name().to_owned());
        self.log_in_as(&superuser);
        self.env("DB_HOST", "127.0.0.1").env("DB_PORT", &port).env("DB_NAME", &name);

        let (endpoint, access_key) = (self.store.endpoint(), self.store.access_key().to_owned());
        let secret_key = self.store.secret_key().to_owned();
        self.env("S3_ENDPOINT_URL", &endpoint).env("S3_BUCKET_NAME", BUCKET).env("S3_REGION", "us-east-1");
        self.env("AWS_ACCESS_KEY_ID", &access_key).env("AWS_SECRET_ACCESS_KEY", &secret_key);
        self.env("AWS_EC2_METADATA_DISABLED", "true");

        let mail_port = self.mail.port().to_string();
        self.env("MAIL_SMTP_SERVER", "127.0.0.1").env("MAIL_SMTP_PORT", &mail_port).env("MAIL_SMTP_SECURITY", "none");
        self.env("MAIL_USERNAME", "mailer@example.org").env("MAIL_PASSWORD", &format!("m$il \"{}'#", canary("mail")));
        self.env("MAIL_FROM", "Backup <mailer@example.org>").env("BACKUP_NOTIFICATION_EMAIL", OPERATOR);

        let home = self.home.display().to_string();
        self.env("BACKUP_HOME", &home).env("HOME", &home).env("TMPDIR", &format!("{home}/tmp"));
        self.env("PG_BIN_DIR", &format!("{home}/bin")).env("PATH", programs::SYSTEM_PATH);
        self.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    }

    /// Sets a variable for the runs to come.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a variable away from the runs to come.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.environment.remove(name);
        self
    }

    /// A variable as runs get it.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// All variables as runs get them.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Lets the tools log in to the database as this role.
    pub fn log_in_as(&mut self, login: &Login) -> &mut Self {
        self.env("DB_USER", &login.user).env("DB_PASSWORD", &login.password)
    }

    /// Where `logs`, `temp` and `state` are, and a `.env` would be read from.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The database that the tools back up.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The store that they back up to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The server that takes their mails.
    pub fn mail(&self) -> &Sink {
        &self.mail
    }

    /// Writes a file below the home folder and gives its path.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.join(name);
        fs::create_dir_all(path.parent().expect("it is below the home")).expect("the home can be written");
        fs::write(&path, content).unwrap_or_else(|e| panic!("write {}: {e}", path.display()));
        path
    }

    /// Puts a script in the place of a PostgreSQL program. `@REAL@` in it stands for the path of the real one.
    pub fn shim(&self, program: &str, script: &str) -> &Self {
        let path = self.home.join("bin").join(program);
        let real = programs::postgres(program);
        // The link that stands there leads to the real program, which must not be written to.
        let _ = fs::remove_file(&path);
        let script = script.replace("@REAL@", &real.display().to_string());
        lifeline::write_executable(&path, &script).expect("the home can be written");
        self
    }

    /// Takes a PostgreSQL program out of the folder of programs.
    pub fn without_program(&self, program: &str) -> &Self {
        fs::remove_file(self.home.join("bin").join(program)).expect("it is there");
        self
    }

    /// A run of one of the tools, to be given arguments and started.
    pub fn command(&self, tool: &str) -> Run<'_> {
        Run::new(self, tool)
    }

    /// The log files by name, such as `backup.log`.
    pub fn logs(&self) -> BTreeMap<String, String> {
        read_folder(&self.home.join("logs"))
    }

    /// The values of the variables that are secret, whole.
    fn secrets(&self) -> Vec<String> {
        let secrets = self.environment.iter().filter(|(name, _)| is_secret(name));
        secrets.map(|(_, value)| value.clone()).collect()
    }
}

fn is_secret(name: &str) -> bool {
    ["PASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].iter().any(|part| name.contains(part))
        && !name.ends_with("_FILE")
}

/// Every PostgreSQL program under its name, so that each process that a tool starts has the sandbox's path on its command line.
fn link_programs(folder: &Path) {
    let real = programs::postgres_folder();
    for entry in fs::read_dir(&real).unwrap_or_else(|e| panic!("list {}: {e}", real.display())) {
        let entry = entry.expect("the folder can be read to its end");
        std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name()))
            .expect("the new folder can be written");
    }
}

/// The files of a folder with their contents; none if the folder is not there.
fn read_folder(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let read =
        |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let files = entries.filter(|entry| entry.path().is_file());
    files.map(|entry| (entry.file_name().to_string_lossy().into_owned(), read(&entry.path()))).collect()
}
