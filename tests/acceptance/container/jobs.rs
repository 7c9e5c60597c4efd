//! A job finds everything that the container was given, whatever it holds, and nothing that cron adds.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::Signal;

use super::Host;

/// Everything that a shell, cron or a file of lines would trip over.
const ODD: &str = "a b\t'c' \"d\" $e ${f} `g` $(h) \\ % # ; & | * ? ~ = é \u{1}\u{7f}\r\nDB_HOST=elsewhere\n";

fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.split('\0').filter_map(|entry| entry.split_once('=')).collect()
}

#[test]
fn every_variable_arrives_as_it_is() {
    let mut host = Host::new();
    host.sandbox.env("ODD", ODD).env("EMPTY", "");
    let seen = host.sandbox.home().join("seen");
    acceptance::lifeline::write_executable(
        &host.program("look"),
        &format!("#!/bin/sh\nenv -0 >'{0}.half' && mv '{0}.half' '{0}'\n", seen.display()),
    )
    .unwrap();
    host.cron("job look; exec sleep 300");
    let mut running = host.started();
    running.wait_until("ran the job", |_| seen.exists());
    let text = fs::read_to_string(&seen).unwrap();
    let mut arrived = variables(&text);
    for of_the_shell in ["PWD", "OLDPWD", "SHLVL", "_", "BACKUP_SETTINGS_LOADED"] {
        arrived.remove(of_the_shell);
    }
    running.signal(Signal::SIGTERM);
    running.wait().succeeds();
    let given: BTreeMap<&str, &str> = host.sandbox.environment().collect();
    assert_eq!(arrived, given);
}

#[test]
fn a_backup_by_cron_is_a_backup_by_hand() {
    let host = Host::new();
    host.cron("job backup; exec sleep 300");
    let mut running = host.started();
    host.wait_for(&mut running, "backup: ");
    running.wait_until("stored a backup", |_| host.output().contains("INFO stored s3://"));
    host.sandbox.mail().wait_for(1, std::time::Duration::from_mins(1));
    running.signal(Signal::SIGTERM);
    running.wait().succeeds();
    assert_eq!(host.sandbox.store().keys().len(), 3);
}

#[test]
fn what_has_no_log_of_its_own_speaks_in_the_containers() {
    let host = Host::new();
    host.cron("job sh -c 'echo from a job; echo and its complaint >&2'; job no-such-program; exec sleep 300");
    let mut running = host.started();
    for text in ["\nfrom a job\n", "\nand its complaint\n", "cannot start no-such-program"] {
        host.wait_for(&mut running, text);
    }
    running.signal(Signal::SIGTERM);
    running.wait().succeeds();
}
