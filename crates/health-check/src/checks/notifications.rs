//! `notifications`: the last mail got through, and the next one would.

use std::time::Duration;

use backup_core::figures;
use backup_core::journal::Journal;
use backup_core::mail::{LastMail, Mailer, SmtpError, waiting_mails};
use backup_core::process::now;
use backup_core::settings::{Mail, Places};
use time::OffsetDateTime;

use crate::figure;
use crate::finding::{Advice, Finding, Name, Remark};

/// Certificates that are renewed by themselves are renewed a month before their end.
const CERTIFICATE_ENDS_SOON: Duration = Duration::from_hours(24 * 14);

#[derive(Debug)]
pub(crate) struct Facts {
    /// Nobody is to be told.
    pub(crate) nobody: bool,
    pub(crate) last: Option<LastMail>,
    pub(crate) waiting: usize,
    /// The way to the mail server, as far as the login. `None`: it was not tried.
    pub(crate) way: Option<Result<Option<OffsetDateTime>, SmtpError>>,
    pub(crate) now: OffsetDateTime,
}

/// Looks; knocks at the mail server only where a mail may be sent, because servers shut out whom they see too often.
pub(crate) async fn look(mail: Option<&Mail>, places: &Places, knock: bool) -> Facts {
    let way = match mail.filter(|_| knock) {
        Some(mail) => Some(Mailer::new(mail.clone(), &places.state).knock().await),
        None => None,
    };
    let waiting =
        waiting_mails(&places.state).inspect_err(|error| log::debug!("cannot look for waiting mails: {error}"));
    Facts {
        nobody: mail.is_none(),
        last: Journal::new(&places.state).read(LastMail::ENTRY),
        waiting: waiting.unwrap_or_default(),
        way,
        now: now(),
    }
}

pub(crate) fn judge(facts: &Facts) -> Finding {
    let Facts { nobody, last, waiting, way, now } = facts;
    let mut found = vec![figure::WAITING_MAILS.is(*waiting as f64)];
    if *nobody {
        let remark =
            Remark::warning("nobody is told of anything", "Set BACKUP_NOTIFICATION_EMAIL and the mail settings.");
        return Finding::new(Name::Notifications, [remark], found);
    }
    let mut remarks = Vec::new();
    match way {
        Some(Err(error)) => remarks.push(Remark::critical(error.to_string(), error.hint())),
        Some(Ok(certificate)) => {
            found.extend(certificate.map(|end| figure::CERTIFICATE_END.is(end.unix_timestamp() as f64)));
            remarks.extend(certificate.and_then(|end| of_certificate(end, *now)));
        }
        None => {}
    }
    let is_open = matches!(way, Some(Ok(_)));
    match last {
        Some(last) => remarks.push(of_last(last, is_open)),
        None => remarks.push(Remark::ok(if is_open {
            "the mail server answers; no mail has been sent yet"
        } else {
            "no mail has been sent yet"
        })),
    }
    if *waiting > 0 {
        let mails = if *waiting == 1 { "1 mail waits".to_owned() } else { format!("{waiting} mails wait") };
        remarks.push(Remark::warning(format!("{mails} to be sent"), "Each tool that runs tries again, for 7 days."));
    }
    Finding::new(Name::Notifications, remarks, found)
}

fn of_last(last: &LastMail, is_open: bool) -> Remark {
    let at = figures::instant(last.at);
    let test = || Advice::run("See which step is blocked:", "notify TEST \"Test message\"");
    let delivery = &last.delivery;
    let reason = delivery.failed.iter().chain(&delivery.waiting).next();
    match reason {
        None => Remark::ok(format!("the last mail, on {at}, got through")),
        Some(undelivered) => {
            let (who, why) = (&undelivered.recipient, undelivered.reason.trim_end_matches('.'));
            let fact = format!("the last mail, on {at}, did not get through to {who}: {why}");
            // Somebody has it, or will have it by the end of this run.
            let on_its_way = is_open && delivery.failed.is_empty();
            if on_its_way || !delivery.accepted.is_empty() {
                Remark::warning(fact, test())
            } else {
                Remark::critical(fact, test())
            }
        }
    }
}

fn of_certificate(end: OffsetDateTime, now: OffsetDateTime) -> Option<Remark> {
    let left = Duration::try_from(end - now).unwrap_or_default();
    (left < CERTIFICATE_ENDS_SOON).then(|| {
        let fact = format!("the mail server's certificate is valid for {} more", figures::duration(left));
        Remark::warning(fact, "Have it renewed: from its end on, no mail gets through.")
    })
}
