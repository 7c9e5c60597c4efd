//! What the store answered, in words a person can act on.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::retry::ErrorKind;

use super::retry::{CONFLICT, DAMAGED};
use super::stall::Silence;

/// Something the store could not or would not do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {attempt}: {reason}{}", .remains.as_ref().map_or_else(String::new, |remains| format!("; {remains}")))]
pub struct StoreError {
    /// What was tried, on what.
    pub attempt: Attempt,
    /// What kind of failure it is.
    pub kind: StoreErrorKind,
    /// Why, in the store's words or ours.
    pub reason: String,
    /// What was not verified and could not be deleted again.
    pub remains: Option<Box<Remains>>,
}

/// An object that a failed run may have left under the key of a backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} may hold an unverified object, which could not be deleted again")]
pub struct Remains(pub(super) String);

impl Remains {
    /// What a person has to do about it.
    pub fn hint(&self) -> String {
        let Self(address) = self;
        format!("Delete {address} by hand, if it is there, or it will be taken for a backup: aws s3 rm '{address}'.")
    }
}

/// What was tried, on what, and the permission that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    words: Box<str>,
    permission: &'static str,
}

impl Attempt {
    /// To be read after "cannot"; the permission as IAM names it, and where it is needed.
    pub(super) fn new(words: impl Into<String>, permission: &'static str) -> Self {
        Self { words: words.into().into_boxed_str(), permission }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// The failures that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// No keys, by whatever way they could come.
    NoCredentials,
    /// The keys are unknown, wrong or have expired.
    BadCredentials,
    /// The keys are good, the action is not allowed.
    Denied,
    /// The bucket does not exist.
    NoBucket,
    /// The bucket is in another region.
    WrongRegion,
    /// Our clock and the store's differ too much.
    ClockSkew,
    /// An object already stands under the key.
    Taken,
    /// The object is no longer the one that was being read.
    Replaced,
    /// There is no such object, or no such upload.
    Missing,
    /// The store does not know a header or an action.
    NotSupported,
    /// The store was too busy, or had trouble of its own, too often.
    Busy,
    /// The store has no room left for us.
    Full,
    /// No connection, or it broke, too often.
    Unreachable,
    /// The store's certificate is not trusted, or is for another name.
    Untrusted,
    /// Nothing moved for too long, too often.
    TimedOut,
    /// What answers does not speak S3.
    NotS3,
    /// What the store holds, or received, is not what was sent.
    Mismatch,
    /// Anything else.
    Other,
}

impl StoreError {
    /// An error that we found ourselves.
    pub(super) fn new(kind: StoreErrorKind, attempt: Attempt, reason: impl Into<String>) -> Self {
        Self { attempt, kind, reason: reason.into(), remains: None }
    }

    /// What the store says of one object of many.
    pub(super) fn from_code(attempt: Attempt, code: &str, message: &str) -> Self {
        let reason = [code, message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        Self { attempt, kind: kind_of(code, 200), reason, remains: None }
    }

    /// What the SDK says after its last try.
    pub(super) fn from_sdk<E>(attempt: Attempt, error: &SdkError<E>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let (kind, reason) = match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let code = service.err().code().unwrap_or_default();
                let message = service.err().message().unwrap_or_default();
                let reason = match (code, message) {
                    ("", "") if service.raw().status().is_success() => "what answered is not S3".to_owned(),
                    ("", "") => format!("the store answered with HTTP status {status}"),
                    ("", message) => format!("{message} (HTTP status {status})"),
                    (code, "") => format!("{code} (HTTP status {status})"),
                    (code, message) => format!("{code}: {message}"),
                };
                (kind_of(code, status), reason)
            }
            SdkError::TimeoutError(_) => (StoreErrorKind::TimedOut, "the store did not answer in time".to_owned()),
            SdkError::DispatchFailure(failure) => {
                let kind = match failure.as_other() {
                    Some(ErrorKind::ThrottlingError) => StoreErrorKind::Busy,
                    _ if failure.is_timeout() => StoreErrorKind::TimedOut,
                    _ if causes(error).any(is_distrust) => StoreErrorKind::Untrusted,
                    _ if causes(error).any(is_about_keys) => StoreErrorKind::NoCredentials,
                    _ => StoreErrorKind::Unreachable,
                };
                let reason = match kind {
                    StoreErrorKind::TimedOut if !causes(error).any(<dyn Error>::is::<Silence>) => {
                        "the store did not answer in time: no connection came about".to_owned()
                    }
                    _ => innermost(error),
                };
                (kind, reason)
            }
            other => (StoreErrorKind::Other, innermost(other)),
        };
        Self { attempt, kind, reason, remains: None }
    }

    /// Why the body of an answer broke off.
    pub(super) fn from_body(attempt: Attempt, error: &(dyn Error + 'static)) -> Self {
        let is_silence = causes(error).any(<dyn Error>::is::<Silence>);
        let kind = if is_silence { StoreErrorKind::TimedOut } else { StoreErrorKind::Unreachable };
        let reason = format!("the answer broke off: {}", innermost(error));
        Self { attempt, kind, reason, remains: None }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let hints: Vec<String> =
            self.kind_hint().into_iter().chain(self.remains.as_deref().map(Remains::hint)).collect();
        (!hints.is_empty()).then(|| hints.join(" "))
    }

    fn kind_hint(&self) -> Option<String> {
        let hint = match self.kind {
            StoreErrorKind::NoCredentials => {
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the host a role that may use the bucket."
            }
            StoreErrorKind::BadCredentials => {
                "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if the keys are temporary)."
            }
            StoreErrorKind::Denied => {
                return Some(format!(
                    "The keys are valid but may not do this: grant {}. The README has the whole policy. (Where a KMS key \
                     encrypts the bucket, kms:GenerateDataKey and kms:Decrypt on it are needed too.)",
                    self.attempt.permission
                ));
            }
            StoreErrorKind::NoBucket => {
                "Check S3_BUCKET_NAME, and S3_ENDPOINT_URL if the store is not AWS. The bucket is never created by us."
            }
            StoreErrorKind::WrongRegion => "Set S3_REGION to the region that the bucket is in.",
            StoreErrorKind::ClockSkew => {
                "This machine's clock is wrong: the store refuses requests signed more than 15 minutes off."
            }
            StoreErrorKind::Taken => {
                "The object under the key was left as it is. Run again: the next second has a key of its own."
            }
            StoreErrorKind::Busy => {
                "The store asked to slow down, or had trouble of its own, and went on so. Try again later."
            }
            StoreErrorKind::Full => "The store has no room left: make room, or raise the quota.",
            StoreErrorKind::Unreachable => {
                "Check S3_ENDPOINT_URL and S3_REGION, and whether this host can reach the store."
            }
            StoreErrorKind::Untrusted => {
                "Check the name in S3_ENDPOINT_URL. For a store with a private CA, name a file with the certificates to \
                 trust in SSL_CERT_FILE (AWS_CA_BUNDLE is not read)."
            }
            StoreErrorKind::TimedOut => {
                "The network to the store is stalled, or the store hangs. BACKUP_CONNECT_TIMEOUT and BACKUP_STALL_TIMEOUT \
                 set how long nothing may move."
            }
            StoreErrorKind::NotS3 => {
                "Check S3_ENDPOINT_URL: what answers there does not speak S3. Is it the port of a console, or of a proxy?"
            }
            StoreErrorKind::Mismatch => {
                "Do not trust the object: it was damaged on the way or in the store. Run again."
            }
            StoreErrorKind::Replaced => {
                "Backups are never overwritten by these tools: find out who writes there. Then run again."
            }
            StoreErrorKind::Missing | StoreErrorKind::NotSupported | StoreErrorKind::Other => return None,
        };
        Some(hint.to_owned())
    }
}

/// Codes of the S3 API reference ("Error responses"), and of stores that follow it.
fn kind_of(code: &str, status: u16) -> StoreErrorKind {
    match (code, status) {
        (
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "InvalidClientTokenId"
            | "TokenRefreshRequired"
            | "NotSignedUp",
            _,
        ) => StoreErrorKind::BadCredentials,
        ("RequestTimeTooSkewed" | "RequestExpired", _) => StoreErrorKind::ClockSkew,
        ("NoSuchBucket" | "InvalidBucketName", _) => StoreErrorKind::NoBucket,
        ("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException", _)
        | ("", 301) => StoreErrorKind::WrongRegion,
        ("NoSuchKey" | "NoSuchUpload" | "NotFound", _) | ("", 404) => StoreErrorKind::Missing,
        ("PreconditionFailed", _) | ("", 412) => StoreErrorKind::Taken,
        ("QuotaExceeded" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded", _) | (_, 507) => {
            StoreErrorKind::Full
        }
        ("InvalidRange", _) | ("", 416) => StoreErrorKind::Mismatch,
        (code, _) if DAMAGED.contains(&code) => StoreErrorKind::Mismatch,
        (CONFLICT, _) => StoreErrorKind::Busy,
        // An error document under 200 has a code; a page of some other server has none.
        ("", 200..=299) => StoreErrorKind::NotS3,
        ("RequestTimeout", _) => StoreErrorKind::TimedOut,
        ("NotImplemented" | "InvalidRequest" | "InvalidArgument" | "MalformedXML" | "MethodNotAllowed", _)
        | (_, 501) => StoreErrorKind::NotSupported,
        ("SlowDown" | "TooManyRequests" | "RequestLimitExceeded" | "Throttling" | "InternalError", _)
        | (_, 429 | 500 | 502 | 503 | 504) => StoreErrorKind::Busy,
        ("AccessDenied", _) | (_, 401 | 403) => StoreErrorKind::Denied,
        _ => StoreErrorKind::Other,
    }
}

/// The SDK's own words for what it wraps are of no use to a person; the innermost cause is.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error and everything that caused it. What an `io::Error` carries counts too, which its `source` skips.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|carried| carried as &(dyn Error + 'static)),
        None => error.source(),
    })
}

fn is_distrust(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
}

fn is_about_keys(error: &(dyn Error + 'static)) -> bool {
    error.is::<CredentialsError>()
}
