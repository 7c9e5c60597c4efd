//! The checksums of the S3 API: computed over objects and parts, compared with what the client sent.

use std::path::PathBuf;

use aws_smithy_types::base64;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use s3s::checksum::ChecksumHasher;
use s3s::{S3Request, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// A checksum algorithm of the S3 API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.header().rsplit('-').next() == Some(&name.to_ascii_lowercase()))
    }

    /// The header that carries it.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(s3s::crypto::Crc32::default()),
            Self::Crc32c => hasher.crc32c = Some(s3s::crypto::Crc32c::default()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::default()),
            Self::Sha1 => hasher.sha1 = Some(s3s::crypto::Sha1::default()),
            Self::Sha256 => hasher.sha256 = Some(s3s::crypto::Sha256::default()),
        }
        hasher
    }
}

/// A checksum as the API writes it: base64, of several parts with `-COUNT` after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) algorithm: Algorithm,
    pub(super) value: String,
}

impl Digest {
    pub(super) fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        Self::finish(algorithm, hasher)
    }

    /// Of files, one after the other: a `FULL_OBJECT` checksum.
    pub(super) async fn of_files(algorithm: Algorithm, files: &[PathBuf]) -> std::io::Result<Self> {
        let mut hasher = algorithm.hasher();
        let mut buffer = vec![0; 1 << 20];
        for path in files {
            let mut file = File::open(path).await?;
            loop {
                let read = file.read(&mut buffer).await?;
                if read == 0 {
                    break;
                }
                hasher.update(&buffer[..read]);
            }
        }
        Ok(Self::finish(algorithm, hasher))
    }

    /// Of the digests of parts: a `COMPOSITE` checksum.
    pub(super) fn of_digests(algorithm: Algorithm, parts: &[&Self]) -> Self {
        let raw: Vec<u8> = parts.iter().flat_map(|part| base64::decode(&part.value).unwrap_or_default()).collect();
        let Self { value, .. } = Self::of(algorithm, &raw);
        Self { algorithm, value: format!("{value}-{}", parts.len()) }
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.value).expect("base64 is fit for a header")
    }

    fn finish(algorithm: Algorithm, hasher: ChecksumHasher) -> Self {
        let sums = hasher.finalize();
        let value = match algorithm {
            Algorithm::Crc32 => sums.checksum_crc32,
            Algorithm::Crc32c => sums.checksum_crc32c,
            Algorithm::Crc64Nvme => sums.checksum_crc64nvme,
            Algorithm::Sha1 => sums.checksum_sha1,
            Algorithm::Sha256 => sums.checksum_sha256,
        };
        Self { algorithm, value: value.expect("the hasher was made for this algorithm") }
    }
}

/// The checksum that came with a request, in a header or, after a chunked body was read, in a trailer.
pub(super) fn sent<T>(request: &S3Request<T>) -> Option<Digest> {
    let trailer = request.trailing_headers.as_ref().and_then(|trailers| trailers.read(find));
    find(&request.headers).or(trailer.flatten())
}

fn find(headers: &HeaderMap) -> Option<Digest> {
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let value = headers.get(algorithm.header())?.to_str().ok()?.to_owned();
        Some(Digest { algorithm, value })
    })
}

/// Refuses bytes that do not have the checksum they came with; else gives their checksum by `wanted`, or by the algorithm sent.
pub(super) fn check(sent: Option<Digest>, wanted: Option<Algorithm>, bytes: &[u8]) -> S3Result<Option<Digest>> {
    if let Some(sent) = &sent {
        refuse_unless_equal(sent, &Digest::of(sent.algorithm, bytes))?;
    }
    let algorithm = wanted.or(sent.map(|sent| sent.algorithm));
    Ok(algorithm.map(|algorithm| Digest::of(algorithm, bytes)))
}

pub(super) fn refuse_unless_equal(sent: &Digest, computed: &Digest) -> S3Result<()> {
    if sent == computed {
        return Ok(());
    }
    let (algorithm, sent, computed) = (sent.algorithm, &sent.value, &computed.value);
    Err(s3_error!(BadDigest, "the {algorithm:?} sent was {sent}, that of the bytes received is {computed}"))
}
