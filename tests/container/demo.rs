//! docker/demo.yaml: one command, no account.

use acceptance::lifeline;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

use crate::engine::{self, run, wait_until};
use crate::site::{PATIENCE, compose};

/// The demo, with images made here where its file names those that everybody can pull.
struct Demo {
    project: String,
    folder: PathBuf,
}

impl Demo {
    fn new() -> Self {
        let folder = lifeline::new_folder("demo", None);
        let images = json!({ "services": {
            "backup": { "image": engine::image() },
            "db": { "image": engine::BASE_IMAGE },
            "demo": { "image": engine::demo_image() },
        } });
        fs::write(folder.join("override.json"), images.to_string()).unwrap();
        Self { project: format!("backup-test-demo-{}", std::process::id()), folder }
    }

    fn compose(&self, arguments: &[&str]) -> engine::Said {
        let mut command = compose();
        command.current_dir(engine::root()).args(["--project-name", &self.project, "-f", "docker/demo.yaml", "-f"]);
        run(command.arg(self.folder.join("override.json")).args(arguments))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.compose(&["down", "--volumes", "--timeout", "1"]);
    }
}

#[test]
fn the_demo_makes_a_backup_and_mails_it() {
    let demo = Demo::new();
    demo.compose(&["up", "-d"]).succeeds();
    let mails = || demo.compose(&["exec", "-T", "demo", "ls", "/demo/mails"]).stdout;
    wait_until(PATIENCE, || mails().contains(".html"), || demo.compose(&["logs"]).stdout);
    demo.compose(&["exec", "-T", "backup", "restore-test"]).succeeds().says("20 tables");
}
