//! stdout: the result and nothing else.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::fstat;

/// Whether whoever started us closed stdout. Rust's runtime then opens `/dev/null` in its place, for reading and for writing,
/// where everything that is written would seem to arrive. A shell's `>/dev/null` is open for writing alone.
pub fn stdout_is_closed() -> bool {
    let stdout = std::io::stdout();
    let mode = fcntl(&stdout, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
    let is_null = || Some(fstat(&stdout).ok()?.st_rdev == fs::metadata("/dev/null").ok()?.rdev());
    mode.is_ok_and(|mode| mode & OFlag::O_ACCMODE == OFlag::O_RDWR) && is_null() == Some(true)
}

/// Prints one line to stdout. Whoever closed it does not want the line: that is no error.
pub(super) fn print_line(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let printed = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if let Err(error) = printed.as_ref().err().filter(|error| error.kind() != ErrorKind::BrokenPipe).map_or(Ok(()), Err)
    {
        log::warn!("cannot write the result to stdout: {error}");
    }
}
