//! docker/kubernetes.yaml: valid by the schemas of Kubernetes, and the same schedule as `crontab`.

use std::collections::BTreeSet;
use std::process::Command;

use acceptance::programs;
use serde_json::Value;

use crate::health::CHECKS;

/// Checks every object strictly, and prints all of them as JSON, with the anchors of YAML resolved.
const VALIDATE: &str = "
import json, sys, yaml, kubernetes_validate
items = yaml.safe_load(open(sys.argv[1]))['items']
for item in items:
    kubernetes_validate.validate(item, '1.33', strict=True)
print(json.dumps(items))
";

fn manifest() -> Vec<Value> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut python = Command::new(programs::server_from_pypi("python"));
    let output = python.args(["-c", VALIDATE, "docker/kubernetes.yaml"]).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn cron_jobs(items: &[Value]) -> impl Iterator<Item = &Value> {
    items.iter().filter(|item| item["kind"] == "CronJob").map(|item| &item["spec"])
}

fn container(job: &Value) -> &Value {
    &job["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn every_object_is_valid_and_each_line_of_the_crontab_is_a_cron_job() {
    let items = manifest();
    // What `health-check` is told to leave out aside, the words are the same.
    let words = |job: &Value| {
        let arguments = container(job)["args"].as_array().unwrap().iter().filter_map(Value::as_str);
        let arguments: Vec<&str> = arguments.filter(|argument| !argument.starts_with("--only=")).collect();
        format!("{} {}", job["schedule"].as_str().unwrap(), arguments.join(" "))
    };
    let in_kubernetes: Vec<String> = cron_jobs(&items).map(words).collect();
    let in_crontab = include_str!("../../../crontab").lines().filter_map(|line| {
        let (when, command) = line.split_once("  root  container job ")?;
        Some(format!("{when} {command}"))
    });
    assert_eq!(in_kubernetes, in_crontab.collect::<Vec<_>>());
}

/// There is no cron to look at; everything else is.
#[test]
fn every_check_but_that_of_cron_is_made() {
    let items = manifest();
    let arguments: Vec<&str> = cron_jobs(&items)
        .flat_map(|job| container(job)["args"].as_array().unwrap())
        .filter_map(Value::as_str)
        .collect();
    let only = arguments.iter().find_map(|argument| argument.strip_prefix("--only=")).unwrap();
    let made: BTreeSet<&str> = only.split(',').collect();
    let known: BTreeSet<&str> = CHECKS.iter().copied().filter(|check| *check != "cron").collect();
    assert_eq!(made, known);
}

#[test]
fn no_job_runs_twice_at_once_or_as_root() {
    let items = manifest();
    for job in cron_jobs(&items) {
        assert_eq!(job["concurrencyPolicy"], "Forbid");
        assert_eq!(job["timeZone"], "Etc/UTC");
        let pod = &job["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsUser"], 10001);
        assert_eq!(pod["enableServiceLinks"], false);
        assert_eq!(container(job)["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container(job)["envFrom"][0]["secretRef"]["name"], "backup");
    }
}
