//! The result for scripts: one JSON document.
//!
//! `delete` and `keep` are the plan, grouped by tier and reason, so that a hundred thousand keys stay small; a dry run
//! and a run say the same there. What the store refused of it is in `refused`.

use std::collections::BTreeMap;
use std::path::Path;

use backup_core::figures;
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use crate::args::Mode;
use crate::inventory::Tally;
use crate::plan::{Plan, Verdict};
use crate::report::{Report, TierReport};

pub(crate) fn of_run(report: &Report, plan: &Plan, database: &str, file: Option<&Path>) -> Value {
    let refused: Vec<Value> =
        report.refused.iter().map(|(key, error)| json!({ "key": key, "reason": error.reason })).collect();
    let weeks = report.growth.weeks.iter().map(|week| json!({ "week": week.begins.to_string(), "bytes": week.bytes }));
    json!({
        "address": report.address,
        "database": database,
        "at": report.at.format(&Rfc3339).ok(),
        "dry_run": report.mode == Mode::DryRun,
        "report_only": report.mode == Mode::Report,
        "halted": report.halt.as_ref().map(|halt| json!({ "reason": halt.says(), "hint": halt.hint() })),
        "delete": groups(plan, true),
        "keep": groups(plan, false),
        "refused": refused,
        "unfinished_uploads": { "aborted": report.aborted_uploads, "left": report.left_uploads },
        "tiers": tiers(report),
        "total": tally(report.standing()),
        "newest": report.newest.map(figures::local),
        "proven": report.proven.as_ref().map(|proven| json!({
            "backup": figures::local(proven.id.backup),
            "tested": figures::local(proven.id.tested),
            "restore_seconds": proven.record.as_ref().and_then(|record| record.restore_seconds),
        })),
        "foreign": {
            "total": tally(report.foreign.total()),
            "databases": report.foreign.databases.iter().map(|(name, sum)| (name.clone(), tally(*sum))).collect::<Map<_, _>>(),
            "unclaimed_copies": tally(report.foreign.unclaimed),
            "other": tally(report.foreign.strangers),
        },
        "growth": { "weeks": weeks.collect::<Vec<_>>(), "bytes_per_week": report.growth.per_week },
        "in_a_year": report.forecast.map(|forecast| json!({ "one_backup_bytes": forecast.one_backup, "bytes": forecast.all })),
        "versions_kept": report.hidden,
        "report": file.map(|file| file.display().to_string()),
    })
}

fn tally(Tally { count, bytes }: Tally) -> Value {
    json!({ "count": count, "bytes": bytes })
}

fn tiers(report: &Report) -> Value {
    let tier = |tier: &TierReport| {
        let members = json!({
            "count": tier.standing.count,
            "bytes": tier.standing.bytes,
            "oldest": tier.oldest.map(figures::local),
            "newest": tier.newest.map(figures::local),
            "limit": tier.limit.words(),
            "gone": tally(tier.gone),
            "refused": tally(tier.refused),
        });
        (tier.tier.to_string(), members)
    };
    report.tiers.iter().map(tier).collect::<Map<_, _>>().into()
}

/// Keys by tier and reason.
fn groups(plan: &Plan, deleted: bool) -> Vec<Value> {
    let mut groups: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for decision in plan.decisions.iter().filter(|decision| (decision.verdict == Verdict::Delete) == deleted) {
        let group = groups.entry((decision.object.tier(), decision.verdict)).or_default();
        group.push(Value::from(decision.object.key.as_str()));
    }
    let group = |((tier, verdict), keys): (_, Vec<Value>)| {
        let reason = match verdict {
            Verdict::Keep(reason) => json!(reason),
            Verdict::Delete => json!("expired"),
        };
        let mut group = Map::new();
        group.insert("tier".into(), json!(tier));
        group.insert("reason".into(), reason);
        group.insert("keys".into(), Value::Array(keys));
        Value::Object(group)
    };
    groups.into_iter().map(group).collect()
}
