//! `temp` and `logs`: no scratch files were left behind, and the log files are rotated.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use backup_core::figures;
use backup_core::process::Lock;
use backup_core::settings::Places;

use crate::figure;
use crate::finding::{Advice, Finding, Name, Remark};

/// The files below a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// The largest, and its bytes.
    pub(crate) largest: Option<(PathBuf, u64)>,
}

pub(crate) type LogFacts = io::Result<Files>;

#[derive(Debug)]
pub(crate) struct TempFacts {
    pub(crate) files: io::Result<Files>,
    /// A restore test is under way, whose files they may be.
    pub(crate) in_use: bool,
}

/// Looks at the log files. A network disk may hang: this blocks.
pub(crate) fn look_at_logs(places: &Places) -> LogFacts {
    Files::below(&places.logs)
}

/// Looks at the scratch files. A network disk may hang: this blocks.
pub(crate) fn look_at_temp(places: &Places) -> TempFacts {
    let in_use = || {
        let lock = File::open(Lock::path(&places.state, "restore-test")).ok()?;
        // Let go of at once; a test that starts in this instant is tried again by hand, or a month later.
        matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)).then_some(())
    };
    TempFacts { files: Files::below(&places.temp), in_use: in_use().is_some() }
}

impl Files {
    /// All files below the directory, links not followed. What vanishes meanwhile is not counted; a directory that is not there
    /// holds nothing.
    fn below(folder: &Path) -> io::Result<Self> {
        let mut found = Self { folder: folder.to_owned(), ..Self::default() };
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            let entries = match fs::read_dir(&next) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                // What a restore test left belongs to the user of its server, and the rest still counts.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && next != folder => continue,
                entries => entries?,
            };
            for entry in entries.filter_map(Result::ok) {
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else if metadata.is_file() {
                    found.count += 1;
                    found.bytes += metadata.len();
                    if found.largest.as_ref().is_none_or(|(_, bytes)| *bytes < metadata.len()) {
                        found.largest = Some((entry.path(), metadata.len()));
                    }
                }
            }
        }
        Ok(found)
    }

    fn words(&self) -> String {
        let files = figures::counted(self.count, "file");
        format!("{files} in {}, {}", self.folder.display(), figures::size(self.bytes))
    }

    fn largest_words(&self) -> String {
        let words = |(path, bytes): &(PathBuf, u64)| {
            let name = path.strip_prefix(&self.folder).unwrap_or(path).display();
            format!("; the largest is {name}, {}", figures::size(*bytes))
        };
        self.largest.as_ref().map(words).unwrap_or_default()
    }
}

pub(crate) fn judge_logs(facts: &LogFacts, most: u64) -> Finding {
    let files = match facts {
        Ok(files) => files,
        Err(error) => return unreadable(Name::Logs, error),
    };
    let remark = if files.bytes > most {
        let fact = format!("{}, above {}{}", files.words(), figures::size(most), files.largest_words());
        Remark::warning(
            fact,
            "See whether logrotate runs (04:00 every night), and what fills the log; or raise HEALTH_LOG_MAX_MB.",
        )
    } else {
        Remark::ok(files.words())
    };
    Finding::new(Name::Logs, [remark], vec![figure::LOG_BYTES.is(files.bytes as f64)])
}

pub(crate) fn judge_temp(TempFacts { files, in_use }: &TempFacts, most: u64) -> Finding {
    let files = match files {
        Ok(files) => files,
        Err(error) => return unreadable(Name::Temp, error),
    };
    let remark = match (files.bytes > most, in_use) {
        (true, false) => Remark::warning(
            format!("{}, above {}{}", files.words(), figures::size(most), files.largest_words()),
            Advice::from("A run that was killed left them: delete them while no restore test runs."),
        ),
        (_, true) => Remark::ok(format!("{}; a restore test is under way", files.words())),
        (false, false) => Remark::ok(files.words()),
    };
    Finding::new(Name::Temp, [remark], vec![figure::TEMP_BYTES.is(files.bytes as f64)])
}

fn unreadable(name: Name, error: &io::Error) -> Finding {
    let fact = format!("the directory cannot be read: {error}");
    let advice = "Give it to the user that the tools run as (BACKUP_USER).";
    Finding::new(name, [Remark::warning(fact, advice)], Vec::new())
}

#[cfg(test)]
mod tests {
    use backup_core::mail::State;

    use super::*;

    fn files(bytes: u64) -> Files {
        let largest = Some(("/backup/logs/backup.log".into(), bytes / 2));
        Files { folder: "/backup/logs".into(), count: 3, bytes, largest }
    }

    #[test]
    fn too_many_bytes_are_a_warning_that_names_the_largest_file() {
        assert_eq!(judge_logs(&Ok(files(100)), 100).state, State::Ok);
        let finding = judge_logs(&Ok(files(102)), 100);
        let fact = "3 files in /backup/logs, 102 B, above 100 B; the largest is backup.log, 51 B";
        assert_eq!((finding.state, finding.fact.as_str()), (State::Warning, fact));
    }

    #[test]
    fn what_a_restore_test_uses_was_not_left_behind() {
        let temp = |in_use| judge_temp(&TempFacts { files: Ok(files(102)), in_use }, 100).state;
        assert_eq!((temp(false), temp(true)), (State::Warning, State::Ok));
    }

    #[test]
    fn files_are_counted_at_any_depth_and_links_are_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/large"), [0; 70]).unwrap();
        fs::write(folder.path().join("small"), [0; 30]).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("a/everything")).unwrap();
        let found = Files::below(folder.path()).unwrap();
        assert_eq!((found.count, found.bytes), (2, 100));
        assert_eq!(found.largest_words(), "; the largest is a/b/large, 70 B");
        assert_eq!(Files::below(Path::new("/nowhere")).unwrap().count, 0);
    }
}
