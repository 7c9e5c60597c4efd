//! The variables a tool was started with, and the `.env` file that fills in what they leave open.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The variables of a process, or of a test.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// Why a `.env` file could not be used. Never quotes the line: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// The file could not be read.
    #[error("cannot read the settings file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not text.
    #[error("{}, line {line}: is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first bad line, from 1.
        line: usize,
    },
    /// A line is not `NAME=value`, or its quotes do not match.
    #[error("{}, line {line}: {}", path.display(), malformed(name.as_deref()))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The name before the equals sign, if there is one.
        name: Option<String>,
    },
    /// A `$` outside single quotes would be replaced by the value of another variable.
    #[error(
        "{}, line {line}: {name} holds a $ outside single quotes, which would be replaced by another variable's value: \
         write {name}='...' (and a ' in it as '\\'')",
        path.display()
    )]
    Dollar {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The variable.
        name: String,
    },
}

fn malformed(name: Option<&str>) -> String {
    match name {
        Some(name) => {
            format!("cannot read the value of {name}: put it in single quotes, {name}='...' (and a ' in it as '\\'')")
        }
        None => "expected NAME=value".to_owned(),
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl Environment {
    /// The variables of this process.
    pub fn of_this_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable. Empty means unset: compose passes `NAME=` so.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Sets what is not set. Says whether that changed anything.
    pub fn fill_in(&mut self, variables: impl IntoIterator<Item = (String, String)>) -> bool {
        let mut changed = false;
        for (name, value) in variables {
            if self.get(&name).is_none() && !value.is_empty() {
                self.0.insert(name.into(), value.into());
                changed = true;
            }
        }
        changed
    }

    /// Takes a variable away, and gives its value.
    pub fn remove(&mut self, name: &str) -> Option<OsString> {
        self.0.remove(OsStr::new(name))
    }

    /// Removes empty variables whose names start so, for libraries that do not take empty as unset. Says whether there
    /// were any.
    pub fn drop_empty(&mut self, prefix: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|name, value| !value.is_empty() || !name.to_string_lossy().starts_with(prefix));
        self.0.len() != before
    }

    /// All variables, for a process to be started with.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Reads a `.env` file into names and values.
    ///
    /// `ours` says which names are settings of this system: in those, a `$` outside single quotes is an error, because
    /// dotenvy and compose would replace it in silence and a password would arrive changed. The file may belong to the
    /// application too, whose variables may use the expansion.
    pub fn read_file(path: &Path, ours: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, EnvFileError> {
        let bytes = std::fs::read(path).map_err(|source| EnvFileError::Unreadable { path: path.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            EnvFileError::NotText { path: path.to_owned(), line: 1 + memchr::memchr_iter(b'\n', good).count() }
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut variables = Vec::new();
        let mut line = 1;
        for entry in entries(text) {
            let name = name_of(entry);
            if let Some(name) = name.filter(|name| ours(name) && expands(entry)) {
                return Err(EnvFileError::Dollar { path: path.to_owned(), line, name: name.to_owned() });
            }
            let entry_for_dotenvy = backslashes_unquoted(entry);
            let mut parsed = dotenvy::from_read_iter(entry_for_dotenvy.as_bytes());
            match (parsed.next(), parsed.next()) {
                (None, None) => {}
                (Some(Ok(variable)), None) => variables.push(variable),
                _ => {
                    return Err(EnvFileError::Malformed { path: path.to_owned(), line, name: name.map(str::to_owned) });
                }
            }
            line += memchr::memchr_iter(b'\n', entry.as_bytes()).count();
        }
        Ok(variables)
    }
}

/// Cuts the text into entries: lines, except that a quoted value may go on over several.
fn entries(text: &str) -> Vec<&str> {
    let mut entries = Vec::new();
    let (mut start, mut quotes) = (0, Quotes::default());
    for (at, byte) in text.bytes().enumerate() {
        quotes.pass(byte);
        if byte == b'\n' && quotes.open.is_none() {
            entries.push(&text[start..=at]);
            (start, quotes) = (at + 1, Quotes::default());
        }
    }
    if start < text.len() {
        entries.push(&text[start..]);
    }
    entries
}

fn name_of(entry: &str) -> Option<&str> {
    let (name, _) = entry.split_once('=')?;
    let name = name.trim().strip_prefix("export ").unwrap_or(name).trim();
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))).then_some(name)
}

/// Whether the entry holds a `$` that stands for something else: outside single quotes and comments, not escaped.
fn expands(entry: &str) -> bool {
    let mut quotes = Quotes::default();
    entry.bytes().any(|byte| {
        let plain = quotes.open == Some(b'\'') || quotes.escaped || quotes.comment;
        quotes.pass(byte);
        byte == b'$' && !plain
    })
}

/// The same entry with every backslash outside single quotes, escaped. Inside, dotenvy takes it as it is for the value but
/// not when it looks for the end of the line, so that a password that ends in one could not be written at all.
fn backslashes_unquoted(entry: &str) -> String {
    let mut quotes = Quotes::default();
    let mut rewritten = String::with_capacity(entry.len());
    for c in entry.chars() {
        if c == '\\' && quotes.open == Some(b'\'') {
            rewritten.push_str("'\\\\'");
        } else {
            rewritten.push(c);
        }
        // Nothing beyond ASCII has a meaning here.
        quotes.pass(u8::try_from(c).unwrap_or(u8::MAX));
    }
    rewritten
}

/// Where we are between quotes, byte by byte, by the rules of dotenvy: no escapes inside single quotes, and a comment
/// where a `#` follows a blank.
struct Quotes {
    open: Option<u8>,
    escaped: bool,
    comment: bool,
    after_blank: bool,
}

impl Default for Quotes {
    /// The start of a line.
    fn default() -> Self {
        Self { open: None, escaped: false, comment: false, after_blank: true }
    }
}

impl Quotes {
    fn pass(&mut self, byte: u8) {
        match (self.open, byte) {
            _ if self.comment => {}
            _ if self.escaped => self.escaped = false,
            (None, b'#') if self.after_blank => self.comment = true,
            (None | Some(b'"'), b'\\') => self.escaped = true,
            (None, b'\'' | b'"') => self.open = Some(byte),
            (Some(quote), _) if quote == byte => self.open = None,
            _ => {}
        }
        self.after_blank = byte.is_ascii_whitespace();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(text: &[u8]) -> Result<Vec<(String, String)>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        Environment::read_file(file.path(), |name| name.starts_with("DB_"))
            .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
    }

    #[test]
    fn values_arrive_as_written() {
        for (text, expected) in [
            ("DB_A=plain", "plain"),
            ("export DB_A=plain # comment with $word", "plain"),
            ("DB_A='pa$s#w \"o\" \\rd'", "pa$s#w \"o\" \\rd"),
            ("DB_A='it'\\''s'", "it's"),
            ("DB_A=\"a b\"", "a b"),
            ("DB_A=\"a\\$b\"", "a$b"),
            ("DB_A=a\r\n", "a"),
            ("\u{feff}DB_A=bom", "bom"),
            ("DB_A='two\nlines'\n", "two\nlines"),
            ("# it's a comment\nDB_A=x", "x"),
            ("DB_A=x # it's a comment\n# and so is this", "x"),
            ("DB_A='ends in \\' # it's", "ends in \\"),
            ("DB_A='a\\'\\''\\\\b'", "a\\'\\\\b"),
            ("# пароль: it's\n# é\nDB_A='№ \u{1f511}é'", "№ \u{1f511}é"),
            ("\n\n  \nDB_A=x", "x"),
        ] {
            assert_eq!(read(text.as_bytes()), Ok(vec![("DB_A".to_owned(), expected.to_owned())]), "{text:?}");
        }
        assert_eq!(read(b"URL=x/${HOME_THAT_IS_NOT_SET}/y"), Ok(vec![("URL".to_owned(), "x//y".to_owned())]));
    }

    #[test]
    fn mistakes_name_their_line_and_never_the_value() {
        for (text, expected) in [
            (&b"A=1\nDB_A=hunter2 or more"[..], "FILE, line 2: cannot read the value of DB_A"),
            (b"A='x\ny'\nDB_A=\"hunter2", "FILE, line 3: cannot read the value of DB_A"),
            (b"A=1\n\nhunter2 hunter2", "FILE, line 3: expected NAME=value"),
            (b"A=1\nDB_A=hunter2$x", "FILE, line 2: DB_A holds a $ outside single quotes"),
            (b"DB_A=\"hunter2$x\"", "FILE, line 1: DB_A holds a $ outside single quotes"),
            (b"A=1\nB=\xff\n", "FILE, line 2: is not UTF-8 text"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let missing = Environment::read_file(Path::new("/no/such/file"), |_| true).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read the settings file /no/such/file");
    }

    #[test]
    fn a_file_fills_in_and_never_overrides() {
        let mut environment = Environment::default();
        assert!(environment.fill_in([("A".into(), "1".into()), ("B".into(), String::new())]));
        assert!(!environment.fill_in([("A".into(), "2".into())]));
        assert_eq!(environment.get("A"), Some(OsStr::new("1")));
        assert_eq!(environment.get("B"), None);
    }

    #[test]
    fn empty_means_unset() {
        let mut environment = Environment([("AWS_PROFILE".into(), "".into()), ("X".into(), "".into())].into());
        assert_eq!(environment.get("X"), None);
        assert!(environment.drop_empty("AWS_"));
        assert!(!environment.drop_empty("AWS_"));
        assert_eq!(environment.iter().count(), 1);
        assert!(environment.fill_in([("X".into(), "now".into())]));
    }
}
