//! How an object may be written: the safest way that the store knows.
//!
//! Stores differ in the headers that they take, and a refusal ("not implemented", "invalid request") seldom says which header
//! it means. So the ways are tried from the safest to the plainest, and the first that is taken counts.

use super::{StoreError, StoreErrorKind};

/// How the store verifies what it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// A checksum of the whole object, and of every part.
    Crc64,
    /// `Content-MD5` of every request.
    Md5,
}

/// What an object is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) verify: Verify,
    /// Whether the store is told to refuse if an object stands under the key. Whoever writes has looked right before, too.
    pub(super) guarded: bool,
}

impl Way {
    /// The value of `If-None-Match`.
    pub(super) fn if_none_match(self) -> Option<String> {
        self.guarded.then(|| "*".to_owned())
    }

    /// Does it in the first way that the store takes, of those that do not verify more than this.
    pub(super) async fn first_taken(
        verify: Verify,
        mut write: impl AsyncFnMut(Self) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let kinds: &[Verify] = match verify {
            Verify::Crc64 => &[Verify::Crc64, Verify::Md5],
            Verify::Md5 => &[Verify::Md5],
        };
        let mut ways =
            kinds.iter().flat_map(|&verify| [true, false].map(|guarded| Self { verify, guarded })).peekable();
        while let Some(way) = ways.next() {
            match write(way).await {
                Ok(()) => return Ok(way),
                Err(error) if error.kind == StoreErrorKind::NotSupported && ways.peek().is_some() => {
                    log::debug!("{error}; trying with other headers");
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last way ends with an answer")
    }
}
