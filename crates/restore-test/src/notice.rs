//! What a person is told of a test: a certificate to file, or what differs and which backup can be trusted.

use std::time::Duration;

use backup_core::figures;
use backup_core::key::{BackupId, Claim, DatabaseName, Layout, RecordId, Tier};
use backup_core::mail::{Fact, Kind, Mailer, Report as Mail, Step};
use backup_core::process::{Context, Failure, chain, now};
use backup_core::store::Store;
use backup_core::{settings, shell};
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::error::Error;
use crate::proof::Learned;
use crate::run::{Report, Run};
use crate::verdict::Verdict;

/// How long the search for the newest proven backup may take.
const TIME_TO_LOOK: Duration = Duration::from_secs(20);

/// Objects that are named one by one.
const NAMED: usize = 5;

/// Mails how the test ended, to whom the settings name.
pub(crate) async fn tell(run: &Run<'_>, context: &Context, ended: &Result<Report, Error>) {
    let Some(mail) = &run.settings.mail else {
        return log::info!("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told");
    };
    let mailer = Mailer::new(mail.clone(), &run.settings.places.state);
    let letter = Letter { run, context };
    let report = match ended {
        Ok(report) => match &report.verdict {
            Verdict::Proven { .. } => letter.certificate(report),
            Verdict::Unproven => letter.unproven(report),
            Verdict::Failed { differences, .. } => letter.failed(report, differences).await,
            Verdict::Inconclusive { hint, .. } => letter.inconclusive(report, hint).await,
        },
        Err(error) => letter.not_carried_out(error).await,
    };
    let message = report.render();
    context.interrupt.or_keep(async { drop(mailer.send(&message, now()).await) }).await;
}

struct Letter<'l> {
    run: &'l Run<'l>,
    context: &'l Context,
}

impl Letter<'_> {
    fn begin(&self, kind: Kind, headline: impl AsRef<str>) -> Mail {
        let origin = self.context.origin(&self.run.settings.database);
        Mail::new(kind, origin, self.context.redact(headline.as_ref()))
    }

    fn certificate(&self, report: &Report) -> Mail {
        let name = &self.run.settings.database.name;
        let took = figures::duration(report.learned.restore.unwrap_or_default());
        let headline = format!("{name} was restored from its backup, and every row equals the original.");
        let mail = self
            .begin(Kind::RestoreTestSuccess, headline)
            .safety(format!(
                "The backup is proven: {} tables, {} rows, back within {took}.",
                figures::count(report.tables()),
                figures::count(report.rows())
            ))
            .in_subject(format!("proven, restores in {took}"));
        let mail = troubles(mail, report).facts("The certificate", facts(report));
        let Verdict::Proven { respelled, drill } = &report.verdict else { return mail };
        let noticed = drill.noticed.iter().map(|noticed| Fact::new("Tried", noticed));
        let skipped = drill.skipped.iter().map(|skipped| Fact::new("Not tried", skipped));
        let mail = mail.facts("The test tested itself", noticed.chain(skipped));
        let mail = match respelled.as_slice() {
            [] => mail,
            objects => {
                let shown: Vec<String> = objects.iter().take(NAMED).map(ToString::to_string).collect();
                let more = objects.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                mail.paragraph(format!(
                    "PostgreSQL writes the definitions of {}{more} in other words after a restore; it stores \
                     expressions as trees. That is no loss.",
                    shown.join(", ")
                ))
            }
        };
        mail.steps("To restore it", how_to_restore(report, &self.run.settings.store, name))
    }

    fn unproven(&self, report: &Report) -> Mail {
        let name = &self.run.settings.database.name;
        let mail = self
            .begin(Kind::RestoreTestInconclusive, format!("A backup of {name} was restored, but proves nothing."))
            .safety(
                "It restores without an error. It carries no footer, so it was made by another tool, and nobody can tell \
                 whether it holds every row.",
            )
            .in_subject("restored, unproven");
        let steps = [Step::tool("Make a backup that can be proven:", "backup")];
        troubles(mail, report).facts("The test", facts(report)).steps("What to do", steps)
    }

    async fn failed(&self, report: &Report, differences: &[String]) -> Mail {
        let name = &self.run.settings.database.name;
        let headline = format!("A backup of {name} is NOT good: {}.", report.finding());
        let proven = self.newest_proven(report.id()).await;
        let mail = self
            .begin(Kind::RestoreTestFailure, headline)
            .safety(proven.safety("Do not rely on this backup."))
            .in_subject("a backup is NOT good");
        let differences = differences.iter().map(|difference| Fact::new("Differs", self.context.redact(difference)));
        let mail = troubles(mail, report).facts("What differs", differences);
        let steps = [
            Step::tool("Make a new backup now:", "backup"),
            Step::tool("And prove it:", "restore-test"),
            Step::tool(
                "Look at what was restored, table by table:",
                format_args!("restore-test --keep-scratch {}", shell::word(&report.subject.address)),
            ),
        ];
        mail.steps("What to do", steps)
            .facts("What is proven", proven.facts())
            .facts("The test", facts(report))
            .log_tail("The end of the log", &self.context.log_tail())
    }

    async fn inconclusive(&self, report: &Report, hint: &str) -> Mail {
        let name = &self.run.settings.database.name;
        let Learned { restore, whole, .. } = &report.learned;
        let (what, known) = if restore.is_some() {
            ("The restore test of NAME proves nothing", "All of it was restored, so nothing in it is cut or damaged.")
        } else if *whole {
            (
                "The backup of NAME could not be tested here",
                "All of it was read, and nothing in it is cut or damaged; whether it restores is not known.",
            )
        } else {
            ("The backup of NAME could not be tested here", "This says nothing about the backup, good or bad.")
        };
        let headline = format!("{}: {}.", what.replace("NAME", name.as_str()), report.finding());
        let proven = self.newest_proven(report.id()).await;
        let mail = self.begin(Kind::RestoreTestInconclusive, headline).safety(proven.safety(known));
        let hint = Step::say(self.context.redact(hint));
        let again = Step::tool("Then test again:", "restore-test");
        troubles(mail, report)
            .steps("What to do", [hint, again])
            .facts("What is proven", proven.facts())
            .facts("The test", facts(report))
            .log_tail("The end of the log", &self.context.log_tail())
    }

    async fn not_carried_out(&self, error: &Error) -> Mail {
        let name = &self.run.settings.database.name;
        let headline = format!("No backup of {name} was tested: {}.", chain(error));
        let proven = if matches!(error, Error::Cut(_)) { Proven::default() } else { self.newest_proven(None).await };
        let hint = error.hint().map(|hint| Step::say(self.context.redact(&hint)));
        let again = Step::tool("Then test again:", "restore-test");
        self.begin(Kind::RestoreTestFailure, headline)
            .safety(proven.safety("Whether the backups restore is not known."))
            .steps("What to do", hint.into_iter().chain([again]))
            .facts("What is proven", proven.facts())
            .log_tail("The end of the log", &self.context.log_tail())
    }

    /// `just_tested`: what the test found that is told of, whose record the store may have refused.
    async fn newest_proven(&self, just_tested: Option<RecordId>) -> Proven {
        let found = newest_proven(&self.run.store, &self.run.layout, just_tested);
        Proven(tokio::time::timeout(TIME_TO_LOOK, found).await.ok().flatten())
    }
}

/// The newest backup that is proven, and the key of its copy.
#[derive(Debug, Default)]
struct Proven(Option<(RecordId, String)>);

async fn newest_proven(store: &Store, layout: &Layout, just_tested: Option<RecordId>) -> Option<(RecordId, String)> {
    let objects = store.list(&layout.prefix().tier_folder(Tier::RecoveryTests)).await;
    let objects = objects.inspect_err(|error| log::debug!("{}", chain(error))).ok()?;
    let records = objects.iter().filter_map(|object| match layout.claim(&object.key) {
        Claim::Record(record) => Some(record),
        _ => None,
    });
    let record = RecordId::proofs(records.chain(just_tested)).max_by_key(|record| record.backup)?;
    let copy = layout.key(BackupId { taken: record.tested, tier: Tier::RecoveryTests });
    Some((record, store.address(&copy)))
}

/// Keys are in the container's local time.
fn local(instant: PrimitiveDateTime) -> OffsetDateTime {
    instant.assume_offset(now().offset())
}

impl Proven {
    fn safety(&self, first: &str) -> String {
        match &self.0 {
            Some((record, _)) => {
                let taken = figures::instant(local(record.backup));
                format!("{first} The newest backup that is proven is of {taken}.")
            }
            None => format!("{first} No backup of this database is proven."),
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let Some((record, copy)) = &self.0 else { return Vec::new() };
        vec![
            Fact::at("Newest proven backup", local(record.backup)),
            Fact::at("Proven", local(record.tested)),
            Fact::new("Its copy", copy),
        ]
    }
}

fn troubles(mail: Mail, report: &Report) -> Mail {
    report.written.troubles.iter().fold(mail, Mail::warning)
}

fn facts(report: &Report) -> Vec<Fact> {
    let mut facts = vec![Fact::new("Backup", &report.subject.address), Fact::size("Stored", report.subject.bytes)];
    facts.extend(report.as_of().map(|as_of| Fact::at("Data as of", as_of)));
    facts.push(Fact::at("Tested", report.started));
    facts.extend(report.learned.restore.map(|took| Fact::took("Restore took", took)));
    if let Some(announced) = &report.learned.announced {
        let dump = &announced.facts;
        facts.push(Fact::size("Dump", dump.bytes));
        facts.push(Fact::count("Tables", dump.tables.len() as u64));
        facts.push(Fact::count("Rows", dump.total_rows()));
        facts.push(Fact::count("Sequences", dump.sequences.len() as u64));
        facts.push(Fact::count("Large objects", dump.large_objects.count));
        facts.push(Fact::count("Schema objects", dump.objects.len() as u64));
        let versions = [("made from", &dump.server_version), ("by pg_dump", &dump.pg_dump_version)];
        let made = versions.iter().filter_map(|(how, version)| Some(format!("{how} {}", version.as_ref()?)));
        let into = report.learned.server.iter().filter(|_| report.learned.restore.is_some());
        let restored = into.map(|version| format!("restored into {version}"));
        facts.push(Fact::new("PostgreSQL", made.chain(restored).collect::<Vec<_>>().join(", ")));
    }
    facts.extend(report.learned.seal.map(|seal| Fact::new("Scratch server", format!("kept {seal}"))));
    facts.extend(report.written.copy.iter().map(|copy| Fact::new("Copied to", copy)));
    facts
}

fn how_to_restore(report: &Report, store: &settings::Store, database: &DatabaseName) -> Vec<Step> {
    let (address, into) = (shell::word(&report.subject.address), database.with_tail("_restored"));
    let for_psql = for_psql(into.as_str());
    let (into, for_psql) = (shell::word(into.as_str()), shell::word(&for_psql));
    let endpoint = store.endpoint.as_ref();
    let endpoint = endpoint.map_or_else(String::new, |endpoint| format!(" --endpoint-url {}", endpoint.as_str()));
    let restore = format!("restore run {address} --into={into}");
    vec![
        Step::tool("Into a new database beside the live one, if DB_USER is a superuser:", &restore),
        Step::as_superuser(
            "Else as a superuser (with the official image: POSTGRES_USER) for this command alone; it asks for the password:",
            &restore,
        ),
        Step::run(
            "With nothing but stock tools, on any machine, into an empty database:",
            format!(
                "aws s3 cp {address} backup.sql.gz{endpoint}\n\
                 gunzip -c backup.sql.gz | psql -X -v ON_ERROR_STOP=1 -d {for_psql}"
            ),
        ),
    ]
}

/// `psql` takes a name with one of these in it for a connection string, which can hold any name.
fn for_psql(name: &str) -> String {
    if name.contains(['=', ':']) {
        format!("dbname='{}'", name.replace('\\', r"\\").replace('\'', r"\'"))
    } else {
        name.to_owned()
    }
}
