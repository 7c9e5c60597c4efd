//! What is worth another try, beyond what the SDK takes for it. How often and after which pause is the SDK's own policy.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_types::retry::ErrorKind;

/// The store refused bytes because they arrived as others, or not all of them: sent again, they may arrive whole.
pub(super) const DAMAGED: [&str; 4] =
    ["BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody"];

/// Somebody else wrote to the same key at that moment. S3: on a conditional write, "the client should retry".
pub(super) const CONFLICT: &str = "ConditionalRequestConflict";

/// HTTP status 429, whatever is in the body: not every store calls it `SlowDown`.
#[derive(Debug)]
pub(super) struct TooMany;

impl ClassifyRetry for TooMany {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(429) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "HTTP status 429"
    }
}

/// Requests that carry bytes or make an object of them, whose errors are of type `E`.
pub(super) struct Damaged<E>(PhantomData<E>);

impl<E> Damaged<E> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E> fmt::Debug for Damaged<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Damaged")
    }
}

impl<E> ClassifyRetry for Damaged<E>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.and_then(|error| error.as_operation_error()).and_then(|error| error.downcast_ref::<E>());
        match error.and_then(ProvideErrorMetadata::code) {
            Some(code) if DAMAGED.contains(&code) || code == CONFLICT => {
                RetryAction::retryable_error(ErrorKind::TransientError)
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "damaged on the way, or in conflict"
    }
}
