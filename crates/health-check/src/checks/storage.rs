//! `storage`: the store can be listed under our prefix, its clock is ours, and nothing unfinished piles up in it.
//!
//! Asks for no right that the tools do not need.

use std::time::Duration;

use backup_core::figures;
use backup_core::process::now;
use backup_core::store::{Store, StoreError};
use time::OffsetDateTime;

use crate::figure;
use crate::finding::{Advice, Finding, Name, Remark};

/// S3 refuses requests that are signed a quarter of an hour off; long before that, a clock is wrong.
const CLOCKS_MAY_DIFFER: Duration = Duration::from_mins(5);

/// No upload takes as long, so that one that is older was forgotten.
const UPLOAD_IS_FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// The weekly cleanup aborts what is forgotten: more than this means that it cannot.
const FORGOTTEN_UPLOADS_MAY_BE: usize = 7;

#[derive(Debug)]
pub(crate) struct Facts {
    /// Where was looked.
    pub(crate) address: String,
    /// How long the answer took, and the two clocks then; or why there was none.
    pub(crate) answer: Result<Answer, StoreError>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) took: Duration,
    pub(crate) here: OffsetDateTime,
    /// `None`: the store did not say.
    pub(crate) there: Option<OffsetDateTime>,
    /// When each unfinished upload was begun. `None`: the keys may not ask.
    pub(crate) unfinished: Option<Vec<OffsetDateTime>>,
}

pub(crate) async fn look(store: &Store, prefix: &str) -> Facts {
    let answer = async {
        let begun = std::time::Instant::now();
        let there = store.check(prefix).await?;
        let (took, here) = (begun.elapsed(), now());
        let unfinished = store.unfinished_uploads(prefix).await;
        let unfinished = unfinished.inspect_err(|error| log::debug!("{error}")).ok();
        let unfinished = unfinished.map(|uploads| uploads.into_iter().map(|upload| upload.begun).collect());
        Ok(Answer { took, here, there, unfinished })
    };
    Facts { address: store.address(prefix), answer: answer.await }
}

pub(crate) fn judge(Facts { address, answer }: &Facts) -> Finding {
    let Answer { took, here, there, unfinished } = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let advice = error.hint().unwrap_or_else(|| "Until this is mended, no backup can be stored.".to_owned());
            return Finding::new(Name::Storage, [Remark::critical(error.to_string(), advice)], Vec::new());
        }
    };
    let mut remarks = vec![Remark::ok(format!("{address} can be listed, in {}", figures::duration(*took)))];
    let mut found = Vec::new();
    if let Some(there) = there {
        let ahead = *there - *here;
        found.push(figure::STORE_CLOCK.is(ahead.whole_seconds() as f64));
        if ahead.unsigned_abs() > CLOCKS_MAY_DIFFER {
            let fact =
                format!("the clocks here and at the store differ by {}", figures::duration(ahead.unsigned_abs()));
            let advice =
                "Set this machine's clock (NTP): backups would get wrong ages, and be deleted too early or too late.";
            remarks.push(Remark::warning(fact, advice));
        }
    }
    if let Some(begun) = unfinished {
        let forgotten = begun.iter().filter(|begun| *here - **begun > UPLOAD_IS_FORGOTTEN_AFTER).count();
        found.push(figure::UNFINISHED.is(forgotten as f64));
        if forgotten > FORGOTTEN_UPLOADS_MAY_BE {
            let fact = format!("{forgotten} uploads were begun and never finished, and are paid for");
            remarks.push(Remark::warning(
                fact,
                Advice::run(
                    "Abort them; s3:AbortMultipartUpload and s3:ListBucketMultipartUploads are needed:",
                    "cleanup",
                ),
            ));
        }
    }
    Finding::new(Name::Storage, remarks, found)
}

#[cfg(test)]
mod tests {
    use backup_core::mail::State;
    use time::macros::datetime;

    use super::*;

    fn judged(ahead: time::Duration, forgotten: usize) -> Finding {
        let here = datetime!(2025-01-29 12:00 UTC);
        judge(&Facts {
            address: "s3://bucket/db-backups/".into(),
            answer: Ok(Answer {
                took: Duration::from_millis(34),
                here,
                there: Some(here + ahead),
                unfinished: Some([vec![here; 50], vec![here - time::Duration::days(2); forgotten]].concat()),
            }),
        })
    }

    #[test]
    fn a_store_that_answers_is_well_unless_clocks_differ_or_uploads_pile_up() {
        assert_eq!(judged(time::Duration::minutes(4), 7).state, State::Ok);
        let late = judged(time::Duration::minutes(-90), 0);
        assert_eq!(
            (late.state, late.fact.as_str()),
            (State::Warning, "the clocks here and at the store differ by 1 h 30 min")
        );
        assert!(judged(time::Duration::ZERO, 8).fact.starts_with("8 uploads were begun"));
    }
}
