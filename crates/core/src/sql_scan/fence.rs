//! Which statements a dump may hold where it is restored: those that `pg_dump` writes, and no others.
//!
//! It is a list of what is allowed, so that what nobody thought of is refused. It says what a statement *is*; what a
//! function that the dump itself defines does once something calls it, nobody can tell from outside. That is why a
//! restore test runs sealed ([`Confinement`](crate::child::Confinement)), and why a backup of unknown origin belongs on
//! no live server.

use super::statement::{Kind, Token, Tokens};

/// What is created, altered, dropped and commented on inside of a database. Databases, roles, tablespaces and the server's own
/// settings are not in it.
const OBJECTS: [&str; 40] = [
    "access",
    "aggregate",
    "cast",
    "collation",
    "constraint",
    "conversion",
    "default",
    "domain",
    "event",
    "extension",
    "foreign",
    "function",
    "index",
    "language",
    "large",
    "materialized",
    "operator",
    "or",
    "policy",
    "procedural",
    "procedure",
    "property",
    "publication",
    "recursive",
    "routine",
    "rule",
    "schema",
    "sequence",
    "server",
    "statistics",
    "subscription",
    "table",
    "text",
    "transform",
    "trigger",
    "trusted",
    "type",
    "unique",
    "unlogged",
    "view",
];

/// Settings that say who acts, what is loaded, or how the rest is read. A newer `pg_dump` makes settings that nobody
/// knows today, and a backup must not be refused for one: all others pass.
const UNWANTED_SETTINGS: [&str; 8] = [
    "allow_system_table_mods",
    "backslash_quote",
    "dynamic_library_path",
    "extension_control_path",
    "local_preload_libraries",
    "role",
    "session_authorization",
    "session_preload_libraries",
];

/// Encodings that a server can have, as PostgreSQL writes them. A character of none of them holds a byte that is a
/// backslash or a quote.
const ENCODINGS: [&str; 35] = [
    "EUC_CN",
    "EUC_JIS_2004",
    "EUC_JP",
    "EUC_KR",
    "EUC_TW",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "KOI8R",
    "KOI8U",
    "LATIN1",
    "LATIN10",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "MULE_INTERNAL",
    "SQL_ASCII",
    "UTF8",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
    "WIN866",
    "WIN874",
];

/// Functions that a dump calls.
const FUNCTIONS: [&str; 6] = ["setval", "lo_create", "lo_open", "lowrite", "lo_close", "lo_unlink"];

/// Whether `pg_dump` writes statements like this one, which is not cut.
pub(super) fn permits(tokens: Tokens<'_>) -> bool {
    let word = |at: usize| tokens.get(at).filter(|token| token.kind == Kind::Word).map(Token::unquoted);
    let Some(first) = word(0) else {
        // A lone semicolon.
        return tokens.get(0).is_none_or(|token| token.is_symbol(b';'));
    };
    let second = word(1).unwrap_or_default();
    let on_an_object =
        || OBJECTS.iter().any(|object| object.as_bytes() == second) || tokens.skip(1).begin_with(&["user", "mapping"]);
    match first.as_slice() {
        b"copy" => is_copy(tokens),
        b"select" => is_call(tokens) || is_unlink(tokens),
        b"set" => is_setting(tokens),
        b"reset" => shape(tokens, "reset session authorization ;"),
        b"begin" | b"commit" => shape(tokens.skip(1), ";"),
        b"create" if second == b"subscription" => connects_nowhere(tokens),
        b"create" | b"alter" | b"drop" => on_an_object(),
        b"refresh" => second == b"materialized",
        b"comment" => second == b"on" && !is_of_the_server(tokens.skip(2)),
        b"security" => second == b"label" && on(tokens),
        b"insert" => second == b"into",
        // Not of a role to a role.
        b"grant" | b"revoke" => on(tokens),
        _ => false,
    }
}

/// Whether it says ON what, and that is inside of the database.
fn on(tokens: Tokens<'_>) -> bool {
    tokens.split(|token| token.is_word("on")).is_some_and(|(_, object)| !is_of_the_server(object))
}

fn is_of_the_server(object: Tokens<'_>) -> bool {
    ["database", "parameter", "role", "tablespace"].iter().any(|kind| object.begin_with(&[kind]))
}

/// `COPY schema.table (columns) FROM stdin;` and nothing else: no query, no file, no program, no option.
fn is_copy(tokens: Tokens<'_>) -> bool {
    let is_name = |token: Token<'_>| matches!(token.kind, Kind::Word | Kind::QuotedName);
    let mut rest = tokens.skip(1);
    let mut name = || {
        let found = rest.get(0).is_some_and(is_name);
        rest = rest.skip(1);
        if rest.get(0).is_some_and(|token| token.is_symbol(b'.')) {
            rest = rest.skip(1);
            return found && rest.get(0).is_some_and(is_name) && {
                rest = rest.skip(1);
                true
            };
        }
        found
    };
    if !name() {
        return false;
    }
    if rest.get(0).is_some_and(|token| token.is_symbol(b'(')) {
        let columns = rest.skip(1);
        let listed: Vec<Token<'_>> = columns.iter().take_while(|token| !token.is_symbol(b')')).collect();
        let in_place =
            |(at, token): (usize, &Token<'_>)| if at % 2 == 0 { is_name(*token) } else { token.is_symbol(b',') };
        if !listed.iter().enumerate().all(in_place) {
            return false;
        }
        rest = columns.skip(listed.len() + 1);
    }
    // Before PostgreSQL 12.
    if rest.begin_with(&["with", "oids"]) {
        rest = rest.skip(2);
    }
    shape(rest, "from stdin ;")
}

/// `SELECT pg_catalog.FUNCTION(…);` with constants only, so that nothing else is called on the way.
fn is_call(tokens: Tokens<'_>) -> bool {
    let (call, from) =
        if shape_begins(tokens, "select * from") { (tokens.skip(3), true) } else { (tokens.skip(1), false) };
    let Some(function) = call.get(2).filter(|_| shape_begins(call, "pg_catalog .")) else { return false };
    let name = function.unquoted();
    let arguments = call.skip(3);
    let known = match name.as_slice() {
        b"set_config" => shape(arguments, "( 'search_path' , ? , false ) ;"),
        name if from => name.starts_with(b"pg_restore_") && name.ends_with(b"_stats"),
        name => FUNCTIONS.iter().any(|function| function.as_bytes() == name),
    };
    known && function.kind == Kind::Word && shape_begins(arguments, "(") && arguments.skip(1).iter().all(is_constant)
}

fn is_constant(token: Token<'_>) -> bool {
    match token.kind {
        Kind::Text { .. } | Kind::Word => true,
        Kind::Symbol => matches!(token.text, [b',' | b')' | b';' | b':' | b'-' | b'[' | b']' | b'.']),
        Kind::QuotedName | Kind::DollarText => false,
    }
}

/// How `--clean --if-exists` removes a large object, in older and in newer versions.
fn is_unlink(tokens: Tokens<'_>) -> bool {
    let older = "select pg_catalog . lo_unlink ( oid ) from pg_catalog . pg_largeobject_metadata where oid = ? ;";
    let newer = "select case when exists ( select 1 from pg_catalog . pg_largeobject_metadata where oid = ? ) \
                 then pg_catalog . lo_unlink ( ? ) end ;";
    shape(tokens, older) || shape(tokens, newer)
}

/// The two settings that decide how the rest is read have one spelling each.
fn is_setting(tokens: Tokens<'_>) -> bool {
    if tokens.skip(1).begin_with(&["session", "authorization"]) {
        return true;
    }
    let Some(name) = tokens.get(1).filter(|token| token.kind == Kind::Word).map(Token::unquoted) else { return false };
    if !shape_begins(tokens.skip(2), "=") {
        return false;
    }
    match name.as_slice() {
        b"standard_conforming_strings" => shape(tokens.skip(3), "on ;") || shape(tokens.skip(3), "off ;"),
        b"client_encoding" => {
            let encoding = tokens.get(3).map(|token| token.text).unwrap_or_default();
            let encoding = encoding.strip_prefix(b"'").and_then(|text| text.strip_suffix(b"'"));
            shape(tokens.skip(3), "? ;")
                && encoding.is_some_and(|name| ENCODINGS.iter().any(|known| known.as_bytes() == name))
        }
        name => !UNWANTED_SETTINGS.iter().any(|setting| setting.as_bytes() == name),
    }
}

/// A subscription is restored switched off.
fn connects_nowhere(tokens: Tokens<'_>) -> bool {
    (0..tokens.iter().count()).any(|at| shape_begins(tokens.skip(at), "connect = false"))
}

/// Whether these are the tokens, with `?` for any text in quotes.
fn shape(tokens: Tokens<'_>, expected: &str) -> bool {
    shape_begins(tokens, expected) && tokens.skip(expected.split_whitespace().count()).get(0).is_none()
}

fn shape_begins(tokens: Tokens<'_>, expected: &str) -> bool {
    expected.split_whitespace().enumerate().all(|(at, expected)| {
        tokens.get(at).is_some_and(|token| match token.kind {
            Kind::Text { .. } => expected == "?" || expected.as_bytes() == token.text,
            Kind::Word => token.is_word(expected),
            Kind::Symbol => expected.as_bytes() == token.text,
            Kind::QuotedName | Kind::DollarText => false,
        })
    })
}
