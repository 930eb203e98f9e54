//! Text of a rule file to a syntax tree and back. Knows nothing of field types or meaning.

pub mod ast;
pub mod source;
