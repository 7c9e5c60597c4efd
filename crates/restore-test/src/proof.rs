//! The proof: restored, dumped again through the same scanner, compared with what the backup says of itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::child::Seal;
use backup_core::figures;
use backup_core::footer::{Comparison, DumpFacts};
use backup_core::postgres::{DumpStream, Locale, Programs, Scratch, Version};
use backup_core::process::Progress;
use backup_core::restore::{self, Announced, Subject, Whole, redump};

use crate::drill::Drill;
use crate::run::Run;
use crate::verdict::Verdict;

/// Differences that are told one by one.
const TOLD: usize = 20;

/// What was learned on the way to the verdict, whichever it is.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    pub(crate) announced: Option<Announced>,
    pub(crate) server: Option<Version>,
    /// How long it took from an empty database to a restored one.
    pub(crate) restore: Option<Duration>,
    /// What the scratch server was kept from.
    pub(crate) seal: Option<Seal>,
    /// All of it was read, and is what it says of itself, whether it was restored or not.
    pub(crate) whole: bool,
    /// How to start the scratch server again, where it was kept.
    pub(crate) kept: Option<String>,
}

impl Run<'_> {
    /// Tests one backup. What it learns stays known however it ends.
    ///
    /// What this machine lacks says nothing about the backup; damage does, and shows in what is read of it all the same.
    pub(crate) async fn examine(&self, subject: &Subject, learned: &mut Learned) -> Verdict {
        let verdict = self.prove(subject, learned).await.unwrap_or_else(|verdict| verdict);
        if learned.whole || !matches!(verdict, Verdict::Inconclusive { .. }) {
            return verdict;
        }
        log::info!("reading all of {}, for damage shows without a restore, too", subject.address);
        match read_only(subject).await {
            Ok(()) => learned.whole = true,
            Err(damaged @ Verdict::Failed { .. }) => return damaged,
            // Once more the same.
            Err(_) => {}
        }
        verdict
    }

    async fn prove(&self, subject: &Subject, learned: &mut Learned) -> Result<Verdict, Verdict> {
        let announced = learned.announced.insert(subject.announced(&self.store).await?);
        if let Some(footer) = &announced.footer {
            subject.check_identity(footer, &self.settings.database.name)?;
        }
        let programs = self.programs(&announced.facts).await?;
        learned.server = Some(programs.version().clone());
        Scratch::check_room(&self.settings.places.temp, announced.facts.bytes)?;
        log::info!("starting a scratch server, PostgreSQL {}", programs.version());
        let facts = &announced.facts;
        let temp = &self.settings.places.temp;
        let (locale, roles) = (locale(announced), role_names(announced));
        let scratch = Scratch::start(&programs, temp, &locale, facts.objects.len(), &roles).await?;
        learned.seal = Some(scratch.seal());
        let restored = self.in_scratch(&scratch, subject, announced, &mut learned.restore).await;
        learned.whole = learned.restore.is_some();
        let restored = match scratch.replaced_locale() {
            Some(locale) => restored.map_err(|verdict| {
                let reason = format!("this machine does not have the locale {} / {}", locale.collate, locale.ctype);
                verdict.excused(&reason, "Install the locale of the database (on Debian: locales-all).")
            }),
            None => restored,
        };
        if self.keep_scratch {
            learned.kept = Some(scratch.keep().await);
        } else {
            scratch.stop().await;
        }
        restored
    }

    async fn programs(&self, facts: &DumpFacts) -> Result<Programs, Verdict> {
        let version = facts.server_version.as_deref().and_then(Version::parse);
        let Some(version) = version else {
            return Err(Verdict::inconclusive(
                "the dump does not name the version of the server that it was made from",
                "Was it written by pg_dump? Restore it by hand, into an empty database of a server that it fits.",
            ));
        };
        Ok(Programs::find(self.settings.database.bin_dir.as_deref(), version.major).await?)
    }

    async fn in_scratch(
        &self,
        scratch: &Scratch,
        subject: &Subject,
        announced: &Announced,
        took: &mut Option<Duration>,
    ) -> Result<Verdict, Verdict> {
        let Announced { facts, footer } = announced;
        let missing = scratch.missing(&facts.extensions).await?;
        if !missing.is_empty() {
            let why = format!("this machine does not have the extension {}", missing.join(", "));
            let hint = "Install it beside the PostgreSQL programs (in the container: extend its image).";
            return Err(Verdict::inconclusive(why, hint));
        }
        let described = footer.as_ref().map(|footer| footer.roles.as_slice()).unwrap_or_default();
        scratch.prepare(described, &facts.roles, &facts.tablespaces).await?;

        log::info!("restoring {} ({} of dump)", subject.address, figures::size(facts.bytes));
        let begun = Instant::now();
        let whole = restore_into(scratch, subject).await?;
        *took = Some(begun.elapsed());
        log::info!("restored in {}", figures::duration(begun.elapsed()));
        if whole.footer.is_none() {
            return Ok(Verdict::Unproven);
        }

        let restored = redump(DumpStream::start(scratch.client())?, &whole.facts).await?;
        let Comparison { differences, respelled } = whole.facts.compare(&restored);
        if let Some(first) = differences.first() {
            let more = match differences.len() {
                1 => String::new(),
                count => format!(" (and {} more differences)", count - 1),
            };
            let what = format!("what was restored is not what was dumped: {first}{more}");
            let differences = differences.iter().take(TOLD).map(ToString::to_string).collect();
            return Err(Verdict::Failed { what, differences });
        }
        if whole.facts.tables.is_empty() && whole.facts.large_objects.count == 0 {
            return Err(Verdict::inconclusive(
                "the backup restores, but holds no table: there is nothing to prove",
                "Look into the database that is backed up: is it the right one (DB_HOST, DB_NAME), and where are its tables?",
            ));
        }
        log::info!(
            "every row of {} tables equals the original: {} rows",
            figures::count(whole.facts.tables.len() as u64),
            figures::count(whole.facts.total_rows())
        );
        let drill = Drill::carry_out(scratch, &whole).await?;
        Ok(Verdict::Proven { respelled, drill })
    }
}

/// From the first byte to the commit; or nothing of it stays.
async fn restore_into(scratch: &Scratch, subject: &Subject) -> Result<Whole, Verdict> {
    let progress = Arc::new(Progress::start(("restored", "")));
    Ok(restore::restore(scratch.client(), subject.open().await?, &[], progress).await?)
}

/// From the first byte to the last, into nothing.
async fn read_only(subject: &Subject) -> Result<(), Verdict> {
    let progress = Arc::new(Progress::start(("read", "")));
    restore::read(subject.open().await?, None, progress).await?;
    Ok(())
}

fn locale(announced: &Announced) -> Locale {
    let of_the_dump = announced.facts.client_encoding.clone();
    let Some(footer) = &announced.footer else {
        let encoding = of_the_dump.as_deref().unwrap_or("UTF8");
        return Locale { of_the_dump: of_the_dump.clone(), ..Locale::plain(encoding) };
    };
    Locale {
        encoding: footer.encoding.clone(),
        collate: footer.collate.clone(),
        ctype: footer.ctype.clone(),
        of_the_dump,
    }
}

/// The names that the scratch server's own superuser may not have.
fn role_names(announced: &Announced) -> Vec<String> {
    let described = announced.footer.iter().flat_map(|footer| footer.roles.iter().map(|role| role.name.clone()));
    described.chain(announced.facts.roles.iter().cloned()).collect()
}
