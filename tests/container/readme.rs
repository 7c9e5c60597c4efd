//! What the README tells users to do beside an application: its blocks of commands, run as they are printed.
//!
//! In a folder as a user has it. docker-compose is told by its own variables which files to take; `exec` gets a `-T`, for want of a
//! terminal, and `build` no `--pull`, for want of a registry.

use acceptance::readme::{block_run_by, page};
use std::process::Command;

use crate::engine::{Said, run, wait_until};
use crate::site::{PATIENCE, Site};

/// Everything that the blocks call by its name and that is another thing here.
const SHIMS: &str = r#"
docker-compose() {
    local verb=$1
    shift
    case $verb in
        exec) set -- -T "$@" ;;
        build) [ "$1" != --pull ] || shift ;;
    esac
    # What a person would type into the shell inside.
    command $COMPOSE "$verb" "$@" <<<"${INSIDE:-}"
}
docker() { [ "$1" = compose ] || return 1; shift; docker-compose "$@"; }
git() { [ "$*" = pull ]; }
"#;

/// Runs lines of a block, and stops at the first that fails.
fn shell(site: &Site, lines: &str) -> Said {
    shell_with(site, "", lines)
}

fn shell_with(site: &Site, inside: &str, lines: &str) -> Said {
    let mut bash = Command::new("bash");
    bash.args(["-euc", &format!("{SHIMS}\n{lines}")]).env("INSIDE", inside);
    run(site.as_users_are(&mut bash))
}

/// A database with something in it, before the container is there.
fn with_a_database(site: &Site) {
    site.prepare();
    site.compose(&["up", "-d", "db"]).succeeds();
    wait_until(PATIENCE, || site.try_sql("SELECT 1").code == Some(0), || "the database".to_owned());
    site.sql("CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1)");
}

#[test]
fn a_new_installation_by_the_readme() {
    let site = Site::new();
    with_a_database(&site);
    let block = block_run_by("a_new_installation_by_the_readme");
    let start = "docker-compose up -d backup\n";
    let (before, after) = block.split_once(start).unwrap();
    shell(&site, &format!("{before}{start}")).succeeds();
    site.wait_for_first_backup();
    shell(&site, after).succeeds().says("PASSED: s3://").says("INFO started");
}

#[test]
fn an_update_by_the_readme() {
    let site = Site::new();
    with_a_database(&site);
    site.compose(&["up", "-d"]).succeeds();
    site.wait_for_first_backup();
    shell(&site, &block_run_by("an_update_by_the_readme")).succeeds();
    assert_eq!(site.inspect("State.Status"), "running");
}

#[test]
fn a_restore_by_the_readme() {
    let mut site = Site::new();
    // Nothing but what is done by hand.
    site.crontab("0 0 1 1 * root container job backup\n").application();
    site.service("command", serde_json::json!(["container", "start", "--no-catch-up"]));
    with_a_database(&site);
    site.compose(&["up", "-d"]).succeeds();
    site.exec(&["backup"]).succeeds();
    // As root, who calls the tools there.
    let by_hand = "install -d -o backup /backup/temp/by-hand && cd /backup/temp/by-hand";
    assert!(page().contains(&format!("`{by_hand}`")), "the README says it otherwise");
    let fetch = format!("{by_hand} && restore fetch latest && gunzip -t *.sql.gz && rm -r /backup/temp/by-hand");
    site.exec(&["bash", "-c", &fetch]).succeeds();
    site.sql("UPDATE orders SET id = 2");
    let inside = block_run_by("the_database_comes_back_with_these_tools");
    shell_with(&site, &inside, &block_run_by("a_restore_by_the_readme")).succeeds();
    assert_eq!(site.sql("SELECT id FROM orders"), "1\n");
}
