//! An instant as people write it.

use backup_core::key::local_time;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time, UtcOffset};

const FORM: &str = "write it as 2025-01-29, '2025-01-29 14:00' or 2025-01-29T14:00:00Z";

/// `2025-01-29`, which begins at midnight, `2025-01-29 14:00` or `2025-01-29 14:00:30`, a `T` for the space or not: local time,
/// as in keys and logs. With a `Z` or an offset (`+01:00`) behind it, the instant that is meant everywhere, in local time.
pub(super) fn read(text: &str) -> Result<PrimitiveDateTime, &'static str> {
    read_at(text, |instant| UtcOffset::local_offset_at(instant.assume_utc()).unwrap_or(UtcOffset::UTC))
}

/// `zone`: the local offset at an instant that is given in UTC.
fn read_at(text: &str, zone: impl Fn(PrimitiveDateTime) -> UtcOffset) -> Result<PrimitiveDateTime, &'static str> {
    let (date, rest) = text.trim().split_at_checked("2025-01-29".len()).ok_or(FORM)?;
    let date = Date::parse(date, format_description!("[year]-[month]-[day]")).map_err(|_| FORM)?;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return if rest.is_empty() { Ok(PrimitiveDateTime::new(date, Time::MIDNIGHT)) } else { Err(FORM) };
    };
    let (time, offset) = split_offset(rest)?;
    let forms: [&[BorrowedFormatItem<'_>]; 3] = [
        format_description!("[hour]:[minute]"),
        format_description!("[hour]:[minute]:[second]"),
        format_description!("[hour]:[minute]:[second].[subsecond]"),
    ];
    let time = forms.iter().find_map(|form| Time::parse(time.trim_end(), form).ok()).ok_or(FORM)?;
    let written = PrimitiveDateTime::new(date, time);
    Ok(match offset {
        None => written,
        Some(offset) => {
            let utc = written.assume_offset(offset).to_offset(UtcOffset::UTC);
            let utc = local_time(utc);
            local_time(utc.assume_utc().to_offset(zone(utc)))
        }
    })
}

/// The time of day, and what stands behind it.
fn split_offset(text: &str) -> Result<(&str, Option<UtcOffset>), &'static str> {
    if let Some(time) = ["Z", "z", " UTC"].iter().find_map(|utc| text.strip_suffix(utc)) {
        return Ok((time, Some(UtcOffset::UTC)));
    }
    let Some(sign) = text.find(['+', '-']) else { return Ok((text, None)) };
    let (time, offset) = text.split_at(sign);
    let forms: [&[BorrowedFormatItem<'_>]; 3] = [
        format_description!("[offset_hour sign:mandatory]:[offset_minute]"),
        format_description!("[offset_hour sign:mandatory][offset_minute]"),
        format_description!("[offset_hour sign:mandatory]"),
    ];
    let offset = forms.iter().find_map(|form| UtcOffset::parse(offset, form).ok());
    offset.map(|offset| (time, Some(offset))).ok_or(FORM)
}

#[cfg(test)]
mod tests {
    use time::macros::{datetime, offset};

    use super::*;

    #[test]
    fn instants_are_read_as_people_write_them() {
        // A zone with summer time.
        let zone = |utc: PrimitiveDateTime| {
            if (datetime!(2025-03-30 01:00)..datetime!(2025-10-26 01:00)).contains(&utc) {
                offset!(+2)
            } else {
                offset!(+1)
            }
        };
        for (text, expected) in [
            ("2025-01-29", Some(datetime!(2025-01-29 00:00))),
            ("2025-01-29 14:00", Some(datetime!(2025-01-29 14:00))),
            (" 2025-01-29T14:00:30 ", Some(datetime!(2025-01-29 14:00:30))),
            ("2025-01-29 14:00Z", Some(datetime!(2025-01-29 15:00))),
            ("2025-01-29 14:00 UTC", Some(datetime!(2025-01-29 15:00))),
            ("2025-07-29T14:00:00Z", Some(datetime!(2025-07-29 16:00))),
            ("2025-01-29T14:00:00.5+01:00", Some(datetime!(2025-01-29 14:00:00.5))),
            ("2025-01-29 23:30 -0330", Some(datetime!(2025-01-30 04:00))),
            ("2025-01-29 14:00 +09", Some(datetime!(2025-01-29 06:00))),
            ("29.1.2025", None),
            ("2025-02-30", None),
            ("2025-01-29x", None),
            ("2025-01-29 25:00", None),
            ("2025-01-29 14:00 CET", None),
            ("2025-01-29 14:00 +99:00", None),
            ("yesterday", None),
            ("", None),
            ("2025-01-2é", None),
        ] {
            assert_eq!(read_at(text, zone).ok(), expected, "{text}");
        }
    }
}
