//! The README's blocks of code, which tests run as they are printed.

use std::fs;
use std::path::Path;

/// A block between two lines of backticks.
#[derive(Debug)]
pub struct Block {
    /// The word behind the backticks: `bash`, `sql`, `text`.
    pub language: String,
    /// What the comment in the line above says, if there is one.
    pub mark: Option<String>,
    /// The lines, without the indentation of a list that they stand in.
    pub code: String,
}

/// The whole page.
pub fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    fs::read_to_string(path).expect("the README is there")
}

/// Its blocks, from top to bottom.
pub fn blocks() -> Vec<Block> {
    let page = page();
    let mut lines = page.lines();
    let (mut blocks, mut above) = (Vec::new(), "");
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let indentation = line.len() - line.trim_start().len();
            let code = lines.by_ref().take_while(|line| line.trim() != "```");
            let code = code.map(|line| line.get(indentation..).unwrap_or_default().to_owned() + "\n").collect();
            let mark = above.trim().strip_prefix("<!-- ").and_then(|comment| comment.strip_suffix(" -->"));
            blocks.push(Block { language: language.to_owned(), mark: mark.map(ToOwned::to_owned), code });
        }
        above = line;
    }
    blocks
}

/// The block whose mark says that this test runs it.
pub fn block_run_by(test: &str) -> String {
    let mark = format!("run by: {test}");
    let mut found = blocks().into_iter().filter(|block| block.mark.as_ref() == Some(&mark));
    match (found.next(), found.next()) {
        (Some(block), None) => block.code,
        _ => panic!("the README does not have exactly one block with the mark `{mark}`"),
    }
}
