//! The result for scripts: one JSON document. Its names do not change.

use serde_json::{Map, Value, json};

use crate::finding::{Advice, Finding, word, worst};

pub(crate) fn of(findings: &[Finding]) -> Value {
    let check = |finding: &Finding| {
        let advice = finding.advice.as_ref();
        json!({
            "name": finding.name,
            "state": word(finding.state),
            "fact": finding.fact,
            "advice": advice.map(|Advice { says, .. }| says),
            "command": advice.and_then(|Advice { command, .. }| command.as_ref()),
        })
    };
    let figures = findings.iter().flat_map(|finding| &finding.figures);
    json!({
        "state": word(worst(findings)),
        "checks": findings.iter().map(check).collect::<Vec<_>>(),
        "figures": figures.map(|figure| (figure.meaning.name.to_owned(), json!(figure.value))).collect::<Map<_, _>>(),
    })
}
