//! The one pass: dump → facts → gzip → store, with nothing on disk.
//!
//! A dump counts as whole only when `pg_dump` exited with 0 and its end marker passed by; before both are certain,
//! nothing can be completed, because only a [`Whole`] dump ends a sink.

use backup_core::footer::Footer;
use backup_core::gzip::{BLOCK_BYTES, Gzip, locator};
use backup_core::postgres::{Client, DumpStream, Server};
use backup_core::process::Progress;
use backup_core::settings::Compression;
use backup_core::sql_scan::Scanner;
use time::OffsetDateTime;

use crate::error::Error;
use crate::footer;
use crate::output::{Sink, Written};

/// A dump that went through, whole, footer included. Only this module makes one.
#[derive(Debug)]
pub(crate) struct Whole {
    footer: Footer,
    compressed_bytes: u64,
    warnings: String,
}

/// A backup that stands where it belongs.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) footer: Footer,
    pub(crate) compressed_bytes: u64,
    /// What `pg_dump` said although it ended well.
    pub(crate) warnings: String,
    pub(crate) written: Written,
}

/// Dumps the database into the sink, up to the point where only the ending is missing.
pub(crate) async fn dump_into(
    sink: &mut Sink<'_>,
    dump: &mut DumpStream,
    client: &Client,
    server: &Server,
    compression: Compression,
    started: OffsetDateTime,
) -> Result<Whole, Error> {
    let mut scanner = Scanner::new();
    let mut compressed = Compressed::new(compression);
    let progress = Progress::start(("dumped", "stored"));
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    loop {
        let read = dump.read(&mut block).await?;
        if read == 0 {
            break;
        }
        scanner.push(&block[block.len() - read..])?;
        progress.read(read as u64);
        if block.len() == block.capacity() {
            let full = std::mem::replace(&mut block, Vec::with_capacity(BLOCK_BYTES));
            compressed.push(full, sink, &progress).await?;
        }
    }
    let facts = scanner.finish()?.dump;
    compressed.push(block, sink, &progress).await?;
    compressed.drain(sink, &progress).await?;

    let footer = footer::compose(facts, server, client.database(), started);
    let before_footer = compressed.bytes;
    for block in footer.to_string().as_bytes().chunks(BLOCK_BYTES) {
        compressed.push(block.to_vec(), sink, &progress).await?;
    }
    compressed.drain(sink, &progress).await?;
    let locator = locator::write(compressed.bytes - before_footer);
    sink.write(&locator).await?;
    let compressed_bytes = compressed.bytes + locator.len() as u64;
    Ok(Whole { footer, compressed_bytes, warnings: dump.warnings().to_owned() })
}

impl Whole {
    /// What the dump holds.
    pub(crate) fn footer(&self) -> &Footer {
        &self.footer
    }

    /// Ends the sink: from here on the backup is there.
    pub(crate) async fn complete(self, sink: &mut Sink<'_>) -> Result<Made, Error> {
        let written = sink.complete().await?;
        let Self { footer, compressed_bytes, warnings } = self;
        Ok(Made { footer, compressed_bytes, warnings, written })
    }
}

/// The compressor and what has come out of it.
struct Compressed {
    gzip: Gzip,
    bytes: u64,
}

impl Compressed {
    fn new(Compression { level, threads }: Compression) -> Self {
        Self { gzip: Gzip::new(level, threads), bytes: 0 }
    }

    async fn push(&mut self, block: Vec<u8>, sink: &mut Sink<'_>, progress: &Progress) -> Result<(), Error> {
        if block.is_empty() {
            return Ok(());
        }
        match self.gzip.push(block).await {
            Some(member) => self.pass_on(&member, sink, progress).await,
            None => Ok(()),
        }
    }

    async fn drain(&mut self, sink: &mut Sink<'_>, progress: &Progress) -> Result<(), Error> {
        while let Some(member) = self.gzip.next().await {
            self.pass_on(&member, sink, progress).await?;
        }
        Ok(())
    }

    async fn pass_on(&mut self, member: &[u8], sink: &mut Sink<'_>, progress: &Progress) -> Result<(), Error> {
        sink.write(member).await?;
        self.bytes += member.len() as u64;
        progress.written(member.len() as u64);
        Ok(())
    }
}
