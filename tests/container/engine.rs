//! The Docker engine, driven as users drive it: by its own programs. The image under test is built once.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use acceptance::lifeline;

/// What `scripts/test --docker` makes to stand in for the official PostgreSQL image.
pub(crate) const BASE_IMAGE: &str = "backup-test-postgres:15-bookworm";

/// The image under test.
pub(crate) const IMAGE: &str = "backup-test-image";

const PROGRAMS: &str = "backup-test-programs";

/// What the image is to contain; the demo has the last one.
pub(crate) const TOOLS: [&str; 7] =
    ["backup", "cleanup", "restore-test", "notify", "health-check", "restore", "container"];

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
}

impl Said {
    pub(crate) fn succeeds(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// Fails the test unless this stands on stdout or stderr.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "expected: {text}\n{self}");
        self
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr, shown } = self;
        write!(f, "{shown}\nexit code {code:?}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Said {
    let shown = format!("{command:?}");
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("start {shown}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code(), stdout: text(stdout), stderr: text(stderr), shown }
}

/// `docker ARGUMENTS`.
pub(crate) fn docker<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Said {
    run(Command::new("docker").args(arguments))
}

/// Waits for a condition; fails the test, with these words, if it does not hold in time.
#[track_caller]
pub(crate) fn wait_until(within: Duration, mut holds: impl FnMut() -> bool, words: impl FnOnce() -> String) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {within:?}: {}", words());
        sleep(Duration::from_millis(100));
    }
}

pub(crate) fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// The image, built from the programs that lie beside this test.
pub(crate) fn image() -> &'static str {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let base = docker(["image", "inspect", BASE_IMAGE]);
        assert!(base.code == Some(0), "{BASE_IMAGE} is not there: run scripts/test --docker, which makes it\n{base}");
        import_programs();
        build("docker/Dockerfile", IMAGE, &format!("POSTGRES_IMAGE={BASE_IMAGE}"));
    });
    IMAGE
}

/// The servers of the demo.
pub(crate) fn demo_image() -> &'static str {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        image();
        build("docker/demo.Dockerfile", "backup-test-demo", &format!("BASE_IMAGE={BASE_IMAGE}"));
    });
    "backup-test-demo"
}

/// On the host's own network, for an engine without a way out for its containers.
fn build(file: &str, image: &str, argument: &str) {
    let arguments = ["build", "--network", "host", "--file", file, "--tag", image, "--build-arg", argument];
    let programs = ["--build-arg", &format!("PROGRAMS={PROGRAMS}"), "."];
    let mut command = Command::new("docker");
    run(command.env("DOCKER_BUILDKIT", "1").current_dir(root()).args(arguments).args(programs)).succeeds();
}

/// The same for docker-compose: what its file says of building the image, with what is different here.
pub(crate) fn build_by_compose() -> serde_json::Value {
    let args = serde_json::json!({ "POSTGRES_IMAGE": BASE_IMAGE, "PROGRAMS": PROGRAMS });
    serde_json::json!({ "context": root(), "network": "host", "args": args })
}

/// An image that holds nothing but the programs, to take the place of the stage that builds them.
fn import_programs() {
    let built = std::env::current_exe().unwrap();
    let built = built.ancestors().nth(2).unwrap();
    let folder = lifeline::new_folder("programs", None);
    let programs = folder.join("programs");
    fs::create_dir(&programs).unwrap();
    for tool in TOOLS.iter().chain(&["servers"]) {
        // Without what only a debugger reads, which is most of it.
        run(Command::new("strip").arg("-o").arg(programs.join(tool)).arg(built.join(tool))).succeeds();
    }
    let tar = folder.join("programs.tar");
    run(Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(&folder).arg("programs")).succeeds();
    docker([OsStr::new("import"), tar.as_os_str(), OsStr::new(PROGRAMS)]).succeeds();
    fs::remove_dir_all(&folder).unwrap();
}
