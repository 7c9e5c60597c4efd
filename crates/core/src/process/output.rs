//! stdout: the result and nothing else.

use std::io::{ErrorKind, Write};

/// Prints one line to stdout. Whoever closed it does not want the line: that is no error.
pub(super) fn print_line(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let printed = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    if let Err(error) = printed.as_ref().err().filter(|error| error.kind() != ErrorKind::BrokenPipe).map_or(Ok(()), Err)
    {
        log::warn!("cannot write the result to stdout: {error}");
    }
}
