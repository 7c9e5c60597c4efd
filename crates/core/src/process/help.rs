//! `--help`: what every tool says behind its own options. `-h` is the short form, without the settings.

use std::fmt::Write as _;

use clap::Command;

use crate::settings::{ALL, Group};

/// The command with the settings of these groups in its `--help`, and in that of its subcommands.
pub(super) fn with_settings(command: Command, groups: &[Group]) -> Command {
    let settings = settings(groups);
    let subcommands: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    subcommands
        .into_iter()
        .fold(add(command, &settings), |command, name| command.mut_subcommand(name, |command| add(command, &settings)))
}

fn add(command: Command, settings: &str) -> Command {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command.after_long_help(format!("{settings}\n{after}").trim_end().to_owned())
}

fn settings(groups: &[Group]) -> String {
    let mut text = String::from("Settings, from the environment or a .env file (.env.example says how to quote):\n");
    for setting in ALL.iter().filter(|setting| groups.contains(&setting.group)) {
        let default = setting.default.map(|default| format!("={default}")).unwrap_or_default();
        let lines = writeln!(text, "  {}{default}\n      {}", setting.name, setting.meaning);
        lines.expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_long_help_has_the_settings_and_subcommands_have_them_too() {
        let command = Command::new("tool").after_help("Exit codes").subcommand(Command::new("run"));
        let mut command = with_settings(command, &[Group::Mail]);
        let long = command.render_long_help().to_string();
        assert!(long.contains("  MAIL_SMTP_PORT=587\n      its port\n"), "{long}");
        assert!(!long.contains("DB_HOST") && long.ends_with("Exit codes\n"), "{long}");
        assert!(!command.render_help().to_string().contains("MAIL_SMTP_PORT"));
        let run = command.find_subcommand_mut("run").unwrap();
        assert!(run.render_long_help().to_string().contains("MAIL_SMTP_PORT"));
    }
}
