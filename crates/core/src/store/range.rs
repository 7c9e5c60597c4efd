//! One range of an object, into memory: read on from where a connection broke, while tries are left.
//!
//! A range is never put together from two objects: each answer has to be of the object that was looked at first, by
//! `If-Match` where the store knows it and by what the answer says of itself where it does not.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};

use super::error::Attempt;
use super::{Store, StoreError, StoreErrorKind};

/// The permission that reading takes.
pub(super) const GET: &str = "s3:GetObject on the prefix";

/// A try that brought less than this made no progress: its failure counts. So a store that sends a byte and breaks off is
/// not read byte by byte.
const PROGRESS: usize = 64 << 10;

/// The pause after the first try without progress; it doubles with each. The same as between the tries of a request.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Bytes of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range<'r> {
    pub(super) key: &'r str,
    pub(super) start: u64,
    /// Not included.
    pub(super) end: u64,
    /// The entity tag of the object that is meant; `None`: whatever stands under the key.
    pub(super) e_tag: Option<&'r str>,
}

/// Why an answer brought less than all.
enum Ended {
    /// The next try may bring the rest.
    Early(StoreError),
    /// It will not.
    ForGood(StoreError),
}

impl Store {
    /// The bytes of a range. They are held in memory.
    pub(super) async fn read(&self, range: Range<'_>) -> Result<Bytes, StoreError> {
        let wanted = (range.end - range.start) as usize;
        let mut bytes = BytesMut::with_capacity(wanted);
        let mut failures = 0;
        while bytes.len() < wanted {
            let before = bytes.len();
            let error = match self.read_on(range, &mut bytes).await {
                Ok(()) => continue,
                Err(Ended::ForGood(error)) => return Err(error),
                Err(Ended::Early(error)) => error,
            };
            if bytes.len() - before >= PROGRESS {
                log::debug!("{error}; reading on from there");
                failures = 0;
                continue;
            }
            failures += 1;
            if failures >= self.tries {
                return Err(error);
            }
            log::debug!("{error}; trying again");
            tokio::time::sleep(LONGEST_PAUSE.min(FIRST_PAUSE * (1 << (failures - 1).min(5)))).await;
        }
        Ok(bytes.freeze())
    }

    /// One request for what is still missing. Requests that are not answered well have been tried often enough when this
    /// learns of it.
    async fn read_on(&self, range: Range<'_>, bytes: &mut BytesMut) -> Result<(), Ended> {
        let wanted = (range.end - range.start) as usize;
        let from = range.start + bytes.len() as u64;
        let request = self
            .s3
            .get_object()
            .bucket(&self.bucket)
            .key(range.key)
            .range(format!("bytes={from}-{}", range.end - 1))
            .set_if_match(range.e_tag.map(str::to_owned));
        let mut answer = request.send().await.map_err(|error| {
            let error = StoreError::from_sdk(self.to_read(range.key), &error);
            // The condition was that it still is the same object, which ends where it ended.
            let replaced =
                error.kind == StoreErrorKind::Taken || error.kind == StoreErrorKind::Mismatch && range.e_tag.is_some();
            Ended::ForGood(if replaced { self.replaced(range.key) } else { error })
        })?;
        self.check_answer(range, from, &answer).map_err(Ended::ForGood)?;
        loop {
            let piece = match answer.body.try_next().await {
                Ok(Some(piece)) => piece,
                Ok(None) if bytes.len() == wanted => return Ok(()),
                Ok(None) => return Err(Ended::Early(self.wrong_length(range, "less"))),
                Err(error) => return Err(Ended::Early(StoreError::from_body(self.to_read(range.key), &error))),
            };
            if bytes.len() + piece.len() > wanted {
                return Err(Ended::ForGood(self.wrong_length(range, "more")));
            }
            bytes.extend_from_slice(&piece);
        }
    }

    /// Whether the answer is of this object and begins where it has to.
    fn check_answer(&self, range: Range<'_>, from: u64, answer: &GetObjectOutput) -> Result<(), StoreError> {
        if let (Some(wanted), Some(found)) = (range.e_tag, &answer.e_tag)
            && wanted.trim_matches('"') != found.trim_matches('"')
        {
            return Err(self.replaced(range.key));
        }
        let mismatch = |reason| Err(StoreError::new(StoreErrorKind::Mismatch, self.to_read(range.key), reason));
        let last = range.end - 1;
        match &answer.content_range {
            // RFC 9110, section 14.4: `bytes 0-499/1234`.
            Some(sent) if sent.starts_with(&format!("bytes {from}-{last}/")) => Ok(()),
            Some(sent) => mismatch(format!("bytes {from} to {last} were asked for, the store sent {sent}")),
            // Section 14.2: a server may ignore the range and send everything, which is the same only from the beginning.
            None if from == 0 => Ok(()),
            None => mismatch("the store sends whole objects where a part is asked for".to_owned()),
        }
    }

    fn wrong_length(&self, range: Range<'_>, more_or_less: &str) -> StoreError {
        let reason = format!("{more_or_less} than the {} bytes that were asked for came", range.end - range.start);
        StoreError::new(StoreErrorKind::Mismatch, self.to_read(range.key), reason)
    }

    fn replaced(&self, key: &str) -> StoreError {
        let reason = "another object was put under this key while it was read";
        StoreError::new(StoreErrorKind::Replaced, self.to_read(key), reason)
    }

    pub(super) fn to_read(&self, key: &str) -> Attempt {
        Attempt::new(format!("read {}", self.address(key)), GET)
    }
}
