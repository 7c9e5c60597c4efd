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
    psql: AsPsql,
}

/// What `psql` takes the same statement for (`psqlscan.l`, rule `identifier`).
#[derive(Debug, Default)]
struct AsPsql {
    /// The initials of the first four words, of those that it knows.
    initials: [u8; 4],
    words: usize,
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

    /// Whether `psql` thinks otherwise: it counts every BEGIN, and so trips over a function of that name.
    pub(super) fn puzzles_psql(&self) -> bool {
        self.is_open() != (self.psql.depth > 0)
    }

    /// The next word, in lower case.
    pub(super) fn word(&mut self, word: &[u8], in_parentheses: bool) {
        self.psql.word(word, in_parentheses);
        if !in_parentheses {
            self.outer_word(word);
        }
    }

    /// ATOMIC tells the beginning of a body from a function that is called BEGIN.
    fn outer_word(&mut self, word: &[u8]) {
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

impl AsPsql {
    fn word(&mut self, word: &[u8], in_parentheses: bool) {
        let known = matches!(word, b"create" | b"function" | b"procedure" | b"or" | b"replace");
        if let Some(initial) = self.initials.get_mut(self.words).filter(|_| known) {
            *initial = word[0];
        }
        self.words += 1;
        let routine = matches!(self.initials, [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']);
        match word {
            _ if in_parentheses || !routine => {}
            b"begin" => self.depth += 1,
            b"case" if self.depth > 0 => self.depth += 1,
            b"end" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}
