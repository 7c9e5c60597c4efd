//! Scans a dump and prints how long that took: `scan FILE`.
//!
//! The rate is given by the clock and by the CPU: on a machine with other work, only the second says what the scanner costs. It
//! holds the reading of the file too.

#![expect(clippy::print_stdout, reason = "the result is for a person")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::time::Instant;

use backup_core::sql_scan::Scanner;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: scan FILE")?;
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 256 * 1024];
    let mut scanner = Scanner::new();
    let (started, cpu_before) = (Instant::now(), cpu_seconds()?);
    loop {
        let length = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        scanner.push(&chunk[..length])?;
    }
    let dump = scanner.finish()?.dump;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()? - cpu_before);
    println!("{} tables, {} rows, {} objects", dump.tables.len(), dump.total_rows(), dump.objects.len());
    let rate = |seconds: f64| dump.bytes as f64 / seconds / 1e9;
    println!("{} bytes in {seconds:.3} s: {:.2} GB/s", dump.bytes, rate(seconds));
    println!("{cpu:.3} s of CPU: {:.2} GB/s", rate(cpu));
    Ok(())
}

/// What this thread has spent on a CPU, by Linux's `/proc/PID/schedstat`.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let nanoseconds = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = nanoseconds.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}
