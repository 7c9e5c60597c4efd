//! The name of a database, as PostgreSQL knows it and as keys spell it.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::KeyError;

/// PostgreSQL cuts names at this many bytes (`NAMEDATALEN`).
const LONGEST_NAME: usize = 63;

/// The name of a database, whatever characters it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseName(String);

impl DatabaseName {
    /// The name as PostgreSQL knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with plain letters behind it: of a long name as much as leaves room for them.
    #[must_use]
    pub fn with_tail(&self, tail: &str) -> Self {
        let most = LONGEST_NAME.saturating_sub(tail.len());
        Self(format!("{}{tail}", &self.0[..self.0.floor_char_boundary(most)]))
    }

    /// The name as keys spell it: letters, digits, `.`, `_` and `-` as they are, every other byte as `%XX`, so that it
    /// reads back exactly, never holds a slash, and means the same to every store.
    pub(super) fn escaped(&self) -> String {
        let mut escaped = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
                escaped.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
        escaped
    }

    /// Reads back what [`DatabaseName::escaped`] wrote, and nothing else.
    pub(super) fn unescape(escaped: &str) -> Option<Self> {
        let mut bytes = Vec::with_capacity(escaped.len());
        let mut rest = escaped.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                plain => plain,
            });
        }
        let name: Self = String::from_utf8(bytes).ok()?.parse().ok()?;
        (name.escaped() == escaped).then_some(name)
    }
}

impl FromStr for DatabaseName {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text {
            "" => Err(KeyError::EmptyDatabase),
            _ if text.len() > LONGEST_NAME => Err(KeyError::LongDatabase),
            _ if text.contains(['\n', '\r', '\0']) => Err(KeyError::UnusableDatabase),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_something_behind_it_is_still_a_name() {
        for (name, expected) in [
            ("shop".to_owned(), "shop_restored".to_owned()),
            ("x".repeat(54), "x".repeat(54) + "_restored"),
            ("x".repeat(63), "x".repeat(54) + "_restored"),
            // Two bytes each: the 54th would be half of one.
            (format!("x{}", "ж".repeat(31)), format!("x{}_restored", "ж".repeat(26))),
        ] {
            let name: DatabaseName = name.parse().unwrap();
            assert_eq!(name.with_tail("_restored").as_str(), expected);
        }
    }
}
