//! The stream that every engine of the comparison reads: short lines in time order, the same in every run.
//!
//! Ten thousand users, an event every five milliseconds, so a user is seen every 50 seconds; nine types, of which a
//! failed sign-in is twice as frequent as the others. No two events have the same time, so a match is told from all
//! others by the times of what it binds.

use std::io::{self, Write};

/// Events of the stream, unless another number is asked for.
pub const EVENTS: u64 = 2_000_000;
/// Users: the key of the rules.
const USERS: u64 = 10_000;
/// Milliseconds from an event to the next.
const STEP: u64 = 5;
/// 2026-01-01T00:00:00Z in milliseconds.
const START: u64 = 1_767_225_600_000;

const TYPES: [&str; 10] = ["A", "B", "C", "failed", "failed", "success", "search", "view", "basket", "leave"];

/// What the brute-force count needs of an event.
#[derive(Clone, Copy)]
pub struct Event {
    /// Milliseconds since 1970.
    pub time: u64,
    /// Position in `TYPES`.
    kind: u8,
    pub user: u32,
    /// Hundredths.
    pub value: u32,
}

impl Event {
    pub fn is(&self, kind: &str) -> bool {
        TYPES[usize::from(self.kind)] == kind
    }
}

/// The events, in order.
pub fn events(count: u64) -> impl Iterator<Item = Event> {
    let mut state = 0x636f_6d70_6172_6501_u64;
    let mut below = move |n: u64| {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((super::mix(state) >> 32) * n) >> 32
    };
    (0..count).map(move |n| Event {
        time: START + n * STEP,
        kind: below(TYPES.len() as u64) as u8,
        user: below(USERS) as u32,
        value: below(10_000) as u32,
    })
}

/// Writes the stream as JSON, one object a line.
pub fn write(count: u64, out: &mut impl Write) -> io::Result<()> {
    for event in events(count) {
        let (kind, units, hundredths) = (TYPES[usize::from(event.kind)], event.value / 100, event.value % 100);
        writeln!(
            out,
            r#"{{"time":{},"user":"u{}","type":"{kind}","value":{units}.{hundredths:02}}}"#,
            event.time, event.user
        )?;
    }
    Ok(())
}
