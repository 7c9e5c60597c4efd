//! What cron and its jobs read while the container runs: the variables it was started with, the schedule, the way to
//! its output.
//!
//! The variables may hold passwords: they are for root only, and lie in memory where `/run` does. They are never given
//! to a shell, so every byte but NUL arrives as it is. The schedule may be read by everybody: the health check does.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use backup_core::process::now;
use backup_core::settings::Environment;

use crate::error::Error;

const VARIABLES: &str = "variables";
const CRONTAB: &str = "crontab";
const OUTPUT: &str = "output";
const STARTED: &str = "started";

/// The folder.
#[derive(Debug)]
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder as it was made by the container's main process.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes it, for its owner; others find only what they can name and may read.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { attempt: "write", path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o711)).map_err(failed)?;
        Ok(Self(path.to_owned()))
    }

    /// Keeps the variables for the jobs.
    pub(crate) fn write_variables(&self, environment: &Environment) -> Result<(), Error> {
        self.write(VARIABLES, &encode(environment), 0o600)
    }

    /// The variables that the container was started with.
    pub(crate) fn read_variables(&self) -> Result<Environment, Error> {
        let path = self.0.join(VARIABLES);
        let failed = |source| Error::File { attempt: "read", path: path.clone(), source };
        fs::read(&path).map(|bytes| decode(&bytes)).map_err(failed)
    }

    /// Puts the schedule where cron reads it: `/etc/crontab` leads here. cron wants it to belong to root, and nobody
    /// else to write it.
    pub(crate) fn write_crontab(&self, text: &str) -> Result<(), Error> {
        self.write(CRONTAB, text.as_bytes(), 0o644)
    }

    /// Lets jobs find the output of this process.
    pub(crate) fn link_output(&self) -> Result<(), Error> {
        let path = self.0.join(OUTPUT);
        // One of an earlier start leads nowhere any more.
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(format!("/proc/{}/fd/1", std::process::id()), &path).map_err(|source| Error::File {
            attempt: "write",
            path,
            source,
        })
    }

    /// The output of the container's main process.
    pub(crate) fn open_output(&self) -> std::io::Result<fs::File> {
        OpenOptions::new().append(true).open(self.0.join(OUTPUT))
    }

    /// Notes that a job is started now: a cron that starts nothing is found out by that.
    pub(crate) fn note_start(&self, job: &str) -> Result<(), Error> {
        let folder = self.0.join(STARTED);
        let failed = |source| Error::File { attempt: "write", path: folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o711).create(&folder).map_err(failed)?;
        self.write(&note_of(job), now().unix_timestamp().to_string().as_bytes(), 0o644)
    }

    /// When the job was last started, in seconds from 1970.
    pub(crate) fn last_start(&self, job: &str) -> Option<i64> {
        fs::read_to_string(self.0.join(note_of(job))).ok()?.trim().parse().ok()
    }

    /// Written as a whole or not at all: cron and jobs may be reading what an earlier start left.
    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
        let (half, path) = (self.0.join(format!("{name}.new")), self.0.join(name));
        let written = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&half)?;
            file.write_all(bytes)?;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            fs::rename(&half, &path)
        };
        written().map_err(|source| Error::File { attempt: "write", path: path.clone(), source })
    }
}

/// A name for any words: whoever notes and whoever reads are the same program, so that its hash is the same too.
fn note_of(job: &str) -> String {
    let mut hasher = DefaultHasher::new();
    job.hash(&mut hasher);
    format!("{STARTED}/{:016x}", hasher.finish())
}

fn encode(environment: &Environment) -> Vec<u8> {
    let entries = environment.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    entries.flatten().collect()
}

fn decode(bytes: &[u8]) -> Environment {
    let string = |bytes: &[u8]| std::ffi::OsString::from_vec(bytes.to_vec());
    let entries = bytes.split(|byte| *byte == 0).filter_map(|entry| {
        let end = entry.iter().position(|byte| *byte == b'=')?;
        Some((string(&entry[..end]), string(&entry[end + 1..])))
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&[u8], &[u8])]) -> Environment {
        let string = |bytes: &[u8]| std::ffi::OsString::from_vec(bytes.to_vec());
        variables.iter().map(|(name, value)| (string(name), string(value))).collect()
    }

    #[test]
    fn every_byte_but_nul_arrives() {
        let all: Vec<u8> = (1..=255).collect();
        let sent = environment(&[
            (b"ALL", &all),
            (b"EMPTY", b""),
            (b"LINES", b"a\nB=c\n"),
            (b"SHELL", b"$(rm -rf /) `id` '\"\\ # %"),
            (b"EQUALS", b"=a=b="),
            (b"odd.name-1", b"\xff"),
        ]);
        let received = decode(&encode(&sent));
        let pairs = |environment: &Environment| {
            environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&received), pairs(&sent));
    }

    #[test]
    fn the_last_start_of_each_job_is_known() {
        let place = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&place.path().join("run")).unwrap();
        assert_eq!(folder.last_start("backup"), None);
        let before = now().unix_timestamp();
        folder.note_start("backup").unwrap();
        assert!(folder.last_start("backup").unwrap() >= before);
        assert_eq!(folder.last_start("backup --quiet"), None);
    }

    #[test]
    fn nobody_else_can_read_the_variables() {
        let place = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&place.path().join("run")).unwrap();
        folder.write_variables(&environment(&[(b"DB_PASSWORD", b"secret")])).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.0), mode(&folder.0.join(VARIABLES))), (0o711, 0o600));
        assert_eq!(folder.read_variables().unwrap().get("DB_PASSWORD").unwrap(), "secret");
    }
}
