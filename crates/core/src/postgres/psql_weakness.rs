//! Which versions of `psql` run shell commands that somebody hid in a dump (CVE-2026-18408).
//!
//! A plain dump keeps `psql` from obeying commands in its data by `\restrict`; these versions run what stands between
//! backticks behind `\unrestrict` all the same. Whoever can write to the store could so run commands where a backup is
//! restored.

use super::Version;

/// The first release of each major version that does not. Older major versions get no more releases.
const MENDED: [(u32, u32); 5] = [(14, 24), (15, 19), (16, 15), (17, 11), (18, 6)];

/// The first release of each major version that knows `\restrict`.
const RESTRICTING: [(u32, u32); 6] = [(13, 22), (14, 19), (15, 14), (16, 10), (17, 6), (18, 0)];

/// Whether this version of `psql` can be kept from obeying commands in what it reads (`\restrict`).
pub(super) fn restricts(psql: &Version) -> bool {
    let newest = RESTRICTING[RESTRICTING.len() - 1].0;
    match RESTRICTING.iter().find(|(major, _)| *major == psql.major) {
        Some((_, minor)) => psql.minor().is_some_and(|has| has >= *minor),
        None => psql.major > newest,
    }
}

/// The release to update to, where this version of `psql` runs such commands.
pub fn mended_psql(psql: &Version) -> Option<String> {
    let (oldest, newest) = (MENDED[0], MENDED[MENDED.len() - 1]);
    let (major, minor) = match MENDED.iter().find(|(major, _)| *major == psql.major) {
        Some(mended) => *mended,
        None if psql.major > newest.0 => return None,
        None => oldest,
    };
    let is_mended = psql.major == major && psql.minor().is_some_and(|has| has >= minor);
    (!is_mended).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_restricts_since_the_release_that_brought_it() {
        for (version, restricting) in [
            ("15.13", false),
            ("15.14", true),
            ("12.22", false),
            ("13.22", true),
            ("18.0", true),
            ("18beta1", false),
            ("19beta1", true),
        ] {
            assert_eq!(restricts(&Version::parse(version).unwrap()), restricting, "{version}");
        }
    }

    #[test]
    fn a_version_is_weak_until_the_release_that_mends_it() {
        for (version, mended) in [
            ("15.18 (Debian 15.18-0+deb12u1)", Some("15.19")),
            ("15.19", None),
            ("15.20", None),
            ("14.23", Some("14.24")),
            ("18beta1", Some("18.6")),
            ("18.6", None),
            ("13.22", Some("14.24")),
            ("9.6.24", Some("14.24")),
            ("19beta2", None),
            ("20.0", None),
        ] {
            let found = mended_psql(&Version::parse(version).unwrap());
            assert_eq!(found.as_deref(), mended, "{version}");
        }
    }
}
