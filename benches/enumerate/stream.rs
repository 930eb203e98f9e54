//! Synthetic streams as those of CORE's measurements: a sequence of n types in a stream of n + 6 types, equally likely,
//! one event a millisecond; and a dynamic program that counts its matches.

use tripline::base::Timestamp;
use tripline::decode::Arena;
use tripline::decode::view::LineView;
use tripline::matcher::Arrived;
use tripline::plan::Rule;
use tripline::plan::event::Seq;

/// Types of events that no step names.
pub const NOISE: usize = 6;

/// `e0 then e1 then …`, `length` of them within so many events.
pub fn rule(length: usize, window: usize) -> String {
    let steps: Vec<String> = (0..length).map(|n| format!("e{n}")).collect();
    let steps = steps.join(" then ");
    format!("rule sequence {{ match {{ {steps} }} within {window}ms pick all after match no skip }}")
}

/// The type of each event; those of `length` and above are noise.
pub fn types(length: usize, events: usize, seed: u64) -> Vec<usize> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..events).map(|_| random.usize(..length + NOISE)).collect()
}

/// The number of matches that each event completes.
pub struct Counted<'t> {
    types: &'t [usize],
    length: usize,
    window: usize,
}

impl<'t> Counted<'t> {
    /// Of a stream.
    pub fn new(types: &'t [usize], length: usize, window: usize) -> Self {
        Self { types, length, window }
    }

    /// Sequences of all types that end with the event at a place and begin no more than the window before it.
    pub fn at(&self, place: usize) -> u128 {
        if self.types[place] + 1 != self.length {
            return 0;
        }
        // By type: the sequences that end with it so far.
        let mut ways = vec![0_u128; self.length];
        for class in &self.types[place.saturating_sub(self.window)..place] {
            match class {
                0 => ways[0] += 1,
                n if *n < self.length => ways[*n] += ways[*n - 1],
                _ => {}
            }
        }
        if self.length == 1 { 1 } else { ways[self.length - 2] }
    }
}

/// The event at a place in the stream, decoded: it has no fields.
pub fn event<'a>(rule: &Rule, arena: &'a Arena, class: usize, place: usize) -> Arrived<'a> {
    let (ts, seq) = (Timestamp::from_millis(place as i64), Seq::new(0, place as u64 + 1));
    let view = LineView { slots: &[], text: "", arena, ts, arrival: ts, seq, lazy: None };
    let roles = rule.steps.get(class).map_or(0, |step| 1 << step.role);
    Arrived { view, ts, seq, roles, raw: None, origins: &[], copies: None }
}
