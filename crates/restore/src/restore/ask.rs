//! Whether to go on: asked where somebody is there to answer.
//!
//! A script has said it all with its arguments: a new database takes nothing away, and to replace one its name is typed out.

use std::io::{IsTerminal, Write};

use super::plan::Plan;
use crate::args::RunArgs;
use crate::error::Error;

pub(super) async fn to_go_on(args: &RunArgs, plan: &Plan) -> Result<(), Error> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let target = plan.names.target.as_str();
    if plan.replaces() && args.replace.as_deref() == Some("") {
        let answer = answer_to("Type the name of the database that will be replaced: ".to_owned()).await?;
        return if answer == target { Ok(()) } else { Err(Error::NotTyped) };
    }
    if args.yes {
        return Ok(());
    }
    let answer = answer_to("Go on? [y/N] ".to_owned()).await?;
    if matches!(answer.to_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(Error::Declined) }
}

/// One line. The thread that waits for it dies with the process.
async fn answer_to(question: String) -> Result<String, Error> {
    let asked = tokio::task::spawn_blocking(move || {
        let mut stderr = std::io::stderr();
        write!(stderr, "{question}")?;
        stderr.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
    });
    let answer = asked.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    answer.map_err(Error::file("read an answer from", "the terminal"))
}
