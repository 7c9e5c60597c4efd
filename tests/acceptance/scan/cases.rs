//! One hard thing at a time.

use std::fs;
use std::process::{Child, Stdio};

use acceptance::lifeline;
use acceptance::postgres::Cluster;

use super::{assert_same_data, dump, facts, footer, restore, scan, server};

#[test]
fn a_child_whose_parent_grew_has_its_columns_in_another_order_after_a_restore_and_the_same_rows() {
    let cluster = Cluster::shared();
    let original = cluster.create_database();
    original.sql(
        r"CREATE TABLE parent (a text);
        CREATE TABLE child (b text, c bytea) INHERITS (parent);
        ALTER TABLE parent ADD late text;
        INSERT INTO child VALUES ('one', E'two\ttabs', 'three', 'four'), (NULL, '', NULL, '\'), ('', NULL, 'x', 'y');",
    );
    let first = dump(&original);
    let before = facts(&first);
    assert_eq!(before.table("public.child").unwrap().columns, ["a", "b", "c", "late"]);

    let second = dump(&restore(&cluster, &original, &first));
    let as_dumped = facts(&second);
    assert_eq!(as_dumped.table("public.child").unwrap().columns, ["a", "late", "b", "c"]);
    assert_ne!(before.tables, as_dumped.tables);
    assert_eq!(before.tables, scan(&second, 7, &before).dump.tables);
}

#[test]
fn databases_in_any_encoding_are_read() {
    let cluster = Cluster::shared();
    for (encoding, client, name, one, other) in [
        ("LATIN1", "UTF8", "größe", "'äÿ\\\t'", "'\u{a0}'"),
        ("EUC_JP", "UTF8", "表ソ", "'表ソ\\\t'", "'\\表'"),
        ("SQL_ASCII", "SQL_ASCII", "größe", r"E'\xe8\\\t'", r"E'\xc3('"),
    ] {
        let original = server::create_database(&cluster, encoding);
        original.sql(&format!(
            "SET client_encoding = '{client}';
            CREATE TABLE \"{name}\n\" (a text, b text DEFAULT '\\');
            COMMENT ON TABLE \"{name}\n\" IS 'it''s {name} \\';
            INSERT INTO \"{name}\n\" VALUES ({one}, {other}), ({other}, NULL);",
        ));
        let first = dump(&original);
        let before = facts(&first);
        assert_eq!(before.client_encoding.as_deref(), Some(encoding));
        server::assert_facts(&original, &before);
        let stored = [&first[..], footer(before.clone()).to_string().as_bytes()].concat();
        let after = facts(&dump(&restore(&cluster, &original, &stored)));
        assert_same_data(&before, &after);
        assert_eq!(before.objects, after.objects);
    }
}

#[test]
fn a_database_whose_plain_strings_have_escapes_is_read() {
    let cluster = Cluster::shared();
    let original = cluster.create_database();
    original.sql(&format!("ALTER DATABASE {} SET standard_conforming_strings = off", original.name()));
    original.sql(
        r#"CREATE TABLE "a\b'" (id serial, t text DEFAULT E'\\''');
        COMMENT ON TABLE "a\b'" IS E'ends in a backslash \\';
        CREATE FUNCTION f() RETURNS text LANGUAGE sql AS E'SELECT E''\\\\''''COPY public.trap (a) FROM stdin;\n''';
        SELECT lo_from_bytea(0, decode('005c27ff', 'hex'));
        INSERT INTO "a\b'" (t) VALUES (E'\\''');"#,
    );
    let first = dump(&original);
    assert!(String::from_utf8_lossy(&first).contains("standard_conforming_strings = off"));
    let before = facts(&first);
    server::assert_facts(&original, &before);
    let after = facts(&dump(&restore(&cluster, &original, &first)));
    assert_same_data(&before, &after);
}

#[test]
fn the_roles_of_a_policy_may_lie_in_another_order_on_another_server() {
    let clusters = [Cluster::shared(), Cluster::start()];
    let roles = ["first_role", "second_role", "\"Third role\""];
    for (cluster, order) in clusters.iter().zip([[0, 1, 2], [2, 1, 0]]) {
        for at in order {
            cluster.maintenance().sql(&format!("CREATE ROLE {}", roles[at]));
        }
    }
    let original = clusters[0].create_database();
    let listed = roles.join(", ");
    original.sql(&format!(
        "CREATE TABLE t (a integer);
        CREATE POLICY p ON t TO {listed} USING (a > 1);
        GRANT SELECT ON t TO {listed};"
    ));
    let first = dump(&original);
    let second = dump(&restore(&clusters[1], &original, &first));
    let policy = |dump: &[u8]| {
        let dump = String::from_utf8_lossy(dump).into_owned();
        dump.lines().find(|line| line.starts_with("CREATE POLICY")).unwrap().to_owned()
    };
    assert_ne!(policy(&first), policy(&second), "the servers list the roles alike: this test proves nothing");
    let (before, after) = (facts(&first), facts(&second));
    assert_eq!(before.objects, after.objects);
    assert!(roles.iter().all(|role| before.roles.contains(&role.replace('"', ""))), "{:?}", before.roles);
}

/// With `-e`, psql shows every statement that it sends.
#[test]
fn psql_does_nothing_with_a_footer() {
    let hostile = [
        "\nDROP TABLE t;",
        "\r\nDROP TABLE t;",
        "\rDROP TABLE t;",
        "\u{85}\u{2028}DROP TABLE t;",
        "\n\\! touch x",
        "\\! touch x",
        "\\unrestrict `touch x`",
        ":x :'x' :\"x\" :{?x}",
        "*/ DROP TABLE t; /*",
        "'",
        "\"",
        "$$",
    ];
    let cluster = Cluster::shared();
    for encoding in ["UTF8", "LATIN1"] {
        let database = server::create_database(&cluster, encoding);
        database.sql("CREATE TABLE t (a integer);");
        let mut facts = facts(&dump(&database));
        let table = facts.tables[0].clone();
        facts.tables.extend(hostile.map(|name| {
            let mut table = table.clone();
            name.clone_into(&mut table.name);
            table.columns = vec![name.to_owned(); 2];
            table
        }));
        facts.roles = hostile.map(str::to_owned).to_vec();
        let script = lifeline::new_folder("footer", None).join("footer.sql");
        fs::write(&script, footer(facts).to_string()).unwrap();
        for options in [&["-e"][..], &["-e", "-1"], &["-e", "-v", "x=DROP TABLE t;", "-S"]] {
            let mut psql = database.psql();
            psql.args(options).arg("-f").arg(&script).stdout(Stdio::piped()).stderr(Stdio::piped());
            let output = lifeline::spawn(psql).and_then(Child::wait_with_output).unwrap();
            let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
            assert!(output.status.success(), "{said}");
            assert_eq!(said, "", "{options:?}");
        }
        assert_eq!(database.query("SELECT count(*) FROM t"), "0");
    }
}
