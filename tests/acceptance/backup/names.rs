//! Names and passwords that no shell, URL, file or connection string would pass on unharmed.

use std::fs;

use acceptance::postgres::{Cluster, Login, canary, quote_name, quote_text};
use acceptance::sandbox::Sandbox;
use backup_core::key::Layout;

use super::only_mail;
use crate::shop::{daily_key, footer, gunzip};

const NAMES: [&str; 12] = [
    "host=evil dbname=evil",
    "-f",
    "--help",
    "it's a \"shop\"",
    "up/../../etc",
    "магазин 🛒",
    "100% %41",
    "back\\slash",
    "$HOME `id` $(id)",
    "<b>bold</b>&amp;",
    "postgres://evil/evil",
    "sixty-three bytes long, which is all that PostgreSQL takes, so.",
];

#[test]
fn any_name_of_a_database() {
    let cluster = Cluster::start();
    for name in NAMES {
        let database = cluster.create_database_named(name);
        database.sql("CREATE TABLE t AS SELECT 42 AS answer");
        let sandbox = Sandbox::on(database);
        let outcome = sandbox.command("backup").run().succeeds();
        let layout = Layout::new("db-backups".parse().unwrap(), name.parse().unwrap());
        for key in sandbox.store().keys() {
            assert!(layout.parse(&key).is_some(), "{key} is not the key of a backup of {name}");
        }
        let object = sandbox.store().read(&daily_key(&sandbox));
        assert_eq!(footer(&object).0.database, name);
        let restored = cluster.create_database();
        restored.try_sql(&String::from_utf8(gunzip(&object)).unwrap()).unwrap();
        assert_eq!(restored.query("TABLE t"), "42");
        let letter = only_mail(&sandbox, &outcome);
        assert!(letter.text.starts_with(&format!("{name} was backed up.")), "{}", letter.text);
        assert!(!letter.html.contains("<b>bold"), "{}", letter.html);
        sandbox.assert_no_litter();
    }
}

/// Every character that ASCII can print, and some that it cannot.
fn odd(word: &str) -> String {
    let printable: String = (' '..='~').collect();
    format!("{}{printable}é№🔑{}", canary(word), "'\\''\"\\")
}

/// A sandbox that logs in as a role with an odd name and an odd password.
fn with_odd_role() -> (Sandbox, Login) {
    let sandbox = Sandbox::new();
    let user: String = odd("role").chars().filter(|c| *c != '\n').take(50).collect();
    let login = Login { user, password: odd("pw") };
    let (role, password) = (quote_name(&login.user), quote_text(&login.password));
    let options = "SUPERUSER";
    sandbox.database().cluster().maintenance().sql(&format!("CREATE ROLE {role} LOGIN PASSWORD {password} {options}"));
    (sandbox, login)
}

#[test]
fn odd_roles_and_passwords_by_environment() {
    let (mut sandbox, login) = with_odd_role();
    sandbox.log_in_as(&login).command("backup").run().succeeds();
    sandbox.assert_no_secret_leaked();
}

#[test]
fn odd_roles_and_passwords_by_file() {
    let (mut sandbox, login) = with_odd_role();
    for ending in ["", "\n", "\r\n"] {
        let file = sandbox.home().join("bin/password");
        fs::write(&file, format!("{}{ending}", login.password)).unwrap();
        let file = file.display().to_string();
        sandbox.log_in_as(&login).unset("DB_PASSWORD").env("DB_PASSWORD_FILE", &file);
        sandbox.command("backup").arg("--dry-run").run().succeeds();
    }
}

#[test]
fn odd_roles_and_passwords_by_env_file() {
    let (mut sandbox, login) = with_odd_role();
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let lines = format!("DB_USER={}\nDB_PASSWORD={} # the key\n", quoted(&login.user), quoted(&login.password));
    fs::write(sandbox.home().join("bin/settings"), lines).unwrap();
    sandbox.unset("DB_USER").unset("DB_PASSWORD");
    let outcome = sandbox.command("backup").args(["--env-file", "bin/settings"]).run().succeeds();
    assert!(!outcome.stderr.contains(&login.password), "{}", outcome.report());
}

#[test]
fn odd_secrets_of_store_and_mail_by_file() {
    let mut sandbox = Sandbox::new();
    for name in ["DB_PASSWORD", "MAIL_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let file = sandbox.home().join("bin").join(name);
        fs::write(&file, sandbox.value(name).unwrap()).unwrap();
        let file = file.display().to_string();
        sandbox.unset(name).env(&format!("{name}_FILE"), &file);
    }
    let outcome = sandbox.command("backup").run().succeeds();
    only_mail(&sandbox, &outcome);
    let login = sandbox.mail().messages()[0].login.clone().unwrap();
    assert_eq!(login.1, fs::read_to_string(sandbox.home().join("bin/MAIL_PASSWORD")).unwrap());
    sandbox.assert_no_litter();
}

#[test]
fn the_applications_own_names_are_understood() {
    let mut sandbox = Sandbox::new();
    for (ours, theirs) in
        [("DB_NAME", "POSTGRES_DB"), ("DB_USER", "DATABASE_USERNAME"), ("DB_PASSWORD", "DATABASE_PASSWORD")]
    {
        let value = sandbox.value(ours).unwrap().to_owned();
        sandbox.unset(ours).env(theirs, &value);
    }
    let outcome = sandbox.command("backup").run().succeeds();
    assert!(outcome.stdout.contains(&format!("/{}_backup_", sandbox.database().name())), "{}", outcome.report());
    sandbox.assert_no_secret_leaked();
}
