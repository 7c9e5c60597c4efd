//! Listings: page by page, all of it or an error.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::types::EncodingType;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{Object, Store, StoreError, StoreErrorKind};

impl Store {
    /// Shows every object whose key starts so, in the order in which the store lists them. After an error, what was shown
    /// is not all there is.
    pub async fn walk(&self, prefix: &str, mut show: impl FnMut(Object)) -> Result<(), StoreError> {
        let attempt = || format!("list {}", self.address(prefix));
        // XML cannot carry every character that a key may hold.
        let request = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).encoding_type(EncodingType::Url);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| StoreError::from_sdk(attempt(), &error))?;
            if page.is_truncated == Some(true) && page.next_continuation_token.is_none() {
                let reason = "the store says that there is more, and not how to ask for it";
                return Err(StoreError::new(StoreErrorKind::Other, attempt(), reason));
            }
            let encoded = page.encoding_type == Some(EncodingType::Url);
            for object in page.contents.unwrap_or_default() {
                let (Some(key), Some(bytes)) = (object.key, object.size) else {
                    let reason = "the store listed an object without a key or a size";
                    return Err(StoreError::new(StoreErrorKind::Other, attempt(), reason));
                };
                show(Object {
                    key: if encoded { decode(&key) } else { key },
                    bytes: u64::try_from(bytes).unwrap_or_default(),
                    modified: object.last_modified.and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok()),
                });
            }
        }
        Ok(())
    }

    /// All objects whose keys start so, in the order of their keys. All of them or an error.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, StoreError> {
        let mut objects = Vec::new();
        self.walk(prefix, |object| objects.push(object)).await?;
        // A store may list in another order than S3 does.
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// The object under exactly this key, by a listing: unlike `HeadObject`, it tells a missing key from a missing right.
    pub async fn find(&self, key: &str) -> Result<Option<Object>, StoreError> {
        Ok(self.list(key).await?.into_iter().find(|object| object.key == key))
    }

    /// Whether the store can be listed under this prefix: the bucket is there, the keys are good. Tells the time of the
    /// store, as the `Date` of its answer has it.
    pub async fn check(&self, prefix: &str) -> Result<Option<OffsetDateTime>, StoreError> {
        let date = AnswerDate::default();
        let request = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).max_keys(1);
        let listed = request.customize().interceptor(date.clone()).send().await;
        listed.map_err(|error| StoreError::from_sdk(format!("list {}", self.address(prefix)), &error))?;
        Ok(date.read())
    }
}

/// Keeps the `Date` header of an answer.
#[derive(Debug, Clone, Default)]
struct AnswerDate(Arc<Mutex<Option<String>>>);

impl AnswerDate {
    fn read(&self) -> Option<OffsetDateTime> {
        let date = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, which RFC 2822 calls an obsolete zone.
        OffsetDateTime::parse(&date, &Rfc2822).ok()
    }
}

impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

/// Reads a key back from a listing with `encoding-type=url`. Bytes that are no text become replacement characters: such
/// a key is nobody's that we know.
pub(super) fn decode(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(match (escaped, first) {
            (Some(byte), _) => byte,
            (None, b'+') => b' ',
            (None, plain) => *plain,
        });
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_from_their_encoding() {
        for (encoded, key) in [
            ("db-backups/daily/a%2525b.sql.gz", "db-backups/daily/a%25b.sql.gz"),
            ("a+b%2Bc", "a b+c"),
            ("%00%0A%C3%A9", "\0\né"),
            ("100%", "100%"),
            ("%zz%C3", "%zz\u{fffd}"),
        ] {
            assert_eq!(decode(encoded), key);
        }
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        let date = |text: &str| AnswerDate(Arc::new(Mutex::new(Some(text.to_owned())))).read();
        let expected = time::macros::datetime!(1994-11-06 08:49:37 UTC);
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(expected));
        assert_eq!(date("yesterday"), None);
    }
}
