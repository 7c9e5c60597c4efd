//! The plan as lines to read: what a dry run prints.

use std::fmt::Write;

use backup_core::figures;
use time::Date;

use crate::calendar::Limit;
use crate::plan::{Decision, Plan, Policy, Reason, Verdict};
use crate::report::Report;

/// One line for each object of ours: what becomes of it, where it is, how large, why, and its key.
pub(crate) fn lines(plan: &Plan, report: &Report, policy: &Policy) -> String {
    let today = report.at.date();
    let mut lines = String::new();
    for decision in &plan.decisions {
        let Decision { object, verdict } = decision;
        let word = match verdict {
            Verdict::Keep(_) => "keep",
            Verdict::Delete => "delete",
        };
        let (tier, size, why) = (object.tier(), figures::size(object.bytes), why(decision, policy, today));
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            "{word:<6}  {tier:<14}  {:<19}  {size:>10}  {why}  {}",
            figures::local(object.made()),
            object.key
        );
    }
    for key in &report.aborted_uploads {
        let _ = writeln!(lines, "abort   unfinished upload of {key}");
    }
    lines
}

/// `34 days, limit 30 days`, and what holds it where something does.
fn why(decision: &Decision, policy: &Policy, today: Date) -> String {
    let limit = Limit::of(decision.object.tier(), &policy.retention);
    let age = limit.age(decision.object.made().date(), today);
    let age = format!("{age} old, limit {}", limit.words());
    match decision.verdict {
        Verdict::Delete | Verdict::Keep(Reason::InTime) => age,
        Verdict::Keep(Reason::WithItsCopy) => format!("{age}, {}", Reason::WithItsCopy.words()),
        Verdict::Keep(reason) => format!("{age}, but {}", reason.words()),
    }
}
