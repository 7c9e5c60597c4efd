//! The HTTP server of the store, and the desk where each request is recorded and given its fault.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::fault::{Answer, End, Fault, Passage, pass_answer, pass_request};
use super::request::{On, SeenRequest};
use super::shelf::Shelf;
use crate::runtime::{self, Background};

/// Where requests are recorded and faults are set.
#[derive(Default)]
pub(super) struct Desk {
    book: Mutex<Book>,
    arrived: Condvar,
}

#[derive(Default)]
struct Book {
    seen: Vec<SeenRequest>,
    rules: Vec<Rule>,
}

struct Rule {
    on: On,
    fault: Fault,
    met: u32,
}

impl Desk {
    pub(super) fn add(&self, on: On, fault: Fault) {
        self.book().rules.push(Rule { on, fault, met: 0 });
    }

    pub(super) fn clear(&self) {
        self.book().rules.clear();
    }

    pub(super) fn seen(&self, on: &On) -> Vec<SeenRequest> {
        self.book().seen.iter().filter(|request| on.means(request)).cloned().collect()
    }

    pub(super) fn wait_for(&self, on: &On, count: usize, within: Duration) -> bool {
        let missing = |book: &mut Book| book.seen.iter().filter(|request| on.means(request)).count() < count;
        let waited = self.arrived.wait_timeout_while(self.book(), within, missing);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    pub(super) fn transcript(&self) -> String {
        let line = |seen: &SeenRequest| {
            let status = seen.status.map_or("no answer".to_owned(), |status| status.to_string());
            let query: Vec<_> = seen.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("  {:?} {} {} {} bytes -> {status}\n", seen.operation, seen.key, query.join("&"), seen.size)
        };
        self.book().seen.iter().map(line).collect()
    }

    /// Notes a request, and gives its number and what shall go wrong with it.
    fn receive(&self, request: SeenRequest) -> (usize, Option<Fault>) {
        let mut book = self.book();
        let mut fault = None;
        for rule in book.rules.iter_mut().filter(|rule| rule.on.means(&request)) {
            rule.met += 1;
            let due = rule.met > rule.on.skip && rule.on.times.is_none_or(|times| rule.met - rule.on.skip <= times);
            if due && fault.is_none() {
                fault = Some(rule.fault.clone());
            }
        }
        book.seen.push(request);
        self.arrived.notify_all();
        (book.seen.len() - 1, fault)
    }

    fn answered(&self, number: usize, status: u16) {
        self.book().seen[number].status = Some(status);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the objects on a shelf to who has the key pair.
pub(super) fn start(
    address: SocketAddr,
    shelf: Shelf,
    access_key: &str,
    secret_key: &str,
    desk: Arc<Desk>,
) -> (u16, Background) {
    let mut builder = S3ServiceBuilder::new(shelf);
    builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
    let service = builder.build();
    let listener = runtime::block_on(TcpListener::bind(address)).expect("the address is free");
    let port = listener.local_addr().expect("it is bound").port();
    let server = Background::spawn(async move {
        // Dropped with the task, which ends every connection.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, service.clone(), Arc::clone(&desk)));
            while connections.try_join_next().is_some() {}
        }
    });
    (port, server)
}

async fn serve(stream: TcpStream, service: S3Service, desk: Arc<Desk>) {
    let cut = Arc::new(Notify::new());
    let handler = service_fn(|request| {
        let (service, desk, cut) = (service.clone(), Arc::clone(&desk), Arc::clone(&cut));
        async move { Ok::<_, Infallible>(answer(request, &service, &desk, cut).await) }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), handler);
    let reset = tokio::select! {
        _ = &mut connection => false,
        () = cut.notified() => true,
    };
    if reset {
        // Without this, closing would be polite: the client would see an end and not a reset. If the socket has gone already, so much the better.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn answer(request: Request<Incoming>, service: &S3Service, desk: &Desk, cut: Arc<Notify>) -> Response<Body> {
    let (number, fault) = desk.receive(SeenRequest::read(&request));
    let mut passage = Passage::default();
    match &fault {
        Some(Fault::ResetAfter(0)) => {
            cut.notify_one();
            return std::future::pending().await;
        }
        Some(Fault::ResetAfter(bytes)) => passage.end_after = Some((*bytes, End::Tell(Arc::clone(&cut)))),
        Some(Fault::Throttle(rate)) => passage.bytes_a_second = Some(*rate),
        Some(Fault::FlipByte(at)) => passage.flip = Some(*at),
        Some(Fault::Hold(gate)) => gate.pass().await,
        _ => {}
    }
    let request = request.map(|body| pass_request(body, passage));
    let response = match fault {
        Some(Fault::Reply(answer)) => {
            // A client that is still sending would take an early answer for a broken connection.
            drain(request.into_body()).await;
            answer.into_response()
        }
        Some(Fault::Stall) => {
            drain(request.into_body()).await;
            std::future::pending().await
        }
        Some(Fault::LoseAnswer) => {
            Answer::read(call(service, request).await).await;
            cut.notify_one();
            std::future::pending().await
        }
        Some(Fault::CutAnswerAfter(bytes)) => cut_answer(call(service, request).await, bytes, End::Break),
        Some(Fault::StallAnswerAfter(bytes)) => cut_answer(call(service, request).await, bytes, End::Stall),
        Some(Fault::Alter(change)) => {
            let mut answer = Answer::read(call(service, request).await).await;
            change(&mut answer);
            answer.into_response()
        }
        _ => call(service, request).await,
    };
    desk.answered(number, response.status().as_u16());
    response
}

async fn drain(body: Body) {
    // A client that breaks off has been read to its end too.
    let _ = body.collect().await;
}

fn cut_answer(response: Response<Body>, after: u64, end: End) -> Response<Body> {
    response.map(|body| pass_answer(body, Passage { end_after: Some((after, end)), ..Passage::default() }))
}

async fn call(service: &S3Service, request: Request<Body>) -> Response<Body> {
    service.call(request).await.unwrap_or_else(|e| {
        let mut answer = Answer::error(500, "InternalError");
        answer.body.extend_from_slice(format!("<!-- {e:?} -->").as_bytes());
        answer.into_response()
    })
}
