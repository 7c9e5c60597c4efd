//! The store is not where, what or when it should be: found before the database is touched.

use acceptance::mail::{Certificate, Smtpd, Tls};
use acceptance::proxy::{Network, Proxy};
use acceptance::sandbox::Sandbox;
use acceptance::store::{Answer, Fault, On};

use super::{Failed, SOON, small, with};

/// A run that must end before `pg_dump` is started.
fn refuses(mut sandbox: Sandbox, cause: &str, hint: &str) {
    sandbox.env("BACKUP_NOTIFY_ON", "failure");
    Failed { cause, hint }.check(&sandbox).ends_within(SOON).never_says("backing up");
}

fn at(endpoint: &str) -> Sandbox {
    let mut sandbox = small();
    sandbox.env("S3_ENDPOINT_URL", endpoint);
    sandbox
}

#[test]
fn the_bucket_does_not_exist() {
    let mut sandbox = small();
    sandbox.env("S3_BUCKET_NAME", "no-such-bucket");
    refuses(sandbox, "cannot list s3://no-such-bucket/db-backups/daily/: NoSuchBucket", "Check S3_BUCKET_NAME");
}

#[test]
fn the_bucket_is_in_another_region() {
    for (status, code) in [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")] {
        let sandbox = with(small(), On::any(), Fault::Reply(Answer::error(status, code)));
        refuses(sandbox, code, "Set S3_REGION to the region that the bucket is in");
    }
}

#[test]
fn the_clock_is_wrong() {
    let sandbox = with(small(), On::any(), Fault::refuse("RequestTimeTooSkewed"));
    refuses(sandbox, "RequestTimeTooSkewed", "This machine's clock is wrong");
}

#[test]
fn the_endpoint_is_something_else() {
    let html = Answer { status: 200, headers: Vec::new(), body: b"<!DOCTYPE html><html><body>Console".to_vec() };
    let sandbox = with(small(), On::any(), Fault::Reply(html));
    refuses(sandbox, "what answered is not S3", "Check S3_ENDPOINT_URL: what answers there does not speak S3");
}

#[test]
fn the_name_of_the_endpoint_does_not_exist() {
    refuses(
        at("http://store.invalid:9000"),
        "failed to lookup address information",
        "Check S3_ENDPOINT_URL and S3_REGION",
    );
}

#[test]
fn nobody_listens_at_the_endpoint() {
    refuses(at("http://127.0.0.1:1"), "Connection refused", "Check S3_ENDPOINT_URL and S3_REGION");
}

#[test]
fn the_endpoint_never_answers() {
    let silent = Proxy::to(1);
    silent.set(Network::BlackHole);
    for scheme in ["http", "https"] {
        let mut sandbox = at(&format!("{scheme}://127.0.0.1:{}", silent.port()));
        sandbox.env("BACKUP_STALL_TIMEOUT", "3s");
        refuses(sandbox, "did not answer in time", "The network to the store is stalled, or the store hangs");
    }
}

#[test]
fn the_endpoint_resets_every_connection() {
    let cut = Proxy::to(1);
    cut.set(Network::ResetAfter(0));
    refuses(at(&format!("http://127.0.0.1:{}", cut.port())), "cannot list ", "Check S3_ENDPOINT_URL and S3_REGION");
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    // A name that only the proxy knows: whoever asks for it directly is told that it does not exist.
    let mut sandbox = small();
    let store = Proxy::to(sandbox.store().port());
    sandbox.env("S3_ENDPOINT_URL", "http://store.invalid:9000");
    let proxy = format!("http://127.0.0.1:{}", store.port());
    // The store reads the request as a proxy gets it, with the whole address, just as well.
    sandbox.command("backup").env("HTTP_PROXY", &proxy).run().succeeds();
    let asked = store.connections();
    assert!(asked > 0, "the proxy was not asked");
    let outcome = sandbox.command("backup").env("HTTP_PROXY", &proxy).env("NO_PROXY", "store.invalid").run();
    outcome.exits(1).says("failed to lookup address information");
    assert_eq!(store.connections(), asked);
    // Of HTTPS, a proxy sees a request to connect.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(listener.accept().unwrap().0), &mut line).unwrap();
        line
    });
    sandbox.env("S3_ENDPOINT_URL", "https://store.invalid");
    sandbox.command("backup").env("HTTPS_PROXY", &proxy).run().exits(1);
    assert_eq!(asked.join().unwrap(), "CONNECT store.invalid:443 HTTP/1.1\r\n");
}

#[test]
fn the_endpoint_speaks_no_tls() {
    let sandbox = small();
    let endpoint = sandbox.store().endpoint().replace("http:", "https:");
    refuses(at(&endpoint), "cannot list ", "S3_ENDPOINT_URL");
}

#[test]
fn the_certificate_is_not_trusted() {
    let server = Smtpd::start(Tls::Implicit, Certificate::Valid, None);
    let sandbox = at(&format!("https://localhost:{}", server.port()));
    refuses(sandbox, "UnknownIssuer", "SSL_CERT_FILE");
}

#[test]
fn the_certificate_is_for_another_name() {
    let server = Smtpd::start(Tls::Implicit, Certificate::WrongName, None);
    let mut sandbox = at(&format!("https://localhost:{}", server.port()));
    sandbox.env("SSL_CERT_FILE", server.ca_file().to_str().unwrap());
    refuses(sandbox, "not valid for", "Check the name in S3_ENDPOINT_URL");
}
