//! What goes and what stays.

use super::*;

#[test]
fn a_dry_run_says_exactly_what_a_run_then_does() {
    let sandbox = sandbox();
    seed_a_year(&sandbox);
    seed_test(&sandbox, night(200), night(201), TestOutcome::Passed);
    let before = keys(&sandbox);
    let dry = deletes_nothing(&sandbox, cleanup(&sandbox).args(["--dry-run", "--json"])).succeeds();
    assert!(sandbox.mail().messages().is_empty());

    let run = cleanup(&sandbox).arg("--json").run().succeeds();
    let (delete, keep) = (planned(&dry, "delete"), planned(&dry, "keep"));
    assert_eq!(planned(&run, "delete"), delete);
    assert_eq!(keys(&sandbox), keep);
    assert_eq!(delete.union(&keep).cloned().collect::<BTreeSet<_>>(), before);

    // 31 nights, and the one that a restore test has proven.
    let document = run.json();
    assert_eq!(document["tiers"]["daily"]["count"], 32);
    assert_eq!(document["tiers"]["recovery-tests"]["count"], 1);
    assert!((13..=14).contains(&document["tiers"]["weekly"]["count"].as_u64().unwrap()), "{document:#}");
    assert_eq!(document["total"]["count"], keep.len());

    let again = cleanup(&sandbox).arg("--json").run().succeeds();
    assert_eq!(planned(&again, "delete").len(), 0);
    assert_eq!(keys(&sandbox), keep);
    sandbox.assert_no_litter();
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_dry_run_prints_a_line_with_the_reason_for_each() {
    let sandbox = sandbox();
    let expired = seed_three_expired(&sandbox);
    let outcome = deletes_nothing(&sandbox, cleanup(&sandbox).arg("--dry-run")).succeeds();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 6 + 1, "{}", outcome.stdout);
    for key in &expired {
        let line = lines.iter().find(|line| line.ends_with(key)).unwrap();
        assert!(line.starts_with("delete  daily") && line.contains("days old, limit 30 days"), "{line}");
    }
    assert_eq!(lines.iter().filter(|line| line.contains("but one of the fewest to keep")).count(), 2);
    assert!(lines[6].contains("3 would be deleted"), "{}", lines[6]);
}

#[test]
fn the_result_is_one_line() {
    let sandbox = sandbox();
    let expired = seed_three_expired(&sandbox);
    let outcome = cleanup(&sandbox).run().succeeds();
    assert_eq!(outcome.stdout, "s3://shop-backups/db-backups/: 3 deleted, 11.7 KiB; 3 kept, 11.7 KiB\n");
    for key in &expired {
        outcome.clone().logs("cleanup.log", &format!("deleted s3://shop-backups/{key}"));
        assert!(!keys(&sandbox).contains(key));
    }
}

#[test]
fn what_is_not_ours_is_never_touched() {
    let sandbox = sandbox();
    let expired = seed_three_expired(&sandbox);
    let name = sandbox.database().name();
    let other = Layout::new("db-backups".parse().unwrap(), format!("{name}_test").parse().unwrap());
    let ours = layout(&sandbox);
    let mut theirs: BTreeSet<String> = BTreeSet::new();
    for days in 300..310 {
        for tier in [Tier::Daily, Tier::Weekly, Tier::Monthly] {
            theirs.insert(seed_of(&sandbox, &other, tier, night(days), 4_000));
        }
        // Copies that nobody claims may be theirs.
        theirs.insert(seed(&sandbox, Tier::RecoveryTests, night(days)));
        let odd = ours.key(BackupId { taken: night(days), tier: Tier::Daily });
        for key in [
            format!("{odd}.bak"),
            odd.replace("db-backups/", "db-backups2/"),
            odd.replace("daily", "dailies"),
            format!("db-backups/odd & <b> \u{1} +%41 {days}"),
        ] {
            sandbox.store().seed(&key, b"precious");
            theirs.insert(key);
        }
    }
    let outcome = cleanup(&sandbox).arg("--json").run().succeeds();
    assert_eq!(planned(&outcome, "delete"), expired.into_iter().collect());
    assert!(keys(&sandbox).is_superset(&theirs));
    let foreign = &outcome.json()["foreign"];
    assert_eq!(foreign["databases"][format!("{name}_test")]["count"], 30);
    assert_eq!(foreign["unclaimed_copies"]["count"], 10);
    // What stands beside the prefix is not even looked at.
    assert_eq!(foreign["other"]["count"], 30);
}

#[test]
fn many_go_in_batches() {
    let sandbox = sandbox();
    seed(&sandbox, Tier::Daily, night(0));
    for minute in 0..1_203 {
        seed(&sandbox, Tier::Daily, night(100) + time::Duration::minutes(minute));
    }
    cleanup(&sandbox).run().succeeds().prints("1,201 deleted");
    let batches = sandbox.store().requests(&On::operation(Operation::DeleteObjects));
    assert_eq!(batches.len(), 2, "{}", sandbox.store().transcript());
    assert!(batches.iter().all(|batch| batch.header("content-md5").is_some()));
    assert_eq!(keys(&sandbox).len(), 3);
}

#[test]
fn uploads_that_nobody_will_finish_are_aborted() {
    let sandbox = sandbox();
    seed(&sandbox, Tier::Daily, night(0));
    let ours = layout(&sandbox);
    let key = |days| ours.key(BackupId { taken: night(days), tier: Tier::Daily });
    let begun = |days: u64| SystemTime::now() - Duration::from_hours(24 * days);
    let store = sandbox.store();
    store.seed_upload(&key(3), begun(3));
    let under_way = store.seed_upload(&key(0), SystemTime::now() - Duration::from_hours(23));
    let foreign = store.seed_upload("db-backups/somebody-elses.tar", begun(30));
    let left = || store.unfinished_uploads().into_iter().map(|upload| upload.id).collect::<BTreeSet<_>>();

    let dry = cleanup(&sandbox).arg("--dry-run").run().succeeds();
    dry.prints(&format!("abort   unfinished upload of {}", key(3)));
    assert_eq!(left().len(), 3);
    cleanup(&sandbox).run().succeeds().says("aborted the unfinished upload");
    assert_eq!(left(), BTreeSet::from([under_way, foreign]));
}
