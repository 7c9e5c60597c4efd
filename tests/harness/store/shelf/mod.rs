//! What S3 does and `s3s-fs` 0.14 does not, around it.
//!
//! `s3s-fs` keeps objects as files, with entity tags and metadata in files beside the bucket. What it gets wrong or leaves out, as far as
//! the tools meet it, is done here:
//!
//! | request | `s3s-fs` alone | here |
//! | --- | --- | --- |
//! | any, to a missing bucket | several create it | `NoSuchBucket` |
//! | `PutObject` with a wrong checksum | answers `BadDigest`, keeps the object | refused before anything is written |
//! | `CreateMultipartUpload` | forgets algorithm, checksum type, storage class, encryption | remembered |
//! | `UploadPart` with a checksum | neither verified nor kept | verified, kept, returned |
//! | `CompleteMultipartUpload` | takes any entity tags; deletes parts, then refuses small ones | checked first; the upload stays on refusal |
//! | … with a full-object checksum | ignored | computed over the parts, compared, kept, returned |
//! | `HeadObject`, `GetObject` | no storage class, encryption, checksum type | returned as set (the checksum only where asked for) |
//! | `GetObject` | ignores `If-Match`, reads 4 KiB at a time | honoured; reads 256 KiB at a time |
//! | `CopyObject` with `If-None-Match: *` | ignored | honoured; sources above 5 GiB refused |
//! | `ListMultipartUploads` | 501 | from what is under way, in pages |
//! | requests with an unknown upload id | `AccessDenied` | `NoSuchUpload` |
//! | `ListObjectsV2` | every page stats every file; `encoding-type=url` ignored | pages cost what is on them |
//!
//! What still differs from AWS: part numbers must be 1, 2, 3 … without a gap; a key cannot be a prefix of another up to a
//! slash (`a` and `a/b`); a copy has its source's entity tag and checksum; no versions, tags, locks, lifecycle (moto has those).

mod body;
mod digest;
mod listing;
mod seed;
mod uploads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_smithy_types::base64;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumType, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CopySource, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag,
    ETagCondition, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput,
    HeadObjectOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output,
    ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

use digest::{Algorithm, Digest};
pub(in crate::store) use listing::keys;
use uploads::{Facts, Part, Upload};

/// A single copy request copies no more than this (S3: `CopyObject`).
const LARGEST_COPY: u64 = 5 * 1024 * 1024 * 1024;

/// The objects in a folder, behind the S3 API.
#[derive(Clone)]
pub(super) struct Shelf {
    files: Arc<FileSystem>,
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    uploads: BTreeMap<String, Upload>,
    /// By bucket and key.
    facts: BTreeMap<(String, String), Facts>,
}

impl Shelf {
    pub(super) fn new(root: &Path) -> Self {
        let files = FileSystem::new(root).unwrap_or_else(|e| panic!("serve {}: {e:?}", root.display()));
        Self { files: Arc::new(files), root: root.to_owned(), state: Arc::default() }
    }

    /// The uploads under way: id, key, parts so far and their bytes.
    pub(super) fn unfinished(&self) -> Vec<(String, String, usize, u64)> {
        let describe = |(id, upload): (&String, &Upload)| {
            let bytes = upload.parts.values().map(|part| part.size).sum();
            (id.clone(), upload.key.clone(), upload.parts.len(), bytes)
        };
        self.state().uploads.iter().map(describe).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket(&self, name: &str) -> S3Result<PathBuf> {
        let path = self.root.join(name);
        if path.is_dir() { Ok(path) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn exists(&self, bucket: &str, key: &str) -> bool {
        self.root.join(bucket).join(key).is_file()
    }

    fn upload(&self, id: &str, key: &str) -> S3Result<Upload> {
        let upload = self.state().uploads.get(id).filter(|upload| upload.key == key).cloned();
        upload.ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// Where `s3s-fs` keeps a part.
    fn part_path(&self, id: &str, number: i32) -> PathBuf {
        self.root.join(format!(".upload_id-{id}.part-{number}"))
    }

    fn facts(&self, bucket: &str, key: &str) -> Facts {
        self.state().facts.get(&(bucket.to_owned(), key.to_owned())).cloned().unwrap_or_default()
    }

    fn set_facts(&self, bucket: &str, key: &str, facts: Facts) {
        self.state().facts.insert((bucket.to_owned(), key.to_owned()), facts);
    }

    fn note_part(&self, id: &str, number: i32, part: Part) -> S3Result<()> {
        let mut state = self.state();
        let upload = state.uploads.get_mut(id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.parts.insert(number, part);
        Ok(())
    }
}

#[async_trait::async_trait]
impl S3 for Shelf {
    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(req).await
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let bucket = self.bucket(&req.input.bucket)?;
        let page = tokio::task::spawn_blocking(move || listing::page(&bucket, req.input)).await;
        Ok(S3Response::new(page.map_err(|e| s3_error!(e, InternalError))??))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.bucket(&req.input.bucket)?;
        let facts = self.facts(&req.input.bucket, &req.input.key);
        let with_digest = req.input.checksum_mode.is_some();
        let mut response = self.files.head_object(req).await?;
        response.headers.extend(facts.headers(with_digest));
        Ok(response)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.bucket(&req.input.bucket)?;
        let facts = self.facts(&req.input.bucket, &req.input.key);
        let with_digest = req.input.checksum_mode.is_some() && req.input.range.is_none();
        let (if_match, range) = (req.input.if_match.clone(), req.input.range);
        let path = self.root.join(&req.input.bucket).join(&req.input.key);
        let mut response = self.files.get_object(req).await?;
        if let Some(ETagCondition::ETag(wanted)) = if_match
            && response.output.e_tag.as_ref().map(ETag::value) != Some(wanted.value())
        {
            return Err(s3_error!(PreconditionFailed));
        }
        response.output.body = Some(body::of_file(path, range).await?);
        response.headers.extend(facts.headers(with_digest));
        Ok(response)
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.bucket(&req.input.bucket)?;
        let mut facts = Facts::asked(&req.headers)?;
        let bytes = read(req.input.body.take()).await?;
        if let Some(md5) = req.input.content_md5.take()
            && base64::decode(md5).ok().as_deref() != Some(Md5::checksum(&bytes).as_ref())
        {
            return Err(s3_error!(BadDigest));
        }
        facts.digest = digest::check(digest::sent(&req), None, &bytes)?;
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        req.input = PutObjectInput {
            body: Some(StreamingBlob::from(Body::from(bytes))),
            checksum_algorithm: None,
            checksum_crc32: None,
            checksum_crc32c: None,
            checksum_crc64nvme: None,
            checksum_sha1: None,
            checksum_sha256: None,
            storage_class: None,
            ..req.input
        };
        req.trailing_headers = None;
        let mut response = self.files.put_object(req).await?;
        response.headers.extend(facts.headers(true));
        self.set_facts(&bucket, &key, facts);
        Ok(response)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.bucket(&req.input.bucket)?;
        let CopySource::Bucket { bucket: from_bucket, key: from_key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        if req.headers.get("if-none-match").is_some_and(|tag| tag == "*")
            && self.exists(&req.input.bucket, &req.input.key)
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let source = std::fs::metadata(self.root.join(&**from_bucket).join(&**from_key));
        if source.is_ok_and(|source| source.len() > LARGEST_COPY) {
            return Err(s3_error!(InvalidRequest, "the source of a copy may have at most {LARGEST_COPY} bytes"));
        }
        let Facts { digest, composite, .. } = self.facts(from_bucket, from_key);
        let mut facts = Facts::asked(&req.headers)?;
        (facts.digest, facts.composite) = (digest, composite);
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let mut response = self.files.copy_object(req).await?;
        response.headers.extend(facts.headers(false));
        self.set_facts(&bucket, &key, facts);
        Ok(response)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.bucket(&req.input.bucket)?;
        self.files.delete_object(req).await
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.bucket(&req.input.bucket)?;
        if req.input.delete.objects.len() > 1000 {
            return Err(s3_error!(MalformedXML));
        }
        let quiet = req.input.delete.quiet == Some(true);
        let mut response = self.files.delete_objects(req).await?;
        response.output.deleted = response.output.deleted.filter(|_| !quiet);
        Ok(response)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.bucket(&req.input.bucket)?;
        let facts = Facts::asked(&req.headers)?;
        let algorithm = req.input.checksum_algorithm.as_ref().and_then(|name| Algorithm::parse(name.as_str()));
        let kind = req.input.checksum_type.as_ref().map(|kind| kind.as_str().to_owned());
        // CRC64NVME is always of the full object, the others are composite unless asked otherwise (S3: checking object integrity).
        let composite = kind.map_or(algorithm != Some(Algorithm::Crc64Nvme), |kind| kind == ChecksumType::COMPOSITE);
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let mut response = self.files.create_multipart_upload(req).await?;
        response.headers.extend(facts.headers(false));
        let id = response.output.upload_id.clone().ok_or_else(|| s3_error!(InternalError))?;
        let initiated = Timestamp::from(SystemTime::now());
        let upload = Upload { bucket, key, initiated, algorithm, composite, facts, parts: BTreeMap::new() };
        self.state().uploads.insert(id, upload);
        Ok(response)
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let (id, number) = (req.input.upload_id.clone(), req.input.part_number);
        let upload = self.upload(&id, &req.input.key)?;
        let bytes = read(req.input.body.take()).await?;
        let digest = digest::check(digest::sent(&req), upload.algorithm, &bytes)?;
        let size = bytes.len() as u64;
        req.input.body = Some(StreamingBlob::from(Body::from(bytes)));
        let mut response = self.files.upload_part(req).await?;
        let e_tag = response.output.e_tag.as_ref().map(|tag| tag.value().to_owned()).unwrap_or_default();
        if let Some(digest) = &digest {
            response.headers.insert(digest.algorithm.header(), digest.header_value());
        }
        self.note_part(&id, number, Part { e_tag, size, digest, arrived: SystemTime::now().into() })?;
        Ok(response)
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let (id, number) = (req.input.upload_id.clone(), req.input.part_number);
        let upload = self.upload(&id, &req.input.key)?;
        let response = self.files.upload_part_copy(req).await?;
        let tag = response.output.copy_part_result.as_ref().and_then(|part| part.e_tag.as_ref());
        let e_tag = tag.map(|tag| tag.value().to_owned()).unwrap_or_default();
        let path = self.part_path(&id, number);
        let size = std::fs::metadata(&path).map_err(|e| s3_error!(e, InternalError))?.len();
        let digest = match upload.algorithm {
            Some(algorithm) => {
                Some(Digest::of_files(algorithm, &[path]).await.map_err(|e| s3_error!(e, InternalError))?)
            }
            None => None,
        };
        self.note_part(&id, number, Part { e_tag, size, digest, arrived: SystemTime::now().into() })?;
        Ok(response)
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let upload = self.upload(&req.input.upload_id, &req.input.key)?;
        Ok(S3Response::new(upload.list_parts(req.input)))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.bucket(&req.input.bucket)?;
        Ok(S3Response::new(uploads::list(&self.state().uploads, req.input)))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (id, bucket, key) = (req.input.upload_id.clone(), req.input.bucket.clone(), req.input.key.clone());
        let upload = self.upload(&id, &key)?;
        let listed = req.input.multipart_upload.as_ref().and_then(|list| list.parts.clone()).unwrap_or_default();
        upload.check(&listed)?;
        let taken = self.exists(&bucket, &key);
        if taken && req.input.if_none_match.as_ref().is_some_and(ETagCondition::is_any) {
            return Err(s3_error!(PreconditionFailed));
        }
        let numbers: Vec<_> = listed.iter().filter_map(|part| part.part_number).collect();
        let parts: Vec<_> = numbers.iter().filter_map(|number| upload.parts.get(number)).collect();
        let size: u64 = parts.iter().map(|part| part.size).sum();
        if req.input.mpu_object_size.is_some_and(|wanted| u64::try_from(wanted) != Ok(size)) {
            return Err(s3_error!(InvalidRequest, "the object has {size} bytes"));
        }
        let sent = digest::sent(&req);
        let mut facts = upload.facts;
        facts.composite = upload.composite;
        facts.digest = match upload.algorithm.or(sent.as_ref().map(|sent| sent.algorithm)) {
            None => None,
            Some(algorithm) if upload.composite => {
                let digests: Vec<_> = parts.iter().filter_map(|part| part.digest.as_ref()).collect();
                Some(Digest::of_digests(algorithm, &digests))
            }
            Some(algorithm) => {
                let files: Vec<_> = numbers.iter().map(|number| self.part_path(&id, *number)).collect();
                Some(Digest::of_files(algorithm, &files).await.map_err(|e| s3_error!(e, InternalError))?)
            }
        };
        if let (Some(sent), Some(computed)) = (&sent, &facts.digest) {
            digest::refuse_unless_equal(sent, computed)?;
        }
        // As in S3, the status line goes out now and the result when it is there, with white space in between.
        let owned = self.clone();
        // A client that goes away meanwhile does not stop it half way.
        let completing = tokio::spawn(async move {
            let done = owned.files.complete_multipart_upload(req).await?;
            let mut output = match done.output.future {
                Some(result) => result.await?,
                None => done.output,
            };
            facts.describe(&mut output);
            owned.state().uploads.remove(&id);
            owned.set_facts(&bucket, &key, facts);
            Ok(output)
        });
        let result = async move { completing.await.map_err(|error| s3_error!(error, InternalError))? };
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            future: Some(Box::pin(result)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let id = req.input.upload_id.clone();
        self.upload(&id, &req.input.key)?;
        let response = self.files.abort_multipart_upload(req).await?;
        self.state().uploads.remove(&id);
        Ok(response)
    }
}

async fn read(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    // Of what can go wrong on the way in, only a body that is not what the signature says leaves a client to tell.
    Body::from(body).collect().await.map(http_body_util::Collected::to_bytes).map_err(|e| {
        let code = S3ErrorCode::from_bytes(b"XAmzContentSHA256Mismatch").expect("any word may be a code");
        let mut error = S3Error::with_message(code, e.to_string());
        error.set_status_code(StatusCode::BAD_REQUEST);
        error
    })
}
