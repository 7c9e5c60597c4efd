//! A good backup passes, and everybody can know: by the output, the certificate, and what stands in the store.

use acceptance::postgres::Cluster;
use acceptance::sandbox::Outcome;
use backup_core::journal::TestRecord;
use backup_core::key::{BackupId, Layout, Tier};
use time::{OffsetDateTime, PrimitiveDateTime};

use super::{Backup, ends, flat, gzip, shop};

#[test]
fn a_good_backup_is_proven_and_the_certificate_says_all_of_it() {
    let sandbox = shop().stored();
    let (outcome, letter) = ends(&sandbox, 0, "passed", "every row equals the original");
    let noticed = ["was flipped, and noticed", "in one row of ", "an index was dropped, and noticed: INDEX public."];
    noticed.into_iter().fold(outcome, Outcome::says);
    assert!(letter.subject.starts_with("🔍 Restore test passed: "), "{}", letter.subject);
    let text = flat(&letter);
    for expected in [
        "was restored from its backup, and every row equals the original.",
        "The backup is proven: ",
        &shop().address(),
        "Data as of",
        "Restore took",
        "Scratch server: kept ",
        "2,901",
        "was flipped, and noticed",
        "docker-compose exec backup restore run s3://shop-backups/db-backups/daily/",
        "gunzip -c backup.sql.gz | psql -X -v ON_ERROR_STOP=1 -d ",
    ] {
        assert!(text.contains(expected), "expected in the mail: {expected}\n{}", letter.text);
    }
}

/// They are read when the database is lost.
#[test]
fn the_commands_of_the_certificate_can_be_pasted_whatever_the_database_is_called() {
    let name = format!("-=Ünï\"c'o %s{}", std::process::id());
    let database = Cluster::shared().create_database_named(&name);
    database.sql("CREATE TABLE t AS SELECT 1 AS n");
    let sandbox = Backup::of(&database).stored();
    let (_, letter) = ends(&sandbox, 0, "passed", "every row equals the original");
    let words = |of: &str| -> Vec<String> {
        let line = letter.text.lines().find(|line| line.contains(of)).unwrap_or_else(|| panic!("{}", letter.text));
        let script = format!("printf '%s\\n' {}", line.trim().replace(" | ", " "));
        let said = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect()
    };
    for command in ["docker-compose exec backup restore run ", "exec -e DB_USER=postgres -e DB_PASSWORD backup "] {
        let words = words(command);
        assert!(words[words.len() - 2].starts_with("s3://shop-backups/db-backups/daily/"), "{words:?}");
        assert_eq!(words[words.len() - 1], format!("--into={name}_restored"));
    }
    let endpoint = sandbox.store().endpoint();
    assert_eq!(words("aws s3 cp ")[4..], ["backup.sql.gz", "--endpoint-url", &endpoint]);
    let connection = format!("dbname='{}_restored'", name.replace('\'', r"\'"));
    assert_eq!(words("psql -X ").pop(), Some(connection));
}

#[test]
fn what_was_found_stands_in_the_store_beside_a_copy_of_the_backup() {
    let sandbox = shop().stored();
    ends(&sandbox, 0, "passed", "every row equals the original");
    let keys = sandbox.store().keys();
    let copy = keys.iter().find(|key| key.contains("/recovery-tests/") && key.ends_with(".sql.gz")).unwrap();
    assert!(sandbox.store().read(copy) == shop().bytes, "the copy is another object");
    let record = keys.iter().find(|key| key.ends_with(".passed.json")).unwrap();
    let record = TestRecord::parse(&sandbox.store().read(record)).unwrap();
    assert_eq!(record.backup, shop().address());
    assert_eq!(record.database, shop().database.name());
    assert_eq!(record.rows, Some(2_901));
    assert!(record.restore_seconds.is_some_and(|seconds| seconds > 0.0), "{record:?}");
    assert!(record.as_of.is_some(), "{record:?}");
}

#[test]
fn a_test_of_another_database_in_the_same_second_keeps_its_copy() {
    let sandbox = shop().stored();
    let layout = Layout::new("db-backups".parse().unwrap(), shop().database.name().parse().unwrap());
    let now = OffsetDateTime::now_utc().truncate_to_second();
    let theirs: Vec<String> = (0..30)
        .map(|seconds| {
            let taken = PrimitiveDateTime::new(now.date(), now.time()) + time::Duration::seconds(seconds);
            layout.key(BackupId { taken, tier: Tier::RecoveryTests })
        })
        .collect();
    for key in &theirs {
        sandbox.store().seed(key, b"theirs");
    }
    ends(&sandbox, 0, "passed", "every row equals the original");
    assert!(theirs.iter().all(|key| sandbox.store().read(key) == b"theirs"));
    let keys = sandbox.store().keys();
    let mut new = keys.iter().filter(|key| key.contains("/recovery-tests/") && !theirs.contains(key));
    let stem = new.find_map(|key| key.strip_suffix(".sql.gz")).expect("there is a copy of our own");
    assert!(keys.iter().any(|key| key.starts_with(stem) && key.ends_with(".passed.json")), "{keys:#?}");
}

#[test]
fn scripts_get_it_as_json() {
    let sandbox = shop().stored();
    let outcome = sandbox.command("restore-test").args(["--json", "--no-notify"]).run().succeeds();
    let json = outcome.json();
    assert_eq!(json["verdict"], "passed");
    assert_eq!(json["backup"], shop().address());
    assert_eq!(json["rows"], 2_901);
    assert_eq!(json["drill"].as_array().unwrap().len(), 3, "{json}");
    assert!(sandbox.mail().messages().is_empty());
}

#[test]
fn latest_is_the_newest_daily_else_weekly_else_monthly() {
    let sandbox = shop().stored();
    let other = "db-backups/monthly/2020/01/NAME_backup_20200101_020000.sql.gz".replace("NAME", shop().database.name());
    sandbox.store().seed(&other, b"an old one");
    let future =
        "db-backups/daily/2999/01/01/NAME_backup_29990101_020000.sql.gz".replace("NAME", shop().database.name());
    sandbox.store().seed(&future, b"a clock was wrong");
    sandbox.command("restore-test").run().succeeds().prints(&shop().address());

    sandbox.store().remove(&shop().key);
    sandbox.command("restore-test").run().exits(1).prints(&other);
}

#[test]
fn any_backup_can_be_named() {
    let sandbox = shop().stored();
    sandbox.command("restore-test").arg(&shop().key).run().succeeds().prints(&shop().address());
    let file = sandbox.home().join("a backup.sql.gz");
    std::fs::write(&file, &shop().bytes).unwrap();
    let outcome = sandbox.command("restore-test").arg(&file).run().succeeds();
    // Its end says what a restore needs: it is not read twice.
    outcome.prints("a backup.sql.gz: restored in").never_says("reading all of");
    // Only a backup of the store has a place there for its result.
    assert_eq!(sandbox.store().keys().iter().filter(|key| key.ends_with(".passed.json")).count(), 1);
}

#[test]
fn a_mistyped_word_is_no_test() {
    let sandbox = shop().stored();
    let refused = sandbox.command("restore-test").arg("lastest").run().exits(2).prints_nothing();
    refused.says("there is no such file").says("name `latest`, a key as `restore list` shows it");
    assert!(sandbox.mail().messages().is_empty(), "somebody was told");
    assert!(!sandbox.home().join("state").join("restore-test.json").exists(), "it was written down");
    sandbox.command("restore-test").arg("--no-notify").run().succeeds();
    assert!(sandbox.home().join("state").join("restore-test.json").exists());
}

#[test]
fn without_a_backup_there_is_nothing_to_prove_and_a_person_hears_it() {
    let sandbox = acceptance::sandbox::Sandbox::on(shop().database.clone());
    let outcome = sandbox.command("restore-test").run().exits(1).says("there is none of the database");
    let letter = sandbox.mail().messages()[0].letter();
    assert!(letter.subject.starts_with("❌ Restore test FAILED: "), "{}\n{}", letter.subject, outcome.report());
    assert!(flat(&letter).contains("No backup of this database is proven."), "{}", letter.text);
}

#[test]
fn a_backup_of_another_tool_is_restored_but_unproven() {
    let text = shop().text();
    let footer = text.find("-- @backup ").unwrap();
    let sandbox = shop().stored_as(&gzip(&text.as_bytes()[..footer]));
    let (_, letter) = ends(&sandbox, 3, "unproven", "the backup carries no footer");
    assert!(letter.subject.starts_with("⚠️ Restore test INCONCLUSIVE: "), "{}", letter.subject);
    assert!(flat(&letter).contains("It restores without an error."), "{}", letter.text);
}

#[test]
fn definitions_that_postgresql_spells_anew_are_no_loss_and_said() {
    let database = acceptance::postgres::Cluster::shared().create_database();
    database.sql("CREATE TABLE t (state varchar(9) CHECK (state IN ('NEW', 'PAID')), PRIMARY KEY (state)); INSERT INTO t VALUES ('NEW');");
    let sandbox = Backup::of(&database).stored();
    let (_, letter) = ends(&sandbox, 0, "passed", "spells 1 definitions anew");
    assert!(
        flat(&letter).contains("PostgreSQL writes the definitions of TABLE public.t in other words"),
        "{}",
        letter.text
    );
}

#[test]
fn the_scratch_server_can_be_kept_to_look_at() {
    let sandbox = shop().stored();
    let outcome = sandbox.command("restore-test").args(["--keep-scratch", "--json", "--no-notify"]).run().succeeds();
    let command = outcome.json()["scratch_kept"].as_str().unwrap().to_owned();
    let data = command.split_whitespace().nth(2).unwrap();
    assert!(std::path::Path::new(data).join("PG_VERSION").exists(), "{command}");
    // A later run leaves it alone.
    sandbox.command("restore-test").arg("--no-notify").run().succeeds();
    assert!(std::path::Path::new(data).join("PG_VERSION").exists(), "{command}");
}

#[test]
fn disabled_it_does_nothing() {
    let mut sandbox = shop().stored();
    sandbox.env("BACKUP_ENABLED", "false");
    sandbox.command("restore-test").run().succeeds().says("BACKUP_ENABLED is false");
    assert_eq!(sandbox.store().keys(), [shop().key.clone()]);
}
