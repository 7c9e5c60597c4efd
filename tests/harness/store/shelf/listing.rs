//! Listings: every key below a folder, in the order of its bytes, in pages.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use aws_smithy_types::base64;
use s3s::dto::{
    CommonPrefix, EncodingType, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass, Timestamp,
};
use s3s::{S3Result, s3_error};

/// All keys of a bucket's folder, sorted.
pub(in crate::store) fn keys(bucket: &Path) -> io::Result<Vec<String>> {
    let mut keys = Vec::new();
    collect(bucket, "", &mut keys)?;
    keys.sort_unstable();
    Ok(keys)
}

fn collect(folder: &Path, prefix: &str, keys: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), keys)?;
        } else {
            keys.push(name);
        }
    }
    Ok(())
}

/// One page of a bucket's listing. Only what is on it is looked at, so that a bucket of 100,000 objects lists quickly.
pub(super) fn page(bucket: &Path, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let (prefix, delimiter) = (input.prefix.as_deref().unwrap_or(""), input.delimiter.as_deref());
    let most = input.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(1000).min(1000);
    let after = match &input.continuation_token {
        Some(token) => Some(decode_token(token)?),
        None => input.start_after.clone(),
    };
    let all = keys(bucket).map_err(|e| s3_error!(e, InternalError))?;
    let mut entries = all.iter().filter(|key| key.starts_with(prefix)).map(|key| Entry::new(key, prefix, delimiter));
    let mut chosen = BTreeSet::new();
    let mut more = false;
    for entry in entries.by_ref().filter(|entry| after.as_deref().is_none_or(|after| entry.name() > after)) {
        if chosen.contains(&entry) {
            continue;
        }
        if chosen.len() == most {
            more = true;
            break;
        }
        chosen.insert(entry);
    }
    let last = chosen.last().map(|entry| encode_token(entry.name()));
    let shown = |name: &str| match &input.encoding_type {
        Some(encoding) if encoding.as_str() == EncodingType::URL => percent_encode(name),
        _ => name.to_owned(),
    };
    let (mut objects, mut folders) = (Vec::new(), Vec::new());
    for entry in &chosen {
        match entry {
            Entry::Folder(name) => folders.push(CommonPrefix { prefix: Some(shown(name)) }),
            Entry::Object(key) => {
                // An object that was deleted meanwhile is not listed.
                let Ok(file) = fs::metadata(bucket.join(key)) else { continue };
                objects.push(Object {
                    key: Some(shown(key)),
                    size: i64::try_from(file.len()).ok(),
                    last_modified: file.modified().ok().map(Timestamp::from),
                    storage_class: Some(ObjectStorageClass::from_static("STANDARD")),
                    ..Object::default()
                });
            }
        }
    }
    Ok(ListObjectsV2Output {
        key_count: i32::try_from(objects.len() + folders.len()).ok(),
        max_keys: i32::try_from(most).ok(),
        is_truncated: Some(more),
        next_continuation_token: last.filter(|_| more),
        contents: Some(objects),
        common_prefixes: Some(folders),
        continuation_token: input.continuation_token,
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        name: Some(input.bucket),
        prefix: input.prefix,
        start_after: input.start_after,
        ..ListObjectsV2Output::default()
    })
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Entry<'a> {
    Object(&'a str),
    Folder(&'a str),
}

impl<'a> Entry<'a> {
    fn new(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Self {
        let rest = &key[prefix.len()..];
        let end = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        end.map_or(Self::Object(key), |end| Self::Folder(&key[..prefix.len() + end]))
    }

    fn name(&self) -> &'a str {
        match self {
            Self::Object(name) | Self::Folder(name) => name,
        }
    }
}

/// A token says nothing to its reader, as in S3.
fn encode_token(key: &str) -> String {
    base64::encode(format!("after {key}"))
}

fn decode_token(token: &str) -> S3Result<String> {
    let key = base64::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = key.and_then(|key| key.strip_prefix("after ").map(str::to_owned));
    key.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token provided is incorrect"))
}

fn percent_encode(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(encode).collect()
}
