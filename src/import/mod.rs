//! Rules of other languages, read into the tree of this one.
//!
//! Each language has a module of its own: text, to a model of that language with spans, to [`crate::syntax::ast`]
//! whose spans point into the text that people wrote. So every later report shows their line, and the formatter
//! prints what was read as a rule file. Nothing here is about checking or running rules.
//!
//! Invariant: a rule that cannot be said faithfully is refused with a diagnostic; nothing is read and ignored.

pub mod eql;
pub mod language;
pub mod sigma;
