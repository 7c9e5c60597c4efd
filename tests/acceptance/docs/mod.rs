//! README, `.env.example` and `--help` say what the code does: where they list settings, they are held against the catalogue.

mod readme;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use acceptance::sandbox::Sandbox;
use backup_core::settings::{ALL, EVERY_GROUP, Group, Setting};

const GROUPS: [(Group, &str); 8] = [
    (Group::General, "General"),
    (Group::Database, "The database"),
    (Group::Store, "The store"),
    (Group::Retention, "How long backups are kept"),
    (Group::Work, "How hard, how long"),
    (Group::Health, "When to worry"),
    (Group::Mail, "Mail"),
    (Group::Places, "Places"),
];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A file that is not as it should be is written as it should be beside the build, to be looked at and copied.
fn assert_file(name: &str, is: &str, should_be: &str) {
    if is != should_be {
        let path = root().join("target").join(format!("{}.expected", name.trim_start_matches('.')));
        fs::write(&path, should_be).unwrap();
        panic!(
            "{name} and the catalogue of settings differ; as it should be: target/{}",
            path.file_name().unwrap().display()
        );
    }
}

fn in_group(group: Group) -> impl Iterator<Item = &'static &'static Setting> {
    ALL.iter().filter(move |setting| setting.group == group)
}

#[test]
fn the_readme_lists_every_setting_as_it_is() {
    let mut table = String::from("| variable | default | meaning |\n| --- | --- | --- |\n");
    for setting in ALL {
        let names = std::iter::once(setting.name).chain(setting.fallbacks.iter().copied());
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let name = match &names[1..] {
            [] => names[0].clone(),
            others => format!("{}, else {}", names[0], others.join(", ")),
        };
        let default = setting.default.map_or("–".to_owned(), |default| format!("`{default}`"));
        writeln!(table, "| {name} | {default} | {} |", setting.meaning).unwrap();
    }
    let readme = read("README.md");
    let (before, rest) = readme.split_once("by a test -->\n").expect("the README has the mark before the settings");
    let (_, after) = rest.split_once("<!-- end of settings").expect("the README has the mark behind the settings");
    assert_file("README.md", &readme, &format!("{before}by a test -->\n{table}<!-- end of settings{after}"));
}

#[test]
fn the_example_lists_every_setting_and_changes_nothing() {
    let mut example = String::from(HOW_TO_QUOTE);
    for (group, title) in GROUPS {
        writeln!(example, "\n# {title}").unwrap();
        for setting in in_group(group) {
            let value = setting.default.unwrap_or(setting.example);
            let secret = if setting.secret { format!(" (or {}_FILE)", setting.name) } else { String::new() };
            let quoted =
                if value.contains(' ') && !value.starts_with('\'') { format!("'{value}'") } else { value.to_owned() };
            writeln!(example, "\n# {}{secret}\n#{}={quoted}", setting.meaning, setting.name).unwrap();
        }
    }
    assert_file(".env.example", &read(".env.example"), &example);
}

const HOW_TO_QUOTE: &str = "\
# Settings of the backup tools. Copy to .env and take the # from the lines that you change; what is shown is the default,
# or an example where there is none. Required: S3_BUCKET_NAME, and as a rule DB_HOST, DB_NAME, DB_USER, DB_PASSWORD, the AWS keys.
#
# Quoting: put a value in single quotes if it holds anything but letters and digits: DB_PASSWORD='pa$s#w0rd \"x\"'. It then
# arrives as written, here, in docker-compose and in a shell. A single quote in it is written as '\\'', which docker-compose 1.29
# cannot read: mount the file at /backup/.env then. A line NAME= means unset.
";

/// The tools, with the groups of settings that each reads.
const TOOLS: [(&str, &[Group]); 7] = {
    use Group::{Database, General, Mail, Places, Store, Work};
    [
        ("backup", &[General, Database, Store, Work, Mail, Places]),
        ("cleanup", &EVERY_GROUP),
        ("restore-test", &[General, Database, Store, Work, Mail, Places]),
        ("restore", &[General, Database, Store, Work, Places]),
        ("notify", &[General, Database, Mail, Places]),
        ("health-check", &EVERY_GROUP),
        ("container", &EVERY_GROUP),
    ]
};

/// The compiler cannot tell: the list of all settings mentions each.
#[test]
fn every_setting_is_read_somewhere() {
    let crates = files_below(&root().join("crates"));
    let readers = crates.iter().filter(|path| {
        path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("settings/catalog.rs")
    });
    let code: String = readers.map(|path| fs::read_to_string(path).unwrap()).collect();
    // The first two are read before there is a reader.
    let is_read = |name: &&str| ["TZ", "BACKUP_ENV_FILE"].contains(name) || code.contains(&format!("name::{name}"));
    let unread: Vec<&str> = ALL.iter().map(|setting| setting.name).filter(|name| !is_read(name)).collect();
    assert_eq!(unread, [""; 0]);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn help_lists_the_settings_that_the_tool_reads() {
    let sandbox = Sandbox::new();
    for (tool, groups) in TOOLS {
        let help = words(&sandbox.command(tool).arg("--help").run().stdout);
        for setting in ALL {
            let default = setting.default.map(|default| format!("={default}")).unwrap_or_default();
            let line = format!(" {}{default} {}", setting.name, setting.meaning);
            assert_eq!(help.contains(&line), groups.contains(&setting.group), "{tool} --help and{line}:\n{help}");
        }
    }
}

#[test]
fn help_has_examples_and_every_exit_code() {
    let sandbox = Sandbox::new();
    for (tool, _) in TOOLS {
        let help = sandbox.command(tool).arg("--help").run().stdout;
        assert!(help.contains("Examples:"), "{tool}: {help}");
        for code in ["0", "1", "2", "3", "75", "78", "130", "143"] {
            let told = help.lines().any(|line| line.split_whitespace().next() == Some(code));
            assert!(told, "{tool} --help does not tell of exit code {code}:\n{help}");
        }
    }
}
