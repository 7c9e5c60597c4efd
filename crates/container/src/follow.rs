//! Follows the tools' log files, all that there are and come to be: each line is shown once, whatever becomes of its file.
//!
//! A file that was moved away is read on for a while: whoever opened it just before may still write to it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many looks without a new byte it takes until a file that was moved away is left alone.
const PATIENCE: u32 = 100;

/// What is read of one file at one look, so that a flood does not keep the container from hearing signals.
const BYTES_PER_LOOK: u64 = 1 << 20;

/// A line longer than this is shown in pieces.
const LONGEST_LINE: usize = 64 << 10;

/// The log files of a folder.
#[derive(Debug)]
pub(crate) struct Follow {
    folder: PathBuf,
    /// By the name of the log, such as `backup`.
    tails: BTreeMap<String, Vec<Tail>>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    id: (u64, u64),
    at: u64,
    /// The start of a line whose end has not been written yet.
    begun: Vec<u8>,
    quiet: u32,
}

impl Follow {
    /// From now on: what the files hold already has been shown by an earlier start.
    pub(crate) fn from_now(folder: &Path) -> Self {
        let mut follow = Self { folder: folder.to_owned(), tails: BTreeMap::new() };
        follow.look_for_files();
        for tail in follow.tails.values_mut().flatten() {
            tail.skip_to_end();
        }
        follow
    }

    /// Shows what has come since the last look.
    pub(crate) fn look(&mut self, mut show: impl FnMut(&str, &[u8])) {
        let current = self.look_for_files();
        for (log, tails) in &mut self.tails {
            for tail in &mut *tails {
                // A file that cannot be read now may be readable at the next look.
                let _ = tail.read(&mut |line| show(log, line));
            }
            tails.retain_mut(|tail| {
                let stays = current.contains(&tail.id) || tail.quiet < PATIENCE;
                if !stays && !tail.begun.is_empty() {
                    show(log, &tail.begun);
                }
                stays
            });
        }
    }

    /// Opens the files that are new, and gives those that stand under their own name.
    fn look_for_files(&mut self) -> Vec<(u64, u64)> {
        let mut current = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let log = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log").map(str::to_owned));
            // A link may lead anywhere, and a pipe would keep us waiting.
            let (Some(log), true) = (log, entry.file_type().is_ok_and(|kind| kind.is_file())) else { continue };
            let Ok(id) = fs::metadata(&path).map(|file| (file.dev(), file.ino())) else { continue };
            current.push(id);
            let tails = self.tails.entry(log).or_default();
            if !tails.iter().any(|tail| tail.id == id)
                && let Ok(tail) = Tail::open(&path)
            {
                tails.push(tail);
            }
        }
        current
    }
}

impl Tail {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { file, id: (metadata.dev(), metadata.ino()), at: 0, begun: Vec::new(), quiet: 0 })
    }

    fn skip_to_end(&mut self) {
        self.at = self.file.metadata().map_or(0, |file| file.len());
    }

    fn read(&mut self, show: &mut impl FnMut(&[u8])) -> io::Result<()> {
        if self.file.metadata()?.len() < self.at {
            // Somebody emptied it.
            self.at = 0;
        }
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut new = Vec::new();
        let read = (&self.file).take(BYTES_PER_LOOK).read_to_end(&mut new)?;
        self.at += read as u64;
        self.quiet = if read == 0 { self.quiet.saturating_add(1) } else { 0 };
        for piece in new.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            self.begun.extend_from_slice(text);
            if ended || self.begun.len() >= LONGEST_LINE {
                show(&self.begun);
                self.begun.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn follow(&self) -> Follow {
            Follow::from_now(self.0.path())
        }

        fn append(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rotate(&self, name: &str) {
            fs::rename(self.0.path().join(name), self.0.path().join(format!("{name}.1"))).unwrap();
        }
    }

    fn seen(follow: &mut Follow) -> Vec<String> {
        let mut lines = Vec::new();
        follow.look(|log, line| lines.push(format!("{log}: {}", String::from_utf8_lossy(line))));
        lines
    }

    #[test]
    fn what_was_there_has_been_shown_and_what_comes_is_shown_once() {
        let folder = Folder::new();
        folder.append("backup.log", "before\n");
        let mut follow = folder.follow();
        folder.append("backup.log", "one\ntwo\n");
        folder.append("cleanup.log", "new file\n");
        folder.append("storage-report-20250129.txt", "no log\n");
        assert_eq!(seen(&mut follow), ["backup: one", "backup: two", "cleanup: new file"]);
        assert_eq!(seen(&mut follow), [""; 0]);
    }

    #[test]
    fn a_line_is_shown_when_it_is_whole() {
        let folder = Folder::new();
        let mut follow = folder.follow();
        folder.append("backup.log", "begun");
        assert_eq!(seen(&mut follow), [""; 0]);
        folder.append("backup.log", " and ended\n");
        assert_eq!(seen(&mut follow), ["backup: begun and ended"]);
    }

    #[test]
    fn rotation_loses_no_line_and_shows_none_twice() {
        let folder = Folder::new();
        let mut follow = folder.follow();
        folder.append("backup.log", "one\n");
        let mut late = fs::OpenOptions::new().append(true).open(folder.0.path().join("backup.log")).unwrap();
        assert_eq!(seen(&mut follow), ["backup: one"]);
        folder.append("backup.log", "two\n");
        folder.rotate("backup.log");
        folder.append("backup.log", "three\n");
        assert_eq!(seen(&mut follow), ["backup: two", "backup: three"]);
        late.write_all(b"late\n").unwrap();
        folder.append("backup.log", "four\n");
        assert_eq!(seen(&mut follow), ["backup: late", "backup: four"]);
        // And one that was rotated twice between two looks is lost to us, but nothing is shown again.
        folder.rotate("backup.log");
        assert_eq!(seen(&mut follow), [""; 0]);
    }

    #[test]
    fn a_file_that_was_emptied_is_read_from_its_start() {
        let folder = Folder::new();
        let mut follow = folder.follow();
        folder.append("backup.log", "a long first line\n");
        seen(&mut follow);
        fs::write(folder.0.path().join("backup.log"), "short\n").unwrap();
        assert_eq!(seen(&mut follow), ["backup: short"]);
    }

    #[test]
    fn files_that_were_moved_away_are_left_alone_in_the_end() {
        let folder = Folder::new();
        let mut follow = folder.follow();
        folder.append("backup.log", "one\nbegun");
        seen(&mut follow);
        folder.rotate("backup.log");
        folder.append("backup.log", "two\n");
        let shown: Vec<String> = (0..=PATIENCE).flat_map(|_| seen(&mut follow)).collect();
        assert_eq!(shown, ["backup: two", "backup: begun"]);
        assert_eq!(follow.tails["backup"].len(), 1);
    }
}
