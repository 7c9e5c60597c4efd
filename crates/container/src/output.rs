//! What the container itself says, on its stdout: `docker compose logs` shows it.

use std::io::Write;

use backup_core::figures;
use backup_core::key::local_time;
use backup_core::process::{Failure, chain, now};

/// Says something as it is said in the tools' logs.
pub(crate) fn say(level: log::Level, text: &str) {
    let stamp = figures::local(local_time(now()));
    show("container", format!("[{stamp}] {level} {text}").as_bytes());
}

/// Says what went wrong, and what a person can do about it.
pub(crate) fn say_failure(error: &dyn Failure) {
    say(log::Level::Error, &chain(error));
    if let Some(hint) = error.hint() {
        say(log::Level::Error, &format!("hint: {hint}"));
    }
}

/// Shows a line of a log. Where nobody listens, there is nobody to tell.
pub(crate) fn show(log: &str, line: &[u8]) {
    let whole = [log.as_bytes(), b": ", line, b"\n"].concat();
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(&whole).and_then(|()| stdout.flush());
}
