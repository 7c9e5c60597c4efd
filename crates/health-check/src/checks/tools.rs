//! `tools`: every tool and every PostgreSQL program is there and can be run, in versions that can dump and restore this server.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use backup_core::postgres::{PostgresError, Program, Programs, ScratchError, Version, mended_psql};
use backup_core::process::TOOLS;
use nix::unistd::{AccessFlags, access};

use crate::finding::{Finding, Name, Remark};

/// What `backup` needs. A restore test needs a server of the same version too.
const CLIENT: [&str; 2] = ["pg_dump", "psql"];

#[derive(Debug)]
pub(crate) struct Facts {
    /// Tools that are nowhere, or cannot be run.
    pub(crate) missing: Vec<&'static str>,
    /// The client programs, each by its name.
    pub(crate) client: Vec<(&'static str, Result<Version, PostgresError>)>,
}

pub(crate) async fn look(bin_dir: Option<&Path>) -> Facts {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = own_folder().into_iter().chain(std::env::split_paths(&path)).collect();
    let missing = TOOLS.into_iter().filter(|tool| !folders.iter().any(|folder| can_be_run(&folder.join(tool))));
    let missing = missing.collect();
    let mut client = Vec::new();
    for name in CLIENT {
        client.push((name, Program::find(name, bin_dir).await.map(|program| program.version)));
    }
    Facts { missing, client }
}

/// Looks as a restore test does for the programs of a version: the server's, or the client programs' where no server says it.
pub(crate) async fn look_for_server_programs(
    facts: &Facts,
    served: Option<&Version>,
    bin_dir: Option<&Path>,
) -> Result<(), ScratchError> {
    let version = served.or_else(|| facts.client.iter().find_map(|(_, version)| version.as_ref().ok()));
    match version {
        Some(version) => Programs::find(bin_dir, version.major).await.map(drop),
        None => Ok(()),
    }
}

fn own_folder() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

fn can_be_run(file: &Path) -> bool {
    file.is_file() && access(file, AccessFlags::X_OK).is_ok()
}

/// Judges the programs, against the version of the server where that is known.
pub(crate) fn judge(facts: &Facts, served: Option<&Version>, server_programs: &Result<(), ScratchError>) -> Finding {
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
        remarks.extend(version.as_ref().ok().filter(|_| *name == "psql").and_then(of_psql));
    }
    if let Err(error) = server_programs {
        let advice = error.hint().unwrap_or_else(|| "See whether its programs can be run.".to_owned());
        remarks.push(Remark::warning(format!("no restore test can be carried out: {error}"), advice));
    }
    if remarks.is_empty() {
        let version = facts.client.iter().find_map(|(_, version)| version.as_ref().ok());
        let version = version.map(ToString::to_string).unwrap_or_default();
        remarks.push(Remark::ok(format!("{} tools, and PostgreSQL's programs of version {version}", TOOLS.len())));
    }
    Finding::new(Name::Tools, remarks, Vec::new())
}

/// Restores are made by it, of whatever stands in the store.
fn of_psql(psql: &Version) -> Option<Remark> {
    let mended = mended_psql(psql)?;
    let fact = format!("psql {psql} runs shell commands that somebody hid in a backup (CVE-2026-18408)");
    Some(Remark::warning(fact, format!("Update PostgreSQL's client programs, to {mended} or later.")))
}

fn of_client(name: &str, version: &Version, served: &Version) -> Option<Remark> {
    let install = format!(
        "Install the programs of PostgreSQL {} (PG_BIN_DIR names their directory); for the container, build it with POSTGRES_MAJOR={}.",
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

#[cfg(test)]
mod tests {
    use backup_core::mail::State;

    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn facts(client: &str) -> Facts {
        Facts { missing: Vec::new(), client: CLIENT.map(|name| (name, Ok(version(client)))).into() }
    }

    #[test]
    fn versions_must_be_able_to_dump_and_restore_the_server() {
        for (client, served, state) in [
            ("15.19", Some("15.3"), State::Ok),
            ("15.19", None, State::Ok),
            ("15.18", None, State::Warning),
            ("14.9", Some("15.3"), State::Critical),
            ("16.15", Some("15.3"), State::Warning),
        ] {
            let served = served.map(version);
            let finding = judge(&facts(client), served.as_ref(), &Ok(()));
            assert_eq!(finding.state, state, "{client} {served:?}: {}", finding.fact);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let finding = judge(&Facts { missing: vec!["cleanup", "notify"], ..facts("15.19") }, None, &Ok(()));
        assert_eq!(
            (finding.state, finding.fact.as_str()),
            (State::Critical, "missing, or not to be run: cleanup, notify")
        );
        let none = Err(ScratchError::NoPrograms { major: 15, others: [14].into() });
        let finding = judge(&facts("15.19"), None, &none);
        let fact = "no restore test can be carried out: PostgreSQL 15, its server programs included, is not on this machine (there is 14)";
        assert_eq!((finding.state, finding.fact.as_str()), (State::Warning, fact));
    }
}
