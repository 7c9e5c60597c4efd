//! The `.env` file, as a user writes it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use acceptance::sandbox::Sandbox;
use acceptance::store::On;

use super::only_mail;
use crate::shop::shop;

/// Moves every setting from the environment into a text for a `.env` file.
fn into_file(sandbox: &mut Sandbox, names: &[&str]) -> String {
    let mut line = |name: &&str| {
        let value = sandbox.value(name).unwrap().replace('\'', "'\\''");
        sandbox.unset(name);
        format!("{name}='{value}'\n")
    };
    names.iter().map(&mut line).collect::<Vec<_>>().concat()
}

const ALL: [&str; 16] = [
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "S3_ENDPOINT_URL",
    "S3_BUCKET_NAME",
    "S3_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MAIL_SMTP_SERVER",
    "MAIL_SMTP_PORT",
    "MAIL_SMTP_SECURITY",
    "MAIL_USERNAME",
    "MAIL_PASSWORD",
    "BACKUP_NOTIFICATION_EMAIL",
];

#[test]
fn everything_may_stand_in_the_file() {
    let mut sandbox = shop();
    let settings = into_file(&mut sandbox, &ALL);
    sandbox.write(".env", &settings);
    let outcome = sandbox.command("backup").run().succeeds().never_says("is not a setting");
    only_mail(&sandbox, &outcome);
    assert_eq!(sandbox.store().keys().len(), 3);
}

#[test]
fn the_first_file_that_there_is_counts() {
    let mut sandbox = Sandbox::new();
    let name = into_file(&mut sandbox, &["DB_NAME"]);
    let file = |place: &str| {
        sandbox
            .write(place, &name.replace("shop_", &format!("{}_", place.replace(['/', '.'], ""))))
            .display()
            .to_string()
    };
    let (option, variable) = (file("a/option"), file("a/variable"));
    file("a/.env");
    let run = |arguments: &[&str], variable: &str| {
        let run = sandbox.command("backup").args(arguments.iter().copied()).env("BACKUP_ENV_FILE", variable);
        run.current_dir(&sandbox.home().join("a")).arg("--no-notify").run().exits(1)
    };
    run(&["--env-file", &option], &variable).says("\"aoption_");
    run(&[], &variable).says("\"avariable_");
    run(&[], "").says("\"aenv_");
    file(".env");
    run(&[], "").says("\"env_");
}

#[test]
fn the_environment_counts_more_than_the_file() {
    let sandbox = shop();
    sandbox.write(".env", "DB_NAME=other\nDB_PORT=\nBACKUP_COMPRESSION_LEVEL=1\n");
    sandbox.command("backup").run().succeeds();
    sandbox.command("backup").env("DB_NAME", "").run().exits(1).says("database \"other\" does not exist");
}

#[test]
fn a_file_that_windows_wrote_is_read() {
    let mut sandbox = shop();
    let settings = into_file(&mut sandbox, &ALL);
    sandbox.write(".env", &format!("\u{feff}# settings\r\n\r\n{}", settings.replace('\n', "\r\n")));
    sandbox.command("backup").run().succeeds();
}

#[test]
fn mistakes_name_the_line_and_touch_nothing() {
    for (text, told) in [
        (&b"DB_PORT=1\nDB_PASSWORD=canaryfile or so\n"[..], "line 2: cannot read the value of DB_PASSWORD"),
        (b"\n\nDB_PASSWORD=\"canaryfile\n", "line 3: cannot read the value of DB_PASSWORD"),
        (b"canaryfile\n", "line 1: expected NAME=value"),
        (b"A=1\nDB_PASSWORD=canaryfile$x\n", "line 2: DB_PASSWORD holds a $ outside single quotes"),
        (b"A=1\nB=2\nDB_PASSWORD=canaryfile\xff\n", "line 3: is not UTF-8 text"),
    ] {
        let sandbox = Sandbox::new();
        fs::write(sandbox.home().join(".env"), text).unwrap();
        let outcome = sandbox.command("backup").run().exits(78).prints_nothing().says(told).never_says("canaryfile");
        let letter = only_mail(&sandbox, &outcome.logs("backup.log", told));
        assert!(letter.text.contains(told) && !letter.text.contains("canaryfile"), "{}", letter.text);
        assert!(sandbox.store().requests(&On::any()).is_empty());
        sandbox.assert_nothing_left_behind();
    }
}

#[test]
fn lines_that_are_right_say_whom_to_tell_of_the_others() {
    let mut sandbox = Sandbox::new();
    let settings = into_file(&mut sandbox, &ALL);
    sandbox.write(".env", &format!("BACKUP_RETENTION_DAYS=3 0\n{settings}HEALTH_DISK_MAX_PERCENT=9 0\n"));
    for tool in ["backup", "cleanup", "health-check"] {
        let outcome = sandbox.command(tool).run().exits(78);
        let outcome = outcome.says("line 1: cannot read the value of BACKUP_RETENTION_DAYS");
        outcome.says("line 18: cannot read the value of HEALTH_DISK_MAX_PERCENT").never_says("nobody is told");
    }
    let mails = sandbox.mail().messages();
    assert_eq!(mails.len(), 3);
    assert!(mails.iter().all(|mail| mail.letter().text.contains("line 18")), "{mails:?}");
    sandbox.assert_no_secret_leaked();
}

#[test]
fn what_is_wrong_with_the_file_is_written_by_the_user_of_the_jobs() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid;
    for (file, text) in [(".env", "DB_PORT=1 2\nBACKUP_USER=nobody\n"), ("other", "")] {
        let mut sandbox = Sandbox::new();
        sandbox.write(file, text);
        for folder in ["", "logs", "state", "temp"].map(|folder| sandbox.home().join(folder)) {
            fs::create_dir_all(&folder).unwrap();
            nix::unistd::chown(&folder, Some(nobody), None).unwrap();
        }
        if file != ".env" {
            sandbox.env("BACKUP_USER", "nobody").env("BACKUP_ENV_FILE", "nowhere");
        }
        sandbox.command("backup").run().exits(78);
        for written in ["logs/backup.log", "state/backup.json"] {
            let owner = fs::metadata(sandbox.home().join(written)).unwrap().uid();
            assert_eq!(owner, nobody.as_raw(), "{file}: {written}");
        }
    }
}

#[test]
fn a_password_of_the_environment_counts_more_than_a_file_that_the_file_names() {
    let sandbox = shop();
    sandbox.write(".env", "DB_PASSWORD_FILE=/nowhere\n");
    sandbox.command("backup").run().succeeds();
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let sandbox = Sandbox::new();
    let told = "cannot read the settings file nowhere/.env: No such file or directory";
    sandbox.command("backup").args(["--env-file", "nowhere/.env"]).run().exits(78).says(told);
    sandbox.command("backup").env("BACKUP_ENV_FILE", "nowhere/.env").run().exits(78).says(told);
    sandbox
        .command("backup")
        .args(["--env-file", "."])
        .run()
        .exits(78)
        .says("cannot read the settings file .: Is a dir");
    assert!(sandbox.store().requests(&On::any()).is_empty());
}
