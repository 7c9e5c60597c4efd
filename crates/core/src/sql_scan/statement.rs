//! One SQL statement as it is collected: its text up to a limit, its tokens, the digest of all of it.

use xxhash_rust::xxh3::Xxh3;

use crate::footer::Digest;

/// What is kept of a statement's text. The longest statement that must be understood, and not only hashed, is the COPY
/// of a table with 1,600 columns whose names are 63 quotes each: 210 KB.
const KEPT_BYTES: usize = 1024 * 1024;

/// What is kept of a statement's tokens: five times what that COPY has.
const KEPT_TOKENS: usize = 32 * 1024;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, an unquoted name or a number.
    Word,
    /// `"name"`, quotes included.
    QuotedName,
    /// `'text'`, quotes included.
    Text {
        /// Whether a backslash escapes in it.
        escapes: bool,
    },
    /// `$tag$text$tag$`.
    DollarText,
    /// One byte of punctuation or of an operator.
    Symbol,
}

/// A token, by its place in the text.
#[derive(Debug, Clone, Copy)]
struct Span {
    kind: Kind,
    start: usize,
    end: usize,
}

/// A statement, from its first token to its semicolon, comments left out.
#[derive(Default)]
pub(super) struct Statement {
    text: Vec<u8>,
    spans: Vec<Span>,
    len: usize,
    spans_cut: bool,
    /// Takes over once the text is longer than what is kept.
    long: Option<Box<Xxh3>>,
}

impl Statement {
    /// Before the first token.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the next byte will stand.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
        self.len = 0;
        self.spans_cut = false;
        self.long = None;
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if let Some(long) = &mut self.long {
            long.update(bytes);
        } else if self.len <= KEPT_BYTES {
            self.text.extend_from_slice(bytes);
        } else {
            let mut long = Box::new(Xxh3::new());
            long.update(&self.text);
            long.update(bytes);
            self.long = Some(long);
        }
    }

    /// Ends a token that began at `start`.
    pub(super) fn token(&mut self, kind: Kind, start: usize) {
        if self.spans.len() < KEPT_TOKENS {
            self.spans.push(Span { kind, start, end: self.len });
        } else {
            self.spans_cut = true;
        }
    }

    /// Whether it was too long to be kept whole.
    pub(super) fn is_cut(&self) -> bool {
        self.long.is_some() || self.spans_cut
    }

    /// The text as far as it was kept.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The digest of the whole text, however long it is.
    pub(super) fn digest(&self) -> Digest {
        self.long.as_ref().map_or_else(|| Digest::of(&self.text), |long| Digest::from_xxh3(long.digest128()))
    }

    /// The memory that it takes.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.text.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// The tokens that were kept.
    pub(super) fn tokens(&self) -> Tokens<'_> {
        let kept = self.spans.partition_point(|span| span.end <= self.text.len());
        Tokens { text: &self.text, spans: &self.spans[..kept] }
    }
}

/// Tokens of a statement, read from left to right.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    spans: &'a [Span],
}

/// One token and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a [u8],
}

impl Token<'_> {
    pub(super) fn is_word(self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    pub(super) fn is_symbol(self, symbol: u8) -> bool {
        self.kind == Kind::Symbol && self.text == [symbol]
    }

    /// What the quotes hold; of an unquoted name, what PostgreSQL reads it as.
    pub(super) fn unquoted(self) -> Vec<u8> {
        match self.kind {
            Kind::QuotedName => inside_quotes(self.text, b'"', false),
            Kind::Text { escapes } => inside_quotes(self.text, b'\'', escapes),
            Kind::Word | Kind::DollarText | Kind::Symbol => self.text.to_ascii_lowercase(),
        }
    }
}

/// Two quotes are one. Of the escapes, `pg_dump` writes into the texts that are read here only the doubled backslash.
fn inside_quotes(text: &[u8], quote: u8, escapes: bool) -> Vec<u8> {
    // An `E` may stand before the first quote.
    let start = memchr::memchr(quote, text).map_or(0, |at| at + 1);
    let mut rest = &text[start..text.len() - 1];
    let mut inside = Vec::with_capacity(rest.len());
    let doubled = |rest: &[u8]| if escapes { memchr::memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) };
    while let Some(at) = doubled(rest) {
        inside.extend_from_slice(&rest[..at]);
        inside.extend(rest.get(at + 1));
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    inside.extend_from_slice(rest);
    inside
}

impl<'a> Tokens<'a> {
    pub(super) fn get(self, at: usize) -> Option<Token<'a>> {
        let Span { kind, start, end } = *self.spans.get(at)?;
        Some(Token { kind, text: &self.text[start..end] })
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Token<'a>> {
        (0..self.spans.len()).map_while(move |at| self.get(at))
    }

    /// Whether the tokens begin with these words.
    pub(super) fn begin_with(self, words: &[&str]) -> bool {
        words.iter().zip(0..).all(|(word, at)| self.get(at).is_some_and(|token| token.is_word(word)))
    }

    /// What follows these tokens.
    pub(super) fn skip(self, count: usize) -> Self {
        Self { text: self.text, spans: self.spans.get(count..).unwrap_or_default() }
    }

    /// What stands before the first token that `stop` accepts, and what stands after it.
    pub(super) fn split(self, stop: impl Fn(Token<'a>) -> bool) -> Option<(Self, Self)> {
        let at = self.iter().position(stop)?;
        Some((Self { text: self.text, spans: &self.spans[..at] }, self.skip(at + 1)))
    }

    /// The text from the first of these tokens to the last, as written.
    pub(super) fn spelled(self) -> &'a [u8] {
        match (self.spans.first(), self.spans.last()) {
            (Some(first), Some(last)) => &self.text[first.start..last.end],
            _ => &[],
        }
    }
}
