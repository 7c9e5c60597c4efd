//! The schedule: `crontab`, read before cron reads it.
//!
//! cron ignores a file with one bad line, all of it, and says so to a log that a container does not have. What it would
//! take and not do as meant is found here too: a `%` that cuts the command, a day that never comes, a program that is
//! not there.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::when::When;

/// What cron sets where the file does not.
const CRONS_PATH: &str = "/usr/bin:/bin";

/// A schedule without mistakes.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// The file as it is.
    pub(crate) text: String,
    /// What runs when.
    pub(crate) entries: Vec<Entry>,
}

/// One line that runs something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The five fields, or a word that stands for them.
    pub(crate) when: String,
    /// As which user cron starts it.
    pub(crate) user: String,
    /// What the shell is given.
    pub(crate) command: String,
}

/// Everything that is wrong with the file, in one message.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Mistakes {
    path: PathBuf,
    /// With the number of the line, from 1; 0: the file as a whole.
    mistakes: Vec<(usize, String)>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the schedule in {} is wrong:", self.path.display())?;
        for (line, wrong) in &self.mistakes {
            match line {
                0 => write!(f, "\n  {wrong}")?,
                _ => write!(f, "\n  line {line}: {wrong}")?,
            }
        }
        Ok(())
    }
}

/// What the machine has that a schedule needs.
pub(crate) trait Machine {
    /// Whether cron could start something as this user.
    fn has_user(&self, name: &str) -> bool;
    /// Whether a shell with this search path would find the program.
    fn has_program(&self, name: &str, path: &str) -> bool;
}

impl Schedule {
    /// Reads the file.
    pub(crate) fn read(path: &Path, machine: &impl Machine) -> Result<Self, Mistakes> {
        let mistakes = |mistakes| Mistakes { path: path.to_owned(), mistakes };
        let bytes = std::fs::read(path).map_err(|error| mistakes(vec![(0, format!("cannot read it: {error}"))]))?;
        let text = String::from_utf8(bytes).map_err(|_| mistakes(vec![(0, "it is not UTF-8 text".to_owned())]))?;
        Self::parse(text, machine).map_err(mistakes)
    }

    fn parse(text: String, machine: &impl Machine) -> Result<Self, Vec<(usize, String)>> {
        let (mut entries, mut mistakes, mut path) = (Vec::new(), Vec::new(), CRONS_PATH.to_owned());
        for (number, line) in (1..).zip(text.split_terminator('\n')) {
            match read_line(line) {
                Ok(Line::Nothing) => {}
                Ok(Line::Variable { name, value }) => {
                    if name == "PATH" {
                        value.clone_into(&mut path);
                    }
                }
                Ok(Line::Entry(entry)) => {
                    mistakes.extend(missing(&entry, &path, machine).into_iter().map(|wrong| (number, wrong)));
                    entries.push(entry);
                }
                Err(wrong) => mistakes.push((number, wrong)),
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            mistakes.push((text.lines().count(), "the last line has no line end".to_owned()));
        }
        if entries.is_empty() && mistakes.is_empty() {
            mistakes.push((0, "it runs nothing".to_owned()));
        }
        if mistakes.is_empty() { Ok(Self { text, entries }) } else { Err(mistakes) }
    }
}

enum Line<'l> {
    Nothing,
    Variable { name: &'l str, value: &'l str },
    Entry(Entry),
}

fn read_line(line: &str) -> Result<Line<'_>, String> {
    if line.ends_with('\r') {
        return Err("ends as lines do on Windows: the command would get a carriage return".to_owned());
    }
    let text = line.trim_start_matches([' ', '\t']);
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some((name, value)) = text.split_once('=').filter(|(name, _)| is_name(name.trim_end())) {
        let value = value.trim();
        if value.is_empty() {
            return Err(format!("{} is set to nothing: cron wants quotes, \"\"", name.trim_end()));
        }
        return Ok(Line::Variable { name: name.trim_end(), value: value.trim_matches(['"', '\'']) });
    }
    read_entry(text).map(Line::Entry)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_entry(text: &str) -> Result<Entry, String> {
    let fields = if text.starts_with('@') { 1 } else { 5 };
    let (mut when, mut rest) = (Vec::new(), text);
    for _ in 0..fields {
        let (field, behind) = word(rest);
        when.push(field);
        rest = behind;
    }
    let (user, command) = word(rest);
    if command.is_empty() {
        return Err("must be: minute hour day month weekday user command".to_owned());
    }
    let when = when.join(" ");
    When::read(&when)?;
    if command.replace("\\%", "").contains('%') {
        return Err("holds a %, at which cron cuts the command: write \\%".to_owned());
    }
    Ok(Entry { when, user: user.to_owned(), command: command.trim_end().to_owned() })
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start_matches([' ', '\t']))
}

/// What the entry needs and the machine has not: a user, a program, and the program that `container job` is to run.
fn missing(entry: &Entry, path: &str, machine: &impl Machine) -> Vec<String> {
    let words: Vec<&str> = entry.command.split_whitespace().collect();
    let (programs, needs_root) = match words[..] {
        ["container", "job", job, ..] => (vec!["container", job], true),
        [program, ..] => (vec![program], false),
        [] => (vec![], false),
    };
    let user = if machine.has_user(&entry.user) {
        // Nobody else may read the variables; and its complaint would reach nobody.
        (needs_root && entry.user != "root").then(|| {
            format!("the user is `{}`: `container job` is started by root, and becomes BACKUP_USER", entry.user)
        })
    } else {
        Some(format!("there is no user `{}`", entry.user))
    };
    let missing = programs.into_iter().filter(|program| !machine.has_program(program, path));
    user.into_iter().chain(missing.map(|program| format!("there is no program `{program}` in {path}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Debian;

    impl Machine for Debian {
        fn has_user(&self, name: &str) -> bool {
            ["root", "backup"].contains(&name)
        }

        fn has_program(&self, name: &str, path: &str) -> bool {
            match name {
                "container" | "backup" => path.split(':').any(|folder| folder == "/usr/local/bin"),
                name => name == "/bin/true",
            }
        }
    }

    fn wrong(text: &str) -> String {
        let mistakes = Schedule::parse(text.to_owned(), &Debian).unwrap_err();
        Mistakes { path: "/etc/crontab".into(), mistakes }.to_string()
    }

    #[test]
    fn a_good_one_passes_as_it_is() {
        let text = "# nightly\nPATH=/usr/local/bin:/bin\nMAILTO=\"\"\n\n0 2 * * *\troot  container job backup --quiet\n@daily root /bin/true\n";
        let schedule = Schedule::parse(text.to_owned(), &Debian).unwrap();
        let entry =
            |when: &str, command: &str| Entry { when: when.into(), user: "root".into(), command: command.into() };
        assert_eq!(
            schedule.entries,
            [entry("0 2 * * *", "container job backup --quiet"), entry("@daily", "/bin/true")]
        );
        assert_eq!(schedule.text, text);
    }

    #[test]
    fn what_cron_would_ignore_or_do_otherwise_is_told() {
        for (line, told) in [
            ("61 * * * * root /bin/true\n", "line 1: the minute is `61`"),
            ("0 2 * * *\n", "line 1: must be: minute hour"),
            ("0 2 * * * root\n", "line 1: must be: minute hour"),
            ("0 2 * * * root /bin/true", "line 1: the last line has no line end"),
            ("0 2 * * * root /bin/true\r\n", "line 1: ends as lines do on Windows"),
            ("0 2 31 2 * root /bin/true\n", "line 1: day 31 of month 2 never comes"),
            ("0 2 * * * root /bin/true +%F\n", "line 1: holds a %"),
            ("0 2 * * * nobody /bin/true\n", "line 1: there is no user `nobody`"),
            (
                "PATH=/usr/local/bin\n0 2 * * * backup container job backup\n",
                "line 2: the user is `backup`: `container job` is",
            ),
            ("0 2 * * * root /bin/false\n", "line 1: there is no program `/bin/false`"),
            ("0 2 * * * root container job backup\n", "line 1: there is no program `container` in /usr/bin:/bin"),
            ("PATH=/usr/local/bin\n0 2 * * * root container job nightly\n", "line 2: there is no program `nightly`"),
            ("EMPTY=\n0 2 * * * root /bin/true\n", "line 1: EMPTY is set to nothing"),
            ("@nightly root /bin/true\n", "line 1: @nightly is no word"),
            ("# nothing\n", "it runs nothing"),
            ("", "it runs nothing"),
        ] {
            let text = wrong(line);
            assert!(text.contains(told), "{line:?}:\n{text}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = wrong("61 * * * * root /bin/true\n0 24 * * * root /bin/true\n");
        assert!(text.contains("line 1") && text.contains("line 2"), "{text}");
    }

    #[test]
    fn a_percent_sign_that_is_meant_passes() {
        assert!(Schedule::parse("0 2 * * * root /bin/true +\\%F\n".to_owned(), &Debian).is_ok());
    }
}
