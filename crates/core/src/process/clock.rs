//! The one clock: local time of the container.

use std::path::Path;

use time::OffsetDateTime;

/// Now, in local time.
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc())
}

/// What is wrong with `TZ`, if anything: the C library takes an unknown name for UTC without a word.
pub fn zone_problem(tz: Option<&str>) -> Option<String> {
    let name = tz?.strip_prefix(':').unwrap_or(tz?);
    // A zone spelled out by POSIX rules (`CET-1CEST`, `CET-1CEST,M3.5.0,M10.5.0/3`) holds digits after its letters and needs no file.
    let spelled_out = name.contains(|c: char| c.is_ascii_digit()) && (!name.contains('/') || name.contains(','));
    let known = ["UTC", ""].contains(&name) || spelled_out || zone_file(name).is_file();
    (!known).then(|| format!("TZ={name} is not a time zone known here: all times are UTC"))
}

fn zone_file(name: &str) -> std::path::PathBuf {
    match name.strip_prefix('/') {
        Some(_) => name.into(),
        None => Path::new("/usr/share/zoneinfo").join(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_zone_is_noticed() {
        for good in [None, Some("UTC"), Some("CET-1CEST"), Some("CET-1CEST,M3.5.0,M10.5.0/3"), Some(":UTC")] {
            assert_eq!(zone_problem(good), None);
        }
        assert!(zone_problem(Some("Europe/Nowhere")).is_some_and(|text| text.contains("Europe/Nowhere")));
    }
}
