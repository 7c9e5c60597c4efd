//! The S3 store.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Reader, Secret, name};
use crate::key::Prefix;

/// Which bucket, under which prefix, and how to reach it.
#[derive(Debug, Clone)]
pub struct Store {
    /// The bucket.
    pub bucket: Bucket,
    /// The folder in it that is ours.
    pub prefix: Prefix,
    /// The region that requests are signed for.
    pub region: String,
    /// Keys given by hand; without them the AWS default chain is asked.
    pub keys: Option<AccessKeys>,
    /// The address of a store that is not AWS.
    pub endpoint: Option<Endpoint>,
    /// Bucket in the path, not in the host name.
    pub path_style: bool,
    /// Storage class of every object written.
    pub storage_class: Option<String>,
    /// Server-side encryption of every object written.
    pub encryption: Option<Encryption>,
    /// The most parts that the store takes for one object.
    pub max_parts: u32,
    /// How often a request is tried before it has failed.
    pub tries: u32,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long nothing may move while a request is under way.
    pub stall_timeout: Duration,
}

/// Keys given by hand.
#[derive(Debug, Clone)]
pub struct AccessKeys {
    /// The id, treated as a secret too.
    pub id: Secret,
    /// The secret.
    pub secret: Secret,
    /// The token of temporary keys.
    pub session_token: Option<Secret>,
}

/// Server-side encryption as S3 names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The KMS key, if not the account's default.
    pub kms_key: Option<String>,
}

impl Store {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let bucket = reader.required(&name::S3_BUCKET_NAME);
        let prefix = reader.required(&name::BACKUP_S3_PREFIX);
        let region: Option<Region> = reader.required(&name::S3_REGION);
        let keys = access_keys(reader);
        let endpoint: Option<Endpoint> = reader.optional(&name::S3_ENDPOINT_URL);
        let path_style = reader.flag(&name::S3_FORCE_PATH_STYLE).unwrap_or(endpoint.is_some());
        let storage_class: Option<StorageClass> = reader.optional(&name::S3_STORAGE_CLASS);
        let encryption = encryption(reader);
        let tries = reader.number(&name::AWS_MAX_ATTEMPTS, 1..=100);
        let max_parts = reader.number(&name::S3_MAX_PARTS, 100..=10_000);
        let connect_timeout = reader.duration(&name::BACKUP_CONNECT_TIMEOUT);
        let stall_timeout = reader.duration(&name::BACKUP_STALL_TIMEOUT);
        Some(Self {
            bucket: bucket?,
            prefix: prefix?,
            region: region?.0,
            keys,
            endpoint,
            path_style,
            storage_class: storage_class.map(|class| class.0),
            encryption,
            max_parts: max_parts?,
            tries: tries?,
            connect_timeout: connect_timeout?,
            stall_timeout: stall_timeout?,
        })
    }
}

fn access_keys(reader: &mut Reader<'_>) -> Option<AccessKeys> {
    let id = reader.secret(&name::AWS_ACCESS_KEY_ID);
    let secret = reader.secret(&name::AWS_SECRET_ACCESS_KEY);
    let session_token = reader.secret(&name::AWS_SESSION_TOKEN);
    let (one, other) = match (id, secret) {
        (Some(id), Some(secret)) => return Some(AccessKeys { id, secret, session_token }),
        (None, None) => return None,
        (Some(_), None) => (&name::AWS_SECRET_ACCESS_KEY, &name::AWS_ACCESS_KEY_ID),
        (None, Some(_)) => (&name::AWS_ACCESS_KEY_ID, &name::AWS_SECRET_ACCESS_KEY),
    };
    if !reader.is_noted(one) {
        reader.note(one.name, format!("is not set, but {} is", other.name), one);
    }
    None
}

fn encryption(reader: &mut Reader<'_>) -> Option<Encryption> {
    let algorithm: Option<Algorithm> = reader.optional(&name::S3_SERVER_SIDE_ENCRYPTION);
    let kms_key: Option<String> = reader.optional(&name::S3_SSE_KMS_KEY_ID);
    let is_kms = algorithm.as_ref().is_some_and(|algorithm| algorithm.0.starts_with("aws:kms"));
    if kms_key.is_some() && !is_kms {
        reader.note(
            name::S3_SSE_KMS_KEY_ID.name,
            "is set, but S3_SERVER_SIDE_ENCRYPTION is not aws:kms",
            &name::S3_SERVER_SIDE_ENCRYPTION,
        );
    }
    Some(Encryption { algorithm: algorithm?.0, kms_key })
}

/// The name of a bucket, or the ARN of an access point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket(String);

impl Bucket {
    /// The name as requests carry it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Bucket {
    type Err = &'static str;

    /// AWS allows 3 to 63 lower-case letters, digits, dots and hyphens; older buckets and other stores allow more.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("s3://") || text.contains('/') && !text.starts_with("arn:") {
            return Err(
                "must be the bucket's name alone, without s3:// and without a folder (BACKUP_S3_PREFIX names that)",
            );
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if text.starts_with("arn:") || ((3..=255).contains(&text.len()) && text.bytes().all(plain)) {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be 3 to 63 lower-case letters, digits, dots and hyphens")
        }
    }
}

/// The address of a store: scheme, host, and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// The address as an URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(authority) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
            return Err("must start with https:// or http://");
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('@') {
            return Err("must not hold a user name or a password");
        }
        if authority.contains(['/', '?', '#']) {
            return Err(
                "must end after the host and port: the bucket is named by S3_BUCKET_NAME, the folder by BACKUP_S3_PREFIX",
            );
        }
        let host_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        if authority.is_empty() || authority.starts_with(':') || !authority.bytes().all(host_byte) {
            return Err("must name a host");
        }
        Ok(Self(text.strip_suffix('/').unwrap_or(text).to_owned()))
    }
}

struct Region(String);

impl FromStr for Region {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if text.bytes().all(plain) { Ok(Self(text.to_owned())) } else { Err("must be letters, digits and hyphens") }
    }
}

struct StorageClass(String);

impl FromStr for StorageClass {
    type Err = &'static str;

    /// The names differ between stores, so the form alone is checked; archive classes could not be read back.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if matches!(text, "GLACIER" | "DEEP_ARCHIVE") {
            return Err(
                "cannot be read back at once, so no backup in it could be verified: use a lifecycle rule, or GLACIER_IR",
            );
        }
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if text.bytes().all(plain) { Ok(Self(text.to_owned())) } else { Err("must be capital letters, digits and _") }
    }
}

struct Algorithm(String);

impl FromStr for Algorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "AES256" | "aws:kms" | "aws:kms:dsse" => Ok(Self(text.to_owned())),
            _ => Err("must be AES256, aws:kms or aws:kms:dsse"),
        }
    }
}
