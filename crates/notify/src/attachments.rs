//! Files that go with a mail: read whole, within what mail servers take. One that cannot go is told of in the mail, which
//! matters more than its attachment.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use backup_core::figures;
use backup_core::mail::{Attachment, Report};

/// All together. Servers take 10 MB to 35 MB, and base64 makes three bytes four.
const MOST_BYTES: u64 = 10 << 20;

/// The report with the files, and with a warning for each that is missing. Says too whether any is.
pub(crate) fn attach(mut report: Report, files: &[PathBuf]) -> (Report, bool) {
    let mut room = MOST_BYTES;
    let mut missing = false;
    for file in files {
        match read(file, room) {
            Ok(content) => {
                room -= content.len() as u64;
                report = report.attach(Attachment::new(file.to_string_lossy(), content));
            }
            Err(error) => {
                let warning = format!("The attachment {} is missing: {error}.", file.display());
                log::warn!("{warning}");
                report = report.warning(warning);
                missing = true;
            }
        }
    }
    (report, missing)
}

fn read(path: &Path, room: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    // A file may grow while it is read, and some have no length at all.
    File::open(path)?.take(room + 1).read_to_end(&mut content)?;
    if content.len() as u64 > room {
        let most = figures::size(MOST_BYTES);
        return Err(io::Error::other(format!("the attachments of a mail may have {most} in all")));
    }
    Ok(content)
}
