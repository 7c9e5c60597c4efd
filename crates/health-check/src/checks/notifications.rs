//! `notifications`: the last mail got through, and the next one would.

use std::time::Duration;

use backup_core::figures;
use backup_core::journal::Journal;
use backup_core::mail::{LastMail, Mailer, SmtpError, waiting_mails};
use backup_core::process::now;
use backup_core::settings::{Mail, Places};
use time::OffsetDateTime;

use super::since;
use crate::figure;
use crate::finding::{Advice, Finding, Name, Remark};

/// Certificates that are renewed by themselves are renewed a month before their end.
const CERTIFICATE_ENDS_SOON: Duration = Duration::from_hours(24 * 14);

#[derive(Debug)]
pub(crate) struct Facts {
    /// Nobody is to be told.
    pub(crate) nobody: bool,
    pub(crate) last: Option<LastMail>,
    /// How many mails wait, where that could be found out.
    pub(crate) waiting: std::io::Result<usize>,
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
    Facts {
        nobody: mail.is_none(),
        last: Journal::new(&places.state).read(LastMail::ENTRY),
        waiting: waiting_mails(&places.state),
        way,
        now: now(),
    }
}

pub(crate) fn judge(facts: &Facts) -> Finding {
    let Facts { nobody, last, waiting, way, now } = facts;
    let mut found: Vec<_> = waiting.iter().map(|waiting| figure::WAITING_MAILS.is(*waiting as f64)).collect();
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
    remarks.extend(of_waiting(waiting.as_ref().copied()));
    Finding::new(Name::Notifications, remarks, found)
}

fn of_waiting(waiting: Result<usize, &std::io::Error>) -> Option<Remark> {
    let mails = match waiting {
        Ok(0) => return None,
        Ok(1) => "1 mail waits".to_owned(),
        Ok(waiting) => format!("{waiting} mails wait"),
        Err(error) => {
            let fact = format!("it is not known whether mails wait to be sent: {error}");
            return Some(Remark::warning(fact, "See who owns BACKUP_STATE_DIR, and the directory `mail` in it."));
        }
    };
    Some(Remark::warning(format!("{mails} to be sent"), "Each tool that runs tries again, for 7 days."))
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
    let left = since(now, end);
    (left < CERTIFICATE_ENDS_SOON).then(|| {
        let fact = format!("the mail server's certificate is valid for {} more", figures::duration(left));
        Remark::warning(fact, "Have it renewed: from its end on, no mail gets through.")
    })
}

#[cfg(test)]
mod tests {
    use backup_core::mail::{Delivery, State, Undelivered};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2025-01-29 12:00 UTC);

    fn facts(delivery: Option<Delivery>, is_open: Option<bool>) -> Facts {
        let last = delivery.map(|delivery| LastMail { at: NOW, subject: "Backup".into(), delivery });
        let refused = || SmtpError::NoLogin { server: "mail.example.com".into() };
        let way = is_open.map(|is_open| if is_open { Ok(None) } else { Err(refused()) });
        Facts { nobody: false, last, waiting: Ok(0), way, now: NOW }
    }

    #[test]
    fn the_last_mail_got_through_and_the_next_would() {
        let accepted = || vec!["a@example.com".to_owned()];
        let not_got = || vec![Undelivered { recipient: "b@example.com".into(), reason: "550 no such user".into() }];
        let whole = Delivery { accepted: accepted(), ..Delivery::default() };
        let partly = Delivery { accepted: accepted(), failed: not_got(), ..Delivery::default() };
        let waits = Delivery { waiting: not_got(), ..Delivery::default() };
        let failed = Delivery { failed: not_got(), ..Delivery::default() };
        for (delivery, is_open, state) in [
            (None, Some(true), State::Ok),
            (None, None, State::Ok),
            (Some(whole.clone()), Some(true), State::Ok),
            (Some(whole), Some(false), State::Critical),
            (Some(partly), None, State::Warning),
            (Some(waits.clone()), Some(true), State::Warning),
            (Some(waits), None, State::Critical),
            (Some(failed), Some(true), State::Critical),
        ] {
            assert_eq!(judge(&facts(delivery.clone(), is_open)).state, state, "{delivery:?} {is_open:?}");
        }
        let waiting = judge(&Facts { waiting: Ok(2), ..facts(None, Some(true)) });
        assert_eq!((waiting.state, waiting.fact.as_str()), (State::Warning, "2 mails wait to be sent"));
        let unknown = Err(std::io::ErrorKind::PermissionDenied.into());
        let unknown = judge(&Facts { waiting: unknown, ..facts(None, Some(true)) });
        assert_eq!((unknown.state, unknown.figures.len()), (State::Warning, 0), "{}", unknown.fact);
        assert_eq!(judge(&Facts { nobody: true, ..facts(None, None) }).state, State::Warning);
    }

    #[test]
    fn a_certificate_that_is_about_to_end_is_told_in_time() {
        let ends_in =
            |days| judge(&Facts { way: Some(Ok(Some(NOW + time::Duration::days(days)))), ..facts(None, None) });
        assert_eq!(ends_in(14).state, State::Ok);
        let soon = ends_in(13);
        assert_eq!(
            (soon.state, soon.fact.as_str()),
            (State::Warning, "the mail server's certificate is valid for 13 days more")
        );
    }
}
