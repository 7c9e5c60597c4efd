//! What the S3 server promises beyond plain objects: multipart uploads, checksums, conditions, listings, as AWS documents them.

use std::fmt::Debug;
use std::time::SystemTime;

use acceptance::store::{BUCKET, Store};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, Delete, EncodingType,
    ObjectIdentifier, ServerSideEncryption, StorageClass,
};
use aws_smithy_types::base64;

use super::store::{block_on, client};

const KEY: &str = "db-backups/daily/object";
const PART: usize = 5 * 1024 * 1024;

fn crc(bytes: &[u8]) -> String {
    use s3s::crypto::Checksum;
    base64::encode(s3s::crypto::Crc64Nvme::checksum(bytes))
}

/// The code of the error that a request must end with.
fn code<T: Debug, E: ProvideErrorMetadata + Debug, R: Debug>(result: Result<T, SdkError<E, R>>) -> String {
    result.unwrap_err().code().unwrap_or("none").to_owned()
}

/// Two parts of an object of 5 MiB and a bit, under way with a full-object CRC64NVME.
struct TwoParts {
    client: Client,
    id: String,
    bytes: Vec<u8>,
    parts: Vec<CompletedPart>,
}

impl TwoParts {
    async fn upload(store: &Store) -> Self {
        let client = client(store, store.secret_key());
        let bytes: Vec<u8> = (0..PART + 1000).map(|n| (n / 7) as u8).collect();
        let begun = client.create_multipart_upload().bucket(BUCKET).key(KEY);
        let begun = begun.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject);
        let begun = begun.metadata("database", "shop").storage_class(StorageClass::StandardIa);
        let begun = begun.server_side_encryption(ServerSideEncryption::Aes256).send().await.unwrap();
        let mut upload = Self { client, id: begun.upload_id.unwrap(), bytes, parts: Vec::new() };
        for (number, bytes) in (1..).zip(upload.bytes.chunks(PART)) {
            let part = upload.client.upload_part().bucket(BUCKET).key(KEY).upload_id(&upload.id).part_number(number);
            let part =
                part.checksum_crc64_nvme(crc(bytes)).body(ByteStream::from(bytes.to_vec())).send().await.unwrap();
            assert_eq!(part.checksum_crc64_nvme(), Some(crc(bytes).as_str()));
            let done =
                CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).checksum_crc64_nvme(crc(bytes));
            upload.parts.push(done.build());
        }
        upload
    }

    async fn complete(&self, parts: &[CompletedPart], crc: &str) -> Result<(), String> {
        let list = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
        let request = self.client.complete_multipart_upload().bucket(BUCKET).key(KEY).upload_id(&self.id);
        let request = request.checksum_crc64_nvme(crc).checksum_type(ChecksumType::FullObject).if_none_match("*");
        let done = request.multipart_upload(list).send().await;
        let done = done.map_err(|e| e.code().unwrap_or("none").to_owned())?;
        assert_eq!(done.checksum_crc64_nvme(), Some(crc));
        Ok(())
    }
}

#[test]
fn a_multipart_upload_arrives_whole_with_all_that_was_asked_for() {
    let store = Store::start();
    block_on(async {
        let upload = TwoParts::upload(&store).await;
        assert_eq!(store.unfinished_uploads()[0].bytes, upload.bytes.len() as u64);
        let whole = crc(&upload.bytes);
        upload.complete(&upload.parts, &whole).await.unwrap();
        let head = upload.client.head_object().bucket(BUCKET).key(KEY).checksum_mode(ChecksumMode::Enabled);
        let head = head.send().await.unwrap();
        assert_eq!(head.checksum_crc64_nvme(), Some(whole.as_str()));
        assert_eq!(head.checksum_type(), Some(&ChecksumType::FullObject));
        assert_eq!(head.storage_class(), Some(&StorageClass::StandardIa));
        assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
        assert_eq!(head.metadata().unwrap()["database"], "shop");
        assert!(store.read(KEY) == upload.bytes, "other bytes arrived");
    });
    assert_eq!(store.unfinished_uploads(), []);
}

#[test]
fn a_multipart_upload_that_does_not_fit_is_refused_and_can_still_be_completed() {
    let store = Store::start();
    block_on(async {
        let upload = TwoParts::upload(&store).await;
        let [first, second] = upload.parts.clone().try_into().unwrap();
        let whole = crc(&upload.bytes);
        let other_tag = CompletedPart::builder().part_number(2).e_tag("\"0\"").build();
        let no_part = CompletedPart::builder().part_number(3).e_tag("\"0\"").build();
        for (parts, expected) in [
            (vec![second.clone(), first.clone()], "InvalidPartOrder"),
            (vec![first.clone(), other_tag], "InvalidPart"),
            (vec![first.clone(), second.clone(), no_part], "InvalidPart"),
        ] {
            assert_eq!(upload.complete(&parts, &whole).await, Err(expected.to_owned()));
        }
        assert_eq!(upload.complete(&upload.parts, &crc(b"other")).await, Err("BadDigest".to_owned()));
        store.seed(KEY, b"in the way");
        assert_eq!(upload.complete(&upload.parts, &whole).await, Err("PreconditionFailed".to_owned()));
        store.remove(KEY);

        let request = || upload.client.upload_part().bucket(BUCKET).key(KEY).upload_id(&upload.id).part_number(2);
        let again = request().part_number(1).body(ByteStream::from_static(b"small")).send().await.unwrap();
        let small = CompletedPart::builder().part_number(1).set_e_tag(again.e_tag).build();
        assert_eq!(upload.complete(&[small, second], &whole).await, Err("EntityTooSmall".to_owned()));
        let bytes = ByteStream::from(upload.bytes[..PART].to_vec());
        request().part_number(1).body(bytes).send().await.unwrap();

        let wrong = request().checksum_crc64_nvme(crc(b"other")).body(ByteStream::from_static(b"short")).send().await;
        assert_eq!(code(wrong), "BadDigest");
        upload.complete(&upload.parts, &whole).await.unwrap();
        assert_eq!(upload.complete(&upload.parts, &whole).await, Err("NoSuchUpload".to_owned()));
        assert_eq!(code(request().body(ByteStream::from_static(b"x")).send().await), "NoSuchUpload");
    });
}

#[test]
fn uploads_under_way_are_listed_in_pages_and_can_be_aborted() {
    let store = Store::start();
    for key in ["a/1", "a/2", "a/2", "a/3", "b/1"] {
        store.seed_upload(key, SystemTime::UNIX_EPOCH);
    }
    block_on(async {
        let client = client(&store, store.secret_key());
        let mut keys = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let page = client.list_multipart_uploads().bucket(BUCKET).prefix("a/").max_uploads(2);
            let page = page.set_key_marker(key_marker).set_upload_id_marker(id_marker).send().await.unwrap();
            for upload in page.uploads() {
                assert_eq!(upload.initiated().unwrap().secs(), 0);
                let (key, id) = (upload.key().unwrap(), upload.upload_id().unwrap());
                keys.push(key.to_owned());
                client.abort_multipart_upload().bucket(BUCKET).key(key).upload_id(id).send().await.unwrap();
                let again = client.abort_multipart_upload().bucket(BUCKET).key(key).upload_id(id).send().await;
                assert_eq!(code(again), "NoSuchUpload");
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
        assert_eq!(keys, ["a/1", "a/2", "a/2", "a/3"]);
    });
    assert_eq!(store.unfinished_uploads().len(), 1);
}

#[test]
fn copies_keep_metadata_but_not_the_storage_class_and_never_overwrite_if_told_so() {
    let store = Store::start();
    block_on(async {
        let client = client(&store, store.secret_key());
        let put = client.put_object().bucket(BUCKET).key("from").metadata("database", "shop");
        let put = put.storage_class(StorageClass::StandardIa).checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
        put.body(ByteStream::from_static(b"0123456789")).send().await.unwrap();
        let copy = || client.copy_object().bucket(BUCKET).key("to").copy_source(format!("{BUCKET}/from"));
        copy().if_none_match("*").send().await.unwrap();
        assert_eq!(code(copy().if_none_match("*").send().await), "PreconditionFailed");
        let head =
            client.head_object().bucket(BUCKET).key("to").checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!(head.metadata().unwrap()["database"], "shop");
        assert_eq!(head.storage_class(), None);
        assert_eq!(head.checksum_crc64_nvme(), Some(crc(b"0123456789").as_str()));

        let begun = client.create_multipart_upload().bucket(BUCKET).key("parts").send().await.unwrap();
        let part =
            client.upload_part_copy().bucket(BUCKET).key("parts").set_upload_id(begun.upload_id.clone()).part_number(1);
        let part = part.copy_source(format!("{BUCKET}/from")).copy_source_range("bytes=3-5").send().await.unwrap();
        let tag = part.copy_part_result.unwrap().e_tag;
        let parts = CompletedPart::builder().part_number(1).set_e_tag(tag).build();
        let list = CompletedMultipartUpload::builder().parts(parts).build();
        let done = client.complete_multipart_upload().bucket(BUCKET).key("parts").set_upload_id(begun.upload_id);
        done.multipart_upload(list).send().await.unwrap();
    });
    assert_eq!(store.read("parts"), b"345");
}

#[test]
fn what_a_wrong_checksum_came_with_is_not_kept() {
    let store = Store::start();
    block_on(async {
        let client = client(&store, store.secret_key());
        let put = |key: &str| client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"bytes"));
        assert_eq!(code(put("a").checksum_crc64_nvme(crc(b"other")).send().await), "BadDigest");
        assert_eq!(code(put("b").content_md5(base64::encode([0; 16])).send().await), "BadDigest");
        assert_eq!(code(put("c").bucket("no-such-bucket").send().await), "NoSuchBucket");
        put("d").if_none_match("*").send().await.unwrap();
        assert_eq!(code(put("d").if_none_match("*").send().await), "PreconditionFailed");
    });
    assert_eq!(store.keys(), ["d"]);
}

#[test]
fn listings_are_in_order_in_pages_and_in_folders() {
    let store = Store::start();
    let mut expected: Vec<String> = (0..1500).map(|n| format!("p/{n:04}")).collect();
    expected.extend(["p.txt", "p/x+y z", "p0"].map(String::from));
    expected.sort();
    for key in &expected {
        store.seed(key, b"12");
    }
    block_on(async {
        let client = client(&store, store.secret_key());
        let mut pages = client.list_objects_v2().bucket(BUCKET).into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            assert!(page.contents().len() <= 1000);
            listed.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        assert_eq!(listed, expected);
        let folders = client.list_objects_v2().bucket(BUCKET).delimiter("/").send().await.unwrap();
        assert_eq!(folders.common_prefixes().iter().map(|p| p.prefix().unwrap()).collect::<Vec<_>>(), ["p/"]);
        assert_eq!(folders.contents().len(), 2);
        let odd = client
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix("p/x")
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .unwrap();
        assert_eq!((odd.contents()[0].key(), odd.contents()[0].size()), (Some("p/x%2By%20z"), Some(2)));

        let objects = ["p/0000", "p/missing"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
        let delete = Delete::builder().set_objects(Some(objects.into())).build().unwrap();
        let gone = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
        assert_eq!(gone.deleted().len(), 2);
    });
    assert_eq!(store.keys().len(), expected.len() - 1);
}
