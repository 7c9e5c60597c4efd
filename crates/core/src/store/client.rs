//! The client: one for all requests, with every wait bounded.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use time::OffsetDateTime;

use super::{StoreError, StoreErrorKind};
use crate::settings::{self, Encryption};

/// Tries per request. Together with the SDK's pauses (1 s, doubling, up to 20 s, jittered) about a minute.
const TRIES: u32 = 7;

/// The longest that a request without a large body may take, each time it is tried.
const SMALL_REQUEST: Duration = Duration::from_secs(30);

/// The store: a bucket that can be reached.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) bucket: String,
    pub(super) storage_class: Option<StorageClass>,
    pub(super) encryption: Option<Encryption>,
    small_request: Duration,
    large_request: Duration,
}

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

impl Store {
    /// Makes the client. Nothing is sent yet.
    pub async fn new(settings: &settings::Store) -> Self {
        let small_request = SMALL_REQUEST.min(settings.stall_timeout);
        let tries = std::env::var("AWS_MAX_ATTEMPTS").ok().and_then(|tries| tries.parse().ok()).unwrap_or(TRIES);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(tries))
            // Bytes that stop to flow end a try long before its time is up.
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(small_request).build())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(settings.connect_timeout)
                    .operation_attempt_timeout(small_request)
                    .build(),
            );
        if let Some(keys) = &settings.keys {
            let token = keys.session_token.as_ref().map(|token| token.reveal().to_owned());
            let (id, secret) = (keys.id.reveal(), keys.secret.reveal());
            loader = loader.credentials_provider(Credentials::new(id, secret, token, None, "settings"));
        }
        if let Some(endpoint) = &settings.endpoint {
            loader = loader.endpoint_url(endpoint.as_str());
        }
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await)
            .force_path_style(settings.path_style)
            // Checksums are ours to send, and to leave out where a store refuses them.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            s3: aws_sdk_s3::Client::from_conf(config),
            bucket: settings.bucket.to_string(),
            storage_class: settings.storage_class.as_deref().map(StorageClass::from),
            encryption: settings.encryption.clone(),
            small_request,
            large_request: settings.stall_timeout,
        }
    }

    /// `s3://BUCKET/KEY`.
    pub fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// The limits of a request whose body, or whose work in the store, is large.
    pub(super) fn patient(&self) -> aws_sdk_s3::config::Builder {
        let limits = TimeoutConfig::builder().operation_attempt_timeout(self.large_request).build();
        aws_sdk_s3::config::Builder::new().timeout_config(limits)
    }

    pub(super) fn server_side_encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        let algorithm = self.encryption.as_ref().map(|encryption| ServerSideEncryption::from(&*encryption.algorithm));
        (algorithm, self.encryption.as_ref().and_then(|encryption| encryption.kms_key.clone()))
    }

    /// Fails where an object already stands under the key.
    pub async fn check_free(&self, key: &str) -> Result<(), StoreError> {
        match self.find(key).await? {
            None => Ok(()),
            Some(_) => Err(self.taken(key)),
        }
    }

    pub(super) fn taken(&self, key: &str) -> StoreError {
        let attempt = format!("write {}", self.address(key));
        StoreError::new(StoreErrorKind::Taken, attempt, "an object already stands under this key")
    }

    /// How long a request without a large body may take.
    pub(super) fn small_request(&self) -> Duration {
        self.small_request
    }
}
