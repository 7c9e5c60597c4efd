//! `tools`: every tool and every PostgreSQL program is there and can be run, in versions that can dump and restore this server.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use backup_core::postgres::{PostgresError, Program, Version};
use nix::unistd::{AccessFlags, access};

use crate::finding::{Finding, Name, Remark};

/// What a complete installation has.
const TOOLS: [&str; 6] = ["backup", "cleanup", "restore-test", "notify", "health-check", "restore"];

/// What `backup` needs, and what only a restore test needs.
const CLIENT: [&str; 2] = ["pg_dump", "psql"];
const SERVER: [&str; 2] = ["initdb", "postgres"];

#[derive(Debug)]
pub(crate) struct Facts {
    /// Tools that are nowhere, or cannot be run.
    pub(crate) missing: Vec<&'static str>,
    /// The client programs, each by its name.
    pub(crate) client: Vec<(&'static str, Result<Version, PostgresError>)>,
    /// The server programs that were found, of every version, each by its name.
    pub(crate) server: Vec<(&'static str, Version)>,
}

pub(crate) async fn look(bin_dir: Option<&Path>) -> Facts {
    let path: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let folders: Vec<PathBuf> = own_folder().into_iter().chain(path.iter().cloned()).collect();
    let missing = TOOLS.into_iter().filter(|tool| !folders.iter().any(|folder| can_be_run(&folder.join(tool))));
    let missing = missing.collect();

    let mut client = Vec::new();
    for name in CLIENT {
        client.push((name, Program::find(name, bin_dir).await.map(|program| program.version)));
    }
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = debian.filter_map(Result::ok).map(|entry| entry.path().join("bin"));
    let mut server = Vec::new();
    for folder in bin_dir.map(Path::to_owned).into_iter().chain(path).chain(debian) {
        for name in SERVER.into_iter().filter(|name| can_be_run(&folder.join(name))) {
            server.extend(Program::find(name, Some(&folder)).await.ok().map(|program| (name, program.version)));
        }
    }
    Facts { missing, client, server }
}

fn own_folder() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

fn can_be_run(file: &Path) -> bool {
    file.is_file() && access(file, AccessFlags::X_OK).is_ok()
}

/// Judges the programs, against the version of the server where that is known.
pub(crate) fn judge(facts: &Facts, served: Option<&Version>) -> Finding {
    let mut remarks = Vec::new();
    if !facts.missing.is_empty() {
        let fact = format!("missing, or not to be run: {}", facts.missing.join(", "));
        remarks.push(Remark::critical(fact, "Install the tools again: for the container, build and start it anew."));
    }
    for (name, version) in &facts.client {
        match (version, served) {
            (Err(error), _) => {
                let advice = error.hint().unwrap_or_else(|| "Install PostgreSQL's client programs.".to_owned());
                remarks.push(Remark::critical(error.to_string(), advice));
            }
            (Ok(version), Some(served)) => remarks.extend(of_client(name, version, served)),
            (Ok(_), None) => {}
        }
    }
    let wanted = served.or_else(|| facts.client.iter().find_map(|(_, version)| version.as_ref().ok()));
    remarks.extend(wanted.and_then(|wanted| of_server_programs(&facts.server, wanted)));
    if remarks.is_empty() {
        let version = facts.client.iter().find_map(|(_, version)| version.as_ref().ok());
        let version = version.map(ToString::to_string).unwrap_or_default();
        remarks.push(Remark::ok(format!("{} tools, and PostgreSQL's programs of version {version}", TOOLS.len())));
    }
    Finding::new(Name::Tools, remarks, Vec::new())
}

fn of_client(name: &str, version: &Version, served: &Version) -> Option<Remark> {
    let install = format!(
        "Install the programs of PostgreSQL {} (PG_BIN_DIR names their directory); for the container, build it with PG_MAJOR={}.",
        served.major, served.major
    );
    match version.major.cmp(&served.major) {
        Ordering::Less => {
            let fact =
                format!("{name} is version {version}, the server is {served}: it refuses to dump a newer server");
            Some(Remark::critical(fact, install))
        }
        Ordering::Equal => None,
        Ordering::Greater => {
            let major = served.major;
            let fact =
                format!("{name} is version {version}, the server is {served}: a dump may not restore into a {major}");
            Some(Remark::warning(fact, install))
        }
    }
}

/// A restore test needs a server of the same major version as the dump.
fn of_server_programs(found: &[(&'static str, Version)], wanted: &Version) -> Option<Remark> {
    let missing: Vec<&str> = SERVER
        .into_iter()
        .filter(|name| !found.iter().any(|(found, version)| found == name && version.major == wanted.major))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let fact =
        format!("no {} of version {} is here: no restore test can be carried out", missing.join(" and "), wanted.major);
    Some(Remark::warning(
        fact,
        format!("Install PostgreSQL's server programs: on Debian, postgresql-{}.", wanted.major),
    ))
}

#[cfg(test)]
mod tests {
    use backup_core::mail::State;

    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn facts(client: &str, server: &[&str]) -> Facts {
        Facts {
            missing: Vec::new(),
            client: CLIENT.map(|name| (name, Ok(version(client)))).into(),
            server: server.iter().flat_map(|text| SERVER.map(|name| (name, version(text)))).collect(),
        }
    }

    #[test]
    fn versions_must_be_able_to_dump_and_restore_the_server() {
        for (client, server, served, state) in [
            ("15.18", &["15.18"][..], Some("15.3"), State::Ok),
            ("15.18", &["14.2", "15.18"][..], None, State::Ok),
            ("14.9", &["15.18"][..], Some("15.3"), State::Critical),
            ("16.2", &["15.18"][..], Some("15.3"), State::Warning),
            ("15.18", &["16.2"][..], Some("15.3"), State::Warning),
            ("15.18", &[][..], None, State::Warning),
        ] {
            let served = served.map(version);
            let finding = judge(&facts(client, server), served.as_ref());
            assert_eq!(finding.state, state, "{client} {server:?} {served:?}: {}", finding.fact);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let finding = judge(&Facts { missing: vec!["cleanup", "notify"], ..facts("15.18", &["15.18"]) }, None);
        assert_eq!(
            (finding.state, finding.fact.as_str()),
            (State::Critical, "missing, or not to be run: cleanup, notify")
        );
        let mut programs = facts("15.18", &[]);
        programs.server.push(("initdb", version("15.18")));
        assert!(judge(&programs, None).fact.starts_with("no postgres of version 15 is here"));
    }
}
