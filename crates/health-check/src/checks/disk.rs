//! `disk`: there is room on the disks that the tools write to, and they may write there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use backup_core::figures;
use backup_core::settings::Places;
use nix::sys::statvfs::statvfs;

use crate::figure;
use crate::finding::{Finding, Name, Remark};

/// What was found out about each disk, by the first of our directories on it.
pub(crate) type Facts = Vec<Disk>;

#[derive(Debug)]
pub(crate) struct Disk {
    /// Our directory on it.
    pub(crate) folder: PathBuf,
    pub(crate) usage: io::Result<Usage>,
    /// Directories on it that cannot be written to, and why.
    pub(crate) closed: Vec<(PathBuf, io::Error)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) used_bytes: u64,
    /// What is left for others than root, as `df` counts.
    pub(crate) free_bytes: u64,
    /// How many of its file entries are taken, in percent. Some file systems have no limit.
    pub(crate) entries_percent: Option<f64>,
}

impl Usage {
    /// As `df` shows it: of what others than root can use. `None`: it does not say how large it is.
    fn percent(self) -> Option<f64> {
        let all = self.used_bytes + self.free_bytes;
        (all > 0).then(|| self.used_bytes as f64 * 100.0 / all as f64)
    }
}

/// Looks at the disks. A network disk may hang: this blocks.
pub(crate) fn look(places: &Places) -> Facts {
    let mut disks: BTreeMap<Option<u64>, Disk> = BTreeMap::new();
    for folder in [&places.state, &places.logs, &places.temp] {
        let written = write_in(folder);
        let there = nearest(folder);
        let device = there.metadata().ok().map(|metadata| metadata.dev());
        let disk = disks.entry(device).or_insert_with(|| Disk {
            folder: folder.clone(),
            usage: usage(there),
            closed: Vec::new(),
        });
        if let Err(error) = written {
            disk.closed.push((folder.clone(), error));
        }
    }
    disks.into_values().collect()
}

/// Does what the tools do there: makes the directory, and writes a byte into it, that nobody sees. No permission and no
/// figure says as surely whether that can be done.
pub(super) fn write_in(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder)?.write_all(b"x")
}

/// The directory, or the nearest above it that is there.
fn nearest(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder)
}

fn usage(folder: &Path) -> io::Result<Usage> {
    let disk = statvfs(folder)?;
    let block = disk.fragment_size();
    let entries = (disk.files() > 0).then(|| {
        let used = disk.files().saturating_sub(disk.files_free());
        used as f64 * 100.0 / disk.files() as f64
    });
    Ok(Usage {
        used_bytes: disk.blocks().saturating_sub(disk.blocks_free()) * block,
        free_bytes: disk.blocks_available() * block,
        entries_percent: entries,
    })
}

pub(crate) fn judge(disks: &Facts, most: u32) -> Finding {
    let mut remarks = Vec::new();
    let mut fullest: Option<f64> = None;
    for Disk { folder, usage, closed } in disks {
        let shown = folder.display();
        match usage {
            Ok(usage) => {
                let percent = usage.percent();
                fullest = percent.map(|percent| fullest.map_or(percent, |most| percent.max(most))).or(fullest);
                remarks.push(of_room(&shown.to_string(), percent, usage.free_bytes, most));
                if let Some(entries) = usage.entries_percent.filter(|entries| *entries > f64::from(most)) {
                    let fact = format!("the disk of {shown} has {entries:.0} % of its file entries (inodes) taken");
                    remarks.push(Remark::critical(fact, "Delete small files that are not needed."));
                }
            }
            Err(error) => {
                let fact = format!("cannot look at the disk of {shown}: {error}");
                remarks.push(Remark::critical(fact, "See whether it is mounted, and well."));
            }
        }
        for (folder, error) in closed {
            let fact = format!("{} cannot be written to: {error}", folder.display());
            let advice = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "Make room there: logs, mails and restore tests need it."
                }
                _ => "Give it to the user that the tools run as (BACKUP_USER), or mount it for writing.",
            };
            remarks.push(Remark::critical(fact, advice));
        }
    }
    let figures = fullest.map(|percent| figure::DISK_USED.is(percent / 100.0));
    Finding::new(Name::Disk, remarks, figures.into_iter().collect())
}

fn of_room(shown: &str, percent: Option<f64>, free_bytes: u64, most: u32) -> Remark {
    let Some(percent) = percent else {
        let fact = format!("the disk of {shown} does not say how large it is, so that nobody knows how full");
        return Remark::warning(fact, "See what is mounted there: it is no ordinary disk.");
    };
    let fact = format!("the disk of {shown} is {percent:.0} % full, {} are free", figures::size(free_bytes));
    if percent > f64::from(most) {
        let advice =
            "Make room, or a larger disk: logs, mails and restore tests need it. See the logs and temp checks.";
        Remark::critical(fact, advice)
    } else {
        Remark::ok(fact)
    }
}

#[cfg(test)]
mod tests {
    use backup_core::mail::State;

    use super::*;

    #[test]
    fn a_disk_is_a_fault_above_the_limit_and_not_at_it() {
        let disk = |used_bytes, entries_percent| {
            let usage = Ok(Usage { used_bytes, free_bytes: 1_000 - used_bytes, entries_percent });
            judge(&vec![Disk { folder: "/backup/state".into(), usage, closed: Vec::new() }], 90)
        };
        for (used, entries, state) in [
            (0, None, State::Ok),
            (900, Some(90.0), State::Ok),
            (901, None, State::Critical),
            (1_000, None, State::Critical),
            (10, Some(90.1), State::Critical),
        ] {
            assert_eq!(disk(used, entries).state, state, "{used} {entries:?}");
        }
        assert_eq!(disk(250, None).fact, "the disk of /backup/state is 25 % full, 750 B are free");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_a_fault_whatever_room_there_is() {
        let usage = Ok(Usage { used_bytes: 1, free_bytes: 99, entries_percent: None });
        let closed = vec![("/backup/logs".into(), io::Error::other("no"))];
        let finding = judge(&vec![Disk { folder: "/backup/state".into(), usage, closed }], 90);
        assert_eq!((finding.state, finding.fact.as_str()), (State::Critical, "/backup/logs cannot be written to: no"));
    }

    #[test]
    fn a_disk_that_does_not_say_how_large_it_is_is_not_an_empty_one() {
        let usage = Ok(Usage { used_bytes: 0, free_bytes: 0, entries_percent: None });
        let finding = judge(&vec![Disk { folder: "/backup/state".into(), usage, closed: Vec::new() }], 90);
        assert_eq!((finding.state, finding.figures.len()), (State::Warning, 0));
        let places = |folder: &str| Places { logs: folder.into(), temp: folder.into(), state: folder.into() };
        let finding = judge(&look(&places("/proc/nowhere/state")), 90);
        assert_eq!((finding.state, finding.figures.len()), (State::Critical, 0), "{}", finding.fact);
    }
}
