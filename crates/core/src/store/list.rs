//! Listings: page by page, all of it or an error.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::types::EncodingType;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::error::Attempt;
use super::{Store, StoreError, StoreErrorKind};

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// When the store received it.
    pub modified: Option<OffsetDateTime>,
}

/// An empty gzip file has twenty bytes: what is smaller is no backup, whatever its key says.
const SMALLEST_BACKUP: u64 = 20;

impl Object {
    /// Whether it is too small for a backup: a stub that somebody left under a key of ours, which stands for none.
    pub fn is_stub(&self) -> bool {
        self.bytes < SMALLEST_BACKUP
    }

    /// `None`: the listing does not name it, or not its size.
    fn read(listed: aws_sdk_s3::types::Object, encoded: bool) -> Option<Self> {
        let key = listed.key?;
        Some(Self {
            bytes: u64::try_from(listed.size?).ok()?,
            modified: listed.last_modified.and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok()),
            key: if encoded { decode(&key) } else { key },
        })
    }
}

/// As S3 encodes keys in a listing: like the fields of an HTML form, with `+` for a space. Bytes that are no UTF-8 cannot be in
/// a key of ours.
pub(super) fn decode(key: &str) -> String {
    let spaced = key.replace('+', " ");
    match percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy() {
        Cow::Borrowed(_) => spaced,
        Cow::Owned(decoded) => decoded,
    }
}

impl Store {
    /// Whether the store can be listed under this prefix: the bucket is there, the keys are good. Tells the time of the
    /// store, as the `Date` of its answer has it.
    pub async fn check(&self, prefix: &str) -> Result<Option<OffsetDateTime>, StoreError> {
        let date = AnswerDate::default();
        let request = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).max_keys(1);
        let listed = request.customize().interceptor(date.clone()).send().await;
        listed.map_err(|error| StoreError::from_sdk(self.to_list(prefix), &error))?;
        Ok(date.read())
    }

    /// Shows every object whose key starts so, in the order in which the store lists them. After an error, what was shown
    /// is not all there is.
    pub async fn walk(&self, prefix: &str, mut show: impl FnMut(Object)) -> Result<(), StoreError> {
        let broken = |what: &str| {
            StoreError::new(StoreErrorKind::NotS3, self.to_list(prefix), format!("the listing is not whole: {what}"))
        };
        let mut tokens = HashSet::new();
        let mut token = None;
        loop {
            let request = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).set_continuation_token(token);
            // Keys of others may hold characters that XML cannot, and would make the whole page unreadable.
            let page = request.encoding_type(EncodingType::Url).send().await;
            let page = page.map_err(|error| StoreError::from_sdk(self.to_list(prefix), &error))?;
            let encoded = page.encoding_type == Some(EncodingType::Url);
            for listed in page.contents.unwrap_or_default() {
                show(Object::read(listed, encoded).ok_or_else(|| broken("an object has no key or no size"))?);
            }
            // The SDK's own paginator takes a missing or repeated token for the end.
            token = match (page.is_truncated, page.next_continuation_token.filter(|token| !token.is_empty())) {
                (Some(false), _) => return Ok(()),
                // An answer without a body, from a proxy on the way, looks like this.
                (None, None) => return Err(broken("it does not say whether there is more")),
                (Some(true), None) => return Err(broken("there is more, but no way to ask for it")),
                (_, Some(token)) if tokens.insert(token.clone()) => Some(token),
                (_, Some(_)) => return Err(broken("it goes in circles")),
            };
        }
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

    /// Fails where an object already stands under the key.
    pub async fn check_free(&self, key: &str) -> Result<(), StoreError> {
        match self.find(key).await? {
            None => Ok(()),
            Some(_) => Err(self.taken(key)),
        }
    }

    pub(super) fn taken(&self, key: &str) -> StoreError {
        StoreError::new(StoreErrorKind::Taken, self.to_write(key), "an object already stands under this key")
    }

    fn to_list(&self, prefix: &str) -> Attempt {
        Attempt::new(format!("list {}", self.address(prefix)), "s3:ListBucket on the bucket")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_s3_encodes_them() {
        for (encoded, key) in [
            ("plain/key_1.sql.gz", "plain/key_1.sql.gz"),
            ("a+b%2Bc%20d", "a b+c d"),
            ("%D0%BA%25D0", "к%D0"),
            ("bell%07/%FF", "bell\u{7}/\u{fffd}"),
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
