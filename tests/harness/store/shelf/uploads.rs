//! Multipart uploads under way, and what is known of the objects beside their bytes.

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use s3s::dto::{
    ChecksumType, CompleteMultipartUploadOutput, CompletedPart, ETag, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, StorageClass, Timestamp,
};
use s3s::{S3Result, s3_error};

use super::digest::{Algorithm, Digest};

/// All parts but the last have at least this size (S3: multipart upload limits).
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
];

/// What an object was given beside its bytes and its metadata.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) digest: Option<Digest>,
    pub(super) composite: bool,
    storage_class: Option<String>,
    encryption: Option<String>,
    kms_key: Option<String>,
}

impl Facts {
    /// Storage class and encryption, as a request asks for them.
    pub(super) fn asked(headers: &HeaderMap) -> S3Result<Self> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let storage_class = header("x-amz-storage-class");
        if storage_class.as_ref().is_some_and(|class| !STORAGE_CLASSES.contains(&class.as_str())) {
            return Err(s3_error!(InvalidStorageClass));
        }
        Ok(Self {
            storage_class,
            encryption: header("x-amz-server-side-encryption"),
            kms_key: header("x-amz-server-side-encryption-aws-kms-key-id"),
            ..Self::default()
        })
    }

    /// As part of the answer to a completed upload.
    pub(super) fn describe(&self, output: &mut CompleteMultipartUploadOutput) {
        if let Some(digest) = &self.digest {
            let place = match digest.algorithm {
                Algorithm::Crc32 => &mut output.checksum_crc32,
                Algorithm::Crc32c => &mut output.checksum_crc32c,
                Algorithm::Crc64Nvme => &mut output.checksum_crc64nvme,
                Algorithm::Sha1 => &mut output.checksum_sha1,
                Algorithm::Sha256 => &mut output.checksum_sha256,
            };
            *place = Some(digest.value.clone());
            output.checksum_type = Some(ChecksumType::from_static(self.checksum_type()));
        }
    }

    fn checksum_type(&self) -> &'static str {
        if self.composite { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT }
    }

    /// As the headers of an answer, like S3 without the default storage class.
    pub(super) fn headers(&self, with_digest: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            headers.insert(name, HeaderValue::from_str(value).expect("it came in a header"));
        };
        if let Some(digest) = self.digest.as_ref().filter(|_| with_digest) {
            set(digest.algorithm.header(), &digest.value);
            set("x-amz-checksum-type", self.checksum_type());
        }
        if let Some(class) = self.storage_class.as_ref().filter(|class| *class != "STANDARD") {
            set("x-amz-storage-class", class);
        }
        if let Some(encryption) = &self.encryption {
            set("x-amz-server-side-encryption", encryption);
        }
        if let Some(key) = &self.kms_key {
            set("x-amz-server-side-encryption-aws-kms-key-id", key);
        }
        headers
    }
}

/// A multipart upload that was begun.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) initiated: Timestamp,
    pub(super) algorithm: Option<Algorithm>,
    /// The kind of checksum that the whole object gets.
    pub(super) composite: bool,
    pub(super) facts: Facts,
    pub(super) parts: BTreeMap<i32, Part>,
}

/// A part that has arrived.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) e_tag: String,
    pub(super) size: u64,
    pub(super) digest: Option<Digest>,
    pub(super) arrived: Timestamp,
}

impl Upload {
    /// Refuses a list of parts that is not what arrived, as S3 does before it completes anything.
    pub(super) fn check(&self, listed: &[CompletedPart]) -> S3Result<()> {
        let mut last = 0;
        let mut sizes = Vec::with_capacity(listed.len());
        for listed_part in listed {
            let number = listed_part.part_number.unwrap_or_default();
            if number <= last {
                return Err(s3_error!(InvalidPartOrder));
            }
            last = number;
            let part = self.parts.get(&number).ok_or_else(|| s3_error!(InvalidPart, "part {number} never arrived"))?;
            if listed_part.e_tag.as_ref().map(ETag::value) != Some(&part.e_tag) {
                return Err(s3_error!(InvalidPart, "the ETag of part {number} is another one"));
            }
            sizes.push(part.size);
            let claimed = claimed_digests(listed_part);
            if part
                .digest
                .as_ref()
                .is_some_and(|digest| claimed.iter().any(|(a, v)| *a == digest.algorithm && **v != digest.value))
            {
                return Err(s3_error!(InvalidPart, "the checksum of part {number} is another one"));
            }
        }
        sizes.pop();
        if sizes.iter().any(|size| *size < SMALLEST_PART) {
            return Err(s3_error!(EntityTooSmall));
        }
        Ok(())
    }

    /// One page of its parts.
    pub(super) fn list_parts(&self, input: ListPartsInput) -> ListPartsOutput {
        let after = input.part_number_marker.as_ref().and_then(|marker| marker.to_string().parse().ok()).unwrap_or(0);
        let mut rest = self.parts.range(after + 1..);
        let describe = |(number, part): (&i32, &Part)| s3s::dto::Part {
            part_number: Some(*number),
            e_tag: Some(ETag::Strong(part.e_tag.clone())),
            size: i64::try_from(part.size).ok(),
            last_modified: Some(part.arrived.clone()),
            ..s3s::dto::Part::default()
        };
        let parts: Vec<_> = rest.by_ref().take(page_size(input.max_parts)).map(describe).collect();
        let more = rest.next().is_some();
        ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(more),
            next_part_number_marker: parts.last().and_then(|part| part.part_number).filter(|_| more),
            parts: Some(parts),
            ..ListPartsOutput::default()
        }
    }

    fn describe(&self, id: &str) -> MultipartUpload {
        MultipartUpload {
            initiated: Some(self.initiated.clone()),
            key: Some(self.key.clone()),
            upload_id: Some(id.to_owned()),
            storage_class: Some(StorageClass::from(self.facts.storage_class.clone().unwrap_or("STANDARD".into()))),
            ..MultipartUpload::default()
        }
    }
}

/// One page of the uploads under way, by key and id.
pub(super) fn list(uploads: &BTreeMap<String, Upload>, input: ListMultipartUploadsInput) -> ListMultipartUploadsOutput {
    let prefix = input.prefix.clone().unwrap_or_default();
    let key_marker = input.key_marker.unwrap_or_default();
    let id_marker = input.upload_id_marker.unwrap_or_default();
    // Without an upload id, the marker's whole key is behind us (S3: ListMultipartUploads).
    let ahead = |id: &String, key: &String| {
        if id_marker.is_empty() { *key > key_marker } else { (key, id) > (&key_marker, &id_marker) }
    };
    let fits = |id: &String, upload: &Upload| {
        upload.bucket == input.bucket && upload.key.starts_with(&prefix) && ahead(id, &upload.key)
    };
    let mut ours: Vec<_> = uploads.iter().filter(|(id, upload)| fits(id, upload)).collect();
    ours.sort_by_key(|(id, upload)| (&upload.key, *id));
    let most = page_size(input.max_uploads);
    let more = ours.len() > most;
    ours.truncate(most);
    let last = ours.last().filter(|_| more);
    ListMultipartUploadsOutput {
        prefix: input.prefix,
        max_uploads: i32::try_from(most).ok(),
        is_truncated: Some(more),
        next_key_marker: last.map(|(_, upload)| upload.key.clone()),
        next_upload_id_marker: last.map(|(id, _)| (*id).clone()),
        uploads: Some(ours.iter().map(|(id, upload)| upload.describe(id)).collect()),
        bucket: Some(input.bucket),
        ..ListMultipartUploadsOutput::default()
    }
}

/// At most 1,000, as in S3.
fn page_size(asked: Option<i32>) -> usize {
    asked.and_then(|most| usize::try_from(most).ok()).unwrap_or(1000).min(1000)
}

fn claimed_digests(part: &CompletedPart) -> Vec<(Algorithm, &String)> {
    let claims = [
        (Algorithm::Crc32, &part.checksum_crc32),
        (Algorithm::Crc32c, &part.checksum_crc32c),
        (Algorithm::Crc64Nvme, &part.checksum_crc64nvme),
        (Algorithm::Sha1, &part.checksum_sha1),
        (Algorithm::Sha256, &part.checksum_sha256),
    ];
    claims.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value.as_ref()?))).collect()
}
