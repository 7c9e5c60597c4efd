//! CRC-64/NVME: the checksum that S3 keeps of a whole object, however it was uploaded.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of bytes that pass by in pieces.
#[derive(Debug, Clone)]
pub(super) struct Crc64(Digest);

impl Crc64 {
    pub(super) fn new() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }

    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut crc = Self::new();
        crc.0.update(bytes);
        crc
    }

    /// Adds bytes whose checksum is already known.
    pub(super) fn append(&mut self, next: &Self) {
        self.0.combine(&next.0);
    }

    /// As S3 writes it: the eight bytes, most significant first, in base64.
    pub(super) fn base64(&self) -> String {
        aws_smithy_types::base64::encode(self.0.clone().finalize().to_be_bytes())
    }
}

/// The `Content-MD5` header, which stores without other checksums verify.
pub(super) fn content_md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    aws_smithy_types::base64::encode(md5::Md5::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // The check value of CRC-64/NVME in the catalogue of CRC algorithms is AE8B14860A799888.
        assert_eq!(Crc64::of(b"123456789").base64(), "rosUhgp5mIg=");
        assert_eq!(content_md5(b""), "1B2M2Y8AsgTpgAmY7PhCfg==");
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut whole = Crc64::new();
        for part in ["1234", "", "5678", "9"] {
            whole.append(&Crc64::of(part.as_bytes()));
        }
        assert_eq!(whole.base64(), Crc64::of(b"123456789").base64());
    }
}
