//! Instants as keys have them: the local time of the container, in whole seconds, spelled `YYYYMMDD_HHMMSS`.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// The form of the stamp that ends the name of a backup.
pub(super) const STAMP: &str = "YYYYMMDD_HHMMSS";

/// The local time of an instant, as it is compared with those in keys.
pub fn local_time(instant: OffsetDateTime) -> PrimitiveDateTime {
    PrimitiveDateTime::new(instant.date(), instant.time())
}

/// The local time of an instant in whole seconds, as a key carries it.
pub fn key_time(instant: OffsetDateTime) -> PrimitiveDateTime {
    local_time(instant).truncate_to_second()
}

pub(super) fn stamp(taken: PrimitiveDateTime) -> String {
    let (date, time) = (taken.date(), taken.time());
    format!(
        "{:04}{:02}{:02}_{:02}{:02}{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

pub(super) fn parse_stamp(stamp: &str) -> Option<PrimitiveDateTime> {
    let (date, time) = stamp.split_once('_')?;
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
    if date.len() != 8 || time.len() != 6 || !stamp.is_ascii() {
        return None;
    }
    let month = Month::try_from(u8::try_from(number(&date[4..6])?).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(number(&date[..4])?), month, number(&date[6..])? as u8).ok()?;
    let time = Time::from_hms(number(&time[..2])? as u8, number(&time[2..4])? as u8, number(&time[4..])? as u8).ok()?;
    Some(PrimitiveDateTime::new(date, time))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_key_carries_local_time_in_whole_seconds() {
        let instant = datetime!(2025-01-29 02:00:09.75 +03:30);
        assert_eq!(local_time(instant), datetime!(2025-01-29 02:00:09.75));
        assert_eq!(key_time(instant), datetime!(2025-01-29 02:00:09));
    }
}
