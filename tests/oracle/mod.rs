//! A brute-force matcher, written straight from the definition of the language (`docs/semantics.md`).
//!
//! It shares no code with `src/`: its own rules, events, values, parser and printer. It enumerates every
//! candidate, filters by every condition, groups by completion, picks, skips. Clarity goes before speed.
//! The test programs that use it (`tests/oracle.rs`, `tests/suite.rs`, `tests/real_data.rs`) each need a part only.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

pub mod absent;
pub mod candidates;
pub mod case;
pub mod engine;
pub mod eval;
pub mod event;
pub mod expr;
pub mod follow;
pub mod gen_absent;
pub mod gen_expr;
pub mod gen_more;
pub mod gen_rule;
pub mod gen_stream;
pub mod parse;
pub mod pending;
pub mod random;
pub mod render;
pub mod repeat;
pub mod rule;
pub mod select;
pub mod shrink;
pub mod sliding;
pub mod statistic;
pub mod valid;
