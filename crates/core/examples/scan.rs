//! Scans a dump and prints how long that took: `scan FILE`.

#![expect(clippy::print_stdout, reason = "the result is for a person")]

use std::fs::File;
use std::io::{self, Read};
use std::time::Instant;

use backup_core::sql_scan::Scanner;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: scan FILE")?;
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 256 * 1024];
    let mut scanner = Scanner::new();
    let started = Instant::now();
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
    let seconds = started.elapsed().as_secs_f64();
    println!("{} tables, {} rows, {} objects", dump.tables.len(), dump.total_rows(), dump.objects.len());
    println!("{} bytes in {seconds:.3} s: {:.2} GB/s", dump.bytes, dump.bytes as f64 / seconds / 1e9);
    Ok(())
}
