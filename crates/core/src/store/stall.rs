//! The limit on silence: a request may take as long as it likes, as long as bytes move.
//!
//! A fixed limit per request would either end slow uploads that move, or leave dead ones waiting for as long as the
//! slowest legal one. So the limit is on silence: nothing sent, nothing received. What the SDK has for this looks only
//! at bodies that it reads piece by piece, which a part held in memory is not, and not at the wait for the answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::config::{ConfigBag, HttpClient, RuntimeComponents, RuntimeComponentsBuilder, SharedHttpClient};
use aws_sdk_s3::error::{BoxError, ConnectorError};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// A body is handed over in pieces of this size, so that its progress can be seen.
const PIECE: usize = 64 << 10;

/// Nothing moved for too long.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the store did not answer in time: nothing was sent and nothing came for {}", humantime::format_duration(*.0))]
pub(super) struct Silence(Duration);

/// A client that ends each try of a request once nothing has moved for `limit`.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) client: SharedHttpClient,
    pub(super) limit: Duration,
}

impl HttpClient for Watched {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(WatchedConnector { connector, limit: self.limit })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.client.validate_base_client_config(components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.client.validate_final_config(components, config)
    }
}

#[derive(Debug)]
struct WatchedConnector {
    connector: SharedHttpConnector,
    limit: Duration,
}

impl HttpConnector for WatchedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let limit = self.limit;
        let moved = LastMove::now();
        let sent = moved.clone();
        let request =
            request.map(|body| SdkBody::from_body_1_x(Sent { body, rest: Bytes::new(), moved: sent.clone() }));
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            tokio::select! {
                answer = answer => answer.map(|answer| {
                    answer.map(|body| SdkBody::from_body_1_x(Received { body, limit, silent: None }))
                }),
                () = moved.silent_for(limit) => Err(ConnectorError::timeout(Silence(limit).into())),
            }
        })
    }
}

/// When something last moved.
#[derive(Clone)]
struct LastMove(Arc<Mutex<Instant>>);

impl LastMove {
    fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    async fn silent_for(&self, limit: Duration) {
        loop {
            let end = *self.0.lock().unwrap_or_else(PoisonError::into_inner) + limit;
            if end <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}

/// The body of a request, piece by piece.
struct Sent {
    body: SdkBody,
    rest: Bytes,
    moved: LastMove,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(bytes) => self.rest = bytes,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
        self.moved.note();
        let piece = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, Body::size_hint(&self.body));
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// The body of an answer. The clock stands still while whoever reads it has other things to do.
struct Received {
    body: SdkBody,
    limit: Duration,
    silent: Option<Pin<Box<Sleep>>>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.silent = None;
            return Poll::Ready(frame);
        }
        let limit = self.limit;
        ready!(self.silent.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Some(Err(Silence(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}
