//! What a database is beside its contents comes back with it.

use acceptance::postgres::{Cluster, Database};
use acceptance::sandbox::Sandbox;
use backup_core::footer::Setting;

use super::{back_up, backed_up, counts, databases, restore, rewritten};
use crate::shop::{fill, footer};

/// Owner, privileges, settings, comment, limit and locale of a database, without its name.
pub(super) fn properties(on: &Database, name: &str) -> String {
    on.cluster().maintenance().query(&format!(
        "SELECT pg_get_userbyid(datdba), datconnlimit, ARRAY(SELECT unnest(datacl)::text ORDER BY 1), shobj_description(oid, 'pg_database'), \
         (SELECT string_agg(setrole::regrole || setconfig::text, ';' ORDER BY setrole) FROM pg_db_role_setting \
          WHERE setdatabase = d.oid), pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider, daticulocale \
         FROM pg_database d WHERE datname = '{name}'"
    ))
}

/// A server of its own, because roles are the server's.
fn an_odd_one() -> (Sandbox, String) {
    let cluster = Cluster::start();
    cluster.maintenance().sql(
        "CREATE ROLE \"the owner\"; CREATE ROLE reader LOGIN; CREATE DATABASE \"Odd shop\" OWNER \"the owner\" TEMPLATE template0 \
         LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'",
    );
    let sandbox = Sandbox::on(cluster.database("Odd shop"));
    fill(sandbox.database());
    sandbox.database().sql(
        r#"
        ALTER DATABASE "Odd shop" SET search_path TO "$user", public, "Odd ""one""";
        ALTER DATABASE "Odd shop" SET application_name TO 'it''s \ here';
        ALTER ROLE reader IN DATABASE "Odd shop" SET work_mem TO '7MB';
        REVOKE ALL ON DATABASE "Odd shop" FROM PUBLIC; GRANT CONNECT ON DATABASE "Odd shop" TO reader WITH GRANT OPTION;
        REVOKE CREATE ON DATABASE "Odd shop" FROM "the owner"; ALTER DATABASE "Odd shop" CONNECTION LIMIT 42;
        COMMENT ON DATABASE "Odd shop" IS 'the shop; it''s ours, größer';"#,
    );
    let (sandbox, key) = back_up(sandbox);
    (sandbox, key)
}

#[test]
fn all_of_it_comes_back_where_nothing_of_it_is_left() {
    let (sandbox, _) = an_odd_one();
    let cluster = sandbox.database().cluster();
    let before = properties(sandbox.database(), "Odd shop");
    assert!(before.contains("i|de-DE"), "{before}");
    cluster.maintenance().sql("DROP DATABASE \"Odd shop\"");
    cluster.maintenance().sql("DROP ROLE reader, \"the owner\"");

    // The dump itself names neither.
    let run = ["run", "latest", "--into", "Odd shop"];
    let refused = restore(&sandbox, &run).run().exits(1).prints_nothing();
    refused.says("roles that the server does not have: reader, the owner").says("--create-roles");
    let outcome = restore(&sandbox, &run).arg("--create-roles").run().succeeds();
    outcome.says("roles that will be created, without passwords: reader, the owner");
    assert_eq!(properties(sandbox.database(), "Odd shop"), before);
    assert_eq!(databases(&sandbox, "Odd shop").len(), 1);

    // Beside it under another name, and with another owner when that is asked for.
    restore(&sandbox, &["run", "latest", "--into", "beside"]).run().succeeds();
    assert_eq!(properties(sandbox.database(), "beside"), before);
    restore(&sandbox, &["run", "latest", "--into", "given", "--owner", "reader"]).run().succeeds();
    assert!(properties(sandbox.database(), "given").starts_with("reader|42|"));
    let nobody = restore(&sandbox, &["run", "latest", "--into", "n", "--owner", "nobody"]).run().exits(1);
    nobody.says("does not have: nobody");
    let replaced = ["run", "latest", "--into", "given", "--replace=given", "--no-safety-dump", "--owner", "the owner"];
    restore(&sandbox, &replaced).run().succeeds();
    assert!(properties(sandbox.database(), "given").starts_with("the owner|42|"));
}

#[test]
fn what_the_server_refuses_is_said_and_the_data_is_there() {
    let (sandbox, key) = backed_up();
    let new = format!("{}_new", sandbox.database().name());
    let object = sandbox.store().read(&key);
    let newer = rewritten(&object, |footer, _| {
        let properties = footer.properties.as_mut().unwrap();
        properties.settings.push(Setting { role: None, name: "of_a_newer_version".into(), value: "1".into() });
        properties.comment = Some("still".to_owned());
    });
    sandbox.store().seed(&key, &newer);
    let document = restore(&sandbox, &["run", "latest", "--into", &new, "--json"]).run().exits(3).json();
    let refused = document["not_given_back"][0].as_str().unwrap();
    assert_eq!(refused, format!("ALTER DATABASE \"{new}\" SET \"of_a_newer_version\" TO '1';"));
    assert_eq!(counts(&sandbox.database().cluster().database(&new)), counts(sandbox.database()));
    assert!(properties(sandbox.database(), &new).contains("|still|"));
}

#[test]
fn a_backup_that_does_not_say_comes_back_without() {
    let (sandbox, key) = backed_up();
    let new = format!("{}_new", sandbox.database().name());
    let older = rewritten(&sandbox.store().read(&key), |footer, _| footer.properties = None);
    assert_eq!(footer(&older).0.properties, None);
    sandbox.store().seed(&key, &older);
    restore(&sandbox, &["run", "latest", "--into", &new]).run().succeeds();
    assert_eq!(counts(&sandbox.database().cluster().database(&new)), counts(sandbox.database()));
}
