//! Figures as people read them: sizes, counts, durations and instants, and how they changed.
//!
//! Rounded for reading, so that no program should read them back; where the exact value matters it stands beside.

use std::time::Duration;

use bytesize::ByteSize;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// `182.4 MiB`.
pub fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// `191,234,567 bytes`.
pub fn exact_bytes(bytes: u64) -> String {
    counted(bytes, "byte")
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 table`, `1,234 tables`: how many there are of something whose plural ends in `s`.
pub fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `1 min 12 s`, `2 h 5 min`, `3 days`: the two largest units, cut rather than rounded, so that an age never reads
/// older than it is. Below one second in milliseconds.
pub fn duration(span: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "day"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = span.as_secs();
    let Some(largest) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
        return format!("{} ms", span.as_millis());
    };
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, name) in UNITS.iter().skip(largest).take(2) {
        let amount = rest / unit;
        rest %= unit;
        if amount > 0 {
            let plural = if *name == "day" && amount > 1 { "s" } else { "" };
            parts.push(format!("{amount} {name}{plural}"));
        }
    }
    parts.join(" ")
}

/// `Wed 2025-01-29 02:00:00 +00:00`, in the offset that the instant carries.
pub fn instant(at: OffsetDateTime) -> String {
    let form = format_description!(
        "[weekday repr:short] [year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory]:[offset_minute]"
    );
    // The description names no component that an instant could lack; the instant's own form is there all the same.
    at.format(form).unwrap_or_else(|_| at.to_string())
}

/// `2025-01-29 02:00:00`: a local time without its offset, as keys have it.
pub fn local(at: PrimitiveDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.format(form).unwrap_or_else(|_| at.to_string())
}

/// `public.a, public.b and 3 more`: so many of them are named.
pub fn names(all: &[String], named: usize) -> String {
    let shown = all.iter().take(named).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(named) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `+1.2 MiB (+0.7 %)`, `-40 (-50.0 %)`, `no change`: how a figure moved, shown in its own unit.
pub fn change(before: u64, now: u64, show: fn(u64) -> String) -> String {
    if now == before {
        return "no change".to_owned();
    }
    let sign = if now > before { '+' } else { '-' };
    let moved = now.abs_diff(before);
    if before == 0 {
        return format!("{sign}{}", show(moved));
    }
    format!("{sign}{} ({sign}{:.1} %)", show(moved), moved as f64 * 100.0 / before as f64)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn counts_have_separators_every_three_digits() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), expected);
        }
        assert_eq!((exact_bytes(1), exact_bytes(1_234)), ("1 byte".to_owned(), "1,234 bytes".to_owned()));
    }

    #[test]
    fn durations_name_their_two_largest_units() {
        for (millis, expected) in [
            (0, "0 ms"),
            (340, "340 ms"),
            (1_000, "1 s"),
            (72_900, "1 min 12 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"),
            (86_400_000, "1 day"),
            (93_599_000, "1 day 1 h"),
            (259_200_000, "3 days"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn changes_carry_their_sign_in_the_figure_and_in_percent() {
        assert_eq!(change(80, 40, count), "-40 (-50.0 %)");
        assert_eq!(change(1_000, 1_007, count), "+7 (+0.7 %)");
        assert_eq!(change(0, 5, count), "+5");
        assert_eq!(change(5, 5, count), "no change");
        assert_eq!(change(1 << 20, 3 << 20, size), "+2.0 MiB (+200.0 %)");
    }

    #[test]
    fn names_beyond_so_many_are_counted() {
        let all = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(names(&all, 3), "a, b, c");
        assert_eq!(names(&all, 2), "a, b and 1 more");
    }

    #[test]
    fn instants_name_weekday_and_offset() {
        assert_eq!(instant(datetime!(2025-01-29 02:00:09 +03:30)), "Wed 2025-01-29 02:00:09 +03:30");
        assert_eq!(local(datetime!(2025-01-29 02:00:09)), "2025-01-29 02:00:09");
    }
}
