//! What tests put on the shelf behind the server's back.

use std::time::SystemTime;

use aws_smithy_types::base64;
use hyper::http::Extensions;
use hyper::{HeaderMap, Method, Uri};
use s3s::auth::Credentials;
use s3s::dto::{CreateMultipartUploadInput, Timestamp};
use s3s::{S3, S3Request};

use super::Shelf;
use crate::runtime;

impl Shelf {
    /// Begins an upload as the owner of this access key, as if at this time.
    pub(in crate::store) fn begin(&self, bucket: &str, key: &str, access_key: &str, begun: SystemTime) -> String {
        let input = CreateMultipartUploadInput { bucket: bucket.into(), key: key.into(), ..Default::default() };
        let credentials = Credentials { access_key: access_key.to_owned(), secret_key: String::new().into() };
        let request = S3Request {
            input,
            method: Method::POST,
            uri: Uri::default(),
            headers: HeaderMap::new(),
            extensions: Extensions::new(),
            credentials: Some(credentials),
            region: None,
            service: None,
            trailing_headers: None,
        };
        let response = runtime::block_on(self.create_multipart_upload(request)).expect("an upload can be begun");
        let id = response.output.upload_id.expect("an upload has an id");
        self.state().uploads.get_mut(&id).expect("just begun").initiated = Timestamp::from(begun);
        id
    }

    /// Forgets what was noted about an object whose bytes somebody changed behind the server.
    pub(in crate::store) fn forget(&self, bucket: &str, key: &str) {
        self.state().facts.remove(&(bucket.to_owned(), key.to_owned()));
        let encode = |name: &str| base64::encode(name).replace('+', "-").replace('/', "_").replace('=', "");
        for kind in ["internal", "metadata"] {
            let name = format!(".bucket-{}.object-{}.{kind}.json", encode(bucket), encode(key));
            // Nothing was noted of an object that nobody uploaded.
            let _ = std::fs::remove_file(self.root.join(name));
        }
    }
}
