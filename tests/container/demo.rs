//! The demo of docker/compose.yaml: one command, no account.

use std::time::Duration;

use crate::engine::{self, run, wait_until};
use crate::site::compose;

struct Demo(String);

impl Demo {
    fn compose(&self, arguments: &[&str]) -> engine::Said {
        let mut command = compose();
        command.current_dir(engine::root().join("docker")).env("POSTGRES_IMAGE", engine::BASE_IMAGE);
        command.env("IMAGE", engine::image()).env("DEMO_IMAGE", engine::demo_image());
        command.args(["--project-name", &self.0, "--env-file", "demo.env", "--profile", "demo"]);
        run(command.args(arguments))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.compose(&["down", "--volumes", "--timeout", "1"]);
    }
}

#[test]
fn the_demo_makes_a_backup_and_mails_it() {
    let demo = Demo(format!("backup-test-demo-{}", std::process::id()));
    demo.compose(&["up", "-d"]).succeeds();
    let mails = || demo.compose(&["exec", "-T", "demo", "ls", "/demo/mails"]).stdout;
    wait_until(Duration::from_mins(2), || mails().contains(".html"), || demo.compose(&["logs"]).stdout);
    demo.compose(&["exec", "-T", "backup", "backup"]).succeeds().says("s3://shop-backups/");
}
