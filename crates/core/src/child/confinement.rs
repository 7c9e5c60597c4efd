//! Keeping a program that reads what others wrote inside one directory.
//!
//! A dump is a program: a restore runs whatever it says, as a superuser of the scratch server, and so may read and
//! write files and start others. The kernel's Landlock keeps that inside: the program may write below its directory,
//! read what systems have in common, run nothing but its own kind, and open no network connection. Where a kernel knows
//! less of that, what it knows is enforced.
//!
//! This is the second fence. The first is the [`Scanner`](crate::sql_scan::Scanner), which refuses what no dump holds.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use nix::unistd::User;
use tokio::process::Command;

/// What is asked of the kernel; an older one enforces what it knows.
const ABI_ASKED: ABI = ABI::V6;

/// Where programs, libraries, time zones and locales are.
const READABLE: [&str; 8] = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/dev/urandom"];

/// The loaders of the C libraries: no program starts unless its loader may be run too.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

/// What the kernel keeps a sealed program from. An old kernel knows less, and one without Landlock nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// Files outside of its directory, and programs.
    pub files: bool,
    /// TCP connections.
    pub network: bool,
    /// Signals to other processes.
    pub signals: bool,
}

impl Seal {
    /// What this kernel does.
    fn of_this_kernel() -> Self {
        let asked = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let known = |rules: Result<Ruleset, RulesetError>| rules.and_then(Ruleset::create).is_ok();
        Self {
            files: known(asked().handle_access(AccessFs::from_all(ABI::V1))),
            network: known(asked().handle_access(AccessNet::from_all(ABI::V4))),
            signals: known(asked().scope(Scope::Signal)),
        }
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.files {
            return f.write_str(
                "by its own user only: this kernel has no Landlock, or the container does not let it be used",
            );
        }
        let open = match (self.network, self.signals) {
            (true, true) => {
                return f.write_str("from all files, programs, connections and processes but its own (Landlock)");
            }
            (true, false) => "signals",
            (false, _) => "connections or signals",
        };
        write!(f, "from all files and programs but its own (Landlock); this kernel is too old to keep it from {open}")
    }
}

/// Where a program runs, as whom, and what it may do there.
#[derive(Debug, Clone)]
pub struct Confinement {
    directory: PathBuf,
    user: Option<User>,
    programs: Vec<PathBuf>,
    reach: Reach,
}

/// What a sealed program may reach beside its own kind.
#[derive(Debug, Clone, Copy)]
enum Reach {
    /// Its directory.
    Directory,
    /// What may be read on this machine, and servers.
    Servers,
}

impl Confinement {
    /// Runs in this directory, as this user where we are root.
    pub fn new(directory: &Path, user: Option<User>) -> Self {
        Self { directory: directory.to_owned(), user, programs: Vec::new(), reach: Reach::Directory }
    }

    /// A client of a server elsewhere, sealed: it may read and connect as we may, but write to no file and run none but these
    /// programs.
    pub fn client(programs: &[PathBuf]) -> Self {
        Self { directory: ".".into(), user: None, programs: programs.to_vec(), reach: Reach::Servers }
    }

    /// Seals it: from now on it may write below its directory only, run nothing but what lies in these folders, and open no
    /// connection.
    #[must_use]
    pub fn sealed(mut self, programs: &[PathBuf]) -> Self {
        self.programs = programs.to_vec();
        self
    }

    /// Whether this kernel can keep a program from anything (Linux 5.13, and Landlock not left out).
    pub fn is_possible() -> bool {
        Seal::of_this_kernel().files
    }

    /// How much of the seal this kernel enforces.
    pub fn seal(&self) -> Seal {
        if self.programs.is_empty() {
            return Seal { files: false, network: false, signals: false };
        }
        Seal::of_this_kernel()
    }

    /// The only place where it may write.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Prepares what takes effect between fork and exec. The user comes first, because `setuid` clears the signal that
    /// the child gets when its parent dies.
    pub(super) fn apply(&self, command: &mut Command, program: &Path) -> io::Result<()> {
        command.current_dir(&self.directory);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        if !self.programs.is_empty() {
            let any_program = is_script(program)?;
            let rules = match self.reach {
                Reach::Directory => self.rules(any_program),
                Reach::Servers => self.client_rules(any_program),
            };
            let rules = rules.map_err(io::Error::other)?;
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

    /// Only what is named is kept from a client: certificates and password files may lie anywhere.
    fn client_rules(&self, any_program: bool) -> Result<RulesetCreated, RulesetError> {
        let free = AccessFs::ReadFile | AccessFs::ReadDir;
        let free = if any_program { free | AccessFs::Execute } else { free };
        let kept = AccessFs::from_all(ABI_ASKED) & !free;
        let rules = Ruleset::default()
            .handle_access(kept)?
            .handle_access(AccessNet::BindTcp)?
            .scope(Scope::Signal)?
            .create()?;
        let rules = allow(rules, Path::new("/dev/null"), AccessFs::WriteFile.into())?;
        let run = BitFlags::from(AccessFs::Execute) & kept;
        let mut programs = self.programs.iter().map(PathBuf::as_path).chain(LOADERS.iter().map(Path::new));
        programs.try_fold(rules, |rules, path| allow(rules, path, run))
    }
}

/// A rule for a path, where it exists.
fn allow(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI_ASKED) };
    if access.is_empty() { Ok(rules) } else { rules.add_rule(PathBeneath::new(opened, access)) }
}

/// A script, such as an operator's wrapper around a program, needs its shell: whoever runs one may run any program.
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

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;
    use crate::child::{Child, base_variables};

    /// Runs `env`, which is no script, as a sealed client.
    async fn sealed(arguments: &[&str]) -> bool {
        let env = std::fs::canonicalize("/usr/bin/env").unwrap();
        let client = Confinement::client(std::slice::from_ref(&env));
        let variables = base_variables();
        let level = log::Level::Debug;
        let child = Child::start_confined(&env, arguments, &variables, Stdio::null(), level, Some(&client));
        child.unwrap().wait().await.unwrap().status.success()
    }

    #[tokio::test]
    async fn a_sealed_client_runs_no_other_program() {
        if Confinement::is_possible() {
            assert!(sealed(&["/usr/bin/env", "--version"]).await);
            assert!(!sealed(&["/bin/sh", "-c", "true"]).await);
        }
    }

    #[test]
    fn what_the_kernel_does_not_keep_is_said() {
        let words = |files, network, signals| Seal { files, network, signals }.to_string();
        assert!(words(true, true, true).ends_with("but its own (Landlock)"));
        assert!(words(true, true, false).ends_with("too old to keep it from signals"));
        assert!(words(true, false, false).ends_with("too old to keep it from connections or signals"));
        assert!(words(false, false, false).contains("no Landlock"));
    }
}
