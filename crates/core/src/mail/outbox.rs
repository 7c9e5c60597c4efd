//! Mails that are on their way: one file each, in the state directory.
//!
//! A mail is put here before the first attempt and taken away when it has got through, so that a killed tool, a server that
//! is down and a refusal for the time being all end the same: the next tool that runs sends it. A file is held under an
//! advisory lock while it is tried; two tools at once never try the same one, and a killed one leaves no stale claim.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use lettre::Address;
use nix::unistd::{AccessFlags, access};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use time::OffsetDateTime;

const SUFFIX: &str = ".mail";

/// A server that stays down must not fill the disk: beyond this, mails are tried once and not kept.
const MOST: usize = 100;

/// The place where mails wait.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    folder: PathBuf,
}

/// The first line of a file: what the mail itself does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slip {
    /// Who has not got it yet.
    pub(super) to: Vec<Address>,
    /// For the log.
    pub(super) subject: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) written: OffsetDateTime,
}

/// A mail that is ours to try, until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) slip: Slip,
    pub(super) raw: Vec<u8>,
    /// None: it could not be kept, and is lost when it does not get through.
    file: Option<Held>,
}

/// A file of the outbox, under our lock.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    _lock: File,
}

impl Claim {
    /// Whether it outlives a failed attempt.
    pub(super) fn is_kept(&self) -> bool {
        self.file.is_some()
    }
}

impl Outbox {
    /// `STATE/mail`.
    pub(super) fn new(state: &Path) -> Self {
        Self { folder: state.join("mail") }
    }

    /// Keeps a mail and claims it at once. One that cannot be kept is still ours to try.
    pub(super) fn put(&self, slip: Slip, raw: Vec<u8>) -> Claim {
        let file = self.keep(&slip, &raw);
        if let Err(error) = &file {
            log::error!("cannot keep the mail in {}, so it is tried only now: {error}", self.folder.display());
        }
        Claim { slip, raw, file: file.ok() }
    }

    fn keep(&self, slip: &Slip, raw: &[u8]) -> io::Result<Held> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        if self.files()?.len() >= MOST {
            return Err(io::Error::other(format!("{MOST} mails wait there already")));
        }
        let (lock, written) = self.write(slip, raw)?;
        // Names sort by age, and the random part of the temporary name makes each unlike any other.
        let unique = written.file_name().unwrap_or_default().to_string_lossy().replace('.', "");
        let path = self.folder.join(format!("{:010}-{unique}{SUFFIX}", slip.written.unix_timestamp()));
        written.persist_noclobber(&path).map_err(|error| error.error)?;
        Ok(Held { path, _lock: lock })
    }

    /// Every mail that waits and that no other tool is trying, the oldest first, one at a time.
    pub(super) fn claim_waiting(&self) -> impl Iterator<Item = Claim> {
        let files = self.removable_files().unwrap_or_else(|error| {
            log::error!("cannot look for waiting mails in {}: {error}", self.folder.display());
            Vec::new()
        });
        files.into_iter().filter_map(|path| {
            claim(&path).unwrap_or_else(|error| {
                log::error!("cannot read the waiting mail {}: {error}", path.display());
                None
            })
        })
    }

    /// The files, if they can be removed once they are sent: otherwise every tool that runs would send them again.
    fn removable_files(&self) -> io::Result<Vec<PathBuf>> {
        let files = self.files()?;
        if !files.is_empty() {
            access(&self.folder, AccessFlags::W_OK)?;
        }
        Ok(files)
    }

    /// How many mails wait.
    pub(super) fn waiting(&self) -> io::Result<usize> {
        Ok(self.files()?.len())
    }

    /// Notes who still waits for a mail, so that nobody gets it twice, and removes it where nobody does.
    pub(super) fn settle(&self, claim: &mut Claim, waiting: Vec<Address>) {
        let Some(Held { path, .. }) = &claim.file else { return };
        let path = path.clone();
        let settled = if waiting.is_empty() {
            std::fs::remove_file(&path)
        } else if waiting == claim.slip.to {
            Ok(())
        } else {
            claim.slip.to = waiting;
            self.write(&claim.slip, &claim.raw).and_then(|(lock, written)| {
                written.persist(&path).map_err(|error| error.error)?;
                claim.file = Some(Held { path: path.clone(), _lock: lock });
                Ok(())
            })
        };
        if let Err(error) = settled {
            log::error!("cannot change {}, so some may get this mail twice: {error}", path.display());
        }
    }

    /// A file that nobody can see yet, 0600, locked, and on the disk.
    fn write(&self, slip: &Slip, raw: &[u8]) -> io::Result<(File, tempfile::TempPath)> {
        let (mut file, path) = NamedTempFile::with_prefix_in(".mail-", &self.folder)?.into_parts();
        file.lock()?;
        serde_json::to_writer(&mut file, slip)?;
        file.write_all(b"\n")?;
        file.write_all(raw)?;
        file.sync_all()?;
        Ok((file, path))
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == &SUFFIX[1..]) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Takes hold of a mail. `None`: another tool has it, or has just sent it.
fn claim(path: &Path) -> io::Result<Option<Claim>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => hold(file?, path),
    }
}

fn hold(mut file: File, path: &Path) -> io::Result<Option<Claim>> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Removed or replaced between opening and locking: whoever did that has dealt with it.
    if file.metadata()?.nlink() == 0 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let split = bytes.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::InvalidData)?;
    let slip = serde_json::from_slice(&bytes[..split])?;
    let raw = bytes.split_off(split + 1);
    Ok(Some(Claim { slip, raw, file: Some(Held { path: path.to_owned(), _lock: file }) }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use time::macros::datetime;

    use super::*;

    fn slip(subject: &str) -> Slip {
        let to = vec!["a@example.com".parse().unwrap(), "b@example.com".parse().unwrap()];
        Slip { to, subject: subject.to_owned(), written: datetime!(2025-01-29 02:00:00 UTC) }
    }

    fn waiting(outbox: &Outbox) -> Vec<Claim> {
        outbox.claim_waiting().collect()
    }

    #[test]
    fn a_mail_is_there_until_it_is_settled_and_for_one_tool_at_a_time() {
        let state = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(state.path());
        assert_eq!(waiting(&outbox).len(), 0);

        let ours = outbox.put(slip("first"), b"Subject: first\r\n\r\n\xff\n".to_vec());
        assert_eq!(waiting(&outbox).len(), 0, "it is claimed from its first moment on");
        drop(ours);

        let mut again = waiting(&outbox).pop().unwrap();
        assert_eq!((&again.slip, again.raw.as_slice()), (&slip("first"), b"Subject: first\r\n\r\n\xff\n".as_slice()));
        assert_eq!(waiting(&outbox).len(), 0);
        outbox.settle(&mut again, Vec::new());
        drop(again);
        assert_eq!((outbox.waiting().unwrap(), waiting(&outbox).len()), (0, 0));
    }

    #[test]
    fn nobody_else_can_read_it() {
        let state = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(state.path());
        drop(outbox.put(slip("private"), Vec::new()));
        for (path, mode) in [(&outbox.files().unwrap()[0], 0o600), (&outbox.folder, 0o700)] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn those_who_have_it_do_not_get_it_again() {
        let state = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(state.path());
        let mut claim = outbox.put(slip("partly"), b"mail".to_vec());
        outbox.settle(&mut claim, slip("").to[1..].to_vec());
        assert_eq!(waiting(&outbox).len(), 0, "it is still claimed");
        drop(claim);
        let left = waiting(&outbox).pop().unwrap();
        assert_eq!((left.slip.to.as_slice(), left.raw.as_slice()), (&slip("").to[1..], b"mail".as_slice()));
    }

    #[test]
    fn a_mail_that_another_tool_sends_between_our_looking_and_locking_is_not_ours() {
        let state = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(state.path());
        for left in [slip("").to[1..].to_vec(), Vec::new()] {
            drop(outbox.put(slip("raced"), Vec::new()));
            let path = outbox.files().unwrap().remove(0);
            let ours = File::open(&path).unwrap();
            outbox.settle(&mut waiting(&outbox)[0], left);
            assert!(hold(ours, &path).unwrap().is_none());
        }
    }

    #[test]
    fn half_a_file_stops_no_other() {
        let state = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(state.path());
        drop(outbox.put(slip("good"), Vec::new()));
        std::fs::write(outbox.folder.join("0-broken.mail"), "no slip").unwrap();
        assert_eq!(waiting(&outbox).len(), 1);
    }

    #[test]
    fn a_full_outbox_and_one_that_cannot_be_written_still_let_a_mail_be_tried() {
        let state = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(state.path());
        for n in 0..MOST {
            assert!(outbox.put(slip(&n.to_string()), Vec::new()).is_kept());
        }
        assert!(!outbox.put(slip("one more"), Vec::new()).is_kept());
        assert!(!Outbox::new(Path::new("/proc/nowhere")).put(slip("nowhere"), Vec::new()).is_kept());
    }
}
