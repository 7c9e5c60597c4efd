//! The image as it is: what is in it, and what is not.

use serde_json::Value;

use crate::engine::{TOOLS, docker, image};

fn inside(command: &str) -> String {
    docker(["run", "--rm", "--read-only", "--cap-drop", "ALL", image(), "bash", "-c", command]).succeeds().stdout
}

#[test]
fn it_says_what_it_is_and_how_it_runs() {
    let config: Value =
        serde_json::from_str(&docker(["inspect", "-f", "{{json .Config}}", image()]).succeeds().stdout).unwrap();
    assert_eq!(config["Entrypoint"], serde_json::json!(["tini", "--"]));
    assert_eq!(config["Cmd"], serde_json::json!(["container", "start"]));
    assert_eq!(config["StopSignal"], "SIGTERM");
    assert_eq!(config["Healthcheck"]["Test"], serde_json::json!(["CMD", "health-check", "--no-notify"]));
    for label in ["title", "description", "licenses", "version"] {
        let label = format!("org.opencontainers.image.{label}");
        assert!(config["Labels"][&label].as_str().is_some_and(|text| !text.is_empty()), "{label}");
    }
}

#[test]
fn every_tool_is_there_and_every_path_of_the_guide_leads_to_one() {
    for tool in TOOLS {
        assert_eq!(inside(&format!("{tool} --version")), format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
    }
    for tool in ["backup", "cleanup", "restore-test", "notify", "health-check"] {
        assert_eq!(inside(&format!("readlink -f /backup/scripts/{tool}.sh")), format!("/usr/local/bin/{tool}\n"));
    }
}

#[test]
fn the_programs_of_postgresql_are_all_of_one_major_version() {
    for program in ["pg_dump", "psql", "initdb", "postgres", "pg_isready"] {
        let version = inside(&format!("$PG_BIN_DIR/{program} --version"));
        assert!(version.contains("(PostgreSQL) 15."), "{version}");
    }
}

#[test]
fn nothing_of_a_build_is_left_and_no_job_is_a_shell_script() {
    assert_eq!(inside("for tool in gcc cc cargo rustc aws make; do command -v $tool; done; true"), "");
    let scripts = inside(
        "for tool in /usr/local/bin/* /backup/scripts/*; do head -c 2 $tool | grep -q '#!' && echo $tool; done; true",
    );
    assert!(scripts.lines().all(|script| script.contains("docker-")), "{scripts}");
}

#[test]
fn a_tool_runs_by_itself_without_cron_as_kubernetes_runs_it() {
    let arguments =
        ["run", "--rm", "--read-only", "--cap-drop", "ALL", "--user", "10001:10001", image(), "backup", "--dry-run"];
    docker(arguments).exits(78).says("S3_BUCKET_NAME");
}
