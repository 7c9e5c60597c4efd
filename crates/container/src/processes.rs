//! The tools that run: found when the container ends, so that each can end in order.
//!
//! Only the tools themselves are told. What they started, `pg_dump` or a scratch server, is theirs to end: told at the
//! same time, it would look like a failure to them.

use std::fs;

use backup_core::process::TOOLS;
use nix::unistd::Pid;

use crate::TOOL;

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All processes that there are: this is a container, and they all belong to it, those of `docker exec` too.
    All,
    /// What this process started, and what that started.
    Descendants,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    id: i32,
    parent: i32,
    name: String,
    ended: bool,
}

/// The tools that run now, this process aside.
pub(crate) fn tools(scope: Scope) -> Vec<Pid> {
    select(&all(), std::process::id() as i32, scope).into_iter().map(Pid::from_raw).collect()
}

fn select(processes: &[Process], own: i32, scope: Scope) -> Vec<i32> {
    let parent = |id: i32| processes.iter().find(|process| process.id == id).map(|process| process.parent);
    let is_ours = |id: i32| {
        // A process that goes while we look may leave a gap; none is its own ancestor.
        scope == Scope::All || std::iter::successors(parent(id), |id| parent(*id)).any(|ancestor| ancestor == own)
    };
    let running = processes.iter().filter(|process| !process.ended && process.id != own && runs_tool(process));
    running.map(|process| process.id).filter(|id| is_ours(*id)).collect()
}

/// Whether a program of this name is one of ours, `container` included. Each writes a log, and cleans up when it is
/// told to end.
pub(crate) fn is_tool(name: &str) -> bool {
    TOOLS.contains(&name) || name == TOOL.name
}

/// Whether a process runs a tool: by the tool's own name, or by the one that the guide gives it, such as `backup.sh`.
fn runs_tool(process: &Process) -> bool {
    is_tool(process.name.strip_suffix(".sh").unwrap_or(&process.name))
}

fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter_map(|id| parse(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?)).collect()
}

/// `PID (NAME) STATE PARENT …`, proc(5). The name may hold anything, parentheses too.
fn parse(id: i32, stat: &str) -> Option<Process> {
    let (front, back) = stat.rsplit_once(") ")?;
    let (_, name) = front.split_once('(')?;
    let mut fields = back.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // One that has ended and was not waited for hears nothing any more.
    Some(Process { id, parent, name: name.to_owned(), ended: matches!(state, "Z" | "X") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(id: i32, parent: i32, name: &str) -> Process {
        Process { id, parent, name: name.to_owned(), ended: false }
    }

    fn container() -> Vec<Process> {
        vec![
            process(1, 0, "tini"),
            process(7, 1, "container"),
            process(8, 7, "cron"),
            process(9, 8, "cron"),
            process(10, 9, "sh"),
            process(11, 10, "backup"),
            process(12, 11, "pg_dump"),
            process(13, 7, "restore-test"),
            process(14, 13, "postgres"),
            Process { ended: true, ..process(15, 7, "cleanup") },
            process(20, 0, "bash"),
            process(21, 20, "backup.sh"),
        ]
    }

    #[test]
    fn tools_are_told_and_what_they_started_is_left_to_them() {
        assert_eq!(select(&container(), 7, Scope::All), [11, 13, 21]);
    }

    #[test]
    fn outside_a_container_only_what_was_started_here() {
        assert_eq!(select(&container(), 7, Scope::Descendants), [11, 13]);
    }

    #[test]
    fn a_name_may_hold_parentheses() {
        assert_eq!(parse(5, "5 (a) (b) S 3 5 5 0"), Some(process(5, 3, "a) (b")));
        assert_eq!(parse(5, "5 (x) Z 3 5 5 0").map(|process| process.ended), Some(true));
    }
}
