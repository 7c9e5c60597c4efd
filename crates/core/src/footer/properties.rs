//! What a database is beside its contents, and what no plain dump of it holds: owner, privileges, settings, comment, locale.
//!
//! They are kept as facts, and turned into statements here: for the database that is restored, whatever its name, and for
//! people with stock tools, to whom the footer shows the statements for the name that it had.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::sql::{identifier, literal};

/// What a database is beside its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// The role that owns it.
    pub owner: String,
    /// Who may connect to it and the like. `None`: what PostgreSQL gives to everybody, which nobody has changed.
    pub privileges: Option<Vec<Privilege>>,
    /// What `ALTER DATABASE ... SET` and `ALTER ROLE ... IN DATABASE ... SET` have set.
    pub settings: Vec<Setting>,
    /// What `COMMENT ON DATABASE` says.
    pub comment: Option<String>,
    /// How many sessions it may have; -1: any number.
    pub connection_limit: i32,
    /// By PostgreSQL's letter: `c` for the C library, `i` for ICU, `b` for PostgreSQL's own. `None` before PostgreSQL 15.
    pub locale_provider: Option<String>,
    /// The locale of a provider other than the C library.
    pub locale: Option<String>,
    /// Rules beside an ICU locale.
    pub icu_rules: Option<String>,
    /// Where its files lie. Only noted: another server has other disks.
    pub tablespace: String,
}

/// Where a footer does not say: a database as `CREATE DATABASE` makes it by default.
impl Default for Properties {
    fn default() -> Self {
        Self {
            owner: String::new(),
            privileges: None,
            settings: Vec::new(),
            comment: None,
            connection_limit: -1,
            locale_provider: None,
            locale: None,
            icu_rules: None,
            tablespace: String::new(),
        }
    }
}

/// One privilege of one role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Privilege {
    /// Who has it; `None`: everybody.
    pub grantee: Option<String>,
    /// `CONNECT`, `CREATE` or `TEMPORARY`.
    pub privilege: String,
    /// Whether it may be handed on.
    pub grantable: bool,
}

/// One setting, for sessions in this database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// For sessions of this role; `None`: of any.
    pub role: Option<String>,
    /// `search_path`
    pub name: String,
    /// As PostgreSQL keeps it.
    pub value: String,
}

/// The privileges that there are on a database. They stand in a statement as they are, so no others do.
const PRIVILEGES: [&str; 3] = ["CONNECT", "CREATE", "TEMPORARY"];

/// Settings that are lists of names, which PostgreSQL keeps quoted as names are (`GUC_LIST_QUOTE` in its source).
const LISTS_OF_NAMES: [&str; 7] = [
    "local_preload_libraries",
    "oauth_validator_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

impl Properties {
    /// Every role that they name.
    pub fn roles(&self) -> BTreeSet<&str> {
        let grantees = self.privileges.iter().flatten().filter_map(|privilege| privilege.grantee.as_deref());
        let of_settings = self.settings.iter().filter_map(|setting| setting.role.as_deref());
        let owner = Some(self.owner.as_str()).filter(|owner| !owner.is_empty());
        grantees.chain(of_settings).chain(owner).collect()
    }

    /// The statements that give them to a database of this name. The owner comes first, because it is the owner who grants
    /// privileges.
    pub fn statements(&self, database: &str) -> Vec<String> {
        let name = identifier(database);
        let owner = identifier(&self.owner);
        let mut statements = Vec::new();
        if !self.owner.is_empty() {
            statements.push(format!("ALTER DATABASE {name} OWNER TO {owner};"));
        }
        if let Some(privileges) = &self.privileges {
            let whose = if self.owner.is_empty() { String::new() } else { format!(", {owner}") };
            statements.push(format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC{whose};"));
            let known = privileges.iter().filter(|privilege| PRIVILEGES.contains(&privilege.privilege.as_str()));
            for Privilege { grantee, privilege, grantable } in known.collect::<BTreeSet<_>>() {
                let grantee = grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), identifier);
                let option = if *grantable { " WITH GRANT OPTION" } else { "" };
                statements.push(format!("GRANT {privilege} ON DATABASE {name} TO {grantee}{option};"));
            }
        }
        if self.connection_limit >= 0 {
            statements.push(format!("ALTER DATABASE {name} CONNECTION LIMIT {};", self.connection_limit));
        }
        for setting in &self.settings {
            statements.push(setting.statement(&match &setting.role {
                Some(role) => format!("ROLE {} IN DATABASE {name}", identifier(role)),
                None => format!("DATABASE {name}"),
            }));
        }
        if let Some(comment) = &self.comment {
            statements.push(format!("COMMENT ON DATABASE {name} IS {};", literal(comment)));
        }
        statements
    }

    /// What `CREATE DATABASE` has to be told of the locale, beside `LC_COLLATE` and `LC_CTYPE`, on a server of this
    /// major version.
    pub(super) fn locale_options(&self, major: u32) -> String {
        let (provider, its_locale) = match self.locale_provider.as_deref() {
            // What older servers have anyway, and have no word for.
            Some("c") if major < 15 => return String::new(),
            Some("c") => return " LOCALE_PROVIDER libc".to_owned(),
            Some("i") => ("icu", "ICU_LOCALE"),
            Some("b") => ("builtin", "BUILTIN_LOCALE"),
            _ => return String::new(),
        };
        let option = |word: &str, value: &Option<String>| {
            value.as_deref().map_or_else(String::new, |value| format!(" {word} {}", literal(value)))
        };
        let (locale, rules) = (option(its_locale, &self.locale), option("ICU_RULES", &self.icu_rules));
        format!(" LOCALE_PROVIDER {provider}{locale}{rules}")
    }
}

impl Setting {
    /// The statement that sets it. `whose`, in SQL: `ROLE app`.
    pub fn statement(&self, whose: &str) -> String {
        format!("ALTER {whose} SET {} TO {};", identifier(&self.name), value_of(&self.name, &self.value))
    }
}

/// A setting's value as SQL.
fn value_of(setting: &str, value: &str) -> String {
    if !LISTS_OF_NAMES.contains(&setting.to_ascii_lowercase().as_str()) {
        return literal(value);
    }
    let names: Vec<String> = names_in(value).iter().map(|name| literal(name)).collect();
    if names.is_empty() { literal("") } else { names.join(", ") }
}

/// `"$user", public, "a ""b"""` taken apart.
fn names_in(list: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted, mut was_quoted) = (Vec::new(), String::new(), false, false);
    let mut rest = list.chars().peekable();
    let mut push = |name: &mut String, was_quoted: bool| {
        let text = std::mem::take(name);
        let text = if was_quoted { text } else { text.trim().to_owned() };
        if was_quoted || !text.is_empty() {
            names.push(text);
        }
    };
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                name.push('"');
                rest.next();
            }
            '"' => {
                quoted = !quoted;
                if quoted {
                    name.clear();
                }
                was_quoted = true;
            }
            ',' if !quoted => push(&mut name, std::mem::take(&mut was_quoted)),
            c if !quoted && was_quoted && c.is_whitespace() => {}
            c => name.push(c),
        }
    }
    push(&mut name, was_quoted);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(role: Option<&str>, name: &str, value: &str) -> Setting {
        Setting { role: role.map(str::to_owned), name: name.to_owned(), value: value.to_owned() }
    }

    fn privilege(grantee: Option<&str>, privilege: &str, grantable: bool) -> Privilege {
        Privilege { grantee: grantee.map(str::to_owned), privilege: privilege.to_owned(), grantable }
    }

    #[test]
    fn a_database_is_given_what_it_had_under_any_name() {
        let properties = Properties {
            owner: "the app".to_owned(),
            privileges: Some(vec![
                privilege(Some("the app"), "CREATE", false),
                privilege(Some("team"), "CONNECT", true),
                privilege(None, "TEMPORARY", false),
                privilege(None, "CONNECT ON DATABASE x TO y; DROP DATABASE z; --", false),
                privilege(Some("team"), "CONNECT", true),
            ]),
            settings: vec![
                setting(None, "search_path", r#""$user", public, "Odd ""one""""#),
                setting(None, "application_name", r"it's a \ b"),
                setting(Some("team"), "work_mem", "7MB"),
            ],
            comment: Some("the shop; it's ours".to_owned()),
            connection_limit: 42,
            ..Properties::default()
        };
        assert_eq!(
            properties.statements("a \"b\""),
            [
                r#"ALTER DATABASE "a ""b""" OWNER TO "the app";"#,
                r#"REVOKE ALL ON DATABASE "a ""b""" FROM PUBLIC, "the app";"#,
                r#"GRANT TEMPORARY ON DATABASE "a ""b""" TO PUBLIC;"#,
                r#"GRANT CONNECT ON DATABASE "a ""b""" TO "team" WITH GRANT OPTION;"#,
                r#"GRANT CREATE ON DATABASE "a ""b""" TO "the app";"#,
                r#"ALTER DATABASE "a ""b""" CONNECTION LIMIT 42;"#,
                r#"ALTER DATABASE "a ""b""" SET "search_path" TO '$user', 'public', 'Odd "one"';"#,
                r#"ALTER DATABASE "a ""b""" SET "application_name" TO E'it''s a \\ b';"#,
                r#"ALTER ROLE "team" IN DATABASE "a ""b""" SET "work_mem" TO '7MB';"#,
                r#"COMMENT ON DATABASE "a ""b""" IS 'the shop; it''s ours';"#,
            ]
        );
        assert_eq!(properties.roles(), BTreeSet::from(["team", "the app"]));
    }

    #[test]
    fn what_nobody_changed_needs_no_statement_but_the_owner() {
        let plain = Properties { owner: "app".to_owned(), ..Properties::default() };
        assert_eq!(plain.statements("shop"), [r#"ALTER DATABASE "shop" OWNER TO "app";"#]);
        let unsaid: Properties = serde_json::from_str("{}").unwrap();
        assert_eq!(unsaid.statements("shop"), [""; 0]);
    }

    #[test]
    fn lists_of_names_are_taken_apart() {
        for (list, names) in [
            ("public", vec!["public"]),
            (r#""$user", public"#, vec!["$user", "public"]),
            (r#""a, b",c"#, vec!["a, b", "c"]),
            (r#""""#, vec![""]),
            ("", vec![]),
        ] {
            assert_eq!(names_in(list), names, "{list}");
        }
        assert_eq!(value_of("Search_Path", ""), "''");
    }

    #[test]
    fn a_locale_is_named_where_the_server_knows_the_word() {
        let options = |provider: Option<&str>, locale: Option<&str>, rules: Option<&str>, major| {
            let [locale_provider, locale, icu_rules] = [provider, locale, rules].map(|text| text.map(str::to_owned));
            Properties { locale_provider, locale, icu_rules, ..Properties::default() }.locale_options(major)
        };
        assert_eq!(options(None, None, None, 17), "");
        assert_eq!(options(Some("c"), None, None, 14), "");
        assert_eq!(options(Some("c"), None, None, 15), " LOCALE_PROVIDER libc");
        assert_eq!(options(Some("i"), Some("de-DE"), None, 15), " LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'");
        assert_eq!(
            options(Some("i"), Some("und"), Some("&a < g"), 16),
            " LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < g'"
        );
        assert_eq!(options(Some("b"), Some("C.UTF-8"), None, 17), " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'");
    }
}
