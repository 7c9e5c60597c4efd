//! A multipart upload: begun, filled with numbered parts, several under way at once, each sent again with the same bytes.

use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::operation::upload_part::UploadPartError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use tokio::task::JoinSet;

use super::checksum::{Crc64, content_md5};
use super::error::Attempt;
use super::read::RUN;
use super::way::{Verify, Way};
use super::{Orphan, PartSize, Store, StoreError, StoreErrorKind};

pub(super) const CONTENT_TYPE: &str = "application/gzip";

const PUT: &str = "s3:PutObject on the prefix";

impl Store {
    /// Begins an upload, with a checksum of the whole object if that is wanted and the store knows it.
    pub(super) async fn begin(&self, key: &str, run: &str, verify: Verify) -> Result<(Orphan, Verify), StoreError> {
        match self.begin_with(key, run, verify).await {
            Err(error) if error.kind == StoreErrorKind::NotSupported && verify == Verify::Crc64 => {
                log::debug!("{error}; trying without a checksum");
                Ok((self.begin_with(key, run, Verify::Md5).await?, Verify::Md5))
            }
            begun => Ok((begun?, verify)),
        }
    }

    async fn begin_with(&self, key: &str, run: &str, verify: Verify) -> Result<Orphan, StoreError> {
        let attempt = || Attempt::new(format!("begin the upload of {}", self.address(key)), PUT);
        let (encryption, kms_key) = self.server_side_encryption();
        let request = self
            .s3
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .content_type(CONTENT_TYPE)
            .metadata(RUN, run)
            .set_storage_class(self.storage_class.clone())
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key);
        let request = match verify {
            Verify::Crc64 => {
                request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject)
            }
            Verify::Md5 => request,
        };
        let begun = request.send().await.map_err(|error| StoreError::from_sdk(attempt(), &error))?;
        // With an empty id, aborting would read as deleting the object.
        let upload_id = begun.upload_id.filter(|id| !id.is_empty()).ok_or_else(|| {
            StoreError::new(StoreErrorKind::NotS3, attempt(), "the store began an upload without naming it")
        })?;
        Ok(Orphan { bucket: self.bucket.clone(), key: key.to_owned(), upload_id })
    }

    /// Makes the parts one object. `whole`: the CRC-64/NVME that it has to have.
    pub(super) async fn complete(
        &self,
        upload: &Orphan,
        mut parts: Vec<CompletedPart>,
        whole: Option<&str>,
        way: Way,
    ) -> Result<(), StoreError> {
        if way.verify == Verify::Md5 {
            for part in &mut parts {
                part.checksum_crc64_nvme = None;
            }
        }
        let request = self
            .s3
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&upload.key)
            .upload_id(&upload.upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_if_none_match(way.if_none_match());
        let request = match (way.verify, whole) {
            (Verify::Crc64, Some(whole)) => request.checksum_crc64_nvme(whole).checksum_type(ChecksumType::FullObject),
            _ => request,
        };
        let patient = self.patient::<CompleteMultipartUploadError>();
        let completed = request.customize().config_override(patient).send().await;
        completed.map(|_| ()).map_err(|error| {
            let attempt = Attempt::new(format!("complete the upload of {}", self.address(&upload.key)), PUT);
            StoreError::from_sdk(attempt, &error)
        })
    }
}

/// The parts of an upload that was begun.
#[derive(Debug)]
pub(super) struct Multipart {
    pub(super) upload: Orphan,
    /// What the store verifies of all parts so far.
    pub(super) verify: Verify,
    under_way: JoinSet<Result<Sent, StoreError>>,
    done: Vec<CompletedPart>,
    numbers: u64,
}

/// A part that the store has.
#[derive(Debug)]
struct Sent {
    part: CompletedPart,
    verify: Verify,
}

impl Multipart {
    pub(super) fn new(upload: Orphan, verify: Verify) -> Self {
        Self { upload, verify, under_way: JoinSet::new(), done: Vec::new(), numbers: 0 }
    }

    /// Sends the next part, once there is a place among those under way.
    pub(super) async fn send(&mut self, store: &Store, body: Bytes, size: PartSize) -> Result<(), StoreError> {
        let number = self.next_number(store, size)?;
        while self.under_way.len() >= size.at_once {
            let sent = self.under_way.join_next().await;
            self.collect(sent)?;
        }
        let part = Part { store: store.clone(), upload: self.upload.clone(), number, body };
        self.under_way.spawn(part.send(self.verify));
        Ok(())
    }

    fn next_number(&mut self, store: &Store, size: PartSize) -> Result<i32, StoreError> {
        if self.numbers == u64::from(size.at_most) {
            let reason = format!(
                "the dump outgrew {} parts of {} bytes, which were chosen for twice the size of the database",
                size.at_most, size.bytes
            );
            return Err(StoreError::new(StoreErrorKind::Other, store.to_write(&self.upload.key), reason));
        }
        self.numbers += 1;
        Ok(self.numbers as i32)
    }

    /// Fails if a part has failed. Does not wait.
    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        while let Some(sent) = self.under_way.try_join_next() {
            self.collect(Some(sent))?;
        }
        Ok(())
    }

    /// Waits for all parts, and gives them in order.
    pub(super) async fn finish_parts(&mut self) -> Result<Vec<CompletedPart>, StoreError> {
        while let Some(sent) = self.under_way.join_next().await {
            self.collect(Some(sent))?;
        }
        self.done.sort_by_key(|part| part.part_number);
        Ok(self.done.clone())
    }

    /// Stops what is under way. `true`: something was.
    pub(super) async fn stop(&mut self) -> bool {
        let any = !self.under_way.is_empty();
        self.under_way.shutdown().await;
        any
    }

    fn collect(
        &mut self,
        sent: Option<Result<Result<Sent, StoreError>, tokio::task::JoinError>>,
    ) -> Result<(), StoreError> {
        match sent {
            Some(Ok(sent)) => {
                let sent = sent?;
                if sent.verify == Verify::Md5 {
                    self.verify = Verify::Md5;
                }
                self.done.push(sent.part);
            }
            // A part's task is not cancelled while the upload goes on; if it panicked, so do we.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => {}
        }
        Ok(())
    }
}

/// A part on its way.
struct Part {
    store: Store,
    upload: Orphan,
    number: i32,
    body: Bytes,
}

impl Part {
    /// A store that took the beginning of the upload may still refuse the checksum of a part.
    async fn send(self, verify: Verify) -> Result<Sent, StoreError> {
        match self.send_with(verify).await {
            Err(error) if error.kind == StoreErrorKind::NotSupported && verify == Verify::Crc64 => {
                log::debug!("{error}; trying with Content-MD5");
                Ok(Sent { part: self.send_with(Verify::Md5).await?, verify: Verify::Md5 })
            }
            sent => Ok(Sent { part: sent?, verify }),
        }
    }

    async fn send_with(&self, verify: Verify) -> Result<CompletedPart, StoreError> {
        let (store, number) = (&self.store, self.number);
        let request = store
            .s3
            .upload_part()
            .bucket(&store.bucket)
            .key(&self.upload.key)
            .upload_id(&self.upload.upload_id)
            .part_number(number)
            .body(ByteStream::from(self.body.clone()));
        let part = CompletedPart::builder().part_number(number);
        let (request, part) = match verify {
            Verify::Crc64 => {
                let crc64 = Crc64::of(&self.body).base64();
                let request = request.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_crc64_nvme(&crc64);
                (request, part.checksum_crc64_nvme(crc64))
            }
            Verify::Md5 => (request.content_md5(content_md5(&self.body)), part),
        };
        let sent = request.customize().config_override(store.patient::<UploadPartError>()).send().await;
        let sent = sent.map_err(|error| {
            let attempt = Attempt::new(format!("upload part {number} of {}", store.address(&self.upload.key)), PUT);
            StoreError::from_sdk(attempt, &error)
        })?;
        Ok(part.set_e_tag(sent.e_tag).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Reader};

    #[tokio::test]
    async fn a_dump_that_outgrows_its_parts_is_told_so() {
        let variables = [("S3_BUCKET_NAME", "shop"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let mut environment = Environment::default();
        environment.fill_in(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let settings = crate::settings::Store::read(&mut Reader::new(&environment)).unwrap();
        let store = Store::new(&settings).await;
        let upload = Orphan { bucket: "shop".into(), key: "key".into(), upload_id: "id".into() };
        let size = PartSize { bytes: 8 << 20, at_once: 3, at_most: 1_000 };
        let mut multipart = Multipart::new(upload, Verify::Crc64);
        for number in 1..=1_000 {
            assert_eq!(multipart.next_number(&store, size).unwrap(), number);
        }
        let error = multipart.next_number(&store, size).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot write s3://shop/key: the dump outgrew 1000 parts of 8388608 bytes"),
            "{error}"
        );
    }
}
