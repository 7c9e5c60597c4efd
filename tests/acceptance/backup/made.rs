//! A backup that goes well, from the database to the store and back.

use acceptance::postgres::Cluster;
use acceptance::sandbox::Sandbox;
use acceptance::store::On;
use backup_core::footer::Footer;
use backup_core::key::{Layout, Tier};
use serde_json::json;

use super::only_mail;
use crate::shop::{ROWS, daily_key, footer, gunzip, restore, shop};

/// Takes all objects away: two backups of one second would have the same key.
fn empty_store(sandbox: &Sandbox) {
    for key in sandbox.store().keys() {
        sandbox.store().remove(&key);
    }
}

/// Moves the one backup in the store to an earlier day, out of the way of this week's and month's slots too.
fn age_backup(sandbox: &Sandbox) {
    let bytes = sandbox.store().read(&daily_key(sandbox));
    empty_store(sandbox);
    let old = format!("db-backups/daily/2025/01/29/{}_backup_20250129_020000.sql.gz", sandbox.database().name());
    sandbox.store().seed(&old, &bytes);
}

#[test]
fn a_backup_is_stored_promoted_and_told_of() {
    let sandbox = shop();
    let outcome = sandbox.command("backup").run().succeeds();
    let key = daily_key(&sandbox);
    assert_eq!(outcome.stdout, format!("s3://shop-backups/{key}\n"));

    let name = sandbox.database().name();
    let layout = Layout::new("db-backups".parse().unwrap(), name.parse().unwrap());
    let keys = sandbox.store().keys();
    let tiers: Vec<_> = keys.iter().map(|key| layout.parse(key).unwrap()).collect();
    assert_eq!(tiers.iter().map(|id| id.tier).collect::<Vec<_>>(), [Tier::Daily, Tier::Monthly, Tier::Weekly]);
    assert!(tiers.iter().all(|id| id.taken == tiers[0].taken), "{keys:?}");
    assert!(keys.iter().all(|key| sandbox.store().read(key) == sandbox.store().read(&keys[0])));

    let letter = only_mail(&sandbox, &outcome);
    assert!(letter.subject.starts_with(&format!("✅ Backup succeeded: {name} on 127.0.0.1 (")), "{}", letter.subject);
    for told in ["Rows: 2,901", "Tables: 5", "The data is safe", &key, "Stored: ", "Dump: "] {
        assert!(letter.text.contains(told), "expected in the mail: {told}\n{}", letter.text);
    }
    // Long values are wrapped.
    let text = letter.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for tier in ["weekly", "monthly"] {
        assert!(text.contains(&format!("Copied to: s3://shop-backups/db-backups/{tier}/")), "{text}");
    }
    outcome.logs("backup.log", "stored s3://shop-backups/").logs("backup.log", "promoted to weekly");
    sandbox.assert_no_litter();
    sandbox.assert_no_secret_leaked();
}

#[test]
fn what_is_restored_equals_what_was_backed_up() {
    let mut sandbox = shop();
    sandbox.command("backup").run().succeeds();
    let object = sandbox.store().read(&daily_key(&sandbox));
    let (before, dump) = footer(&object);
    assert!(gunzip(&object).starts_with(&dump));

    let empty = Cluster::shared().create_database();
    assert_eq!(restore(&object, &empty), "", "into an empty database");
    empty.sql("UPDATE orders SET net = 0; DROP VIEW open_orders; DELETE FROM events;");
    assert_eq!(restore(&object, &empty), "", "into a full one");

    sandbox.env("DB_NAME", empty.name());
    let again = sandbox.home().join("again.sql.gz");
    sandbox.command("backup").arg("--output").arg(&again).run().succeeds();
    let (after, _) = footer(&std::fs::read(again).unwrap());
    let shown =
        |footer: &Footer| (footer.dump.tables.clone(), footer.dump.sequences.clone(), footer.dump.large_objects);
    assert_eq!(shown(&before), shown(&after));
    assert_eq!(before.dump.objects, after.dump.objects);
    assert_eq!(before.dump.roles, after.dump.roles);
}

#[test]
fn the_footer_tells_the_truth() {
    let sandbox = shop();
    let started = time::OffsetDateTime::now_utc() - time::Duration::seconds(1);
    sandbox.command("backup").run().succeeds();
    let (footer, dump) = footer(&sandbox.store().read(&daily_key(&sandbox)));
    let database = sandbox.database();
    for table in &footer.dump.tables {
        assert_eq!(table.rows.to_string(), database.query(&format!("SELECT count(*) FROM ONLY {}", table.name)));
    }
    assert_eq!((footer.total_rows(), footer.table_count()), (ROWS, 5));
    assert_eq!(footer.dump.bytes, dump.len() as u64);
    assert_eq!(footer.database, database.name());
    assert!(footer.started >= started && footer.started <= time::OffsetDateTime::now_utc(), "{}", footer.started);
    assert_eq!(footer.dump.server_version.as_deref(), Some(&*database.query("SHOW server_version")));
    assert_eq!((footer.encoding.as_str(), footer.collate.as_str()), ("UTF8", "C.UTF-8"));
    assert_eq!((footer.dump.large_objects.count, footer.dump.large_objects.bytes), (1, 12_000));
}

#[test]
fn roles_come_with_the_backup_but_no_passwords() {
    let sandbox = shop();
    let cluster = sandbox.database().cluster();
    let team = cluster.create_role("CREATEDB");
    let owner = cluster.create_role(&format!("IN ROLE {}", team.user));
    sandbox.database().sql(&format!("ALTER TABLE orders OWNER TO {}", owner.user));
    sandbox.command("backup").run().succeeds();
    let object = sandbox.store().read(&daily_key(&sandbox));
    let (footer, _) = footer(&object);
    let role = |name: &str| footer.roles.iter().find(|role| role.name == name).unwrap().statements.join(" ");
    assert!(role(&owner.user).contains(&format!("GRANT {} TO {};", team.user, owner.user)), "{}", role(&owner.user));
    assert!(role(&team.user).contains(" CREATEDB LOGIN "), "{}", role(&team.user));
    let text = String::from_utf8_lossy(&gunzip(&object)).into_owned();
    assert!(!text.contains("PASSWORD") && !text.contains("SCRAM-SHA-256"), "a password is in the backup");
}

#[test]
fn what_is_gone_since_the_last_backup_is_warned_of_whoever_wants_no_success() {
    let mut sandbox = shop();
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    age_backup(&sandbox);
    sandbox.database().sql("DROP TABLE nothing_yet; DELETE FROM orders; CREATE TABLE returned (order_id int);");
    sandbox.env("BACKUP_NOTIFY_ON", "failure");
    let outcome = sandbox.command("backup").run().succeeds();
    let outcome = outcome.says("WARN Tables that are gone since the backup before: public.nothing_yet");
    let letter = only_mail(&sandbox, &outcome);
    assert!(letter.subject.starts_with("⚠️ Backup succeeded with a WARNING"), "{}", letter.subject);
    assert!(letter.subject.ends_with("(a table is gone)"), "{}", letter.subject);
    for told in [
        "Warning: The database has lost more than half of its rows: 901 now, 2,901 in the backup before.",
        "Warning: Tables that are gone since the backup before: public.nothing_yet",
        "New tables: public.returned",
        "Last backup: ",
        "-2,000 (-68.9 %)",
    ] {
        assert!(letter.text.contains(told), "expected in the mail: {told}\n{}", letter.text);
    }
}

#[test]
fn a_dump_that_lost_every_table_does_not_follow_one_that_had_some() {
    let sandbox = shop();
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    age_backup(&sandbox);
    let before = sandbox.store().keys();
    sandbox.database().sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public;");
    let outcome = sandbox.command("backup").run().exits(1).prints_nothing();
    let outcome = outcome.says("the dump holds no table, and the backup before it has 5 of them with 2,901 rows");
    let letter = only_mail(&sandbox, &outcome.says("--allow-empty"));
    assert!(letter.text.contains("was NOT backed up") && letter.text.contains("--allow-empty"), "{}", letter.text);
    assert_eq!(sandbox.store().keys(), before);
    sandbox.assert_no_litter();

    sandbox.command("backup").arg("--allow-empty").run().succeeds();
    // From now on the backup before is an empty one.
    let daily =
        sandbox.store().keys().into_iter().find(|key| key.contains("/daily/") && !before.contains(key)).unwrap();
    let empty = sandbox.store().read(&daily);
    empty_store(&sandbox);
    sandbox.store().seed(&before[0], &empty);
    sandbox.command("backup").run().succeeds();
}

#[test]
fn a_backup_before_that_does_not_say_what_it_holds_is_believed_to_hold_something() {
    let sandbox = Sandbox::new();
    let old = format!("db-backups/daily/2025/01/29/{}_backup_20250129_020000.sql.gz", sandbox.database().name());
    sandbox.store().seed(&old, b"made by another tool");
    sandbox.command("backup").run().exits(1).says("the backup before it does not tell how many it has");
    assert_eq!(sandbox.store().keys(), [old]);
    sandbox.assert_no_litter();
}

#[test]
fn json_is_one_document_that_says_it_all() {
    let sandbox = shop();
    let document = sandbox.command("backup").arg("--json").run().succeeds().json();
    let key = daily_key(&sandbox);
    assert_eq!(document["tool"], "backup");
    assert_eq!((&document["outcome"], &document["exit_code"]), (&json!("done"), &json!(0)));
    assert_eq!(document["address"], json!(format!("s3://shop-backups/{key}")));
    assert_eq!((&document["rows"], &document["tables"]), (&json!(ROWS), &json!(5)));
    assert_eq!(document["stored_bytes"], json!(sandbox.store().read(&key).len()));
    assert_eq!(document["promoted"]["weekly"]["error"], json!(null));
    assert_eq!(document["warnings"], json!([]));
    age_backup(&sandbox);
    let changes = sandbox.command("backup").arg("--json").run().succeeds().json()["changes"].clone();
    assert_eq!((&changes["rows_before"], &changes["rows_after"]), (&json!(ROWS), &json!(ROWS)));
}

#[test]
fn a_failure_in_json_is_one_document_too() {
    let mut sandbox = Sandbox::new();
    sandbox.env("DB_NAME", "not_there");
    let document = sandbox.command("backup").arg("--json").run().exits(1).json();
    assert_eq!((&document["outcome"], &document["exit_code"]), (&json!("failed"), &json!(1)));
    assert!(document["error"].as_str().unwrap().contains("database \"not_there\" does not exist"), "{document}");
    assert_eq!(document["hint"], "Check DB_NAME and DB_USER.");
}

#[test]
fn a_dry_run_names_the_keys_and_writes_nothing() {
    let sandbox = shop();
    let outcome = sandbox.command("backup").arg("--dry-run").run().succeeds();
    let name = sandbox.database().name();
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", outcome.report());
    for (line, tier) in lines.iter().zip(["daily", "weekly", "monthly"]) {
        assert!(line.starts_with(&format!("s3://shop-backups/db-backups/{tier}/")), "{line}");
        assert!(line.contains(&format!("/{name}_backup_")), "{line}");
    }
    assert!(sandbox.mail().messages().is_empty());
    assert!(sandbox.store().requests(&On::any()).iter().all(|request| request.method == "GET"));
    sandbox.assert_nothing_left_behind();
}

#[test]
fn a_dry_run_finds_what_is_wrong() {
    let mut sandbox = Sandbox::new();
    sandbox.env("DB_PASSWORD", "canarywrong");
    sandbox.command("backup").arg("-n").run().exits(1).prints_nothing().says("password authentication failed");
    assert!(sandbox.mail().messages().is_empty());
    sandbox.assert_nothing_left_behind();
}

#[test]
fn no_backup_is_made_where_a_newer_one_stands() {
    let sandbox = shop();
    let due = || sandbox.command("backup").args(["--if-older-than", "24h"]);
    due().run().succeeds().prints("s3://shop-backups/");
    let before = sandbox.store().keys();
    due().run().succeeds().prints_nothing().says("no backup is due");
    assert_eq!(sandbox.store().keys(), before);
    assert_eq!(due().arg("--json").run().json()["skipped"], "recent");
    assert_eq!(sandbox.mail().messages().len(), 1, "what was skipped is not mailed");

    // What did nothing says nothing of how the job goes.
    let last = || std::fs::read_to_string(sandbox.home().join("state/backup.json")).unwrap();
    sandbox.command("backup").env("DB_PASSWORD", "canarywrong").run().exits(1);
    let failed = last();
    due().run().succeeds().prints_nothing();
    assert_eq!(last(), failed);
    age_backup(&sandbox);
    due().run().succeeds().prints(&daily_name(&sandbox));
}

/// How the daily keys of this year's backups start.
fn daily_name(sandbox: &Sandbox) -> String {
    let year = time::OffsetDateTime::now_utc().year();
    format!("/{}_backup_{year}", sandbox.database().name())
}

#[test]
fn another_databases_backup_is_no_reason_to_skip() {
    let sandbox = shop();
    let name = sandbox.database().name();
    let now = time::OffsetDateTime::now_utc();
    let (day, month) = (now.day(), u8::from(now.month()));
    let other = format!(
        "db-backups/daily/{0}/{month:02}/{day:02}/{name}_test_backup_{0}{month:02}{day:02}_000000.sql.gz",
        now.year()
    );
    sandbox.store().seed(&other, b"a backup of another database");
    sandbox.command("backup").args(["--if-older-than", "100days"]).run().succeeds().prints(&daily_name(&sandbox));
}

#[test]
fn who_wants_no_mail_gets_none() {
    let mut sandbox = shop();
    sandbox.command("backup").arg("--no-notify").run().succeeds();
    empty_store(&sandbox);
    sandbox.env("BACKUP_NOTIFY_ON", "failure");
    sandbox.command("backup").run().succeeds();
    assert!(sandbox.mail().transcript().is_empty(), "{:?}", sandbox.mail().transcript());
    sandbox.env("DB_NAME", "not_there");
    sandbox.command("backup").run().exits(1);
    assert_eq!(sandbox.mail().messages().len(), 1);
    sandbox.unset("BACKUP_NOTIFICATION_EMAIL");
    sandbox.command("backup").run().exits(1).says("BACKUP_NOTIFICATION_EMAIL is not set: nobody is told");
    assert_eq!(sandbox.mail().messages().len(), 1);
}

#[test]
fn disabled_means_nothing_is_done_and_nothing_else_needs_to_be_right() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("S3_BUCKET_NAME").env("DB_PORT", "wrong");
    for word in ["false", "FALSE", "no", "off", "0", " False "] {
        let outcome = sandbox.command("backup").env("BACKUP_ENABLED", word).run().succeeds();
        outcome.prints_nothing().says("BACKUP_ENABLED is false");
    }
    let outcome = sandbox.command("backup").env("BACKUP_ENABLED", "ja").run().exits(78);
    outcome.says("BACKUP_ENABLED is `ja`: must be true or false");
    assert!(sandbox.store().requests(&On::any()).is_empty());
}

#[test]
fn every_word_for_yes_makes_a_backup() {
    let sandbox = Sandbox::new();
    for word in ["true", "Yes", "ON", "1", ""] {
        sandbox.command("backup").arg("--dry-run").env("BACKUP_ENABLED", word).run().succeeds().prints("daily/");
    }
}
