//! Sessions that are open in the database while it is dumped.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use acceptance::lifeline;
use acceptance::postgres::Database;

/// A session that stays open, like an application's.
pub(super) struct Session(Child);

impl Session {
    /// Opens it and waits until this has been done in it.
    pub(super) fn new(database: &Database, statements: &str) -> Self {
        let mut psql = database.psql();
        psql.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = lifeline::spawn(psql).unwrap();
        let stdin = child.stdin.as_mut().unwrap();
        writeln!(stdin, "{statements}\n\\echo done").unwrap();
        let mut answer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
        Self(child)
    }

    /// Does this too, and ends.
    pub(super) fn end(mut self, statements: &str) {
        let mut stdin = self.0.stdin.take().unwrap();
        writeln!(stdin, "{statements}").unwrap();
        drop(stdin);
        assert!(self.0.wait().unwrap().success());
    }
}

/// Waits until the dump waits for a lock.
pub(super) fn wait_for_blocked_dump(database: &Database) {
    let blocked = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE NOT l.granted AND a.application_name = 'backup' AND a.datname = current_database()";
    let deadline = Instant::now() + Duration::from_mins(1);
    while database.query(blocked) == "0" {
        assert!(Instant::now() < deadline, "the dump never waited for a lock");
        thread::sleep(Duration::from_millis(20));
    }
}
