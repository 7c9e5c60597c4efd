//! The result for people: a summary, and a line for each check, the worst first.
//!
//! All of it fits into the 4,096 bytes that Docker keeps of what a HEALTHCHECK prints.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::io::IsTerminal;

use backup_core::mail::State;

use crate::finding::{Advice, Finding};

/// What Docker keeps, with room for the rest of a line.
const MOST_BYTES: usize = 4_000;

/// The lines for whatever stdout is.
pub(crate) fn lines(findings: &[Finding]) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() {
        draw(findings, &Look { colour: !plain, indent_advice: true, most: usize::MAX })
    } else {
        draw(findings, &Look { colour: false, indent_advice: false, most: MOST_BYTES / (findings.len() + 1) })
    }
}

struct Look {
    colour: bool,
    /// What to do stands on a line of its own.
    indent_advice: bool,
    /// Bytes of a line.
    most: usize,
}

fn draw(findings: &[Finding], look: &Look) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| Reverse(finding.state));
    let mut lines = vec![cut(summary(&sorted), look.most)];
    for Finding { name, state, fact, advice, .. } in sorted {
        let word = shown(*state);
        let mut line = format!("{word:<8}  {:<13}  {}", name.word(), one_line(fact));
        match advice {
            Some(advice) if look.indent_advice => {
                // Writing to a String cannot fail.
                let _ = write!(line, "\n{:25}→ {}", "", one_line(&words(advice)));
            }
            Some(advice) => {
                let _ = write!(line, ". {}", one_line(&words(advice)));
            }
            None => {}
        }
        let line = cut(line, look.most);
        lines.push(if look.colour { line.replacen(word, &coloured(*state), 1) } else { line });
    }
    lines.join("\n")
}

/// `CRITICAL: database, storage. Warning: cron`
fn summary(sorted: &[&Finding]) -> String {
    let of = |state| {
        let names: Vec<&str> =
            sorted.iter().filter(|finding| finding.state == state).map(|finding| finding.name.word()).collect();
        names.join(", ")
    };
    match (of(State::Critical), of(State::Warning)) {
        (critical, warning) if critical.is_empty() && warning.is_empty() => "All is well.".to_owned(),
        (critical, warning) if critical.is_empty() => format!("Healthy, but look at: {warning}"),
        (critical, warning) if warning.is_empty() => format!("UNHEALTHY: {critical}"),
        (critical, warning) => format!("UNHEALTHY: {critical}; look at: {warning}"),
    }
}

fn words(Advice { says, command }: &Advice) -> String {
    match command {
        Some(command) => format!("{says} {command}"),
        None => says.clone(),
    }
}

fn shown(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warning => "WARNING",
        State::Critical => "CRITICAL",
    }
}

fn coloured(state: State) -> String {
    let code = match state {
        State::Ok => 32,
        State::Warning => 33,
        State::Critical => 31,
    };
    format!("\x1b[{code}m{}\x1b[0m", shown(state))
}

/// No control character of a server reaches a terminal, and a line stays one.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(line: String, most: usize) -> String {
    if line.len() < most {
        return line;
    }
    let end = line.floor_char_boundary(most.saturating_sub("…\n".len()));
    format!("{}…", &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Name, Remark, worst};

    fn found(name: Name, remark: Remark) -> Finding {
        Finding::new(name, [remark], Vec::new())
    }

    #[test]
    fn the_worst_comes_first_with_what_to_do() {
        let findings = [
            found(Name::Disk, Remark::ok("the disk is 7 % full")),
            found(Name::Logs, Remark::warning("too large", "rotate them")),
            found(Name::Cron, Remark::critical("no\ncron", Advice::run("Run:", "backup"))),
        ];
        let plain = draw(&findings, &Look { colour: false, indent_advice: false, most: 1_000 });
        let expected = "UNHEALTHY: cron; look at: logs\n\
            CRITICAL  cron           no cron. Run: docker-compose exec backup backup\n\
            WARNING   logs           too large. rotate them\n\
            ok        disk           the disk is 7 % full";
        assert_eq!(plain, expected);
        let terminal = draw(&findings, &Look { colour: true, indent_advice: true, most: usize::MAX });
        assert!(
            terminal.contains("\x1b[31mCRITICAL\x1b[0m  cron           no cron\n                         → Run: "),
            "{terminal}"
        );
        assert_eq!(
            draw(&findings[..1], &Look { colour: false, indent_advice: false, most: 99 }).lines().next(),
            Some("All is well.")
        );
    }

    #[test]
    fn docker_keeps_a_line_of_every_check_however_much_there_is_to_say() {
        use clap::ValueEnum;
        let long = "ü\u{1b}[2J".repeat(5_000);
        let findings: Vec<Finding> =
            Name::value_variants().iter().map(|name| found(*name, Remark::critical(&long, long.clone()))).collect();
        assert_eq!(worst(&findings), State::Critical);
        let printed = lines(&findings);
        assert!(printed.len() < 4_096, "{}", printed.len());
        assert_eq!(printed.lines().count(), findings.len() + 1);
        assert!(!printed.contains('\u{1b}'));
    }
}
