//! Mails what keeps the container from its work. A person who does not look at `docker-compose logs` would not learn of it in
//! another way: the health check, which would notice, does not run either.
//!
//! A process of its own sends the mail. It becomes the user of the jobs, so that what it writes down belongs to that user.

use std::io::{Read, Write};
use std::process::{Child, ExitCode, Stdio};

use backup_core::mail::{Report, Step};
use backup_core::process::{Failure as _, Forgetful, start_to_tell, tell};
use log::Level;
use serde::{Deserialize, Serialize};

use crate::TOOL;
use crate::error::Error;
use crate::output::say;
use crate::start::own_program;

/// What the main process hands over.
#[derive(Debug, Serialize, Deserialize)]
struct News {
    words: String,
    hint: Option<String>,
    /// It had started, and has ended by itself.
    ended: bool,
}

/// Has the failure mailed. Gives the process that does it, to be waited for.
pub(crate) fn start_telling(error: &Error) -> Option<Child> {
    let news = News { words: error.words(), hint: error.hint(), ended: error.ended_it() };
    let telling = || {
        let mut program = own_program("tell")?;
        let started = program.stdin(Stdio::piped()).spawn();
        let mut child = started.map_err(|source| Error::NotStarted { program: "container tell".into(), source })?;
        let written =
            child.stdin.take().map(|mut stdin| stdin.write_all(&serde_json::to_vec(&news).unwrap_or_default()));
        written.transpose().map_err(|source| Error::System { attempt: "tell by mail", source })?;
        Ok::<_, Error>(child)
    };
    telling().inspect_err(|error| say(Level::Error, &format!("nobody is told by mail: {}", error.words()))).ok()
}

/// Has it mailed, and waits until that is done; a mail server that does not answer takes a minute.
pub(crate) fn tell_of(error: &Error) {
    if let Some(mut child) = start_telling(error) {
        // How it went has been said by itself.
        let _ = child.wait();
    }
}

/// `container tell`.
pub(crate) fn run() -> ExitCode {
    // Before the input is read: this may start itself again, with the settings of the .env file.
    let environment = match start_to_tell(&TOOL) {
        Ok(environment) => environment,
        Err(error) => {
            eprintln!("nobody is told by mail: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut text = Vec::new();
    let read = std::io::stdin().read_to_end(&mut text);
    let news = read.ok().and_then(|_| serde_json::from_slice::<News>(&text).ok());
    let Some(News { words, hint, ended }) = news else {
        eprintln!("this is for `container start` to use");
        return ExitCode::from(2);
    };
    let told = tell(&TOOL, &environment, &words, Forgetful::WaitsForNine, |origin, words| {
        let (headline, in_short, safety) = if ended {
            (
                "The backup container has ended.",
                "the container has ended",
                "Backups that are there stay there. The container is started again where its restart policy says so; see that it runs.",
            )
        } else {
            (
                "The backup container does not start.",
                "the container does not start",
                "Backups that are there stay there, but until this is mended no new one is made, and nothing is checked.",
            )
        };
        Report::new(TOOL.failure, origin, headline)
            .safety(safety)
            .in_subject(in_short)
            .details("What is wrong", words.as_bytes())
            .steps("What to do", hint.map(Step::say))
            .steps("See", [Step::run("What the container says:", "docker-compose logs --tail 50 backup")])
            .steps("Then", [Step::run("Start it with what was mended:", "docker-compose up -d backup")])
    });
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
