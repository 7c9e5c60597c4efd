//! Where a lexer stands between two bytes.

/// In which kind of token, and what is known of it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Between tokens.
    Code,
    /// Inside a keyword, a name or a number.
    Word {
        start: usize,
    },
    /// After `-`: a comment or an operator.
    Dash,
    /// After `/`: a comment or an operator.
    Slash,
    LineComment,
    BlockComment {
        depth: u32,
        last: u8,
    },
    /// Inside `"name"` or `'text'`.
    Quoted {
        start: usize,
        quote: u8,
        escapes: bool,
    },
    /// After a backslash in a text that has escapes.
    Escaped {
        start: usize,
        quote: u8,
    },
    /// After a quote inside of quotes: the end, or half of a doubled quote.
    QuoteSeen {
        start: usize,
        quote: u8,
        escapes: bool,
    },
    /// After `$`: the tag of a dollar quote, or not.
    DollarTag {
        start: usize,
    },
    /// In a dollar quote, with this much of its closing delimiter seen.
    DollarText {
        start: usize,
        matched: usize,
    },
    MetaCommand,
}
