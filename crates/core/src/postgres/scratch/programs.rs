//! The server programs of one major version, all from one folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ScratchError;
use crate::postgres::client::versioned_folder;
use crate::postgres::{Program, Version};

/// What it takes to run a server, restore into it and dump it.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Where they were found, and where the links that may stand there lead.
    pub(super) folders: Vec<PathBuf>,
    pub(super) initdb: PathBuf,
    pub(super) postgres: Program,
    pub(super) psql: Program,
    pub(super) pg_dump: Program,
}

impl Programs {
    /// Finds the programs of this major version: in the folder that the settings name, on `PATH`, where Debian keeps them.
    pub async fn find(bin_dir: Option<&Path>, major: u32) -> Result<Self, ScratchError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = bin_dir
            .map(Path::to_owned)
            .into_iter()
            .chain(std::env::split_paths(&path))
            .chain([versioned_folder(major)])
            .collect();
        let mut others = BTreeSet::new();
        for folder in folders {
            let initdb = folder.join("initdb");
            let all = ["initdb", "postgres", "psql", "pg_dump"].iter().all(|name| folder.join(name).is_file());
            if !all {
                continue;
            }
            let ask = async |name| Program::ask(name, folder.join(name)).await;
            let Ok(postgres) = ask("postgres").await else { continue };
            if postgres.version.major != major {
                others.insert(postgres.version.major);
                continue;
            }
            let (psql, pg_dump) = (ask("psql").await?, ask("pg_dump").await?);
            let real = std::fs::canonicalize(&postgres.path).ok();
            let real = real.and_then(|program| program.parent().map(Path::to_owned));
            let folders = std::iter::once(folder).chain(real).collect();
            return Ok(Self { folders, initdb, postgres, psql, pg_dump });
        }
        Err(ScratchError::NoPrograms { major, others })
    }

    /// The version of the server.
    pub fn version(&self) -> &Version {
        &self.postgres.version
    }
}
