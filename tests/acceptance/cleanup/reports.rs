//! The storage report: mail, file, JSON.

use super::*;

/// The report files in the log directory, by name.
fn report_files(outcome: &Outcome) -> Vec<&String> {
    outcome.logs.keys().filter(|name| name.starts_with("storage-report-")).collect()
}

#[test]
fn the_report_is_mailed_and_written_beside_the_logs() {
    let sandbox = sandbox();
    seed_a_year(&sandbox);
    seed_test(&sandbox, night(20), night(20), TestOutcome::Passed);
    sandbox.store().seed("db-backups/old/dump-2023.tar", &vec![0; 90_000]);
    let outcome = cleanup(&sandbox).run().succeeds();

    let letter = letter(&sandbox);
    assert!(letter.subject.starts_with("📊 Storage report: "), "{}", letter.subject);
    for part in [
        "were deleted, as the retention says",
        "Newest proven",
        "the restore took 3 min 12 s",
        "older than 30 days",
        "One backup, by week, over 12 weeks",
        "All of ours in a year",
        "db-backups/old/dump-2023.tar",
        "current versions",
    ] {
        // Headings are in capitals there.
        assert!(letter.text.to_lowercase().contains(&part.to_lowercase()), "{part}\n{}", letter.text);
        assert!(letter.html.contains(part), "{part}\n{}", letter.html);
    }

    let [name] = report_files(&outcome)[..] else { panic!("one report file\n{}", outcome.report()) };
    let today = night(0).date();
    assert_eq!(*name, format!("storage-report-{}.txt", today.to_string().replace('-', "")));
    let text = &outcome.logs[name];
    for part in ["Stored", "daily", "recovery-tests", "Growth: the newest backup of each week", "a week. At this rate"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let attached = &letter.attachments[0];
    assert_eq!((&attached.name, String::from_utf8_lossy(&attached.content).trim_end()), (name, text.trim_end()));
    sandbox.assert_no_litter();
}

#[test]
fn a_report_can_be_had_without_deleting() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let outcome = deletes_nothing(&sandbox, cleanup(&sandbox).arg("--report-only"));
    let outcome = outcome.succeeds().prints("3 due for deletion");
    assert_eq!(report_files(&outcome).len(), 1);
    assert!(letter(&sandbox).subject.contains("Storage report"));
}

#[test]
fn a_report_or_a_mail_can_be_left_out() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let outcome = cleanup(&sandbox).arg("--no-report").run().succeeds().prints("3 deleted");
    assert_eq!(report_files(&outcome).len(), 0);
    let outcome = cleanup(&sandbox).arg("--no-notify").run().succeeds();
    assert_eq!(report_files(&outcome).len(), 1);
    assert!(sandbox.mail().messages().is_empty());
    cleanup(&sandbox).args(["--report-only", "--no-report"]).run().exits(2);
}

#[test]
fn a_report_that_cannot_be_written_is_a_warning() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let file = sandbox.write("not-a-folder", "");
    let outcome = cleanup(&sandbox).env("BACKUP_LOG_DIR", file.to_str().unwrap()).run();
    outcome.succeeds().says("cannot write the storage report").prints("3 deleted");
    assert!(letter(&sandbox).subject.contains("Storage report"));
}

#[test]
fn a_second_report_tells_what_has_changed() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    cleanup(&sandbox).run().succeeds();
    seed(&sandbox, Tier::Monthly, night(1));
    let outcome = cleanup(&sandbox).run().succeeds();
    let name = report_files(&outcome)[0].clone();
    assert!(outcome.logs[&name].contains("+3.9 KiB (+33.3 %) since"), "{}", outcome.logs[&name]);

    // What another database has is no change of ours.
    let outcome = cleanup(&sandbox).arg("--report-only").env("DB_NAME", "other").run().succeeds();
    assert!(!outcome.logs[&name].contains(" since "), "{}", outcome.logs[&name]);
}
