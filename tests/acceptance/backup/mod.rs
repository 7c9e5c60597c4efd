//! `backup`, seen from the database's side: what it makes, and what a person sees when the database, the client programs,
//! the settings or a signal get in its way.

mod configuration;
mod connection;
mod data;
mod env_file;
mod kills;
mod made;
pub(crate) mod memory;
mod names;
mod output;
mod programs;
mod server;
mod session;
mod signals;
mod streams;
mod together;

use std::thread;
use std::time::{Duration, Instant};

use acceptance::mail::Letter;
use acceptance::postgres::quote_text;
use acceptance::sandbox::{OPERATOR, Outcome, Sandbox};

/// What a person gets to read of a run that failed, and what must be true after it.
struct Failed<'a> {
    /// In the error line, in the log and in the mail's first sentence.
    cause: &'a str,
    /// In the hint and in the mail's steps; empty where there is no advice.
    hint: &'a str,
}

impl Failed<'_> {
    /// Fails the test unless the run ended with exit code 1, everybody heard why, and nothing is left of it.
    fn check(&self, sandbox: &Sandbox, outcome: Outcome) {
        self.check_exit(sandbox, outcome, 1);
    }

    fn check_exit(&self, sandbox: &Sandbox, outcome: Outcome, code: i32) {
        let outcome = outcome.exits(code).prints_nothing().says(self.cause).logs("backup.log", self.cause);
        let letter = only_mail(sandbox, &outcome);
        assert!(letter.subject.starts_with("❌ Backup FAILED: "), "{}", letter.subject);
        let headline = letter.text.lines().next().unwrap_or_default();
        assert!(headline.contains("was NOT backed up: "), "{headline}");
        assert!(headline.contains(self.cause), "expected in the mail's first line: {}\n{}", self.cause, letter.text);
        assert!(letter.text.contains("No earlier good backup could be found"), "{}", letter.text);
        if !self.hint.is_empty() {
            let outcome = outcome.says("hint: ").says(self.hint);
            assert!(letter.text.contains(self.hint), "expected in the mail: {}\n{}", self.hint, outcome.report());
        }
        sandbox.assert_nothing_left_behind();
        sandbox.assert_no_secret_leaked();
        assert_no_session(sandbox);
    }
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

/// No session of the tool's programs stays in the server, not even a lonely query.
fn assert_no_session(sandbox: &Sandbox) {
    let database = sandbox.database();
    let sessions = format!(
        "SELECT pid, state, query FROM pg_stat_activity WHERE datname = {} AND application_name = 'backup'",
        quote_text(database.name())
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let left = database.cluster().maintenance().query(&sessions);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "sessions left in the server:\n{left}");
        thread::sleep(Duration::from_millis(20));
    }
}
