//! The variables a tool was started with, and the `.env` file that fills in what they leave open.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::ALL;

/// The variables of a process, or of a test.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// A `.env` file, read to its end.
#[derive(Debug)]
pub struct EnvFile {
    /// Names and values, in the order of the lines.
    pub variables: Vec<(String, String)>,
    /// What is wrong with it, if anything. The lines that are right are among the variables all the same: they may say whom
    /// to tell.
    pub wrong: Option<EnvFileError>,
}

/// Why a `.env` file could not be used. Never quotes a line: it may hold a password.
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
    /// Some of its lines cannot be used.
    #[error("{}", lines(path, mistakes))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The lines, from 1, and what is wrong with each.
        mistakes: Vec<(usize, Mistake)>,
    },
}

/// What is wrong with a line of a `.env` file.
#[derive(Debug, thiserror::Error)]
pub enum Mistake {
    /// It is not text.
    #[error("is not UTF-8 text")]
    NotText,
    /// It is not `NAME=value`.
    #[error("expected NAME=value")]
    NoName,
    /// The quotes of the value do not match, or a blank in it is not within quotes.
    #[error("cannot read the value of {0}: put it in single quotes, {0}='...' (and a ' in it as '\\'')")]
    Value(String),
    /// A `$` outside single quotes would be replaced by the value of another variable.
    #[error(
        "{0} holds a $ outside single quotes, which would be replaced by another variable's value: write {0}='...' (and a ' \
         in it as '\\'')"
    )]
    Dollar(String),
}

fn lines(path: &Path, mistakes: &[(usize, Mistake)]) -> String {
    let lines = mistakes.iter().map(|(line, mistake)| format!("{}, line {line}: {mistake}", path.display()));
    lines.collect::<Vec<_>>().join("\n")
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

    /// Sets what is not set; of what is given twice, the last. Says whether that changed anything.
    ///
    /// A secret that is set here, by its value or by the name of a file, is set: the other way of giving it does not come in.
    pub fn fill_in(&mut self, variables: impl IntoIterator<Item = (String, String)>) -> bool {
        let given: BTreeMap<String, String> = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let missing = given.into_iter().filter(|(name, _)| {
            self.get(name).is_none() && other_way(name).is_none_or(|other| self.get(&other).is_none())
        });
        let missing: Vec<_> = missing.map(|(name, value)| (name.into(), value.into())).collect();
        let changed = !missing.is_empty();
        self.0.extend(missing);
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
    pub fn read_file(path: &Path, ours: impl Fn(&str) -> bool) -> EnvFile {
        let path = path.to_owned();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => {
                return EnvFile { variables: Vec::new(), wrong: Some(EnvFileError::Unreadable { path, source }) };
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let is_text = |entry: &str| std::str::from_utf8(&bytes).is_ok() || !entry.contains(char::REPLACEMENT_CHARACTER);
        let (mut variables, mut mistakes, mut line) = (Vec::new(), Vec::new(), 1);
        for entry in entries(text.strip_prefix('\u{feff}').unwrap_or(&text)) {
            match if is_text(entry) { variable(entry, &ours) } else { Err(Mistake::NotText) } {
                Ok(variable) => variables.extend(variable),
                Err(mistake) => mistakes.push((line, mistake)),
            }
            line += memchr::memchr_iter(b'\n', entry.as_bytes()).count();
        }
        let wrong = (!mistakes.is_empty()).then_some(EnvFileError::Malformed { path, mistakes });
        EnvFile { variables, wrong }
    }
}

/// The other variable that may give the same secret: `DB_PASSWORD_FILE` for `DB_PASSWORD`, and the other way round.
fn other_way(name: &str) -> Option<String> {
    let is_secret = |name: &str| ALL.iter().any(|setting| setting.secret && setting.name == name);
    match name.strip_suffix("_FILE") {
        Some(direct) => is_secret(direct).then(|| direct.to_owned()),
        None => is_secret(name).then(|| format!("{name}_FILE")),
    }
}

/// The variable that an entry sets; a comment sets none.
fn variable(entry: &str, ours: impl Fn(&str) -> bool) -> Result<Option<(String, String)>, Mistake> {
    let name = name_of(entry);
    if let Some(name) = name.filter(|name| ours(name) && expands(entry)) {
        return Err(Mistake::Dollar(name.to_owned()));
    }
    let entry = backslashes_unquoted(entry);
    let mut parsed = dotenvy::from_read_iter(entry.as_bytes());
    match (parsed.next(), parsed.next()) {
        (None, None) => Ok(None),
        (Some(Ok(variable)), None) => Ok(Some(variable)),
        _ => Err(name.map_or(Mistake::NoName, |name| Mistake::Value(name.to_owned()))),
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
        let EnvFile { variables, wrong } = Environment::read_file(file.path(), |name| name.starts_with("DB_"));
        match wrong {
            None => Ok(variables),
            Some(wrong) => Err(wrong.to_string().replace(&file.path().display().to_string(), "FILE")),
        }
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
            (
                b"hunter2\nA=1\nDB_A=a hunter2\n",
                "FILE, line 1: expected NAME=value\nFILE, line 3: cannot read the value of DB_A",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let missing = Environment::read_file(Path::new("/no/such/file"), |_| true).wrong.unwrap();
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
    fn lines_that_are_right_count_beside_others() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"# caf\xe9\nA=\xef\xbf\xbd1\nB=1 2\nC=3\n").unwrap();
        let read = Environment::read_file(file.path(), |_| true);
        assert_eq!(read.variables, [("C".to_owned(), "3".to_owned())]);
        assert!(matches!(read.wrong, Some(EnvFileError::Malformed { mistakes, .. }) if mistakes.len() == 3));
    }

    #[test]
    fn a_secret_that_is_set_in_one_way_is_not_set_in_the_other() {
        for (set, other) in [("DB_PASSWORD", "DB_PASSWORD_FILE"), ("DB_PASSWORD_FILE", "DB_PASSWORD")] {
            let mut environment = Environment([(set.into(), "x".into())].into());
            assert!(!environment.fill_in([(other.to_owned(), "y".to_owned())]), "{other}");
            // Both in the file: a contradiction, which is told.
            let both = [(set.to_owned(), "x".to_owned()), (other.to_owned(), "y".to_owned())];
            environment = Environment::default();
            environment.fill_in(both);
            assert_eq!(environment.iter().count(), 2);
        }
    }

    #[test]
    fn of_what_is_given_twice_the_last_counts() {
        let mut environment = Environment::default();
        environment.fill_in(["1", "2", ""].map(|value| ("A".to_owned(), value.to_owned())));
        assert_eq!(environment.get("A"), Some(OsStr::new("2")));
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
