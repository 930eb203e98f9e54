//! Event time: the watermark and the order of events, and timers in event time. Pure.

pub mod sequencer;
pub mod wheel;
