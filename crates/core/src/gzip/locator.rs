//! What stands at the very end of a backup and says how long the members of its footer are, so that they can be read without the
//! rest.

use std::fmt::Display;
use std::io::Read;

use super::reader;

/// An empty gzip member with an extra field (RFC 1952, section 2.3.1.1) of eight bytes, called `BF`.
const HEAD: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 12, 0, b'B', b'F', 8, 0];
/// An empty deflate block, the CRC of nothing, the length of nothing.
const TAIL: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The length of a locator.
pub const BYTES: usize = HEAD.len() + 8 + TAIL.len();

/// What is read of the end at first: enough for the footer of most databases.
const FIRST_READ: u64 = 64 << 10;

/// The largest footer that is read, compressed: more tables than PostgreSQL is ever used with.
const LARGEST: u64 = 64 << 20;

/// A locator for a footer of so many compressed bytes, which stand right before it.
pub fn write(footer_bytes: u64) -> [u8; BYTES] {
    let mut member = [0; BYTES];
    member[..HEAD.len()].copy_from_slice(&HEAD);
    member[HEAD.len()..HEAD.len() + 8].copy_from_slice(&footer_bytes.to_le_bytes());
    member[HEAD.len() + 8..].copy_from_slice(&TAIL);
    member
}

/// The length of the footer, from the end of a stream. `None`: no locator there.
pub fn read(end_of_stream: &[u8]) -> Option<u64> {
    let member = end_of_stream.last_chunk::<BYTES>()?;
    let number = member.strip_prefix(&HEAD)?.strip_suffix(&TAIL)?;
    Some(u64::from_le_bytes(number.try_into().ok()?))
}

/// The text of the footer of a backup of so many bytes, of which `end` reads the last so many, or all if there are fewer. `None`: no
/// locator there.
pub async fn footer<E: Display>(
    bytes: u64,
    end: impl AsyncFn(u64) -> Result<Vec<u8>, E>,
) -> Result<Option<Vec<u8>>, String> {
    let words = |error: E| error.to_string();
    let mut last = end(FIRST_READ).await.map_err(words)?;
    let Some(footer_bytes) = read(&last) else { return Ok(None) };
    let needed = footer_bytes.saturating_add(BYTES as u64);
    if needed > LARGEST.min(bytes) {
        return Err(format!("it would be {needed} bytes long"));
    }
    if needed > last.len() as u64 {
        last = end(needed).await.map_err(words)?;
    }
    let members = last.len().checked_sub(needed as usize).map(|start| &last[start..]);
    let Some(members) = members else { return Err("the backup has become shorter meanwhile".to_owned()) };
    let mut text = Vec::new();
    let unpacked = reader(members).take(LARGEST * 8).read_to_end(&mut text);
    unpacked.map(|_| Some(text)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_locator_reads_back_and_nothing_else_is_taken_for_one() {
        for bytes in [0, 1, u64::MAX] {
            let end = [b"anything".as_slice(), &write(bytes)].concat();
            assert_eq!(read(&end), Some(bytes));
            assert_eq!(read(&end[..end.len() - 1]), None);
        }
        assert_eq!(read(b""), None);
    }

    /// What is read as the footer of these bytes, and how many reads that took.
    async fn read_footer(backup: &[u8]) -> (Result<Option<Vec<u8>>, String>, u32) {
        let reads = Cell::new(0);
        let end = async |bytes: u64| {
            reads.set(reads.get() + 1);
            Ok::<_, String>(backup[backup.len().saturating_sub(bytes as usize)..].to_vec())
        };
        (footer(backup.len() as u64, end).await, reads.get())
    }

    fn backup(text: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
        gzip.write_all(text).unwrap();
        let members = gzip.finish().unwrap();
        [&b"the dump"[..], &members, &write(members.len() as u64)].concat()
    }

    #[tokio::test]
    async fn a_footer_of_any_length_is_read_from_the_end() {
        for (bytes, reads) in [(10, 1), (FIRST_READ as usize, 2), (3 << 20, 2)] {
            let text = vec![b'x'; bytes];
            assert_eq!(read_footer(&backup(&text)).await, (Ok(Some(text)), reads), "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn what_is_no_footer_is_none_or_said_to_be_unreadable() {
        assert_eq!(read_footer(b"").await.0, Ok(None));
        assert_eq!(read_footer(b"another tool wrote this").await.0, Ok(None));
        let (longer, _) = read_footer(&write(100)).await;
        assert_eq!(longer.unwrap_err(), "it would be 134 bytes long");
        let (endless, _) = read_footer(&write(u64::MAX)).await;
        assert!(endless.unwrap_err().starts_with("it would be "));
        let mut damaged = backup(b"text");
        damaged[20] ^= 1;
        assert!(read_footer(&damaged).await.0.is_err());
    }

    #[tokio::test]
    async fn a_backup_that_shrinks_meanwhile_is_said_to() {
        let whole = backup(&vec![b'x'; 2 * FIRST_READ as usize]);
        let end = async |bytes: u64| {
            let bytes = if bytes == FIRST_READ { bytes } else { 40 };
            Ok::<_, String>(whole[whole.len() - bytes as usize..].to_vec())
        };
        let read = footer(whole.len() as u64, end).await;
        assert_eq!(read.unwrap_err(), "the backup has become shorter meanwhile");
    }
}
