//! The result for Prometheus: a file for the textfile collector of its `node_exporter`.
//!
//! Written as a whole or not at all, and readable for whoever collects. What is not known is left out, and never written as 0.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use backup_core::files::{self, Readers};
use backup_core::mail::State;
use time::OffsetDateTime;

use crate::figure::ALL;
use crate::finding::{Finding, worst};

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the metrics into {}", path.display())]
pub(crate) struct MetricsError {
    path: PathBuf,
    source: io::Error,
}

/// Replaces the file.
pub(crate) fn write(
    path: &Path,
    findings: &[Finding],
    database: &str,
    now: OffsetDateTime,
) -> Result<(), MetricsError> {
    // The collector reads what ends in `.prom` only, and so not what is written first.
    let written = files::replace(path, text(findings, database, now).as_bytes(), Readers::Everybody);
    written.map_err(|source| MetricsError { path: path.to_owned(), source })
}

/// The exposition format, version 0.0.4: HELP and TYPE once for each name, then its samples.
fn text(findings: &[Finding], database: &str, now: OffsetDateTime) -> String {
    let database = escape(database);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut family = |name: &str, help: &str, samples: &[(String, f64)]| {
        if !samples.is_empty() {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        }
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{{database=\"{database}\"{labels}}} {value}");
        }
    };
    let one = |value: f64| [(String::new(), value)];
    family(
        "backup_health_timestamp_seconds",
        "When the health check ran, in seconds since 1970.",
        &one(now.unix_timestamp() as f64),
    );
    let healthy = worst(findings) < State::Critical;
    family("backup_healthy", "Whether no check is critical: 1, else 0.", &one(f64::from(u8::from(healthy))));
    let states: Vec<(String, f64)> = findings
        .iter()
        .map(|finding| (format!(",check=\"{}\"", finding.name.word()), f64::from(finding.state as u8)))
        .collect();
    family("backup_check_state", "What each check found: 0 ok, 1 warning, 2 critical.", &states);
    for meaning in ALL {
        let mut figures = findings.iter().flat_map(|finding| &finding.figures);
        if let Some(figure) = figures.find(|figure| figure.meaning == *meaning) {
            family(meaning.name, meaning.help, &one(figure.value));
        }
    }
    text
}

/// A database may be named anything.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::figure;
    use crate::finding::{Name, Remark};

    #[test]
    fn every_name_is_told_once_and_what_is_not_known_is_left_out() {
        let findings = [
            Finding::new(Name::Disk, [Remark::ok("")], vec![figure::DISK_USED.is(0.25)]),
            Finding::new(Name::Cron, [Remark::critical("", "")], Vec::new()),
        ];
        let text = text(&findings, "sh\"op\\", datetime!(2025-01-29 12:00 UTC));
        let expected = r#"# HELP backup_health_timestamp_seconds When the health check ran, in seconds since 1970.
# TYPE backup_health_timestamp_seconds gauge
backup_health_timestamp_seconds{database="sh\"op\\"} 1738152000
# HELP backup_healthy Whether no check is critical: 1, else 0.
# TYPE backup_healthy gauge
backup_healthy{database="sh\"op\\"} 0
# HELP backup_check_state What each check found: 0 ok, 1 warning, 2 critical.
# TYPE backup_check_state gauge
backup_check_state{database="sh\"op\\",check="disk"} 0
backup_check_state{database="sh\"op\\",check="cron"} 2
# HELP backup_disk_used_ratio How full the fullest disk is that the tools write to: 0 to 1.
# TYPE backup_disk_used_ratio gauge
backup_disk_used_ratio{database="sh\"op\\"} 0.25
"#;
        assert_eq!(text, expected);
    }
}
