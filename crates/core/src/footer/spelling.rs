//! Bytes of a dump ↔ text that a person, JSON and a mail can carry.
//!
//! A dump is bytes in the encoding of its database, which need not be UTF-8, and a name may hold any of them but NUL.

use std::fmt::Write;

/// The bytes as text, reversibly: valid UTF-8 stays, a backslash is doubled, newline, carriage return and tab become
/// `\n`, `\r` and `\t`, and every byte of another control character or of broken UTF-8 becomes `\xNN`.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_control() => escape_bytes(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => text.push(c),
            }
        }
        escape_bytes(&mut text, chunk.invalid());
    }
    text
}

fn escape_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescape(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            let (byte, used) = match (first, tail.first()) {
                (b'\\', Some(b'x')) => (u8::from_str_radix(str::from_utf8(&tail[1..3]).unwrap(), 16).unwrap(), 4),
                (b'\\', Some(b'n')) => (b'\n', 2),
                (b'\\', Some(b'r')) => (b'\r', 2),
                (b'\\', Some(b't')) => (b'\t', 2),
                (b'\\', _) => (b'\\', 2),
                (other, _) => (other, 1),
            };
            bytes.push(byte);
            rest = &rest[used..];
        }
        bytes
    }

    #[test]
    fn names_stay_readable() {
        for (bytes, text) in [
            (&b"public.orders"[..], "public.orders"),
            ("public.\"Größe\"".as_bytes(), "public.\"Größe\""),
            (b"\"a\nb\\c\td\re\"", r#""a\nb\\c\td\re""#),
            (b"\"gr\xf6\xdfe\"", r#""gr\xf6\xdfe""#),
            (b"\x1b[31m\x7f", r"\x1b[31m\x7f"),
            ("\u{85}".as_bytes(), r"\xc2\x85"),
        ] {
            assert_eq!(escape(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "[\\\\xntr0-9a\n\t\u{0}-\u{ff}]{0,20}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let escaped = escape(bytes);
                prop_assert!(!escaped.chars().any(char::is_control));
                prop_assert_eq!(unescape(&escaped), bytes);
            }
        }
    }
}
