//! The five fields that say when: crontab(5), as Debian's cron reads them.

use std::collections::BTreeSet;

/// One of the five.
#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

pub(crate) const MINUTE: Field = Field { name: "minute", first: 0, last: 59, names: &[] };
pub(crate) const HOUR: Field = Field { name: "hour", first: 0, last: 23, names: &[] };
pub(crate) const DAY: Field = Field { name: "day of the month", first: 1, last: 31, names: &[] };
pub(crate) const MONTH: Field = Field {
    name: "month",
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// Sunday is 0 and 7.
pub(crate) const WEEKDAY: Field =
    Field { name: "day of the week", first: 0, last: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Field {
    /// The values that the text stands for, or what is wrong with it.
    pub(crate) fn read(&self, text: &str) -> Result<BTreeSet<u32>, String> {
        let Self { name, first, last, .. } = self;
        let parts = text.split(',').map(|part| self.part(part));
        let values: Option<BTreeSet<u32>> =
            parts.collect::<Option<Vec<_>>>().map(|sets| sets.concat().into_iter().collect());
        values.ok_or_else(|| format!("the {name} is `{text}`: must be {first} to {last}, *, a range, a list or a step"))
    }

    fn part(&self, text: &str) -> Option<Vec<u32>> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (text, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.first, self.last),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            // A step needs something to walk along.
            None if step > 1 => return None,
            None => (self.value(range)?, self.value(range)?),
        };
        (from <= to).then(|| (from..=to).step_by(step).collect())
    }

    fn value(&self, text: &str) -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == lower) {
            return Some(self.first + at as u32);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse().ok().filter(|_| digits)?;
        (self.first..=self.last).contains(&value).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(field: &Field, text: &str) -> Vec<u32> {
        field.read(text).unwrap().into_iter().collect()
    }

    #[test]
    fn what_cron_takes() {
        assert_eq!(values(&HOUR, "2"), [2]);
        assert_eq!(values(&MINUTE, "*/20"), [0, 20, 40]);
        assert_eq!(values(&MINUTE, "5,10-12,58-59"), [5, 10, 11, 12, 58, 59]);
        assert_eq!(values(&WEEKDAY, "Sun"), [0]);
        assert_eq!(values(&WEEKDAY, "7"), [7]);
        assert_eq!(values(&MONTH, "jan-mar"), [1, 2, 3]);
    }

    #[test]
    fn what_cron_refuses() {
        for (field, text) in [
            (&MINUTE, "60"),
            (&HOUR, "24"),
            (&DAY, "0"),
            (&MONTH, "13"),
            (&WEEKDAY, "8"),
            (&HOUR, ""),
            (&HOUR, "-1"),
            (&HOUR, "+2"),
            (&HOUR, "5-2"),
            (&MINUTE, "*/0"),
            (&MINUTE, "5/10"),
            (&HOUR, "2,"),
            (&HOUR, "two"),
        ] {
            assert!(field.read(text).is_err(), "{text} passed as {}", field.name);
        }
    }
}
