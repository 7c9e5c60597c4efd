//! The bytes of an object as the body of an answer.

use std::io::SeekFrom;
use std::path::PathBuf;

use bytes::BytesMut;
use http_body_util::channel::Channel;
use s3s::dto::{Range, StreamingBlob};
use s3s::{Body, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes per piece: few enough that a fault in the middle of a body is in the middle of a piece now and then.
const PIECE: usize = 256 << 10;

/// A file, or a range of it.
pub(super) async fn of_file(path: PathBuf, range: Option<Range>) -> S3Result<StreamingBlob> {
    let mut file = File::open(&path).await.map_err(|e| s3_error!(e, NoSuchKey))?;
    let length = file.metadata().await.map_err(|e| s3_error!(e, InternalError))?.len();
    let part = match range {
        Some(range) => range.check(length)?,
        None => 0..length,
    };
    file.seek(SeekFrom::Start(part.start)).await.map_err(|e| s3_error!(e, InternalError))?;
    let mut file = file.take(part.end - part.start);
    let (mut sender, body) = Channel::<bytes::Bytes, std::io::Error>::new(2);
    tokio::spawn(async move {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            match file.read_buf(&mut piece).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return sender.abort(error),
            }
            // Who no longer reads needs no more pieces.
            if sender.send_data(piece.freeze()).await.is_err() {
                return;
            }
        }
    });
    Ok(StreamingBlob::from(Body::http_body(body)))
}
