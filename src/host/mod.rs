//! The same matching where a host keeps the state: Apache Flink, or whatever else shuffles events by key and has timers.
//!
//! ```text
//! lines ─► Router ─► events by host key ─► host orders by key ─► Cells::step ─► alerts that are final
//!             │                                                       ├──► alerts as events by host key ─┐
//!             ├────► events by host key, beside alerts ───────────────│─► second stage: Cells::step ◄────┘ ─► alerts
//!             └────► events for all ─────────────┐                    └────────► drafts ─┐
//!                                                └──────────► Gatherer (one) ◄───────────┘ ─► alerts
//! step(rules, key, state bytes, events, watermark) ─► (state bytes, alerts, next deadline)
//! ```
//! Pure: no clock, no threads, no I/O; event time comes from outside only. Every line of matching is that of
//! [`crate::matcher`] and [`crate::alert`], which the session and the engine use too, so alerts are the same, ids
//! included. What crosses the boundary as bytes names rules and fields by hashes that do not depend on the rule set
//! around them: so states and events that wait survive edits of other rules. Each form begins with its version.
//!
//! *Host keys* say which rules' keys are kept together: the encoded key of the events, whatever rule it is for, or for a
//! rule that has no key of its own, or hands its key over whole, the rule. They depend on nothing else, so they survive
//! edits as well.

pub mod blocks;
pub mod bundle;
mod bytes;
mod cell;
mod event;
mod gather;
mod groups;
mod live;
mod names;
mod put_back;
mod route;
mod spread;
mod stages;
mod step;
pub mod task;
mod waiting;
mod walk;

pub use bytes::FormatError;
pub use gather::{Gatherer, write_draft};
pub use groups::KeyGroup;
pub use live::{Bounds, Counts, Live};
pub use names::{HostConfig, HostRules, RuleTag};
pub use put_back::{Kept, Why};
pub use route::{Item, Routed, Router};
pub use stages::Stage;
pub use step::{Above, Cells, Input, Output, Place, StepError, Until};
