//! What the store was asked, and which of it a rule means.

use std::collections::BTreeMap;

use hyper::Request;

/// What a request to the store does, named as in the S3 API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the S3 API reference")]
pub enum Operation {
    HeadBucket,
    ListObjects,
    HeadObject,
    GetObject,
    PutObject,
    CopyObject,
    DeleteObject,
    DeleteObjects,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    ListMultipartUploads,
    Other,
}

/// A request as it arrived, and how it was answered.
#[derive(Debug, Clone)]
pub struct SeenRequest {
    /// What it asks for.
    pub operation: Operation,
    /// GET, PUT, …
    pub method: String,
    /// The object's key, decoded, without the bucket.
    pub key: String,
    /// The query, decoded; a parameter without a value has an empty one.
    pub query: BTreeMap<String, String>,
    /// All headers but the signature, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Bytes of content announced, without what a chunked signature adds.
    pub size: u64,
    /// The HTTP status that was sent back; `None` while it is under way and if no answer was given.
    pub status: Option<u16>,
}

impl SeenRequest {
    pub(super) fn read<B>(request: &Request<B>) -> Self {
        let path = request.uri().path().trim_start_matches('/');
        let key = path.split_once('/').map_or("", |(_bucket, key)| key);
        let headers: BTreeMap<_, _> = request
            .headers()
            .iter()
            .filter(|(name, _)| *name != "authorization")
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let query: BTreeMap<_, _> = request.uri().query().map(parse_query).unwrap_or_default();
        let size = headers.get("x-amz-decoded-content-length").or_else(|| headers.get("content-length"));
        let mut seen = Self {
            operation: Operation::Other,
            method: request.method().to_string(),
            key: percent_decode(key),
            query,
            size: size.and_then(|size| size.parse().ok()).unwrap_or(0),
            headers,
            status: None,
        };
        seen.operation = seen.classify();
        seen
    }

    fn classify(&self) -> Operation {
        let has = |name: &str| self.query.contains_key(name);
        let copies = self.headers.contains_key("x-amz-copy-source");
        match (self.method.as_str(), self.key.is_empty()) {
            ("HEAD", true) => Operation::HeadBucket,
            ("GET", true) if has("uploads") => Operation::ListMultipartUploads,
            ("GET", true) => Operation::ListObjects,
            ("POST", true) if has("delete") => Operation::DeleteObjects,
            ("HEAD", false) => Operation::HeadObject,
            ("GET", false) if has("uploadId") => Operation::ListParts,
            ("GET", false) => Operation::GetObject,
            ("POST", false) if has("uploads") => Operation::CreateMultipartUpload,
            ("POST", false) if has("uploadId") => Operation::CompleteMultipartUpload,
            ("PUT", false) if has("partNumber") && copies => Operation::UploadPartCopy,
            ("PUT", false) if has("partNumber") => Operation::UploadPart,
            ("PUT", false) if copies => Operation::CopyObject,
            ("PUT", false) => Operation::PutObject,
            ("DELETE", false) if has("uploadId") => Operation::AbortMultipartUpload,
            ("DELETE", false) => Operation::DeleteObject,
            _ => Operation::Other,
        }
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The part number of an `UploadPart` or `UploadPartCopy`.
    pub fn part(&self) -> Option<u32> {
        self.query.get("partNumber")?.parse().ok()
    }
}

/// Which requests a rule or a question means: those that fulfil everything that was said.
#[derive(Debug, Clone, Default)]
pub struct On {
    operation: Option<Operation>,
    method: Option<String>,
    key: Option<String>,
    query: Vec<(String, Option<String>)>,
    header: Vec<(String, Option<String>)>,
    pub(super) skip: u32,
    pub(super) times: Option<u32>,
}

impl On {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests that do this.
    pub fn operation(operation: Operation) -> Self {
        Self { operation: Some(operation), ..Self::default() }
    }

    /// An `UploadPart` with this number.
    pub fn part(number: u32) -> Self {
        Self::operation(Operation::UploadPart).query("partNumber", &number.to_string())
    }

    /// Only with this HTTP method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only keys that contain this text.
    #[must_use]
    pub fn key(mut self, contains: &str) -> Self {
        self.key = Some(contains.to_owned());
        self
    }

    /// Only with this query parameter at this value.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Only with this query parameter, whatever its value.
    #[must_use]
    pub fn has_query(mut self, name: &str) -> Self {
        self.query.push((name.to_owned(), None));
        self
    }

    /// Only with a header of this name (in lower case) whose value contains this text.
    #[must_use]
    pub fn header(mut self, name: &str, contains: &str) -> Self {
        self.header.push((name.to_owned(), Some(contains.to_owned())));
        self
    }

    /// Only with a header of this name (in lower case).
    #[must_use]
    pub fn has_header(mut self, name: &str) -> Self {
        self.header.push((name.to_owned(), None));
        self
    }

    /// Not the first `count` of them.
    #[must_use]
    pub fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// At most this many of them; without it, all.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    pub(super) fn means(&self, request: &SeenRequest) -> bool {
        let fits = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| found.contains(wanted));
        self.operation.is_none_or(|operation| operation == request.operation)
            && self.method.as_ref().is_none_or(|method| *method == request.method)
            && fits(&self.key, &request.key)
            && self.query.iter().all(|(name, value)| {
                request.query.get(name).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
            })
            && self.header.iter().all(|(name, value)| request.header(name).is_some_and(|found| fits(value, found)))
    }
}

fn parse_query(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (percent_decode(name), percent_decode(value)))
        .collect()
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let decoded = (*first == b'%').then(|| tail.get(..2)).flatten();
        let decoded = decoded.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
