//! Databases that are hard to restore: each is proven.

use acceptance::lifeline;
use acceptance::postgres::{Cluster, quote_name, quote_text};

use super::{Backup, ends};

fn proves(sql: &str) {
    let database = Cluster::shared().create_database();
    database.sql(sql);
    ends(&Backup::of(&database).stored(), 0, "passed", "every row equals the original");
}

#[test]
fn the_whole_zoo() {
    let database = Cluster::start().create_database();
    database.load(&acceptance::data::zoo(), &[]);
    ends(&Backup::of(&database).stored(), 0, "passed", "every row equals the original");
}

#[test]
fn owners_grants_and_row_security_of_roles_that_do_not_exist_here() {
    let cluster = Cluster::shared();
    let roles = ["owner", "re\"ader", "Group"].map(|name| quote_name(&format!("{name}{}", lifeline::unique())));
    for role in &roles {
        cluster.maintenance().sql(&format!("CREATE ROLE {role} NOLOGIN"));
    }
    let [owner, reader, group] = &roles;
    cluster.maintenance().sql(&format!("GRANT {group} TO {reader}"));
    proves(&format!(
        "CREATE TABLE t (a int, who name); INSERT INTO t VALUES (1, 'x'), (2, 'y');
        ALTER TABLE t OWNER TO {owner};
        GRANT SELECT (a), UPDATE ON t TO {reader} WITH GRANT OPTION;
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
        CREATE POLICY mine ON t FOR SELECT TO {reader}, {group} USING (who = current_user);
        ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO {group};"
    ));
}

#[test]
fn extensions_that_are_here() {
    proves(
        "CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore; CREATE TABLE t (a text, b hstore);
        INSERT INTO t VALUES ('abc', 'k=>v'); CREATE INDEX ON t USING gin (a gin_trgm_ops);",
    );
}

#[test]
fn circular_foreign_keys_and_event_triggers() {
    proves(
        "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
        INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
        CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER watched ON ddl_command_end EXECUTE FUNCTION watch();",
    );
}

#[test]
fn columns_that_a_parent_got_late() {
    proves(
        "CREATE TABLE parent (a text); CREATE TABLE child (b text) INHERITS (parent);
        ALTER TABLE parent ADD late text; INSERT INTO child VALUES ('1', '2', '3');",
    );
}

#[test]
fn large_objects_many_enough_for_several_transactions() {
    proves("SELECT lo_from_bytea(0, decode(repeat('00ff', 100000), 'hex')) FROM generate_series(1, 40)");
}

#[test]
fn other_encodings_and_locales() {
    for (encoding, client, value) in
        [("LATIN1", "UTF8", "'äöü'"), ("SQL_ASCII", "SQL_ASCII", r"E'\xe8\xff'"), ("EUC_JP", "UTF8", "'表'")]
    {
        let cluster = Cluster::shared();
        let name = format!("encoded_{}", lifeline::unique());
        let encoding = quote_text(encoding);
        cluster.maintenance().sql(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING {encoding} LOCALE 'C'"));
        let database = cluster.database(&name);
        database
            .sql(&format!("SET client_encoding = '{client}'; CREATE TABLE t (a text); INSERT INTO t VALUES ({value})"));
        ends(&Backup::of(&database).stored(), 0, "passed", "every row equals the original");
    }
}

#[test]
fn ten_thousand_tables() {
    proves("DO $$ BEGIN FOR i IN 1..10000 LOOP EXECUTE format('CREATE TABLE t%s (a int)', i); IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$;
        INSERT INTO t7 VALUES (7);");
}
