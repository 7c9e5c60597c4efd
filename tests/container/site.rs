//! A place where the container runs as at a user's: by docker/compose.yaml, beside a database, with a store and a mail server that
//! this test can look into. Gone, with all that was written, when it is dropped.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use acceptance::lifeline;
use acceptance::mail::Sink;
use acceptance::store::{BUCKET, Store};
use serde_json::{Value, json};

use crate::engine::{self, Said, docker, run, wait_until};

/// How long anything may take that is waited for: the next minute of cron among it, on a machine that is busy with others.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) struct Site {
    project: String,
    folder: PathBuf,
    settings: BTreeMap<String, String>,
    /// What the second compose file says of the service, beside where the host is.
    service: serde_json::Map<String, Value>,
    application: bool,
    pub(crate) store: Store,
    pub(crate) mail: Sink,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = lifeline::new_folder("site", None);
        // Every container may have to reach them, from a network that only the engine knows.
        let anywhere = (Ipv4Addr::UNSPECIFIED, 0).into();
        let (id, number) = (std::process::id(), lifeline::unique());
        let store = Store::start_at(anywhere, format!("key-{id}-{number}"), format!("s3+/{id}x{number}=="));
        let mail = Sink::start_at(anywhere);
        let mut site = Self {
            project: format!("backup-test-{id}-{number}"),
            folder,
            settings: BTreeMap::new(),
            service: serde_json::Map::new(),
            application: false,
            store,
            mail,
        };
        let settings = [
            ("DB_PASSWORD", format!("pa$s#w0rd \"{number}\" \\ %")),
            ("S3_BUCKET_NAME", BUCKET.to_owned()),
            ("S3_ENDPOINT_URL", format!("http://host.docker.internal:{}", site.store.port())),
            ("AWS_ACCESS_KEY_ID", site.store.access_key().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", site.store.secret_key().to_owned()),
            ("MAIL_SMTP_SERVER", "host.docker.internal".to_owned()),
            ("MAIL_SMTP_PORT", site.mail.port().to_string()),
            ("MAIL_SMTP_SECURITY", "none".to_owned()),
            ("MAIL_FROM", "Backup <backup@example.org>".to_owned()),
            ("BACKUP_NOTIFICATION_EMAIL", "operator@example.org".to_owned()),
        ];
        for (name, value) in settings {
            site.env(name, value);
        }
        site
    }

    pub(crate) fn env(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// Another schedule than the image's.
    pub(crate) fn crontab(&mut self, lines: &str) -> &mut Self {
        let path = self.folder.join("crontab");
        let head = "SHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nMAILTO=\"\"\n";
        fs::write(&path, format!("{head}{lines}")).unwrap();
        self.mount(&path.display().to_string(), "/backup/crontab")
    }

    /// Lets the container see a file of this machine.
    pub(crate) fn mount(&mut self, file: &str, at: &str) -> &mut Self {
        let volumes = self.service.entry("volumes").or_insert_with(|| json!([]));
        volumes.as_array_mut().unwrap().push(json!(format!("{file}:{at}:ro")));
        self
    }

    /// Says something else of the service than docker/compose.yaml does.
    pub(crate) fn service(&mut self, name: &str, value: Value) -> &mut Self {
        self.service.insert(name.to_owned(), value);
        self
    }

    /// With a service `app` that works on the database, as far as docker-compose can tell.
    pub(crate) fn application(&mut self) -> &mut Self {
        self.application = true;
        self
    }

    /// Writes a file for the container to see.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// `docker-compose up -d`, and waits until cron runs.
    pub(crate) fn up(&mut self) -> &mut Self {
        self.begin();
        self.wait_for_log("INFO started", PATIENCE);
        self
    }

    /// `docker-compose up -d`, whatever comes of it.
    pub(crate) fn begin(&mut self) {
        self.prepare();
        self.compose(&["up", "-d"]).succeeds();
    }

    /// Everything that `docker-compose up -d` needs.
    pub(crate) fn prepare(&self) {
        engine::image();
        self.write_override();
    }

    /// The settings as docker-compose wants them: in quotes by the rules of YAML, a `$` doubled. And images made here, where the
    /// compose file names those that everybody can pull.
    fn write_override(&self) {
        let environment = self.settings.iter().map(|(name, value)| (name.clone(), json!(value.replace('$', "$$"))));
        let mut service = self.service.clone();
        service.insert("environment".into(), Value::Object(environment.collect()));
        service.insert("extra_hosts".into(), json!(["host.docker.internal:host-gateway"]));
        service.entry("image").or_insert_with(|| json!(engine::IMAGE));
        service.insert("build".into(), engine::build_by_compose());
        // Looked at every second, so that nobody waits for long.
        let database = json!({ "image": engine::BASE_IMAGE, "healthcheck": { "interval": "1s", "retries": 600 } });
        let mut whole = json!({ "services": { "backup": service, "db": database } });
        if self.application {
            whole["services"]["app"] =
                json!({ "image": engine::BASE_IMAGE, "command": "sleep infinity", "init": true });
        }
        self.write("override.json", &whole.to_string());
        fs::create_dir_all(self.folder.join("docker")).unwrap();
        fs::copy(engine::root().join("docker/compose.yaml"), self.folder.join("docker/compose.yaml")).unwrap();
        self.write(".env", "");
    }

    pub(crate) fn compose(&self, arguments: &[&str]) -> Said {
        run(self.as_users_are(compose().args(arguments)))
    }

    /// Has a program run where a user would run docker-compose; which files it takes is said by its own variables.
    pub(crate) fn as_users_are<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let compose = compose();
        let words: Vec<_> = std::iter::once(compose.get_program()).chain(compose.get_args()).collect();
        command
            .current_dir(&self.folder)
            .env("COMPOSE", words.join(OsStr::new(" ")))
            .env("COMPOSE_PROJECT_NAME", &self.project)
            .env("COMPOSE_FILE", "docker/compose.yaml:override.json")
            .env("POSTGRES_PASSWORD", &self.settings["DB_PASSWORD"])
    }

    /// Runs something in the container, as `docker-compose exec backup …` does; but version 1 of that takes a second of both cores.
    pub(crate) fn exec(&self, command: &[&str]) -> Said {
        docker([&["exec", &self.container()], command].concat())
    }

    /// Runs SQL in the database.
    pub(crate) fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).succeeds().stdout
    }

    pub(crate) fn try_sql(&self, statements: &str) -> Said {
        let psql = ["psql", "-qXtA", "-v", "ON_ERROR_STOP=1", "-U", "eleganttex", "-d", "eleganttex", "-c", statements];
        self.compose(&[&["exec", "-T", "db"], &psql[..]].concat())
    }

    /// The container that cron runs in.
    pub(crate) fn container(&self) -> String {
        let of_project = format!("label=com.docker.compose.project={}", self.project);
        let filters = ["--filter", &of_project, "--filter", "label=com.docker.compose.service=backup"];
        docker([&["ps", "-aq"], &filters[..]].concat()).succeeds().stdout.trim().to_owned()
    }

    /// A field of what the engine knows of the container: `State.Health.Status`.
    pub(crate) fn inspect(&self, field: &str) -> String {
        docker(["inspect", "-f", &format!("{{{{.{field}}}}}"), &self.container()]).succeeds().stdout.trim().to_owned()
    }

    /// `docker-compose logs backup`, without what compose puts before each line.
    pub(crate) fn log(&self) -> String {
        let Said { stdout, stderr, .. } = docker(["logs", &self.container()]);
        stdout + &stderr
    }

    /// Waits until the container's log holds this.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str, within: Duration) {
        wait_until(within, || self.log().contains(text), || format!("`{text}` in the log:\n{}", self.log()));
    }

    /// Waits for the backup that is made at the start, to its last word: until then another run of `backup` is under way.
    pub(crate) fn wait_for_first_backup(&self) {
        wait_until(PATIENCE, || self.backups().len() == 1, || self.log());
        let lock = ["flock", "--nonblock", "/backup/state/backup.lock", "true"];
        wait_until(PATIENCE, || self.exec(&lock).code == Some(0), || self.log());
    }

    /// Backups in the store, by key.
    pub(crate) fn backups(&self) -> Vec<String> {
        self.store.keys().into_iter().filter(|key| key.contains("/daily/")).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of the container:\n{}", self.log());
        }
        self.compose(&["down", "--volumes", "--timeout", "1"]);
    }
}

/// Whichever compose is here: the plugin, or version 1, which Debian has.
pub(crate) fn compose() -> Command {
    let plugin = docker(["compose", "version"]).code == Some(0);
    let mut command = Command::new(if plugin { "docker" } else { "docker-compose" });
    if plugin {
        command.arg("compose");
    }
    command
}
