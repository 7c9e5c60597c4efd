//! When a line of the schedule runs: crontab(5), as Debian's cron reads it.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::field::{DAY, HOUR, MINUTE, MONTH, WEEKDAY};

/// Words that stand for five fields; `@reboot`, for none.
const WORDS: [(&str, &str); 8] = [
    ("@reboot", ""),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The minutes at which a line runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct When {
    minutes: BTreeSet<u32>,
    hours: BTreeSet<u32>,
    days: BTreeSet<u32>,
    months: BTreeSet<u32>,
    weekdays: BTreeSet<u32>,
    /// Where both kinds of day are named, either is enough.
    either_day: bool,
}

impl When {
    /// Reads five fields, or a word that stands for them; or says what is wrong.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text.starts_with('@') {
            let word = WORDS.iter().find(|(word, _)| *word == text);
            return match word {
                None => Err(format!("{text} is no word that cron knows")),
                Some((_, "")) => Ok(Self::default()),
                Some((_, fields)) => Self::read(fields),
            };
        }
        let [minute, hour, day, month, weekday] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err("must be: minute hour day month weekday user command".to_owned());
        };
        let when = Self {
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            // Sunday is 0 and 7.
            weekdays: WEEKDAY.read(weekday)?.into_iter().map(|day| day % 7).collect(),
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        let longest = |month: &u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        // With a weekday beside it, cron takes either.
        if weekday == "*" && when.days.first() > when.months.iter().map(longest).max().as_ref() {
            return Err(format!("day {day} of month {month} never comes"));
        }
        Ok(when)
    }

    /// Whether the line runs in this minute, by the local time that is given.
    pub(crate) fn is_at(&self, local: OffsetDateTime) -> bool {
        let day = self.days.contains(&u32::from(local.day()));
        let weekday = self.weekdays.contains(&u32::from(local.weekday().number_days_from_sunday()));
        self.minutes.contains(&u32::from(local.minute()))
            && self.hours.contains(&u32::from(local.hour()))
            && self.months.contains(&u32::from(u8::from(local.month())))
            && if self.either_day { day || weekday } else { day && weekday }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_line_runs_when_cron_runs_it() {
        // A Wednesday; and the Sunday after it.
        let (wednesday, sunday) = (datetime!(2025-01-29 02:00:30 +01:00), datetime!(2025-02-02 03:00 +01:00));
        for (text, at_wednesday, at_sunday) in [
            ("0 2 * * *", true, false),
            ("* * * * *", true, true),
            ("0 3 * * 0", false, true),
            ("0 3 * * 7", false, true),
            ("0 3 * * sun", false, true),
            ("0 * * * *", true, true),
            ("30 * * * *", false, false),
            ("0 2 29 1 *", true, false),
            // Either of the two days; but both where one begins with a star.
            ("0 * 29 * 0", true, true),
            ("0 * */2 * 0", false, false),
            ("0 * */2 * 3", true, false),
            ("@hourly", true, true),
            ("@daily", false, false),
            ("@reboot", false, false),
        ] {
            let when = When::read(text).unwrap();
            assert_eq!((when.is_at(wednesday), when.is_at(sunday)), (at_wednesday, at_sunday), "{text}");
        }
    }
}
