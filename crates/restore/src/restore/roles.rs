//! The roles that a backup describes and the server does not have.

use backup_core::footer::Footer;

/// Roles that are made.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Creation {
    pub(super) names: Vec<String>,
    /// The statements that make them, in the order of the names, and then members of others. All exist before any is made a
    /// member of another.
    pub(super) statements: Vec<String>,
    /// The statements that set what is set for them. A restore does not depend on these, and another server may refuse some.
    pub(super) settings: Vec<String>,
}

impl Creation {
    /// The roles that log in, and cannot before somebody gives them a password: a backup holds none.
    pub(super) fn without_password(&self) -> Vec<&str> {
        let made = self.names.iter().zip(&self.statements);
        made.filter(|(_, statement)| statement.contains(" LOGIN ")).map(|(name, _)| name.as_str()).collect()
    }
}

/// What makes the roles that the server does not have.
pub(super) fn to_create(footer: Option<&Footer>, has: impl Fn(&str) -> bool) -> Creation {
    let described = footer.into_iter().flat_map(|footer| &footer.roles);
    let makes = |statement: &String| statement.starts_with("CREATE ROLE ") && is_one_statement(statement);
    let wanted = described.filter(|role| !has(&role.name) && role.statements.first().is_some_and(makes));
    let wanted: Vec<_> = wanted.collect();
    let creates = wanted.iter().filter_map(|role| role.statements.first());
    let others = || wanted.iter().flat_map(|role| role.statements.iter().skip(1)).filter(|one| is_one_statement(one));
    let grants = others().filter(|statement| statement.starts_with("GRANT "));
    let settings = others().filter(|statement| statement.starts_with("ALTER ROLE "));
    Creation {
        names: wanted.iter().map(|role| role.name.clone()).collect(),
        statements: creates.chain(grants).cloned().collect(),
        settings: settings.cloned().collect(),
    }
}

/// Whether it is a single statement, and nothing that `psql` itself obeys: whoever can write to the store can write a
/// footer, and it is not scanned as the dump is.
fn is_one_statement(text: &str) -> bool {
    let Some(body) = text.strip_suffix(';') else { return false };
    let (mut quote, mut before) = (None, ' ');
    let mut characters = body.chars();
    while let Some(c) = characters.next() {
        if let Some((open, escapes)) = quote {
            if escapes && c == '\\' {
                characters.next();
            }
            quote = (c != open).then_some((open, escapes));
        } else {
            let is_odd = match (before, c) {
                // In `U&'...'` a quote may not be an end.
                ('&', '"' | '\'') | ('E' | 'e', '"') | ('-', '-') | ('/', '*') => true,
                _ => matches!(c, ';' | '\\' | '$' | ':' | '\n' | '\r' | '`'),
            };
            if is_odd {
                return false;
            }
            quote = matches!(c, '"' | '\'').then_some((c, matches!(before, 'E' | 'e')));
        }
        before = c;
    }
    quote.is_none()
}

#[cfg(test)]
mod tests {
    use backup_core::footer::{DumpFacts, Role};
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn only_what_makes_a_role_is_carried_out() {
        for (statement, is_one) in [
            ("CREATE ROLE app WITH LOGIN CONNECTION LIMIT -1;", true),
            ("CREATE ROLE \"Ghost's; \\app\" WITH LOGIN VALID UNTIL '2030-01-01 00:00:00+00';", true),
            ("GRANT \"a \"\"b\"\" c\" TO app;", true),
            ("CREATE ROLE \"E'-- /*\";", true),
            ("CREATE ROLE app", false),
            ("CREATE ROLE app; COPY t TO PROGRAM 'sh';", false),
            ("CREATE ROLE app\n\\! sh\n;", false),
            ("CREATE ROLE app \\! sh;", false),
            ("CREATE ROLE app VALID UNTIL E'\\'; DROP TABLE x; --';", true),
            ("CREATE ROLE app VALID UNTIL E'\\\\'; DROP TABLE x; --';", false),
            ("CREATE ROLE app VALID UNTIL '\\'; DROP TABLE x; --';", false),
            ("ALTER ROLE app SET \"search_path\" TO '$user', 'public';", true),
            ("CREATE ROLE \"app;", false),
            ("CREATE ROLE app -- ;", false),
            ("CREATE ROLE :x;", false),
        ] {
            assert_eq!(is_one_statement(statement), is_one, "{statement}");
        }
    }

    #[test]
    fn members_come_after_all_roles_and_known_ones_are_left_alone() {
        let role = |name: &str, statements: &[&str]| Role {
            name: name.to_owned(),
            statements: statements.iter().map(ToString::to_string).collect(),
        };
        let footer = Footer {
            database: "shop".to_owned(),
            started: OffsetDateTime::UNIX_EPOCH,
            encoding: String::new(),
            collate: String::new(),
            ctype: String::new(),
            properties: None,
            roles: vec![
                role(
                    "a",
                    &[
                        "CREATE ROLE a WITH LOGIN INHERIT;",
                        "GRANT z TO a;",
                        "ALTER ROLE a SET x TO 'y';",
                        "DROP TABLE x;",
                    ],
                ),
                role("known", &["CREATE ROLE known;", "ALTER ROLE known SET x TO 'y';"]),
                role("odd", &["CREATE ROLE odd; DROP DATABASE shop;"]),
                role("z", &["CREATE ROLE z WITH NOLOGIN INHERIT;"]),
            ],
            dump: DumpFacts::default(),
        };
        let creation = to_create(Some(&footer), |name| name == "known");
        assert_eq!(creation.without_password(), ["a"]);
        let Creation { names, statements, settings } = creation;
        assert_eq!(names, ["a", "z"]);
        assert_eq!(
            statements,
            ["CREATE ROLE a WITH LOGIN INHERIT;", "CREATE ROLE z WITH NOLOGIN INHERIT;", "GRANT z TO a;"]
        );
        assert_eq!(settings, ["ALTER ROLE a SET x TO 'y';"]);
    }
}
