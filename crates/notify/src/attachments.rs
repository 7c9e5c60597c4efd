//! Files that go with a mail: read whole, within what mail servers take. One that cannot go is told of in the mail, which
//! matters more than its attachment. Only regular files go: a pipe or a device may have no end.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::figures;
use backup_core::mail::{Attachment, Report};

/// All together. Servers take 10 MB to 35 MB, and base64 makes three bytes four.
const MOST_BYTES: u64 = 10 << 20;

/// How long one of them may take to read: a file system on the network may have gone away.
const TIME_TO_READ: Duration = Duration::from_mins(1);

/// The report with the files, and with a warning for each that is missing. Says too whether any is.
pub(crate) async fn attach(mut report: Report, files: Vec<PathBuf>) -> (Report, bool) {
    let mut room = MOST_BYTES;
    let mut missing = false;
    for file in files {
        let name = file.display().to_string();
        match in_time(file, room).await {
            Ok(content) => {
                room -= content.len() as u64;
                report = report.attach(Attachment::new(name, content));
            }
            Err(error) => {
                let warning = format!("The attachment {name} is missing: {error}.");
                log::warn!("{warning}");
                report = report.warning(warning);
                missing = true;
            }
        }
    }
    (report, missing)
}

async fn in_time(file: PathBuf, room: u64) -> io::Result<Vec<u8>> {
    let read = tokio::task::spawn_blocking(move || read(&file, room));
    let late = |_| io::Error::other(format!("it could not be read within {}", figures::duration(TIME_TO_READ)));
    tokio::time::timeout(TIME_TO_READ, read).await.map_err(late)?.map_err(io::Error::other).flatten()
}

fn read(path: &Path, room: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut content = Vec::new();
    // A file may grow while it is read, and some have no length at all.
    File::open(path)?.take(room + 1).read_to_end(&mut content)?;
    if content.len() as u64 > room {
        let most = figures::size(MOST_BYTES);
        return Err(io::Error::other(format!("the attachments of a mail may have {most} in all")));
    }
    Ok(content)
}
