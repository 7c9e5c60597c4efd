//! How a shell writes a word, for the command lines that people are given to paste.

use std::borrow::Cow;

/// As `sh` writes a word: as it is, where nothing in it means anything to a shell, else within single quotes.
pub fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_what_a_shell_would_take_for_its_own_is_quoted() {
        for (text, expected) in [
            ("s3://shop/db-backups/daily/a%20b_1.sql.gz", "s3://shop/db-backups/daily/a%20b_1.sql.gz"),
            ("", "''"),
            ("a b", "'a b'"),
            ("~/x", "'~/x'"),
            ("Ünï\"c'ode", r#"'Ünï"c'\''ode'"#),
        ] {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn a_shell_reads_back_what_was_written() {
        for text in ["Ünï\"c'ode %s <b>", "$HOME `id` $(id) \\", "#x;y&z|*?[]{}!", "'", "a\nb", "\t"] {
            let said = Command::new("sh").args(["-c", &format!("printf %s {}", word(text))]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&said.stdout), text);
        }
    }
}
