//! Why a stream is not a whole dump.

use crate::figures::count;
use crate::footer::ObjectName;

/// Why a stream is not a whole dump.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Not one byte arrived.
    #[error("the dump is empty: not one byte arrived")]
    Empty,
    /// The stream ended among the rows of a table.
    #[error("the dump ends inside the data of {table}, after {} rows", count(*.rows))]
    InsideRows {
        /// The table.
        table: String,
        /// Whole rows before the end.
        rows: u64,
    },
    /// The stream ended inside a statement.
    #[error("the dump ends inside a statement{}, after {} bytes", place(.object.as_ref()), count(*.bytes))]
    InsideStatement {
        /// The object that the statement defines, if the dump had named one.
        object: Option<ObjectName>,
        /// How long the stream is.
        bytes: u64,
    },
    /// The stream ended between two statements or lines, without the line that ends a dump.
    #[error(
        "the dump ends without its end marker, after {} bytes{}: pg_dump did not finish it",
        count(*.bytes),
        .object.as_ref().map(|object| format!(", the last of {object}")).unwrap_or_default()
    )]
    NoEndMarker {
        /// The last object that the dump had named.
        object: Option<ObjectName>,
        /// How long the stream is.
        bytes: u64,
    },
    /// The end marker came, and the few lines that `pg_dump` writes after it are cut.
    #[error("the dump is cut off in its last lines, just after its end marker")]
    EndCut,
    /// Something follows the end marker that is neither a comment nor the end of `\restrict`.
    #[error(
        "something follows the end of the dump, which is at byte {}: the stream was damaged or joined to another",
        count(*.end)
    )]
    TextAfterEnd {
        /// How many bytes the dump has up to its end marker.
        end: u64,
    },
    /// The text is in an encoding whose characters may hold a byte that is a backslash.
    #[error(
        "the dump is in the client encoding {name}, whose characters may hold backslashes: dump in the encoding of the \
         database (unset PGCLIENTENCODING)"
    )]
    ClientEncoding {
        /// The encoding.
        name: String,
    },
    /// The dump holds a command that reaches out of the database that it is restored into.
    #[error(
        "the dump holds `{command}`{}, which pg_dump never writes and which reaches beyond the database that is restored",
        place(.object.as_ref())
    )]
    ReachesOut {
        /// The beginning of the command.
        command: String,
        /// The object that it stands among.
        object: Option<ObjectName>,
    },
    /// The dump holds what `psql` might read otherwise than it was checked.
    #[error(
        "the dump holds {what}{}, which pg_dump never writes and which psql might read in another way than it was checked",
        place(.object.as_ref())
    )]
    Odd {
        /// What.
        what: &'static str,
        /// The object that it stands among.
        object: Option<ObjectName>,
    },
    /// A statement that must be understood is longer than any that PostgreSQL writes.
    #[error("a statement{} is too long to be understood: pg_dump writes none like it", place(.object.as_ref()))]
    StatementTooLong {
        /// The object that it belongs to.
        object: Option<ObjectName>,
    },
    /// The footer is longer than any that these tools write.
    #[error("the footer is longer than {} bytes", count(*.limit))]
    FooterTooLong {
        /// The limit.
        limit: u64,
    },
}

fn place(object: Option<&ObjectName>) -> String {
    object.map(|object| format!(" of {object}")).unwrap_or_default()
}
