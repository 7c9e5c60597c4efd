//! A backup that is fetched: the same bytes, verified, or no file.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use acceptance::store::{Fault, On, Operation};
use acceptance::{lifeline, programs};
use backup_core::key::Tier;

use super::{back_up, backed_up, backed_up_in_bulk, file_of, files, gzip, layout, night, restore, seed};
use crate::shop::{ROWS, add_bulk, shop};

#[test]
fn the_file_is_the_object_and_its_owners_alone() {
    let (sandbox, key) = backed_up();
    let file = file_of(&sandbox, &key);
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let outcome = restore(&sandbox, &["fetch", "latest"]).run().succeeds().prints(&name);
    assert!(fs::read(&file).unwrap() == sandbox.store().read(&key), "other bytes came");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let verified = "verified by the store's checksum, gzip, the end of the dump and its footer";
    outcome.says(verified).logs("restore.log", verified).says("2,901 rows").never_says("WARN");
    assert_eq!(files(&sandbox), [name.as_str()]);
    sandbox.assert_no_litter();
    sandbox.assert_no_secret_leaked();
}

#[test]
fn a_key_and_an_address_name_it_too_and_a_script_gets_json() {
    let (sandbox, key) = backed_up();
    fs::create_dir(sandbox.home().join("folder")).unwrap();
    for (backup, output) in [(key.clone(), "a.sql.gz"), (format!("s3://shop-backups/{key}"), "folder")] {
        let document = restore(&sandbox, &["fetch", &backup, "-o", output, "--json"]).run().succeeds().json();
        let path = document["path"].as_str().unwrap();
        assert!(fs::read(sandbox.home().join(path)).unwrap() == sandbox.store().read(&key), "{path}: other bytes came");
        assert_eq!((&document["rows"], &document["checked_by_store"]), (&ROWS.into(), &true.into()));
        assert_eq!(document["backup"], format!("s3://shop-backups/{key}"));
    }
}

#[test]
fn what_is_not_there_is_told_and_how_to_look() {
    let (sandbox, _) = backed_up();
    for (backup, code, says) in [
        ("db-backups/daily/none.sql.gz", 1, "no object stands under this key"),
        ("s3://other/db-backups/x.sql.gz", 1, "the settings name the bucket shop-backups, not other"),
        ("./here.sql.gz", 2, "name `latest`, a key"),
        ("s3://shop-backups", 2, "s3://BUCKET/KEY"),
    ] {
        restore(&sandbox, &["fetch", backup]).run().exits(code).prints_nothing().says(says);
    }
    let other = restore(&sandbox, &["fetch", "latest"]).env("DB_NAME", "nobody").run();
    other.exits(1).says("there is none of the database nobody").says("restore list");
    assert_eq!(files(&sandbox), [""; 0]);
}

#[test]
fn the_latest_is_never_of_the_future() {
    let (sandbox, key) = backed_up();
    seed(&sandbox, Tier::Daily, night(-3), b"of a clock that is wrong");
    seed(&sandbox, Tier::Weekly, night(1), b"older");
    let document = restore(&sandbox, &["fetch", "latest", "--json"]).run().succeeds().json();
    assert_eq!(document["backup"], format!("s3://shop-backups/{key}"));
}

#[test]
fn a_file_that_is_there_stays_unless_that_is_asked_for() {
    let (sandbox, key) = backed_up();
    let file = sandbox.write("mine.sql.gz", "precious");
    let refused = restore(&sandbox, &["fetch", "latest", "-o", "mine.sql.gz"]).run().exits(1).prints_nothing();
    refused.says("a file stands at mine.sql.gz").says("--force");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    restore(&sandbox, &["fetch", "latest", "-o", "mine.sql.gz", "--force"]).run().succeeds();
    assert!(fs::read(&file).unwrap() == sandbox.store().read(&key), "other bytes came");
    assert_eq!(files(&sandbox), ["mine.sql.gz"]);
}

#[test]
fn whoever_may_not_write_there_is_told_as_whom_it_runs_and_what_does() {
    let (mut sandbox, _) = backed_up();
    let folder = sandbox.home().join("of another");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    // As in the container, where it then becomes another user.
    if nix::unistd::geteuid().is_root() {
        sandbox.env("BACKUP_USER", "nobody");
    }
    let refused = restore(&sandbox, &["fetch", "latest", "-o", "of another/b.sql.gz"]).run().exits(1).prints_nothing();
    refused
        .says("cannot open of another/b.sql.gz.part: Permission denied")
        .says("hint: This runs as the user ")
        .says("(BACKUP_USER, where root has started it)")
        .says("--output - > FILE");
}

#[test]
fn stdout_gets_the_same_bytes() {
    let (sandbox, key) = backed_up_in_bulk();
    let path = sandbox.home().join("stream");
    let stdout = fs::File::create(&path).unwrap();
    restore(&sandbox, &["fetch", "latest", "-o", "-"]).stdout(stdout).run().succeeds();
    assert!(fs::read(&path).unwrap() == sandbox.store().read(&key), "other bytes came");
    assert_eq!(files(&sandbox), ["stream"]);
}

#[test]
fn stdout_that_breaks_off_is_no_whole_file_and_says_so() {
    let sandbox = shop();
    add_bulk(sandbox.database(), 45);
    let (sandbox, _) = back_up(sandbox);
    sandbox
        .store()
        .fault(On::operation(Operation::GetObject).header("range", "bytes=16777216-"), Fault::refuse("AccessDenied"));
    let path = sandbox.home().join("stream");
    let outcome = restore(&sandbox, &["fetch", "latest", "-o", "-"]).stdout(fs::File::create(&path).unwrap()).run();
    outcome.exits(1).says("what was written to stdout is no whole backup: do not use it").says("s3:GetObject");
    let mut text = Vec::new();
    let ended = backup_core::gzip::reader(&fs::read(&path).unwrap()[..]).read_to_end(&mut text);
    assert!(ended.is_err(), "gunzip would take it for whole");
}

#[test]
fn stdout_that_turns_out_wrong_lacks_its_end() {
    let (sandbox, key) = backed_up();
    // Closed properly, and nothing of it passes: a whole gzip file of half a dump.
    let text = crate::shop::gunzip(&sandbox.store().read(&key));
    sandbox.store().seed(&key, &gzip(&text[..text.len() / 2]));
    restore(&sandbox, &["fetch", "latest", "-o", "-"]).run().exits(1).prints_nothing().says("is no whole backup");
}

#[test]
fn a_reader_that_has_enough_is_told_apart_from_a_failure_of_ours() {
    let (sandbox, _) = backed_up_in_bulk();
    let mut head = Command::new(programs::on_path("head").unwrap());
    let mut head = lifeline::spawn({
        head.args(["-c", "100"]).stdin(Stdio::piped()).stdout(Stdio::null());
        head
    })
    .unwrap();
    let stdin = head.stdin.take().unwrap();
    let outcome = restore(&sandbox, &["fetch", "latest", "-o", "-"]).stdout(stdin).run().exits(1);
    outcome.says("whoever reads stdout closed it before the backup was written").never_says("internal error");
    head.wait().unwrap();
    restore(&sandbox, &["fetch", "latest", "-o", "-", "--json"]).run().exits(2).says("both write to stdout");
}

#[test]
fn a_backup_of_another_tool_is_fetched_and_said_to_prove_less() {
    let (sandbox, key) = backed_up();
    let text = crate::shop::gunzip(&sandbox.store().read(&key));
    let footer = text.windows(16).position(|window| window == b"-- @backup foote").unwrap();
    let mine = seed(&sandbox, Tier::Daily, night(1), &gzip(&text[..footer]));
    let outcome = restore(&sandbox, &["fetch", &mine]).run().succeeds();
    outcome.says("the store keeps no checksum of the whole object").says("carries no footer");
    assert!(layout(&sandbox).parse(&mine).is_some());
}
