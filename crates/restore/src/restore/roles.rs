//! The roles that a backup describes and the server does not have.

use backup_core::footer::Footer;

/// The names of those that are made, and the statements that make them. All exist before any is made a member of another.
pub(super) fn to_create(footer: Option<&Footer>, has: impl Fn(&str) -> bool) -> (Vec<String>, Vec<String>) {
    let described = footer.into_iter().flat_map(|footer| &footer.roles);
    let makes = |statement: &String| statement.starts_with("CREATE ROLE ") && is_one_statement(statement);
    let wanted = described.filter(|role| !has(&role.name) && role.statements.first().is_some_and(makes));
    let wanted: Vec<_> = wanted.collect();
    let creates = wanted.iter().filter_map(|role| role.statements.first());
    let grants = wanted.iter().flat_map(|role| role.statements.iter().skip(1));
    let grants = grants.filter(|statement| statement.starts_with("GRANT ") && is_one_statement(statement));
    (wanted.iter().map(|role| role.name.clone()).collect(), creates.chain(grants).cloned().collect())
}

/// Whether it is a single statement, and nothing that `psql` itself obeys: whoever can write to the store can write a
/// footer, and it is not scanned as the dump is.
fn is_one_statement(text: &str) -> bool {
    let Some(body) = text.strip_suffix(';') else { return false };
    let (mut quote, mut before) = (None, ' ');
    for c in body.chars() {
        if let Some(open) = quote {
            quote = (c != open).then_some(open);
        } else {
            let is_odd = match (before, c) {
                // In `E'...'` and `U&'...'` a quote may not be an end.
                ('E' | 'e' | '&', '"' | '\'') | ('-', '-') | ('/', '*') => true,
                _ => matches!(c, ';' | '\\' | '$' | ':' | '\n' | '\r' | '`'),
            };
            if is_odd {
                return false;
            }
            quote = matches!(c, '"' | '\'').then_some(c);
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
            ("CREATE ROLE app VALID UNTIL E'\\'; DROP TABLE x; --';", false),
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
                role("a", &["CREATE ROLE a;", "GRANT z TO a;", "DROP TABLE x;"]),
                role("known", &["CREATE ROLE known;"]),
                role("odd", &["CREATE ROLE odd; DROP DATABASE shop;"]),
                role("z", &["CREATE ROLE z;"]),
            ],
            dump: DumpFacts::default(),
        };
        let (names, statements) = to_create(Some(&footer), |name| name == "known");
        assert_eq!(names, ["a", "z"]);
        assert_eq!(statements, ["CREATE ROLE a;", "CREATE ROLE z;", "GRANT z TO a;"]);
    }
}
