//! The log: every line to stderr and to the tool's own file, without secrets.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use indicatif::MultiProgress;
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::clock;
use crate::figures;
use crate::key::local_time;
use crate::settings::Secret;

/// How much a person wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

static LOG: OnceLock<Fanout> = OnceLock::new();

/// The bars on the terminal, which log lines must not tear.
pub(super) fn bars() -> Option<&'static MultiProgress> {
    LOG.get().map(|log| &log.bars)
}

/// Starts the log. A file that cannot be written costs a warning, not the job.
pub(super) fn start(verbosity: Verbosity, rust_log: Option<&str>, file: Option<PathBuf>, secrets: &[Secret]) {
    let level = match verbosity {
        Verbosity::Quiet => LevelFilter::Warn,
        Verbosity::Normal => LevelFilter::Info,
        Verbosity::Verbose => LevelFilter::Debug,
    };
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level).format(|out, record| {
        let style = out.default_level_style(record.level());
        writeln!(out, "[{}] {style}{}{style:#} {}", stamp(), record.level(), record.args())
    });
    if let Some(filters) = rust_log {
        builder.parse_filters(filters);
    }
    let file_problem = file.as_ref().and_then(|path| {
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        folder.and_then(|()| append(path, b"")).err().map(|error| format!("cannot write {}: {error}", path.display()))
    });
    let log = Fanout {
        stderr: builder.build(),
        file: file.filter(|_| file_problem.is_none()),
        file_level: level.max(LevelFilter::Info),
        file_failed: AtomicBool::new(false),
        redaction: Redaction::new(secrets),
        bars: MultiProgress::new(),
        tail: Mutex::default(),
    };
    if LOG.set(log).is_err() {
        return;
    }
    if let Some(log) = LOG.get() {
        log::set_max_level(log.stderr.filter().max(log.file_level));
        // Set once, just above, so that it cannot be taken.
        let _ = log::set_logger(log);
    }
    if let Some(problem) = file_problem {
        log::warn!("{problem}; the log goes to stderr alone");
    }
}

/// The last lines of this run, as they stand in the log.
pub(super) fn tail() -> Vec<u8> {
    // A panic while the lock was held leaves whole lines.
    let tail = |log: &Fanout| log.tail.lock().unwrap_or_else(PoisonError::into_inner).clone();
    LOG.get().map(tail).unwrap_or_default().into()
}

/// The text without any secret of this process, for mails and results.
pub(super) fn redact(text: &str) -> String {
    LOG.get().map_or_else(|| text.to_owned(), |log| log.redaction.apply(text))
}

struct Fanout {
    stderr: env_logger::Logger,
    file: Option<PathBuf>,
    file_level: LevelFilter,
    /// Whether it was said that lines are missing in the file.
    file_failed: AtomicBool,
    redaction: Redaction,
    bars: MultiProgress,
    tail: Mutex<VecDeque<u8>>,
}

/// As much of a run's log as a mail shows.
const TAIL_BYTES: usize = 8 << 10;

impl Fanout {
    fn keep_tail(&self, line: &[u8]) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(line);
        let surplus = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..surplus);
        if surplus > 0 {
            // The rest of a line that was cut.
            let rest = tail.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            tail.drain(..rest);
        }
    }
}

impl Log for Fanout {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.file_level || self.stderr.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let message = self.redaction.apply(&printable(&record.args().to_string()));
        self.bars.suspend(|| {
            self.stderr
                .log(&Record::builder().metadata(record.metadata().clone()).args(format_args!("{message}")).build());
        });
        if record.level() > self.file_level {
            return;
        }
        let line = format!("[{}] {} {message}\n", stamp(), record.level());
        self.keep_tail(line.as_bytes());
        if let Some(path) = &self.file {
            // Opened for each line, so that a file that logrotate has moved away is followed. A full disk must not stop a job.
            let written = append(path, line.as_bytes());
            if let Err(error) = written
                && !self.file_failed.swap(true, Ordering::Relaxed)
            {
                let warning = format!("cannot write {}: {error}; lines are missing in it", path.display());
                let metadata = Metadata::builder().level(Level::Warn).target(record.target()).build();
                self.bars.suspend(|| {
                    self.stderr.log(&Record::builder().metadata(metadata).args(format_args!("{warning}")).build());
                });
            }
        }
    }

    fn flush(&self) {
        self.stderr.flush();
    }
}

fn append(path: &std::path::Path, line: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line)
}

fn stamp() -> String {
    figures::local(local_time(clock::now()))
}

/// Control characters could forge lines or drive a terminal. Line breaks stay, indented, so that they show as one entry.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => shown.push_str("\n    "),
            '\t' => shown.push('\t'),
            c if c.is_control() => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

/// What must not be shown.
struct Redaction(Vec<String>);

impl Redaction {
    /// A secret shorter than this would blot out ordinary words, and protects nothing.
    const SHORTEST: usize = 4;

    fn new(secrets: &[Secret]) -> Self {
        let mut texts: Vec<String> = secrets.iter().map(|secret| secret.reveal().to_owned()).collect();
        texts.retain(|text| text.len() >= Self::SHORTEST);
        // Longer ones first: one may hold another.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self(texts)
    }

    fn apply(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[secret]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out_and_words_are_not() {
        let redaction = Redaction::new(&["hunter2", "hunter2-long", "db", ""].map(|text| Secret::new(text.into())));
        assert_eq!(redaction.apply("password hunter2-long or hunter2 for db"), "password [secret] or [secret] for db");
    }

    #[test]
    fn control_characters_cannot_forge_a_line() {
        assert_eq!(
            printable("a\r\x1b[2J\n[2025-01-29] INFO fine\n"),
            "a\u{fffd}\u{fffd}[2J\n    [2025-01-29] INFO fine"
        );
    }
}
