//! docker/compose.yaml and docker/demo.yaml: the demo shows what users get.

use std::process::Command;

use acceptance::programs;
use serde_json::Value;

fn service(file: &str, name: &str) -> serde_json::Map<String, Value> {
    let print = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut python = Command::new(programs::server_from_pypi("python"));
    let output = python.args(["-c", print, file]).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole: Value = serde_json::from_slice(&output.stdout).unwrap();
    whole["services"][name].as_object().unwrap().clone()
}

#[test]
fn the_demo_runs_what_users_run() {
    let [mut ours, mut demo] = ["docker/compose.yaml", "docker/demo.yaml"].map(|file| service(file, "backup"));
    // With settings and volumes of its own.
    ours.remove("env_file").unwrap();
    demo.remove("environment").unwrap();
    let volumes = demo["volumes"].to_string().replace("demo_", "backup_");
    demo["volumes"] = serde_json::from_str(&volumes).unwrap();
    assert_eq!(ours, demo);
    let image = |file| service(file, "db")["image"].clone();
    assert_eq!(image("docker/compose.yaml"), image("docker/demo.yaml"));
}
