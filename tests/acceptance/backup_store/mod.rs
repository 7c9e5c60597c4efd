//! `backup`, seen from the store's side: what a person sees when the store refuses, breaks, stalls or lies, and what is left.

mod access;
mod before;
mod interrupted;
mod lies;
mod place;
mod promotion;
mod weather;

use std::sync::OnceLock;
use std::time::Duration;

use acceptance::mail::Letter;
use acceptance::postgres::{Cluster, Database};
use acceptance::sandbox::{OPERATOR, Outcome, Sandbox};
use acceptance::store::{Fault, On, Operation};

/// A database whose backup is one request.
fn small() -> Sandbox {
    static DATABASE: OnceLock<Database> = OnceLock::new();
    sandbox(&DATABASE, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
}

/// A database whose backup takes two parts, one of 8 MiB: bytes that do not compress, in hexadecimal, which halves.
fn large() -> Sandbox {
    static DATABASE: OnceLock<Database> = OnceLock::new();
    let rows = "SELECT string_agg(sha512((i * 1000 + j)::text::bytea), '') AS b FROM generate_series(1, 150) i, \
                generate_series(1, 1000) j GROUP BY i";
    sandbox(&DATABASE, &format!("CREATE TABLE t AS {rows}"))
}

/// One database for all tests that only read it. The waits that tests wait for are short, and there are two tries.
fn sandbox(database: &OnceLock<Database>, sql: &str) -> Sandbox {
    let database = database.get_or_init(|| {
        let database = Cluster::shared().create_database();
        database.sql(sql);
        database
    });
    let mut sandbox = Sandbox::on(database.clone());
    sandbox.env("AWS_MAX_ATTEMPTS", "2").env("BACKUP_CONNECT_TIMEOUT", "2s").env("BACKUP_STALL_TIMEOUT", "30s");
    sandbox
}

/// What a person gets to read of a run that failed.
struct Failed<'a> {
    /// In the error line, in the log and in the mail's first sentence.
    cause: &'a str,
    /// In the hint and in the mail's steps.
    hint: &'a str,
}

impl Failed<'_> {
    /// Runs `backup` and fails the test unless it failed so, everybody heard why, and nothing is left.
    fn check(&self, sandbox: &Sandbox) -> Outcome {
        let outcome = self.check_told(sandbox, sandbox.command("backup").run());
        sandbox.assert_nothing_left_behind();
        outcome
    }

    /// Fails the test unless the run failed so, and everybody heard why.
    fn check_told(&self, sandbox: &Sandbox, outcome: Outcome) -> Outcome {
        let outcome = outcome.exits(1).prints_nothing().says(self.cause).logs("backup.log", self.cause);
        let outcome = outcome.says("hint: ").says(self.hint);
        let letter = only_mail(sandbox, &outcome);
        assert!(letter.subject.starts_with("❌ Backup FAILED: "), "{}", letter.subject);
        let headline = letter.text.lines().next().unwrap_or_default();
        assert!(headline.contains("was NOT backed up: "), "{headline}");
        // The text is wrapped.
        let text = letter.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in [self.cause, self.hint] {
            assert!(text.contains(expected), "expected in the mail: {expected}\n{}", letter.text);
        }
        sandbox.assert_no_secret_leaked();
        outcome
    }
}

/// Runs `backup`, which must make one backup, whatever goes wrong on the way, and leave nothing else.
fn succeeds(sandbox: &Sandbox) -> Outcome {
    let outcome = sandbox.command("backup").run().succeeds();
    let (keys, tiers) = (sandbox.store().keys(), ["daily", "weekly", "monthly"]);
    assert_eq!(keys.len(), 3, "{keys:?}\n{}", outcome.report());
    for tier in tiers {
        let key = keys.iter().find(|key| key.contains(&format!("/{tier}/"))).unwrap();
        assert!(sandbox.store().read(key) == sandbox.store().read(&keys[0]), "{key} differs");
    }
    let outcome = outcome.prints(&format!("s3://shop-backups/{}", keys[0]));
    sandbox.assert_no_litter();
    sandbox.assert_no_secret_leaked();
    outcome
}

/// The one mail that the run sent, to the operator, in both forms.
fn only_mail(sandbox: &Sandbox, outcome: &Outcome) -> Letter {
    let mails = sandbox.mail().messages();
    assert_eq!(mails.len(), 1, "mails\n{}", outcome.report());
    assert_eq!(mails[0].to, [OPERATOR]);
    let letter = mails[0].letter();
    assert!(!letter.html.is_empty() && !letter.text.is_empty(), "{letter:?}");
    letter
}

/// A sandbox with one fault.
fn with(sandbox: Sandbox, on: On, fault: Fault) -> Sandbox {
    sandbox.store().fault(on, fault);
    sandbox
}

/// Requests that do this.
fn on(operation: Operation) -> On {
    On::operation(operation)
}

/// Longer than any run with these waits takes, and far shorter than the limit of a run.
const SOON: Duration = Duration::from_mins(1);
