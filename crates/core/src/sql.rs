//! How SQL writes what is not its own words.

/// As SQL writes a name.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// As SQL writes a text, whatever `standard_conforming_strings` says of backslashes.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_ends_a_name_or_a_text_before_its_end() {
        for (text, as_identifier, as_literal) in [
            ("orders", r#""orders""#, "'orders'"),
            ("", r#""""#, "''"),
            ("o'neill", r#""o'neill""#, "'o''neill'"),
            (r#"a "b""#, r#""a ""b""""#, r#"'a "b"'"#),
            (r"C:\'x", r#""C:\'x""#, r"E'C:\\''x'"),
        ] {
            assert_eq!(identifier(text), as_identifier);
            assert_eq!(literal(text), as_literal);
        }
    }
}
