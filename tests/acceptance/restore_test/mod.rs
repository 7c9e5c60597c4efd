//! `restore-test`: what is proven, what is found, and what is called neither.

mod alone;
mod databases;
mod lacking;
mod mutilations;
mod passes;
mod scratch;

use std::io::Write;
use std::sync::OnceLock;

use acceptance::mail::Letter;
use acceptance::postgres::{Cluster, Database};
use acceptance::sandbox::{Outcome, Sandbox};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::shop::{fill, gunzip};

/// A backup of a database, as it stands in the store.
#[derive(Clone)]
struct Backup {
    database: Database,
    key: String,
    bytes: Vec<u8>,
}

/// The backup that most tests look at: of a shop, made by `backup`, and made once.
fn shop() -> &'static Backup {
    static SHOP: OnceLock<Backup> = OnceLock::new();
    SHOP.get_or_init(|| {
        let database = Cluster::shared().create_database();
        fill(&database);
        // What a trigger would lose, if it were there before the rows.
        database.sql(
            "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
            CREATE TRIGGER stamped BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION stamp();",
        );
        Backup::of(&database)
    })
}

impl Backup {
    /// Makes one with `backup`.
    fn of(database: &Database) -> Self {
        let sandbox = Sandbox::on(database.clone());
        sandbox.command("backup").arg("--no-notify").run().succeeds();
        let keys = sandbox.store().keys();
        let key = keys.into_iter().find(|key| key.contains("/daily/")).unwrap();
        let bytes = sandbox.store().read(&key);
        Self { database: database.clone(), key, bytes }
    }

    /// A sandbox with this backup in its store.
    fn stored(&self) -> Sandbox {
        self.stored_as(&self.bytes)
    }

    /// A sandbox with these bytes under the key of this backup.
    fn stored_as(&self, bytes: &[u8]) -> Sandbox {
        let sandbox = Sandbox::on(self.database.clone());
        sandbox.store().seed(&self.key, bytes);
        sandbox
    }

    /// The text of the dump and its footer.
    fn text(&self) -> String {
        String::from_utf8(gunzip(&self.bytes)).unwrap()
    }

    fn address(&self) -> String {
        format!("s3://shop-backups/{}", self.key)
    }
}

/// As any tool compresses.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Runs the test, which must end so, say so, write it down so, and leave nothing else.
fn ends(sandbox: &Sandbox, code: i32, outcome_word: &str, says: &str) -> (Outcome, Letter) {
    let before = sandbox.store().keys();
    let outcome = sandbox.command("restore-test").run().exits(code).says(says).logs("restore-test.log", says);
    let outcome = outcome.prints(&format!("{}: s3://", outcome_word.to_uppercase()));
    let keys = sandbox.store().keys();
    let new: Vec<_> = keys.iter().filter(|key| !before.contains(key)).collect();
    let record = new.iter().find(|key| key.ends_with(&format!(".{outcome_word}.json")));
    assert!(record.is_some(), "no record of the result: {new:?}\n{}", outcome.report());
    let copies = new.iter().filter(|key| key.ends_with(".sql.gz")).count();
    assert_eq!(copies, usize::from(matches!(outcome_word, "passed" | "unproven")), "{new:?}");
    let mails = sandbox.mail().messages();
    assert_eq!(mails.len(), 1, "{}", outcome.report());
    sandbox.assert_no_litter();
    sandbox.assert_no_secret_leaked();
    (outcome, mails[0].letter())
}

/// The text of a mail as one line.
fn flat(letter: &Letter) -> String {
    letter.text.split_whitespace().collect::<Vec<_>>().join(" ")
}
