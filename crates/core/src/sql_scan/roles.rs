//! The roles that a statement names.
//!
//! It may name one too many (a column called `from` in a REVOKE, say) and never one too few: the caller intersects them
//! with the roles of the server.

use super::statement::{Kind, Token, Tokens};

/// Words that stand where a role may stand, and are none.
const NOT_ROLES: [&str; 5] = ["public", "current_user", "current_role", "session_user", "default"];

/// Calls `found` with each role, unquoted.
pub(super) fn for_each_in(statement: Tokens<'_>, mut found: impl FnMut(Vec<u8>)) {
    let is = |words: &[&str]| statement.begin_with(words);
    let lead: &[&[&str]] = if is(&["grant"]) {
        &[&["to"], &["granted", "by"]]
    } else if is(&["revoke"]) {
        &[&["from"], &["granted", "by"]]
    } else if is(&["alter", "default", "privileges"]) {
        &[&["for", "role"], &["for", "user"], &["to"], &["from"]]
    } else if is(&["create", "policy"]) || is(&["alter", "policy"]) {
        &[&["to"]]
    } else if is(&["create", "user", "mapping"]) {
        &[&["user", "mapping", "for"]]
    } else if is(&["create", "schema"]) || is(&["set"]) {
        &[&["authorization"]]
    } else {
        &[&["owner", "to"]]
    };
    let mut rest = statement;
    while rest.get(0).is_some() {
        let Some(words) = lead.iter().find(|words| rest.begin_with(words)) else {
            rest = rest.skip(1);
            continue;
        };
        rest = rest.skip(words.len());
        if rest.begin_with(&["group"]) {
            rest = rest.skip(1);
        }
        while let Some(name) = rest.get(0).filter(|token| token.kind != Kind::Symbol) {
            if !is_no_role(name) {
                found(name.unquoted());
            }
            rest = rest.skip(1);
            if !rest.get(0).is_some_and(|token| token.is_symbol(b',')) {
                break;
            }
            rest = rest.skip(1);
        }
    }
}

fn is_no_role(token: Token<'_>) -> bool {
    NOT_ROLES.iter().any(|word| token.is_word(word))
}
