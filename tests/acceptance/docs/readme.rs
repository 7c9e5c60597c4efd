//! What the README says of the programs, and whether its commands work as they are printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use acceptance::moto::Moto;
use acceptance::postgres::Cluster;
use acceptance::readme::{block_run_by, blocks, page};
use acceptance::sandbox::Sandbox;
use acceptance::store::{On, Operation};
use backup_core::process::EXIT_CODES;
use serde_json::Value;

use super::TOOLS;
use crate::follow::follow;
use crate::shop::{add_bulk, fill, shop};

/// The long options that a text names.
fn options(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words.filter(|word| word.starts_with("--") && word.len() > 2).collect()
}

/// The options that a tool's `--help` lists, but those that every program has.
fn listed(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let names = lines.flat_map(options).filter(|option| !["--help", "--version"].contains(option));
    names.map(ToOwned::to_owned).collect()
}

#[test]
fn the_synopses_have_every_option_and_no_other() {
    let sandbox = Sandbox::new();
    let blocks = blocks();
    let text = blocks.iter().filter(|block| block.language == "text").flat_map(|block| block.code.lines());
    let synopses: Vec<&str> = text.filter(|line| line.contains('[')).collect();
    let of_every_tool = ["--env-file", "--json", "--verbose", "--quiet"];
    let own = |options: BTreeSet<String>| -> BTreeSet<String> {
        options.into_iter().filter(|option| !of_every_tool.contains(&option.as_str())).collect()
    };
    for (tool, _) in TOOLS {
        let verbs: &[&[&str]] = match tool {
            "restore" => &[&["list"], &["fetch"], &["run"]],
            "container" => continue,
            _ => &[&[]],
        };
        for verb in verbs {
            let command = [&[tool], *verb].concat().join(" ");
            let help = sandbox.command(tool).args(verb.iter().copied()).arg("--help").run().stdout;
            let lines = synopses.iter().filter(|line| line.starts_with(&format!("{command} ")));
            let said = lines.flat_map(|line| options(line)).map(ToOwned::to_owned).collect();
            assert_eq!(own(said), own(listed(&help)), "the README's synopsis of {command}, and its --help");
        }
    }
}

#[test]
fn the_exit_codes_are_those_of_help() {
    let page = page();
    let (_, section) = page.split_once("## Exit codes\n").expect("there is a section on exit codes");
    let rows = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let codes = rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let said: Vec<&str> = codes.flat_map(|codes| codes.split(',')).map(str::trim).collect();
    let is: Vec<&str> = EXIT_CODES.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(said, is);
}

/// The block of JSON that holds these words.
fn json(words: &str) -> Value {
    let blocks = blocks().into_iter().filter(|block| block.language == "json");
    let block = blocks.map(|block| block.code).find(|code| code.contains(words)).expect("there is such a block");
    serde_json::from_str(&block).expect("it is JSON")
}

/// What S3 calls the permission to do it.
fn actions(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::HeadBucket | Operation::ListObjects => &["s3:ListBucket"],
        Operation::HeadObject | Operation::GetObject => &["s3:GetObject"],
        Operation::PutObject
        | Operation::CreateMultipartUpload
        | Operation::UploadPart
        | Operation::CompleteMultipartUpload => &["s3:PutObject"],
        Operation::CopyObject | Operation::UploadPartCopy => &["s3:GetObject", "s3:PutObject"],
        Operation::DeleteObject | Operation::DeleteObjects => &["s3:DeleteObject"],
        Operation::AbortMultipartUpload => &["s3:AbortMultipartUpload"],
        Operation::ListParts => &["s3:ListMultipartUploadParts"],
        Operation::ListMultipartUploads => &["s3:ListBucketMultipartUploads"],
        Operation::Other => panic!("the tools ask for something that no policy was written for"),
    }
}

#[test]
fn the_policy_grants_what_the_tools_ask_for_and_says_what_for() {
    let policy = json("s3:PutObject");
    let statements = policy["Statement"].as_array().unwrap();
    let granted = statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap());
    let granted: BTreeSet<&str> = granted.filter_map(Value::as_str).collect();

    let page = page();
    let rows = page.lines().filter(|line| line.starts_with("| `s3:"));
    let named = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`'));
    let explained: BTreeSet<&str> = named.filter(|word| word.starts_with("s3:")).collect();
    assert_eq!(granted, explained);

    let sandbox = shop();
    add_bulk(sandbox.database(), 22);
    let (database, long_ago) = (sandbox.database().name(), SystemTime::UNIX_EPOCH);
    let old = format!("db-backups/daily/2020/01/01/{database}_backup_20200101_020000.sql.gz");
    sandbox.store().seed_upload(&old, long_ago);
    sandbox.store().seed(&old, b"old");
    sandbox.command("backup").run().succeeds();
    sandbox.command("cleanup").env("BACKUP_MINIMUM_KEEP", "1").run().succeeds();
    sandbox.command("restore-test").run().succeeds();
    sandbox.command("restore").args(["fetch", "latest"]).run().succeeds();
    sandbox.command("restore").arg("list").run().succeeds();
    sandbox.command("health-check").args(["--only", "storage,recent-backup"]).run().succeeds();
    let requests = sandbox.store().requests(&On::any());
    let mut asked: BTreeSet<&str> = requests.iter().flat_map(|request| actions(request.operation)).copied().collect();
    // Some stores want it of whoever may abort.
    asked.insert("s3:ListMultipartUploadParts");
    assert_eq!(asked, granted, "{}", sandbox.store().transcript());
}

/// JSON as the S3 API wants it, in XML.
fn xml(name: &str, value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(|item| xml(name, item)).collect(),
        Value::Object(members) => {
            let inner: String = members.iter().map(|(name, value)| xml(name, value)).collect();
            format!("<{name}>{inner}</{name}>")
        }
        Value::String(text) => format!("<{name}>{text}</{name}>"),
        other => format!("<{name}>{other}</{name}>"),
    }
}

#[test]
fn the_lifecycle_rule_is_one_that_a_store_takes() {
    let rule = xml("Rule", &json("NoncurrentVersionExpiration")["Rules"]);
    let moto = Moto::new_bucket();
    let put = moto.request("PUT", "?lifecycle", xml_document(&rule).as_bytes());
    assert_eq!(put.status, 200, "{}", put.text());
    let kept = moto.request("GET", "?lifecycle", b"").text();
    for part in ["<NoncurrentDays>30</NoncurrentDays>", "<DaysAfterInitiation>7</DaysAfterInitiation>", "db-backups/"] {
        assert!(kept.contains(part), "{kept}");
    }
    let broken = rule.replace("NoncurrentDays", "Days");
    assert_ne!(moto.request("PUT", "?lifecycle", xml_document(&broken).as_bytes()).status, 200, "it takes anything");
}

fn xml_document(rules: &str) -> String {
    let name = "LifecycleConfiguration";
    format!("<{name} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</{name}>")
}

#[test]
fn the_role_makes_backups_and_may_not_write() {
    let mut sandbox = Sandbox::on(Cluster::start().create_database());
    fill(sandbox.database());
    sandbox
        .database()
        .sql("ALTER TABLE orders ENABLE ROW LEVEL SECURITY; SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
    sandbox.database().sql(&block_run_by("the_role_makes_backups_and_may_not_write"));
    sandbox.env("DB_USER", "backup").env("DB_PASSWORD", "choose one");
    sandbox.command("backup").run().succeeds();
    let refused = sandbox.database().try_sql("SET ROLE backup; DELETE FROM customers").unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
}

#[test]
fn the_pipeline_counts_tables() {
    let sandbox = shop();
    let said = follow(&sandbox, &block_run_by("the_pipeline_counts_tables"));
    let tables = sandbox
        .database()
        .query("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace");
    assert_eq!(said.lines().last(), Some(tables.as_str()), "{said}");
}

#[test]
fn every_command_is_run_by_a_test() {
    let tests = sources(Path::new(env!("CARGO_MANIFEST_DIR")));
    for block in blocks().into_iter().filter(|block| ["bash", "sql"].contains(&block.language.as_str())) {
        let mark = block.mark.unwrap_or_default();
        if mark.starts_with("not a test: ") {
            continue;
        }
        let test = mark.strip_prefix("run by: ").unwrap_or_else(|| panic!("no test is named above:\n{}", block.code));
        assert!(tests.contains(&format!("fn {test}()")), "there is no test {test}");
    }
}

/// The text of all Rust files below a folder.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(rust) if rust == "rs" => fs::read_to_string(&path).unwrap(),
            _ => String::new(),
        })
        .collect()
}
