//! What is known from earlier runs, in the state directory: one run at a time reads, tells and writes.
//!
//! A lost or damaged file costs one mail too many. Runs that come while another tells have nothing to add to it. Where the
//! state directory cannot be written, the same is kept in the next best place: or each hour would mail what the hour before
//! has told. Where there is no such place at all, the clock decides.

use std::fs::{DirBuilder, symlink_metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use backup_core::journal::Journal;
use backup_core::process::{Lock, chain};
use backup_core::settings::Places;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::alert::Known;

/// The name of the journal's entry; that of the lock, which is not the tool's: two runs may look at once.
const ENTRY: &str = "health-alert";

/// Where nothing can be kept, only the runs of this hour tell.
pub(crate) const HOUR: u8 = 9;

/// How many of the places, the first ones, are the directories of the settings. The others lie where everybody may write.
const OF_THE_SETTINGS: usize = 3;

/// What is known, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The best place first.
    places: Vec<PathBuf>,
    pub(crate) known: Known,
    _lock: Option<Lock>,
}

/// Where what was told can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Memory {
    /// In the state directory, as it should be.
    State,
    /// The state directory cannot be written, this one can.
    Elsewhere(PathBuf),
    /// Nothing can be written anywhere.
    Nowhere,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// When it was written: of several files, the newest holds.
    #[serde(with = "time::serde::rfc3339", default = "long_ago")]
    at: OffsetDateTime,
    #[serde(flatten)]
    known: Known,
}

fn long_ago() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH
}

impl Watch {
    /// `None`: another run tells at this moment.
    pub(crate) fn take(places: &Places) -> Option<Self> {
        let lock = Lock::take_if_possible(&places.state, ENTRY).ok()?;
        let mut folders = vec![places.state.clone(), places.logs.clone(), places.temp.clone()];
        folders.extend([std::env::temp_dir(), "/dev/shm".into()].iter().map(|base| private(base, &places.state)));
        let kept = folders.iter().enumerate().filter(|(nth, folder)| *nth < OF_THE_SETTINGS || is_private(folder));
        let kept = kept.filter_map(|(_, folder)| Journal::new(folder).read::<Kept>(ENTRY)).max_by_key(|kept| kept.at);
        Some(Self { places: folders, known: kept.map(|kept| kept.known).unwrap_or_default(), _lock: lock })
    }

    /// Where it can be kept that something was told. Found out by writing: a full disk takes a file, and not what is in it.
    pub(crate) fn memory(&self, now: OffsetDateTime) -> Memory {
        match self.write(&self.known, now) {
            Some(0) => Memory::State,
            Some(nth) => Memory::Elsewhere(self.places[nth].clone()),
            None => Memory::Nowhere,
        }
    }

    /// Writes down what is known now.
    pub(crate) fn keep(self, known: &Known, now: OffsetDateTime) {
        if self.known != *known && self.write(known, now).is_none() {
            log::warn!("nothing can be written anywhere: the next run does not know what this one has told");
        }
    }

    /// Writes into the first place that takes it, and says which.
    fn write(&self, known: &Known, at: OffsetDateTime) -> Option<usize> {
        let kept = Kept { at, known: known.clone() };
        (0..self.places.len()).find(|nth| {
            let folder = &self.places[*nth];
            let is_open = *nth < OF_THE_SETTINGS || {
                // It may be there already; whose it is, is looked at next.
                let _ = DirBuilder::new().mode(0o700).create(folder);
                is_private(folder)
            };
            let written = is_open.then(|| Journal::new(folder).write(ENTRY, &kept));
            match written {
                Some(Ok(())) => true,
                Some(Err(error)) => {
                    log::debug!("{}", chain(&error));
                    false
                }
                None => false,
            }
        })
    }
}

/// A directory of our own where everybody may write: one for each user and state directory.
fn private(base: &Path, state: &Path) -> PathBuf {
    let name: String =
        state.to_string_lossy().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let end = name.len().saturating_sub(150);
    base.join(format!("health-check-{}{}", geteuid(), &name[end..]))
}

/// Nobody else has made it, and nobody else can write there.
fn is_private(folder: &Path) -> bool {
    symlink_metadata(folder)
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o777 == 0o700)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_a_directory_of_our_own_is_believed() {
        let base = tempfile::tempdir().unwrap();
        let folder = private(base.path(), Path::new("/backup/state"));
        assert!(folder.to_str().unwrap().ends_with("-backup-state") && !is_private(&folder));
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        assert!(is_private(&folder));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(!is_private(&folder));
        let link = base.path().join("link");
        symlink(base.path(), &link).unwrap();
        assert!(!is_private(&link));
    }
}
