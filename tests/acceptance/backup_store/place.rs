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
