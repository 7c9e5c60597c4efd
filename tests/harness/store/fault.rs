//! What a store does wrong when a test tells it to.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::{Response, StatusCode};
use s3s::Body;
use tokio::sync::{Semaphore, mpsc};

/// One thing that goes wrong with a request.
#[derive(Clone)]
pub enum Fault {
    /// Answer without doing anything.
    Reply(Answer),
    /// Reset the connection after so many bytes of the request's body; what arrived is not kept.
    ResetAfter(u64),
    /// Take the request in and never answer.
    Stall,
    /// Do what is asked only when the gate is opened.
    Hold(Gate),
    /// Read the request's body no faster than so many bytes a second.
    Throttle(u64),
    /// Change one byte of the request's body on its way in.
    FlipByte(u64),
    /// Do what was asked, then reset the connection instead of answering.
    LoseAnswer,
    /// Do what was asked, and reset the connection after so many bytes of the answer's body.
    CutAnswerAfter(u64),
    /// Do what was asked, and fall silent after so many bytes of the answer's body.
    StallAnswerAfter(u64),
    /// Do what was asked, then change the answer.
    Alter(Arc<dyn Fn(&mut Answer) + Send + Sync>),
}

/// What a request waits at; closed at first.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// One that is closed.
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.0.close();
    }

    pub(super) async fn pass(&self) {
        // The error says that the gate is open; a permit is never given.
        let _ = self.0.acquire().await;
    }
}

impl Fault {
    /// An error of the S3 API with its usual HTTP status.
    pub fn refuse(code: &str) -> Self {
        let status = match code {
            "AccessDenied" | "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "RequestTimeTooSkewed" => 403,
            "NoSuchBucket" | "NoSuchKey" | "NoSuchUpload" => 404,
            "ConditionalRequestConflict" => 409,
            "PreconditionFailed" => 412,
            "InternalError" => 500,
            "NotImplemented" => 501,
            "SlowDown" | "ServiceUnavailable" => 503,
            _ => 400,
        };
        Self::Reply(Answer::error(status, code))
    }

    /// The answer that S3 gives when a long operation fails after the status line was sent: 200, and an error in the body.
    pub fn ok_with_error(code: &str) -> Self {
        Self::Reply(Answer::error(200, code))
    }

    /// Do what was asked, then change the answer.
    pub fn alter(change: impl Fn(&mut Answer) + Send + Sync + 'static) -> Self {
        Self::Alter(Arc::new(change))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(answer) => f.debug_tuple("Reply").field(&answer.status).finish(),
            Self::ResetAfter(bytes) => f.debug_tuple("ResetAfter").field(bytes).finish(),
            Self::Stall => f.write_str("Stall"),
            Self::Hold(_) => f.write_str("Hold"),
            Self::Throttle(rate) => f.debug_tuple("Throttle").field(rate).finish(),
            Self::FlipByte(at) => f.debug_tuple("FlipByte").field(at).finish(),
            Self::LoseAnswer => f.write_str("LoseAnswer"),
            Self::CutAnswerAfter(bytes) => f.debug_tuple("CutAnswerAfter").field(bytes).finish(),
            Self::StallAnswerAfter(bytes) => f.debug_tuple("StallAnswerAfter").field(bytes).finish(),
            Self::Alter(_) => f.write_str("Alter"),
        }
    }
}

/// An HTTP answer, whole, for faults that make or change one.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers; the length is set by the server.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An S3 error document under this status.
    pub fn error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>the test asked for {code}</Message>\
             <RequestId>TEST</RequestId></Error>"
        );
        Self { status, headers: vec![("content-type".into(), "application/xml".into())], body: body.into_bytes() }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status).expect("an HTTP status"));
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-length") {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).expect("headers that a test or a server wrote")
    }

    pub(super) async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        // An answer to HEAD announces a length and has no body; the server counts the length anew.
        let announced = head.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        let body = if body.is_empty() { vec![0; announced.unwrap_or(0)] } else { body };
        let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self { status: head.status.as_u16(), headers: head.headers.iter().map(header).collect(), body }
    }
}

/// How a stream of bytes is passed on.
#[derive(Default)]
pub(super) struct Passage {
    pub(super) bytes_a_second: Option<u64>,
    pub(super) flip: Option<u64>,
    /// After so many bytes, the end given.
    pub(super) end_after: Option<(u64, End)>,
}

impl Passage {
    fn is_plain(&self) -> bool {
        self.bytes_a_second.is_none() && self.flip.is_none() && self.end_after.is_none()
    }
}

/// What becomes of a stream that does not reach its end.
pub(super) enum End {
    /// An error, which makes the server drop the connection.
    Break,
    /// Silence.
    Stall,
    /// Silence, after telling somebody who resets the connection.
    Tell(Arc<tokio::sync::Notify>),
}

/// A piece small enough that a rate looks steady.
const PIECE: usize = 16 * 1024;

/// Passes the body of a request on, as told.
pub(super) fn pass_request(body: Incoming, passage: Passage) -> Body {
    if passage.is_plain() { Body::from(body) } else { Body::http_body(pass(body, passage)) }
}

/// Passes the body of an answer on, as told.
pub(super) fn pass_answer(body: Body, passage: Passage) -> Body {
    Body::http_body(pass(body, passage))
}

/// A body that is fed from a channel; an error breaks it off.
struct Pipe(mpsc::Receiver<io::Result<Bytes>>);

impl HttpBody for Pipe {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

fn pass<B>(body: B, passage: Passage) -> Pipe
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        // Who no longer reads needs no more pieces.
        let _ = pump(body, passage, &sender).await;
    });
    Pipe(receiver)
}

async fn pump<B>(
    mut body: B,
    passage: Passage,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), mpsc::error::SendError<io::Result<Bytes>>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut passed = 0u64;
    loop {
        if let Some((_, end)) = passage.end_after.as_ref().filter(|(after, _)| passed == *after) {
            match end {
                End::Break => return sender.send(Err(io::ErrorKind::ConnectionReset.into())).await,
                End::Stall => {}
                End::Tell(notify) => notify.notify_one(),
            }
            return std::future::pending().await;
        }
        let mut data = match body.frame().await {
            None => return Ok(()),
            Some(Err(_)) => return sender.send(Err(io::ErrorKind::UnexpectedEof.into())).await,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let room = passage.end_after.as_ref().map_or(u64::MAX, |(after, _)| after - passed);
        data.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        while !data.is_empty() {
            let mut piece = data.split_to(data.len().min(PIECE));
            let end = passed + piece.len() as u64;
            if let Some(at) = passage.flip.filter(|at| (passed..end).contains(at)) {
                let mut changed = piece.to_vec();
                changed[usize::try_from(at - passed).expect("within the piece")] ^= 1;
                piece = changed.into();
            }
            if let Some(rate) = passage.bytes_a_second {
                tokio::time::sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64)).await;
            }
            sender.send(Ok(piece)).await?;
            passed = end;
        }
    }
}
