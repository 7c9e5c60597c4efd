//! The container's main process, outside any container: with a script in the place of cron, which starts jobs as cron does.

mod compose;
mod endings;
mod jobs;
mod kubernetes;
mod logs;
mod start;
mod told;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use acceptance::lifeline::write_executable;
use acceptance::programs::SYSTEM_PATH;
use acceptance::sandbox::{Run, Running, Sandbox};

/// A sandbox in which `container start` finds a cron, a schedule and the tools.
struct Host {
    sandbox: Sandbox,
    output: PathBuf,
}

/// What the container's main process has on its PATH, and nothing in PostgreSQL's place.
const TOOLS: [&str; 6] = ["backup", "cleanup", "restore-test", "notify", "container", "health-check"];

impl Host {
    fn new() -> Self {
        Self::around(Sandbox::new())
    }

    fn around(mut sandbox: Sandbox) -> Self {
        let host_bin = sandbox.home().join("host");
        fs::create_dir(&host_bin).unwrap();
        let built = std::env::current_exe().unwrap();
        for tool in TOOLS {
            let program = built.ancestors().nth(2).unwrap().join(tool);
            if program.is_file() {
                symlink(program, host_bin.join(tool)).unwrap();
            }
        }
        let path = format!("{}:{SYSTEM_PATH}", host_bin.display());
        sandbox.env("PATH", &path);
        let output = sandbox.write("output", "");
        let host = Self { sandbox, output };
        host.cron("exec sleep 300");
        host.crontab("0 2 * * * root container job backup\n");
        host
    }

    /// What cron does: a script, in which `job PROGRAM…` starts a line of the schedule as cron would start it.
    fn cron(&self, script: &str) {
        let run = self.run_folder();
        let head = "#!/bin/sh\n[ \"$1\" = -f ] || exit 9\n";
        let job = format!(
            "job() {{ env -i HOME=/root LOGNAME=root SHELL=/bin/sh PATH=\"$PATH\" setsid sh -c \
             'exec container --run-folder \"$0\" job \"$@\"' '{}' \"$@\" </dev/null >/dev/null 2>&1 & }}\n",
            run.display()
        );
        write_executable(&self.program("cron"), &format!("{head}{job}{script}\n")).unwrap();
    }

    /// A program beside the tools.
    fn program(&self, name: &str) -> PathBuf {
        self.sandbox.home().join("host").join(name)
    }

    fn crontab(&self, lines: &str) {
        let path = self.sandbox.value("PATH").unwrap();
        self.sandbox.write("crontab", &format!("PATH={path}\n{lines}"));
    }

    fn run_folder(&self) -> PathBuf {
        self.sandbox.home().join("run")
    }

    /// `container start`, with what it prints going to a file, as a log would take it.
    fn start(&self) -> Run<'_> {
        let output = OpenOptions::new().append(true).open(&self.output).unwrap();
        let home = self.sandbox.home();
        self.sandbox
            .command("container")
            .arg("--run-folder")
            .arg(self.run_folder())
            .arg("start")
            .arg("--crontab")
            .arg(home.join("crontab"))
            .stdout(output)
    }

    /// Started, and cron with it; no backup is made.
    fn started(&self) -> Running<'_> {
        let mut running = self.start().arg("--no-catch-up").spawn();
        self.wait_for(&mut running, "INFO started");
        running
    }

    /// What has been printed.
    fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    fn wait_for(&self, running: &mut Running<'_>, text: &str) {
        running.wait_until(&format!("printed {text:?}"), |_| self.output().contains(text));
    }
}

fn touch(path: &Path) {
    File::create(path).unwrap();
}
