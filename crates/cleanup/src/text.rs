//! The storage report as a file to read.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use backup_core::figures;
use backup_core::files::{self, Readers};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::args::Mode;
use crate::growth::whole;
use crate::inventory::Tally;
use crate::report::{Report, TierReport};

/// Characters of the longest bar.
const BAR: u64 = 40;

/// What is said of sizes: whether a bucket keeps versions cannot be asked with the rights that a cleanup needs.
pub(crate) const VERSIONS: &str = "All figures are of current versions. If the bucket keeps versions, what was deleted still \
    takes up room until a lifecycle rule removes noncurrent versions (NoncurrentVersionExpiration).";

/// The same, where the store has shown that it does.
pub(crate) const HIDDEN: &str = "The bucket keeps versions: what was deleted is hidden, still takes up room, and is not in \
    these figures, until a lifecycle rule removes noncurrent versions (NoncurrentVersionExpiration).";

/// Writes the report into the log directory, as a whole or not at all, and gives its path.
pub(crate) fn write(report: &Report, database: &str, host: &str, logs: &Path) -> std::io::Result<PathBuf> {
    let path = logs.join(file_name(report.at));
    files::replace(&path, text(report, database, host).as_bytes(), Readers::Everybody)?;
    Ok(path)
}

pub(crate) fn file_name(at: OffsetDateTime) -> String {
    let form = format_description!("storage-report-[year][month][day].txt");
    // The description names no component that an instant could lack.
    at.format(form).unwrap_or_else(|_| "storage-report.txt".to_owned())
}

pub(crate) fn text(report: &Report, database: &str, host: &str) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = compose(&mut text, report, database, host);
    text
}

fn compose(out: &mut String, report: &Report, database: &str, host: &str) -> fmt::Result {
    writeln!(out, "Storage report: {database} on {host}")?;
    writeln!(out, "{}\n{}\n", report.address, figures::instant(report.at))?;
    if let Some(halt) = &report.halt {
        writeln!(out, "NOTHING IS DELETED: {}.\n{}\n", halt.says(), halt.hint())?;
    }
    writeln!(out, "{}\n", report.safety())?;
    stored(out, report)?;
    gone(out, report)?;
    held(out, report)?;
    refused(out, report)?;
    growth(out, report)?;
    foreign(out, report)?;
    writeln!(out, "{}", if report.hidden { HIDDEN } else { VERSIONS })
}

fn stored(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "{:<22}{:>9}{:>13}   {:<19}   newest", "Stored", "backups", "size", "oldest")?;
    for TierReport { tier, standing, oldest, newest, .. } in &report.tiers {
        let shown = |at: Option<_>| at.map_or_else(|| "-".to_owned(), figures::local);
        row(out, &tier.to_string(), *standing)?;
        writeln!(out, "   {:<19}   {}", shown(*oldest), shown(*newest))?;
    }
    let records = report.records();
    if records.count > 0 {
        row(out, "records of tests", records)?;
        writeln!(out)?;
    }
    row(out, "in all", report.standing())?;
    if let Some(before) = &report.before {
        let moved = figures::change(before.bytes, report.standing().bytes, figures::size);
        write!(out, "   {moved} since {}", figures::instant(before.at))?;
    }
    writeln!(out, "\n")
}

/// `  daily    31    5.3 GiB`, without the end of the line.
fn row(out: &mut String, name: &str, Tally { count, bytes }: Tally) -> fmt::Result {
    write!(out, "  {name:<20}{:>9}{:>13}", figures::count(count), figures::size(bytes))
}

fn gone(out: &mut String, report: &Report) -> fmt::Result {
    let title = match report.mode {
        Mode::Delete => "Deleted",
        Mode::Report => "Due for deletion",
        Mode::DryRun => "Would be deleted",
    };
    if report.gone().count == 0 {
        return writeln!(out, "{title}: nothing\n");
    }
    writeln!(out, "{title:<22}{:>9}{:>13}   why", "objects", "size")?;
    for TierReport { tier, limit, gone, .. } in report.tiers.iter().filter(|tier| tier.gone.count > 0) {
        row(out, &tier.to_string(), *gone)?;
        writeln!(out, "   older than {}", limit.words())?;
    }
    row(out, "in all", report.gone())?;
    writeln!(out, "\n")
}

fn held(out: &mut String, report: &Report) -> fmt::Result {
    if report.tiers.iter().all(|tier| tier.held.is_empty()) {
        return Ok(());
    }
    writeln!(out, "Kept beyond their time")?;
    for TierReport { tier, held, .. } in &report.tiers {
        for (reason, tally) in held {
            row(out, &tier.to_string(), *tally)?;
            writeln!(out, "   {}", reason.words())?;
        }
    }
    writeln!(out)
}

fn refused(out: &mut String, report: &Report) -> fmt::Result {
    if !report.refused.is_empty() {
        writeln!(out, "Refused by the store")?;
        for (key, error) in &report.refused {
            writeln!(out, "  {key}: {}", error.reason)?;
        }
        writeln!(out)?;
    }
    let (aborted, left) = ("Unfinished uploads that were aborted", "Unfinished uploads that could not be aborted");
    for (title, keys) in [(aborted, &report.aborted_uploads), (left, &report.left_uploads)] {
        if !keys.is_empty() {
            writeln!(out, "{title}")?;
            keys.iter().try_for_each(|key| writeln!(out, "  {key}"))?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn growth(out: &mut String, report: &Report) -> fmt::Result {
    let growth = &report.growth;
    let largest = growth.weeks.iter().filter_map(|week| week.bytes).max().unwrap_or(0).max(1);
    writeln!(out, "Growth: the newest backup of each week (weeks begin on Sunday)")?;
    for week in &growth.weeks {
        let Some(bytes) = week.bytes else {
            writeln!(out, "  {}            -", week.begins)?;
            continue;
        };
        let length = u128::from(bytes) * u128::from(BAR) / u128::from(largest);
        let bar = "█".repeat(usize::try_from(length).unwrap_or(0).max(1));
        writeln!(out, "  {}{:>13}  {bar}", week.begins, figures::size(bytes))?;
    }
    match &report.forecast {
        Some(forecast) => writeln!(
            out,
            "  One backup grows by {} a week. At this rate, a year from now one backup has {},\n  and the store holds {} of ours.\n",
            rate(growth.per_week.unwrap_or_default()),
            figures::size(forecast.one_backup),
            figures::size(forecast.all)
        ),
        None => writeln!(out, "  Backups of three weeks are needed to tell a rate.\n"),
    }
}

/// `+1.2 MiB`, `-40 KiB`.
pub(crate) fn rate(per_week: f64) -> String {
    let sign = if per_week < 0.0 { '-' } else { '+' };
    format!("{sign}{}", figures::size(whole(per_week.abs())))
}

fn foreign(out: &mut String, report: &Report) -> fmt::Result {
    let foreign = &report.foreign;
    if foreign.total().count == 0 {
        return writeln!(out, "Not ours: nothing\n");
    }
    writeln!(out, "{:<22}{:>9}{:>13}   never deleted", "Not ours", "objects", "size")?;
    for (database, tally) in &foreign.databases {
        row(out, &format!("of {database:?}"), *tally)?;
        writeln!(out, "   another database's")?;
    }
    if foreign.unclaimed.count > 0 {
        row(out, "unclaimed copies", foreign.unclaimed)?;
        writeln!(out, "   of restore tests; no record says of which database")?;
    }
    if foreign.strangers.count > 0 {
        row(out, "other objects", foreign.strangers)?;
        writeln!(out, "   the largest:")?;
        for (key, bytes) in &foreign.largest {
            // A key may hold anything, and this is a page to read.
            writeln!(out, "    {:>10}  {}", figures::size(*bytes), key.escape_debug())?;
        }
    }
    writeln!(out)
}
