//! The one reader of the environment: typed values out, every problem kept.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::str::FromStr;

use super::{ALL, Environment, Secret, Setting, password_in};

/// Reads settings and remembers what is wrong with them.
#[derive(Debug)]
pub struct Reader<'e> {
    environment: &'e Environment,
    problems: Vec<Problem>,
}

/// One thing that is wrong: the variable, why, and what would be right. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable as the operator wrote it.
    pub variable: String,
    /// What is wrong with it, to be read after its name.
    pub wrong: String,
    /// A line that would be right.
    pub example: String,
}

/// Everything that is wrong with the settings, in one message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The problems, in the order in which the settings are read.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "a setting is wrong, nothing was touched:")?,
            n => write!(f, "{n} settings are wrong, nothing was touched:")?,
        }
        for Problem { variable, wrong, example } in &self.problems {
            write!(f, "\n  {variable} {wrong}\n      for example {example}")?;
        }
        Ok(())
    }
}

impl<'e> Reader<'e> {
    /// A reader of these variables.
    pub fn new(environment: &'e Environment) -> Self {
        Self { environment, problems: Vec::new() }
    }

    /// The settings as a whole, once each of them has been read, or everything that is wrong.
    pub fn finish<T>(mut self, whole: impl FnOnce() -> Option<T>) -> Result<T, ConfigError> {
        self.problems.dedup();
        match whole() {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(ConfigError { problems: self.problems }),
        }
    }

    /// A setting that may be left out and has no default. `None`: left out, or wrong and noted.
    pub fn optional<T: FromStr<Err: fmt::Display>>(&mut self, setting: &Setting) -> Option<T> {
        let (variable, text) = self.text(setting)?;
        if text.trim().is_empty() {
            self.note(variable, "holds nothing but blanks", setting);
            return None;
        }
        match text.trim().parse() {
            Ok(value) => Some(value),
            Err(wrong) => {
                let shown = if setting.secret { String::new() } else { format!("is `{}`: ", shorten(&text)) };
                self.note(variable, format!("{shown}{wrong}"), setting);
                None
            }
        }
    }

    /// A setting that must be there, if only by its default. `None`: missing or wrong, and noted.
    pub fn required<T: FromStr<Err: fmt::Display>>(&mut self, setting: &Setting) -> Option<T> {
        let noted = self.problems.len();
        let value = self.optional(setting);
        if value.is_none() && self.problems.len() == noted {
            let wrong = match self.lookalike(setting) {
                Some(other) => format!("is not set ({other} is, which is not a setting)"),
                None => format!("is not set: {}", setting.meaning),
            };
            self.note(setting.name, wrong, setting);
        }
        value
    }

    /// A whole number within limits.
    pub fn number(&mut self, setting: &Setting, limits: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let (variable, text) = self.text(setting)?;
        match text.trim().parse() {
            Ok(number) if limits.contains(&number) => Some(number),
            _ => {
                let wrong = format!(
                    "is `{}`: must be a whole number from {} to {}",
                    shorten(&text),
                    limits.start(),
                    limits.end()
                );
                self.note(variable, wrong, setting);
                None
            }
        }
    }

    /// A yes or no.
    pub fn flag(&mut self, setting: &Setting) -> Option<bool> {
        let (variable, text) = self.text(setting)?;
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => {
                let wrong = format!("is `{}`: must be true or false (or yes, no, on, off, 1, 0)", shorten(&text));
                self.note(variable, wrong, setting);
                None
            }
        }
    }

    /// A length of time of at least one second: `90s`, `10m`, `12h`.
    pub fn duration(&mut self, setting: &Setting) -> Option<std::time::Duration> {
        let (variable, text) = self.text(setting)?;
        match humantime::parse_duration(text.trim()) {
            Ok(duration) if duration.as_secs() >= 1 => Some(duration),
            _ => {
                let wrong = format!("is `{}`: must be a number and a unit (s, m, h, d), at least 1s", shorten(&text));
                self.note(variable, wrong, setting);
                None
            }
        }
    }

    /// A secret: from its variable, or from the file that `NAME_FILE` names, less one newline at its end.
    pub fn secret(&mut self, setting: &Setting) -> Option<Secret> {
        let by_file = format!("{}_FILE", setting.name);
        let direct = self.text(setting);
        let Some(file) = self.environment.get(&by_file) else {
            return direct.map(|(_, text)| Secret::new(text));
        };
        let example = format!("{by_file}=/run/secrets/{}", setting.name.to_ascii_lowercase());
        // What is not there is told by reading it. From a pipe it could be read only once.
        let is_odd = std::fs::metadata(file).is_ok_and(|file| !file.is_file() && !file.is_dir());
        let read = if is_odd { Err(std::io::Error::other("it is no regular file")) } else { std::fs::read(file) };
        let wrong = match (direct, read) {
            (Some((variable, _)), _) if variable == setting.name => {
                format!("and {variable} are both set: leave one out")
            }
            (_, Err(error)) => format!("names a file that cannot be read: {error}"),
            (_, Ok(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => {
                    let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
                    match text {
                        "" => "names an empty file".to_owned(),
                        _ if text.contains(['\0', '\n']) => "names a file with more than one line".to_owned(),
                        _ => return Some(Secret::new(text.to_owned())),
                    }
                }
                Err(_) => "names a file that is not UTF-8 text".to_owned(),
            },
        };
        self.problems.push(Problem { variable: by_file, wrong, example });
        None
    }

    /// Notes a problem that only shows when settings are seen together.
    pub fn note(&mut self, variable: impl Into<String>, wrong: impl Into<String>, setting: &Setting) {
        let example = format!("{}={}", setting.name, setting.example);
        self.problems.push(Problem { variable: variable.into(), wrong: wrong.into(), example });
    }

    /// Whether something is wrong with this setting already: then it is not also missing.
    pub fn is_noted(&self, setting: &Setting) -> bool {
        self.problems.iter().any(|problem| setting.is_named(&problem.variable))
    }

    /// The variable that gives this setting its value, and the value: its own, a fallback's, or the default.
    fn text(&mut self, setting: &Setting) -> Option<(&'static str, String)> {
        let names = std::iter::once(setting.name).chain(setting.fallbacks.iter().copied());
        for name in names {
            if let Some(value) = self.environment.get(name).filter(|value| !is_link(name, value)) {
                let Some(text) = value.to_str() else {
                    self.note(name, "is not UTF-8 text", setting);
                    return None;
                };
                if text.as_bytes().contains(&0) {
                    self.note(name, "holds a NUL byte", setting);
                    return None;
                }
                return Some((name, text.to_owned()));
            }
        }
        setting.default.map(|default| (setting.name, default.to_owned()))
    }

    /// A variable that is set, is no setting, and is spelled nearly like this one.
    fn lookalike(&self, setting: &Setting) -> Option<String> {
        strangers(self.environment)
            .find(|name| is_near(name, setting.name) || is_cut(name, setting.name))
            .map(str::to_owned)
    }
}

/// What Kubernetes, and Docker's old links, set by themselves where a service is called `db`:
/// `DB_PORT=tcp://10.0.0.1:5432`. Nobody meant it as a setting.
fn is_link(name: &str, value: &OsStr) -> bool {
    let value = value.as_bytes();
    name.ends_with("_PORT") && [&b"tcp://"[..], b"udp://", b"sctp://"].iter().any(|scheme| value.starts_with(scheme))
}

/// What is set for a service beside that: `BACKUP_SERVICE_HOST`, `BACKUP_SERVICE_PORT_HTTP`, `BACKUP_PORT_80_TCP_ADDR`.
fn is_of_service(name: &str) -> bool {
    let is_port = |rest: &str| {
        let mut words = rest.split('_');
        words.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && words.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"))
            && matches!(words.next(), None | Some("ADDR" | "PORT" | "PROTO"))
            && words.next().is_none()
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.rsplit_once("_PORT_").is_some_and(|(_, rest)| is_port(rest))
}

/// The names of variables that somebody has set, and that are no settings of ours.
fn strangers(environment: &Environment) -> impl Iterator<Item = &str> {
    environment
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| name.to_str().filter(|name| !is_link(name, value) && !is_of_service(name)))
        .filter(|name| ALL.iter().all(|known| !known.is_named(name)))
}

/// One or two slips of the finger, in a name long enough for that to be no accident.
fn is_near(name: &str, of: &str) -> bool {
    of.len() >= 7 && strsim::damerau_levenshtein(name, of) <= 2
}

/// `S3_BUCKET` for `S3_BUCKET_NAME`: a whole word left out at the end.
fn is_cut(name: &str, of: &str) -> bool {
    name.len() >= 4 && of.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
}

/// Variables that look like settings of ours and are none: a typing mistake is worth a word.
pub fn misspelled(environment: &Environment) -> Vec<String> {
    strangers(environment)
        .filter_map(|name| {
            let near = ALL.iter().find(|known| is_near(name, known.name));
            match near {
                Some(known) => Some(format!("{name} is set, but is not a setting: is {} meant?", known.name)),
                None if name.starts_with("BACKUP_") || name.starts_with("HEALTH_") => {
                    Some(format!("{name} is set, but is not a setting"))
                }
                None => None,
            }
        })
        .collect()
}

/// A wrong value is quoted, but not a page of it, and no password that was written into an address.
fn shorten(text: &str) -> String {
    let text = password_in(text).map_or_else(|| text.to_owned(), |password| text.replacen(password, "[secret]", 1));
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
