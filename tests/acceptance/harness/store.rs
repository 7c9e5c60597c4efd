//! The S3 server, spoken to by the SDK that the tools use.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use acceptance::store::{BUCKET, Fault, On, Operation, Store};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;

/// A client that does not retry, so that each fault shows.
pub(super) fn client(store: &Store, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(store.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(store.access_key(), secret, None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .force_path_style(true);
    Client::from_conf(config.build())
}

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future)
}

async fn put(client: &Client, key: &str, bytes: &[u8]) -> Result<(), String> {
    let put = client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes.to_vec())).send().await;
    put.map(drop).map_err(|e| e.code().map_or_else(|| DisplayErrorContext(&e).to_string(), str::to_owned))
}

#[test]
fn objects_go_in_and_requests_are_remembered() {
    let store = Store::start();
    block_on(put(&client(&store, store.secret_key()), "a folder/ключ+1.txt", b"hello")).unwrap();
    assert_eq!(store.keys(), ["a folder/ключ+1.txt"]);
    assert_eq!(store.read("a folder/ключ+1.txt"), b"hello");
    let seen = store.requests(&On::operation(Operation::PutObject));
    assert_eq!(seen.len(), 1, "{}", store.transcript());
    assert_eq!((seen[0].key.as_str(), seen[0].size, seen[0].status), ("a folder/ключ+1.txt", 5, Some(200)));
    assert!(seen[0].header("x-amz-content-sha256").is_some());
}

#[test]
fn a_wrong_secret_is_refused() {
    let store = Store::start();
    let refused = block_on(put(&client(&store, "wrong"), "key", b"hello"));
    assert_eq!(refused, Err("SignatureDoesNotMatch".to_owned()));
}

#[test]
fn faults_hit_the_requests_they_are_set_on() {
    let store = Store::start();
    let client = client(&store, store.secret_key());
    store.fault(On::operation(Operation::PutObject).key("slow").after(1).times(1), Fault::refuse("SlowDown"));
    block_on(async {
        assert_eq!(put(&client, "slow", b"1").await, Ok(()));
        assert_eq!(put(&client, "quick", b"1").await, Ok(()));
        assert_eq!(put(&client, "slow", b"2").await, Err("SlowDown".to_owned()));
        assert_eq!(put(&client, "slow", b"3").await, Ok(()));
    });
    assert_eq!(store.read("slow"), b"3");
}

#[test]
fn a_broken_connection_keeps_nothing_and_a_lost_answer_keeps_all() {
    let store = Store::start();
    let client = client(&store, store.secret_key());
    let bytes = vec![b'x'; 300_000];
    store.fault(On::any().key("cut"), Fault::ResetAfter(100_000));
    store.fault(On::any().key("lost"), Fault::LoseAnswer);
    store.fault(On::any().key("flipped"), Fault::FlipByte(200_000));
    block_on(async {
        for key in ["cut", "lost"] {
            let error = put(&client, key, &bytes).await.unwrap_err();
            assert!(error.contains("dispatch failure"), "{key}: {error}");
        }
        assert!(put(&client, "flipped", &bytes).await.is_err());
    });
    assert_eq!(store.keys(), ["lost"]);
    assert_eq!(store.read("lost"), bytes);
}

#[test]
fn bodies_can_be_slow_and_answers_cut_or_changed() {
    let store = Store::start();
    let client = client(&store, store.secret_key());
    store.seed("object", &vec![b'x'; 300_000]);
    store.fault(On::operation(Operation::PutObject), Fault::Throttle(100_000));
    store.fault(On::operation(Operation::GetObject), Fault::CutAnswerAfter(70_000));
    store.fault(On::operation(Operation::HeadObject), Fault::alter(|answer| answer.status = 404));
    block_on(async {
        let started = Instant::now();
        put(&client, "slow", &vec![b'x'; 50_000]).await.unwrap();
        assert!(started.elapsed() > Duration::from_millis(400));
        let answer = client.get_object().bucket(BUCKET).key("object").send().await.unwrap();
        assert!(answer.body.collect().await.is_err(), "the answer was not cut");
        let head = client.head_object().bucket(BUCKET).key("object").send().await;
        assert!(head.unwrap_err().into_service_error().is_not_found());
    });
    store.wait_for(&On::any(), 3, Duration::from_secs(1));
}

#[test]
fn a_lost_answer_is_a_reset_and_not_an_end() {
    let store = Store::start();
    store.fault(On::any(), Fault::LoseAnswer);
    let mut stream = TcpStream::connect(store.endpoint().trim_start_matches("http://")).unwrap();
    stream.write_all(format!("GET /{BUCKET} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
    let end = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::ConnectionReset);
}
