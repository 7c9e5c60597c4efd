//! Keeping a program that reads what others wrote inside one directory.
//!
//! A dump is a program: a restore runs whatever it says, as a superuser of the scratch server, and so may read and write
//! files and start others. The kernel's Landlock keeps that inside: the program may write below its
//! directory, read what systems have in common, run nothing but its own kind, and open no network connection. Where a kernel knows
//! less of that, what it knows is enforced.
//!
//! This is the second fence. The first is the [`Scanner`](crate::sql_scan::Scanner), which refuses what no dump holds.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope,
};
use nix::unistd::User;
use tokio::process::Command;

/// What is asked of the kernel; an older one enforces what it knows.
const ABI_ASKED: ABI = ABI::V6;

/// Where programs, libraries, time zones and locales are.
const READABLE: [&str; 8] = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/dev/urandom"];

/// Without a loader no program starts, and alone it is none.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// Where a program runs, as whom, and what it may do there.
#[derive(Debug, Clone)]
pub struct Confinement {
    directory: PathBuf,
    user: Option<User>,
    programs: Vec<PathBuf>,
}

impl Confinement {
    /// Runs in this directory, as this user where we are root.
    pub fn new(directory: &Path, user: Option<User>) -> Self {
        Self { directory: directory.to_owned(), user, programs: Vec::new() }
    }

    /// And may from now on write below its directory only, run nothing but what lies in these folders, and open no connection.
    #[must_use]
    pub fn sealed(mut self, programs: &[PathBuf]) -> Self {
        self.programs = programs.to_vec();
        self
    }

    /// The only place where it may write.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What takes effect between fork and exec. The user comes first: `setuid` clears the signal of a dying parent.
    pub(super) fn apply(&self, command: &mut Command, program: &Path) -> io::Result<()> {
        command.current_dir(&self.directory);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        if !self.programs.is_empty() {
            let rules = self.rules(is_script(program)?).map_err(io::Error::other)?;
            restrict(command, rules);
        }
        Ok(())
    }

    fn rules(&self, any_program: bool) -> Result<RulesetCreated, RulesetError> {
        let all = AccessFs::from_all(ABI_ASKED);
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let run = AccessFs::Execute | AccessFs::ReadFile;
        let handled = if any_program { all & !AccessFs::Execute } else { all };
        let rules = Ruleset::default()
            .handle_access(handled)?
            .handle_access(AccessNet::from_all(ABI_ASKED))?
            .scope(Scope::from_all(ABI_ASKED))?
            .create()?;
        let rules = allow(rules, &self.directory, all & !AccessFs::Execute & handled)?;
        let rules = allow(rules, Path::new("/dev/null"), (AccessFs::ReadFile | AccessFs::WriteFile) & handled)?;
        let rules = READABLE.iter().try_fold(rules, |rules, path| allow(rules, Path::new(path), read & handled))?;
        let rules = self.programs.iter().try_fold(rules, |rules, folder| {
            // Libraries and time zones may lie beside the programs.
            let rules = allow(rules, folder.parent().unwrap_or(folder), read & handled)?;
            allow(rules, folder, (run | read) & handled)
        })?;
        LOADERS.iter().try_fold(rules, |rules, path| allow(rules, Path::new(path), run & handled))
    }
}

/// A rule for a path, where it exists.
fn allow(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI_ASKED) };
    if access.is_empty() { Ok(rules) } else { rules.add_rule(PathBeneath::new(opened, access)) }
}

/// A wrapper of the operator's needs its shell.
fn is_script(program: &Path) -> io::Result<bool> {
    let mut start = [0; 2];
    let read = io::Read::read(&mut std::fs::File::open(program)?, &mut start)?;
    Ok(start[..read] == *b"#!")
}

#[expect(unsafe_code, reason = "std knows no other way to run something between fork and exec")]
fn restrict(command: &mut Command, rules: RulesetCreated) {
    let mut rules = Some(rules);
    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe calls are allowed: applying the
    // rules is two system calls on a descriptor that was opened before, and a third that closes it.
    unsafe {
        command.pre_exec(move || match rules.take() {
            Some(rules) => rules.restrict_self().map(|_| ()).map_err(|_| io::ErrorKind::PermissionDenied.into()),
            None => Ok(()),
        });
    }
}
