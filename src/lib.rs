//! Tripline compiles pattern rules over event streams to automata and matches events against them.
//!
//! The rule language has sequences, absences with exact deadlines, counts, comparisons between events, and time bounds;
//! `docs/language.md` is its reference and `docs/semantics.md` says what it means. Data runs one way:
//!
//! ```text
//! rule text ─► syntax ─► check ─► plan ─► Ruleset
//! bytes ─► decode ─► time (order) ─► matcher (per key) ─► alert
//!          └───────────── session: one thread, no clock ───────┘
//!          └───────────── engine: the same on threads ─────────┘
//! ```
//!
//! # Use
//!
//! [`compile::compile_str`] makes a rule set, [`session::Session`] runs it: push events, take alerts, move time on,
//! save and restore the state at any point.
//!
//! ```
//! use tripline::base::Timestamp;
//! use tripline::session::{AtEnd, Session, SessionConfig};
//!
//! let rules = tripline::compile::compile_str(
//!     r#"
//!     rule silent "No heartbeat for five minutes" {
//!       by device
//!       match { last: heartbeat then no heartbeat within 5m }
//!       alert { since = last.@ts }
//!     }
//!     "#,
//! )
//! .expect("the rule has no errors");
//!
//! let mut session = Session::new(rules.clone(), SessionConfig::default());
//! session.push_line(r#"{"type":"heartbeat","device":"d1","ts":"2026-01-01T00:00:00Z"}"#);
//!
//! // Stop here, and go on elsewhere from the saved bytes.
//! let state = session.save();
//! let (mut session, fresh) = Session::restore(rules, SessionConfig::default(), &state).expect("it was just saved");
//! assert!(fresh.is_empty(), "every rule keeps its partial matches");
//!
//! // Nothing comes for ten minutes: the deadline passes.
//! session.advance(Timestamp::from_millis(1_767_225_600_000 + 600_000));
//! let alerts = session.drain();
//! assert_eq!(alerts.len(), 1);
//! assert_eq!(alerts[0].time.to_string(), "2026-01-01T00:05:00.000Z");
//!
//! session.finish(AtEnd::Pending);
//! ```
//!
//! # Guarantees
//!
//! The same events, watermark advances and rules give the same alerts, ids included, in the same order, whatever the
//! number of threads, the size of blocks, or restarts between. Below [`engine`] nothing starts a thread, reads a clock
//! or does I/O. There is no `unsafe` code but at the boundary to a Java virtual machine, which the feature `jni` adds.

#![warn(clippy::disallowed_methods)]

pub mod alert;
pub mod base;
pub mod check;
pub mod compile;
pub mod config;
pub mod decode;
pub mod diag;
pub mod engine;
pub mod generate;
pub mod host;
pub mod import;
pub mod io;
#[cfg(feature = "jni")]
pub mod jni;
pub mod matcher;
pub mod plan;
pub mod session;
pub mod syntax;
pub mod time;
