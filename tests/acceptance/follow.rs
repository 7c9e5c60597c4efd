//! Typing the commands of a page into a shell.

use std::process::Stdio;

use acceptance::sandbox::Sandbox;
use acceptance::{lifeline, programs};

/// Types the commands, of which none may fail, and gives what was on the screen.
pub(crate) fn follow(sandbox: &Sandbox, commands: &str) -> String {
    let (success, said) = type_in(sandbox, &["-e", "-o", "pipefail"], commands);
    assert!(success, "{commands}\n{said}");
    said
}

/// Types the commands all at once, whatever becomes of each, and gives what was on the screen.
pub(crate) fn paste(sandbox: &Sandbox, commands: &str) -> String {
    type_in(sandbox, &[], commands).1
}

fn type_in(sandbox: &Sandbox, options: &[&str], commands: &str) -> (bool, String) {
    let tools = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let path = format!("{}:{}:{}", tools.display(), programs::postgres_folder().display(), programs::SYSTEM_PATH);
    let script = sandbox.write("commands", commands);
    let mut shell = lifeline::command(&programs::on_path("bash").unwrap(), "KILL", None);
    shell.args(options).arg(script).env_clear().envs(sandbox.environment()).env("PATH", path);
    for (name, setting) in
        [("PGHOST", "DB_HOST"), ("PGPORT", "DB_PORT"), ("PGUSER", "DB_USER"), ("PGPASSWORD", "DB_PASSWORD")]
    {
        shell.env(name, sandbox.value(setting).unwrap());
    }
    shell.current_dir(sandbox.home()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = lifeline::spawn(shell).unwrap().wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
