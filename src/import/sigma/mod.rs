//! Sigma rules: YAML text, to a model of Sigma's documents, to the syntax tree.
//!
//! [`read`](fn@read) gives the documents of a text with everything that is wrong in them. [`lower`] has the parts that
//! make rules of them.

mod actions;
mod assemble;
mod condition;
mod correlate;
mod correlate_condition;
mod correlate_lower;
mod correlate_order;
mod filter;
mod item;
mod link;
pub mod lower;
mod misspelt;
pub mod model;
mod modifier;
mod pattern;
pub mod pipeline;
mod read;
mod read_correlation;
mod read_detection;
mod regex;
mod tree;
pub mod yaml;

pub use assemble::{Rules, assemble, assemble_with};
pub use read::read;

/// Whether a YAML text has the parts of a Sigma document, so that other YAML in a directory of rules can be passed over.
pub fn is_sigma(text: &str) -> bool {
    let keys = ["detection", "correlation", "filter", "action"];
    let is_key = |line: &str| {
        let line = line.trim_start_matches(['{', '"', '\'', ' ']);
        keys.iter().any(|key| {
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
        })
    };
    text.lines().any(|line| !line.starts_with([' ', '\t']) && is_key(line))
}
