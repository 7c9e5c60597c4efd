//! What kind of statement this is, and what the facts need of statements and of the comments above them.

use super::statement::{Kind, Statement, Token, Tokens};
use crate::footer::{Digest, ObjectName, escape};

/// What a statement does, as far as the scanner tells them apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// `COPY …`
    Copy,
    /// `SELECT pg_catalog.FUNCTION(…)`, the function in lower case.
    Call(Vec<u8>),
    /// `SET name = value`
    Set,
    /// `BEGIN;` or `COMMIT;`, which `pg_dump` writes around large objects.
    Transaction,
    /// Any other statement that begins or ends a transaction.
    OddTransaction,
    /// Leaves nothing in the database: planner statistics, a lone semicolon.
    Nothing,
    /// Defines something.
    Define,
}

impl Verb {
    pub(super) fn of(tokens: Tokens<'_>) -> Self {
        let symbol = |at, symbol| tokens.get(at).is_some_and(|token: Token<'_>| token.is_symbol(symbol));
        let is = |words| tokens.begin_with(words);
        if is(&["copy"]) {
            return Self::Copy;
        }
        if is(&["select", "pg_catalog"]) && symbol(2, b'.') && symbol(4, b'(') {
            return tokens.get(3).map_or(Self::Define, |function| Self::Call(function.unquoted()));
        }
        if is(&["set"]) && !is(&["set", "session"]) {
            return Self::Set;
        }
        let statistics = is(&["select"]) && symbol(1, b'*') && tokens.skip(2).begin_with(&["from", "pg_catalog"]);
        if statistics || symbol(0, b';') {
            return Self::Nothing;
        }
        if (is(&["begin"]) || is(&["commit"])) && symbol(1, b';') {
            return Self::Transaction;
        }
        let words = ["begin", "start", "commit", "end", "rollback", "abort", "prepare"];
        if words.iter().any(|word| tokens.begin_with(&[word])) { Self::OddTransaction } else { Self::Define }
    }
}

/// Whether the statement gives a large object an owner, a grant, a comment or a label.
pub(super) fn concerns_large_object(tokens: Tokens<'_>) -> bool {
    let is = |words| tokens.begin_with(words);
    // The privileges of a GRANT stand between.
    let object_after = 16;
    is(&["alter", "large", "object"])
        || ([&["comment"], &["grant"], &["revoke"], &["security"]].into_iter().any(|word| is(word))
            && (1..object_after).any(|at| tokens.skip(at).begin_with(&["on", "large", "object"])))
}

/// The extension that the statement creates, unquoted.
pub(super) fn created_extension(tokens: Tokens<'_>) -> Option<Vec<u8>> {
    let rest = tokens.begin_with(&["create", "extension"]).then(|| tokens.skip(2))?;
    let rest = if rest.begin_with(&["if", "not", "exists"]) { rest.skip(3) } else { rest };
    rest.get(0).map(Token::unquoted)
}

/// The digest of a definition.
///
/// The roles of a policy are sorted first: `pg_dump` lists them in the order in which they lie in the server's
/// catalogue, and so in another order on a server where they were made in another order.
pub(super) fn definition_digest(statement: &Statement) -> Digest {
    let tokens = statement.tokens();
    if statement.is_cut() || !tokens.begin_with(&["create", "policy"]) {
        return statement.digest();
    }
    let Some((head, tail)) = tokens.split(|token| token.is_word("to")) else { return statement.digest() };
    let is_name = |token: Token<'_>| {
        let keyword = ["using", "with"].iter().any(|word| token.is_word(word));
        !keyword && matches!(token.kind, Kind::Word | Kind::QuotedName)
    };
    let listed = tail.iter().take_while(|token| is_name(*token) || token.is_symbol(b',')).count();
    let mut roles: Vec<&[u8]> =
        tail.iter().take(listed).filter(|token| is_name(*token)).map(|role| role.text).collect();
    roles.sort_unstable();
    let mut text = head.spelled().to_vec();
    text.extend_from_slice(b" TO ");
    text.extend_from_slice(&roles.join(&b", "[..]));
    text.push(b' ');
    text.extend_from_slice(tail.skip(listed).spelled());
    Digest::of(&text)
}

/// The label in a comment like ` Name: orders; Type: TABLE; Schema: public; Owner: app`, which stands above each object.
///
/// A name may hold any of these words, so they are looked for from the end.
pub(super) fn object_name(comment: &[u8]) -> Option<ObjectName> {
    let leads: [&[u8]; 3] = [b" Name: ", b" Data for Name: ", b" Statistics for Name: "];
    let text = leads.iter().find_map(|lead| comment.strip_prefix(*lead))?;
    let split = |text: &'_ [u8], word: &str| {
        let at = memchr::memmem::rfind(text, word.as_bytes())?;
        Some((text[..at].to_vec(), text[at + word.len()..].to_vec()))
    };
    let (text, _owner) = split(text, "; Owner: ")?;
    let (text, schema) = split(&text, "; Schema: ")?;
    let (name, kind) = split(&text, "; Type: ")?;
    let schema = if schema == b"-" { String::new() } else { escape(&schema) };
    Some(ObjectName { kind: escape(&kind), schema, name: escape(&name) })
}

/// Where in a row of `columns` each of the `expected` columns stands, if they are the same columns in another order.
pub(super) fn new_order(columns: &[String], expected: &[String]) -> Option<Vec<usize>> {
    if columns == expected || columns.len() != expected.len() {
        return None;
    }
    expected.iter().map(|name| columns.iter().position(|column| column == name)).collect()
}
