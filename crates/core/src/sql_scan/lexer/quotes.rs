//! Inside of quotes: texts, quoted names, and texts between dollars.

use super::super::statement::Kind;
use super::state::State;
use super::{Lexer, is_psql_variable, is_word_inside};

/// No tag is this long: `pg_dump` picks the tags itself, and takes the shortest that the text does not hold.
const LONGEST_TAG: usize = 64 * 1024;

impl Lexer {
    pub(super) fn in_quotes(&mut self, bytes: &[u8], start: usize, quote: u8, escapes: bool) -> usize {
        let stop = if escapes { memchr::memchr2(quote, b'\\', bytes) } else { memchr::memchr(quote, bytes) };
        let used = stop.map_or(bytes.len(), |at| at + 1);
        self.statement.extend(&bytes[..used]);
        self.state = match stop.map(|at| bytes[at]) {
            None => State::Quoted { start, quote, escapes },
            Some(byte) if byte == quote => State::QuoteSeen { start, quote, escapes },
            Some(_) => State::Escaped { start, quote },
        };
        used
    }

    /// A second quote is a quote in the text; anything else, and the text ended before it.
    pub(super) fn after_quote(&mut self, next: u8, start: usize, quote: u8, escapes: bool) -> usize {
        if next == quote {
            self.statement.extend(&[next]);
            self.state = State::Quoted { start, quote, escapes };
            return 1;
        }
        let kind = if quote == b'"' { Kind::QuotedName } else { Kind::Text { escapes } };
        self.after_text = quote == b'\'';
        if quote == b'"' && self.may_be_variable {
            let name = self.statement.text().get(start + 1..self.statement.len() - 1);
            if name.is_none_or(is_psql_variable) {
                self.odd("a variable of psql");
            }
        }
        self.statement.token(kind, start);
        self.continues = escapes.then_some(false);
        self.state = State::Code;
        0
    }

    pub(super) fn in_dollar_tag(&mut self, next: u8, start: usize) -> usize {
        let first = self.tag.len() == 1;
        if next == b'$' {
            self.state = State::DollarText { start, matched: 0 };
        } else if !is_word_inside(next) || (first && next.is_ascii_digit()) || self.tag.len() > LONGEST_TAG {
            // A parameter, or an operator: no quote.
            if !(first && next.is_ascii_digit()) {
                self.odd("a dollar that begins no quote");
            }
            self.statement.token(Kind::Symbol, start);
            self.state = State::Code;
            return 0;
        }
        self.tag.push(next);
        self.statement.extend(&[next]);
        1
    }

    /// The delimiter has `$` only at its ends, so that a failed match can begin anew only at a `$`.
    pub(super) fn in_dollar_text(&mut self, bytes: &[u8], start: usize, matched: usize) -> usize {
        let (used, matched) = if matched == 0 {
            memchr::memchr(b'$', bytes).map_or((bytes.len(), 0), |at| (at + 1, 1))
        } else if bytes[0] == self.tag[matched] {
            (1, matched + 1)
        } else {
            (1, usize::from(bytes[0] == b'$'))
        };
        self.statement.extend(&bytes[..used]);
        self.state = State::DollarText { start, matched };
        if matched == self.tag.len() {
            self.statement.token(Kind::DollarText, start);
            self.state = State::Code;
        }
        used
    }
}
