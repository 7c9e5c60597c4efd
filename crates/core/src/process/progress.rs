//! Long work: a bar on a terminal, a log line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::logging;
use crate::figures;

/// How often a log line tells how far the work is, where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_mins(1);

/// How often the bar changes: more often nobody can read.
const BETWEEN_MESSAGES: Duration = Duration::from_millis(200);

/// How far a dump or a restore is: bytes read, bytes written.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    words: (&'static str, &'static str),
    read: AtomicU64,
    written: AtomicU64,
    begun: Instant,
    said: AtomicU64,
}

impl Progress {
    /// Starts to show progress: `words` say what is counted, for example `dumped` and `uploaded`.
    pub fn start(words: (&'static str, &'static str)) -> Self {
        let bar = logging::bars().filter(|_| std::io::stderr().is_terminal()).map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {msg}  [{elapsed_precise}]");
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            bar,
            words,
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            begun: Instant::now(),
            said: AtomicU64::new(0),
        }
    }

    /// So many more bytes were read.
    pub fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
        self.show();
    }

    /// So many more bytes were written.
    pub fn written(&self, bytes: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
        self.show();
    }

    fn show(&self) {
        let elapsed = self.begun.elapsed();
        let between = if self.bar.is_some() { BETWEEN_MESSAGES } else { BETWEEN_LINES };
        let due = (elapsed.as_millis() / between.as_millis()) as u64;
        if self.said.fetch_max(due, Ordering::Relaxed) >= due {
            return;
        }
        match &self.bar {
            Some(bar) => bar.set_message(self.to_string()),
            None => log::info!("{self}, {} so far", figures::duration(elapsed)),
        }
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (read, written) = (self.read.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
        let per_second = (read as f64 / self.begun.elapsed().as_secs_f64().max(0.001)) as u64;
        let (reading, writing) = self.words;
        write!(
            f,
            "{} {reading}, {} {writing}, {}/s",
            figures::size(read),
            figures::size(written),
            figures::size(per_second)
        )
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
