//! How deep a statement is inside the body of a function in standard SQL (`BEGIN ATOMIC … END`, PostgreSQL 14 and later),
//! whose semicolons do not end it.

/// Where the statement stands.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    head: Head,
    /// Whether the last word was BEGIN.
    begin: bool,
    /// BEGIN ATOMIC and CASE that END has not closed.
    depth: u32,
}

/// How far the statement has come to being `CREATE [OR REPLACE] {FUNCTION | PROCEDURE}`.
#[derive(Debug, Default)]
enum Head {
    #[default]
    Empty,
    Create,
    Or,
    Routine,
    Other,
}

impl Nesting {
    /// Whether a semicolon is inside a body.
    pub(super) fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// A word outside of parentheses, in lower case.
    ///
    /// `psql` counts every BEGIN, and so trips over a function of that name; ATOMIC tells the two apart.
    pub(super) fn word(&mut self, word: &[u8]) {
        self.head = match (&self.head, word) {
            (Head::Empty, b"create") | (Head::Or, b"replace") => Head::Create,
            (Head::Create, b"or") => Head::Or,
            (Head::Create, b"function" | b"procedure") | (Head::Routine, _) => Head::Routine,
            _ => Head::Other,
        };
        if !matches!(self.head, Head::Routine) {
            return;
        }
        match word {
            b"atomic" if self.depth == 0 && self.begin => self.depth = 1,
            b"case" if self.depth > 0 => self.depth += 1,
            b"end" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.begin = word == b"begin";
    }
}
