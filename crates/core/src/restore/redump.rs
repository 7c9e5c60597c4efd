//! What was restored, dumped again: to be compared with what was to be restored.

use crate::footer::DumpFacts;
use crate::postgres::{DumpStream, PostgresError};
use crate::sql_scan::{ScanError, Scanner};

/// Bytes of the dump that are scanned at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Why what was restored could not be dumped again.
#[derive(Debug, thiserror::Error)]
pub enum RedumpError {
    /// `pg_dump` did not go through.
    #[error("what was restored cannot be dumped")]
    NotDumped(#[from] PostgresError),
    /// What it wrote is no whole dump.
    #[error("the dump of what was restored is odd: {0}")]
    NotWhole(#[from] ScanError),
}

/// Reads a dump of what was restored, the columns of each table in the order in which the backup has them.
pub async fn redump(mut dump: DumpStream, expected: &DumpFacts) -> Result<DumpFacts, RedumpError> {
    let scanned = async {
        let mut scanner = Scanner::new().expecting(expected);
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        while dump.read(&mut block).await? > 0 {
            scanner.push(&block)?;
            block.clear();
        }
        Ok(scanner.finish()?.dump)
    };
    let scanned = scanned.await;
    dump.stop().await;
    scanned
}
