//! Event time: the watermark and the order of events, and timers in event time. Pure.

mod held;
pub mod released;
pub mod sequencer;
pub mod wheel;

pub use held::Records;
