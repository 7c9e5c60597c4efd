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
    /// What there is to be read and written, where that is known.
    totals: (Option<u64>, Option<u64>),
    read: AtomicU64,
    written: AtomicU64,
    begun: Instant,
    said: AtomicU64,
}

impl Progress {
    /// Starts to show progress: `words` say what is counted, for example `dumped` and `uploaded`. Where nothing is
    /// written, the second is empty.
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
            totals: (None, None),
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            begun: Instant::now(),
            said: AtomicU64::new(0),
        }
    }

    /// There are so many bytes to be read.
    #[must_use]
    pub fn of_read(mut self, total: u64) -> Self {
        self.totals.0 = Some(total);
        self
    }

    /// There are so many bytes to be written.
    #[must_use]
    pub fn of_written(mut self, total: u64) -> Self {
        self.totals.1 = Some(total);
        self
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
        let (of_read, of_written) = (of(read, self.totals.0), of(written, self.totals.1));
        write!(f, "{}{of_read} {reading}, ", figures::size(read))?;
        if !writing.is_empty() {
            write!(f, "{}{of_written} {writing}, ", figures::size(written))?;
        }
        write!(f, "{}/s", figures::size(per_second))
    }
}

/// ` of 9.3 GiB (34 %)`, where the total is known.
fn of(done: u64, total: Option<u64>) -> String {
    total.filter(|total| *total > 0).map_or_else(String::new, |total| {
        format!(" of {} ({} %)", figures::size(total), u128::from(done) * 100 / u128::from(total))
    })
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
