//! Typing the commands of a page into a shell.

use std::process::Stdio;

use acceptance::sandbox::Sandbox;
use acceptance::{lifeline, programs};

/// Types the commands, as they are, and gives what was on the screen.
pub(crate) fn follow(sandbox: &Sandbox, commands: &str) -> String {
    let tools = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let path = format!("{}:{}:{}", tools.display(), programs::postgres_folder().display(), programs::SYSTEM_PATH);
    let script = sandbox.write("commands", commands);
    let mut shell = lifeline::command(&programs::on_path("bash").unwrap(), "KILL", None);
    // A terminal goes on after a command that failed.
    shell.arg(script).env_clear().envs(sandbox.environment()).env("PATH", path);
    for (name, setting) in
        [("PGHOST", "DB_HOST"), ("PGPORT", "DB_PORT"), ("PGUSER", "DB_USER"), ("PGPASSWORD", "DB_PASSWORD")]
    {
        shell.env(name, sandbox.value(setting).unwrap());
    }
    shell.current_dir(sandbox.home()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = lifeline::spawn(shell).unwrap().wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    format!("{commands}\n{}", String::from_utf8_lossy(&said))
}
