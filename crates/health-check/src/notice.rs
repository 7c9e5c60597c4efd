//! What a person is told, and when.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use backup_core::figures;
use backup_core::mail::{Check, Kind, Mailer, Place, Report as Mail, State, Step};
use backup_core::process::{Context, now};

use crate::alert::{Open, Problem, Say, WELL_FOR, decide};
use crate::figure::{self, Meaning};
use crate::finding::{Finding, Name};
use crate::settings::Settings;
use crate::watch::{HOUR, Memory, Watch};

/// As much of a log as is read for a mail.
const LOG_BYTES: u64 = 8 << 10;

/// Sends what earlier runs could not: first of all, so that mails come in their order, and so that it is known whether they
/// get through.
pub(crate) async fn send_waiting(settings: &Settings) {
    if let Some(mail) = &settings.mail {
        Mailer::new(mail.clone(), &settings.places.state).send_waiting(now()).await;
    }
}

/// Mails what is to be told, to whom the settings name.
pub(crate) async fn tell(settings: &Settings, context: &Context, findings: &[Finding]) {
    let Some(mail) = &settings.mail else {
        return log::info!("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told");
    };
    let mailer = Mailer::new(mail.clone(), &settings.places.state);
    let Some(watch) = Watch::take(&settings.places) else {
        return log::info!("another run tells at this moment");
    };
    let (known, say) = decide(&watch.known, findings, now(), settings.health.reminder);
    match &say {
        Some(say) => {
            let memory = watch.memory(now());
            if !may_tell(&memory, now().hour()) {
                return log::warn!(
                    "nothing can be written anywhere, so that it is not known what has been told: only the run of {HOUR:02}:00 mails"
                );
            }
            let (before, open) = (watch.known.open.as_ref(), known.open.as_ref());
            let letter = Letter { settings, context, findings, before, open, memory };
            let message = letter.write(say).render();
            context.interrupt.or_keep(async { drop(mailer.send(&message, now()).await) }).await;
        }
        None => log::debug!("nothing is to be told"),
    }
    watch.keep(&known, now());
}

/// Where nobody will know of this mail, one a day is sent: not one an hour, and not none.
fn may_tell(memory: &Memory, hour: u8) -> bool {
    *memory != Memory::Nowhere || hour == HOUR
}

struct Letter<'l> {
    settings: &'l Settings,
    context: &'l Context,
    findings: &'l [Finding],
    /// What was known before this run, and what is known now.
    before: Option<&'l Open>,
    open: Option<&'l Open>,
    memory: Memory,
}

impl Letter<'_> {
    fn write(&self, say: &Say) -> Mail {
        match say {
            Say::Alert { worse, over } => self.alert(worse, over),
            Say::Reminder => self.reminder(),
            Say::Partly { over } => self.partly(over),
            Say::Eased => self.over("Nothing is broken any more; some things are still odd"),
            Say::Recovered => self.over("All is well again"),
        }
    }

    fn begin(&self, kind: Kind, headline: &str) -> Mail {
        let origin = self.context.origin(&self.settings.database);
        let place = match (self.before, self.open) {
            (None, Some(open)) => Place::First(open.thread.clone()),
            (Some(open), _) => Place::Later(open.thread.clone()),
            (None, None) => Place::Alone,
        };
        Mail::new(kind, origin, headline).in_thread(place).safety(self.safety())
    }

    fn alert(&self, worse: &[Name], over: &[Name]) -> Mail {
        let found = |name: &Name| self.findings.iter().find(|finding| finding.name == *name);
        let new: Vec<&Finding> = worse.iter().filter_map(found).collect();
        let headline = match new.as_slice() {
            [one] => format!("{}: {}.", one.name.word(), one.fact.trim_end_matches('.')),
            several => format!(
                "{} checks found something wrong: {}.",
                several.len(),
                names(several.iter().map(|found| found.name))
            ),
        };
        let headline = match over {
            [] => headline,
            over => format!("{headline} Not broken any more: {}.", names(over.iter().copied())),
        };
        let severity = if new.iter().any(|found| found.state == State::Critical) { "critical" } else { "warning" };
        let in_short = format!("{severity}: {}", names(new.iter().map(|found| found.name)));
        let mail = self.begin(Kind::HealthAlert, &headline).in_subject(in_short);
        self.body(mail)
    }

    fn reminder(&self) -> Mail {
        let problems = self.open.iter().flat_map(|open| open.problems.keys().copied());
        let known = names(problems);
        let since = self.open.map(|open| figures::instant(open.since)).unwrap_or_default();
        let headline = format!("Still not well, since {since}: {known}.");
        self.body(self.begin(Kind::HealthAlert, &headline).in_subject(format!("still: {known}")))
    }

    fn partly(&self, over: &[Name]) -> Mail {
        let over = names(over.iter().copied());
        let broken = self.open.iter().flat_map(|open| &open.problems);
        let still = names(broken.filter(|(_, problem)| problem.state == State::Critical).map(|(name, _)| *name));
        let headline = format!("Not broken any more: {over}. Still broken: {still}.");
        self.body(self.begin(Kind::HealthAlert, &headline).in_subject(format!("over: {over}; still: {still}")))
    }

    fn over(&self, what: &str) -> Mail {
        let lasted =
            self.before.map(|open| Duration::try_from(now() - open.since).unwrap_or_default()).unwrap_or_default();
        let now_known = |name| self.open.and_then(|open| open.problems.get(name)).map(|problem| problem.state);
        let known = self.before.iter().flat_map(|open| &open.problems);
        let better = known.filter(|(name, problem)| now_known(name) < Some(problem.state));
        let were = names(better.map(|(name, _)| *name));
        let headline = format!("{what}, after {}.", figures::duration(lasted));
        let mail = self.begin(Kind::HealthRecovered, &headline).in_subject(format!("was: {were}"));
        mail.checks("The checks", self.checks())
    }

    /// Every check, and the ends of the logs that say more about those that are not well.
    fn body(&self, mail: Mail) -> Mail {
        let mail = mail.checks("The checks", self.checks());
        let mut steps = vec![Step::tool("When it is mended, look again:", "health-check")];
        if self.open.is_some_and(|open| open.problems.values().any(|problem| problem.comes_and_goes)) {
            let well = figures::duration(WELL_FOR);
            steps.push(Step::say(format!(
                "What comes and goes is over when it has been well for {well}; until then, reminders only."
            )));
        }
        let state = self.settings.places.state.display();
        match &self.memory {
            Memory::State => {}
            Memory::Elsewhere(folder) => steps.push(Step::say(format!(
                "{state} cannot be written, so that {} has to remember what was told: you may get a mail twice.",
                folder.display()
            ))),
            Memory::Nowhere => steps.push(Step::say(format!(
                "Neither {state} nor any other directory can be written, so that nothing remembers what was told: until \
                 that is mended, you get one mail a day, at {HOUR:02}:00, and none when it is over."
            ))),
        }
        let mail = mail.steps("Then", steps);
        let mut logs = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.state != State::Ok) {
            let log = log_of(finding.name);
            if !logs.contains(&log) {
                logs.push(log);
            }
        }
        logs.iter().fold(mail, |mail, log| mail.log_tail(format!("The end of {log}"), &self.end_of(log)))
    }

    fn checks(&self) -> impl Iterator<Item = Check> {
        self.findings.iter().map(|finding| {
            let known = self.open.and_then(|open| open.problems.get(&finding.name));
            let since = known.filter(|problem| problem.since < self.context.started || problem.comes_and_goes);
            let since = since.map(since_when).unwrap_or_default();
            let check = Check::new(finding.name.word(), finding.state, format!("{}{since}", finding.fact));
            match &finding.advice {
                Some(advice) => check.advise(advice.step()),
                None => check,
            }
        })
    }

    /// The first question of whoever reads it: are there backups?
    fn safety(&self) -> String {
        let Some(backup) = self.findings.iter().find(|finding| finding.name == Name::RecentBackup) else {
            return "This run did not look at the backups.".to_owned();
        };
        let figure = |meaning: &Meaning| {
            let found = backup.figures.iter().find(|figure| figure.meaning == meaning);
            found.map(|figure| figure.value as u64)
        };
        match (figure(&figure::NEWEST_AGE), figure(&figure::NEWEST_STORED)) {
            (Some(age), Some(bytes)) => {
                let age = figures::duration(Duration::from_secs(age.max(1)));
                format!("The newest backup is {age} old and has {}.", figures::size(bytes))
            }
            _ => format!("About the backups: {}.", backup.fact),
        }
    }

    fn end_of(&self, log: &str) -> Vec<u8> {
        let read = || {
            let mut file = File::open(self.settings.places.logs.join(log))?;
            let start = file.metadata()?.len().saturating_sub(LOG_BYTES);
            file.seek(SeekFrom::Start(start))?;
            let mut end = Vec::new();
            file.take(LOG_BYTES).read_to_end(&mut end)?;
            Ok::<_, std::io::Error>(end)
        };
        // What cannot be read says nothing.
        read().unwrap_or_default()
    }
}

fn since_when(problem: &Problem) -> String {
    let comes_and_goes = if problem.comes_and_goes { "comes and goes, " } else { "" };
    format!(" ({comes_and_goes}since {})", figures::instant(problem.since))
}

/// The log that says most about a check.
fn log_of(name: Name) -> &'static str {
    match name {
        Name::RecentBackup => "backup.log",
        Name::RestoreTest => "restore-test.log",
        Name::Cron => "cleanup.log",
        Name::Notifications => "notify.log",
        _ => "health.log",
    }
}

fn names(names: impl Iterator<Item = Name>) -> String {
    names.map(Name::word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_can_be_kept_one_run_a_day_tells() {
        for hour in 0..24 {
            assert!(may_tell(&Memory::State, hour) && may_tell(&Memory::Elsewhere("/tmp".into()), hour));
            assert_eq!(may_tell(&Memory::Nowhere, hour), hour == HOUR);
        }
    }
}
