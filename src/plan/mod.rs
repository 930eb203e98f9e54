//! From a checked syntax tree to an immutable [`Ruleset`]: field plan, predicates, keys, patterns, strategies.
//!
//! Relies on `check` having found no error in the files. Nothing here does I/O; tables come in as bytes.

pub mod automaton;
pub mod call;
pub mod classify;
pub mod digest;
pub mod eval;
mod eval_text;
pub mod event;
pub mod exact;
pub mod expr;
pub mod fields;
pub mod fold;
pub mod glob;
pub mod glob_set;
pub mod key;
mod literals;
pub mod lower;
mod lower_absent;
mod lower_clock;
pub mod lower_expr;
mod lower_follow;
mod lower_pattern;
mod lower_rule;
mod lower_statistic;
mod lower_text;
pub mod net;
pub mod pattern;
pub mod polygon;
pub mod ruleset;
pub mod sliding;
pub mod strategy;
pub mod table;
pub mod topology;

pub use expr::Expr;
pub use ruleset::{Rule, Ruleset};
