//! The client: one for all requests, with every wait bounded.
//!
//! The longest that a run can hang on a store that swallows everything and never answers, at the defaults (7 tries, pauses of
//! 1 s, doubling, up to 20 s, before jitter: a minute in all):
//!
//! | stage | each try ends | the stage ends |
//! | --- | --- | --- |
//! | keys from a role or a profile | after 5 s | at once: it is not tried again |
//! | no connection (`BACKUP_CONNECT_TIMEOUT`) | after 10 s | after 2 minutes |
//! | list, look, begin or abort an upload, delete | after 30 s | after 4½ minutes |
//! | put, part, complete, copy | once nothing moved for 10 minutes (`BACKUP_STALL_TIMEOUT`) | after 71 minutes |
//! | a range of a download, while it comes | once nothing moved for 10 minutes (`BACKUP_STALL_TIMEOUT`) | after 71 minutes |
//! | read back the end of an object | | after 5 minutes |
//! | abort an upload after SIGTERM or SIGINT | | after 5 s |
//!
//! and never longer than `BACKUP_RUN_TIMEOUT`. What is slow but moves is not ended: the limit on large requests is one on
//! silence, not on time.

use std::error::Error;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_s3::config::{
    Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::error::Attempt;
use super::retry::{Damaged, TooMany};
use super::stall::Watched;
use crate::settings::{self, Encryption};

/// The longest that a request without a large body may take, each time it is tried.
const SMALL_REQUEST: Duration = Duration::from_secs(30);

/// The store: a bucket that can be reached.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) bucket: String,
    pub(super) storage_class: Option<StorageClass>,
    encryption: Option<Encryption>,
    connect: Duration,
    small_request: Duration,
    /// How often a request is tried, and how often a download that broke off is taken up without anything coming.
    pub(super) tries: u32,
}

impl Store {
    /// Makes the client. Nothing is sent yet.
    pub async fn new(settings: &settings::Store) -> Self {
        let small_request = SMALL_REQUEST.min(settings.stall_timeout);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(settings.region.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(settings.tries))
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
        let client = http_client();
        // Keys from a role come by HTTP too, and by the same way.
        loader = loader.http_client(client.clone());
        // The SDK's own budget of retries protects a service from thousands of clients. Here are a few requests at a
        // time, and a night-long upload to a store that throttles now and then would use it up, and fail with tries
        // left.
        let budget = RetryPartition::custom("backup").token_bucket(TokenBucket::unlimited()).build();
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await)
            .force_path_style(settings.path_style)
            // Checksums are ours to send, and to leave out where a store refuses them.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .http_client(Watched { client, limit: settings.stall_timeout })
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_partition(budget)
            .retry_classifier(TooMany)
            .build();
        Self {
            s3: aws_sdk_s3::Client::from_conf(config),
            bucket: settings.bucket.to_string(),
            storage_class: settings.storage_class.as_deref().map(StorageClass::from),
            encryption: settings.encryption.clone(),
            connect: settings.connect_timeout,
            small_request,
            tries: settings.tries,
        }
    }

    /// `s3://BUCKET/KEY`.
    pub fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// For a request whose body, or whose work in the store, is large, and whose errors are of type `E`: it may take any time
    /// as long as something moves.
    pub(super) fn patient<E>(&self) -> aws_sdk_s3::config::Builder
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let limits = TimeoutConfig::builder().connect_timeout(self.connect).disable_operation_attempt_timeout().build();
        aws_sdk_s3::config::Builder::new().timeout_config(limits).retry_classifier(Damaged::<E>::new())
    }

    pub(super) fn server_side_encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        let algorithm = self.encryption.as_ref().map(|encryption| ServerSideEncryption::from(&*encryption.algorithm));
        (algorithm, self.encryption.as_ref().and_then(|encryption| encryption.kms_key.clone()))
    }

    /// How long a request without a large body may take.
    pub(super) fn small_request(&self) -> Duration {
        self.small_request
    }

    pub(super) fn to_write(&self, key: &str) -> Attempt {
        Attempt::new(format!("write {}", self.address(key)), "s3:PutObject on the prefix")
    }
}

/// Through the proxy that `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name, as other programs do: the SDK's
/// own client would ignore them. The certificates that are trusted are the system's, or those of `SSL_CERT_FILE`.
fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.proxy_config(ProxyConfig::from_env()).tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build()
    })
}
