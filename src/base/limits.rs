//! Limits on everything that could grow without bound. Each is visible when it bites.

use serde::{Deserialize, Serialize};

/// Bounds on compilation and on state. The defaults suit a server with a few GiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Events that one key of one rule may hold open, as partial matches or in a window. The oldest go first.
    pub runs_per_key: usize,
    /// Keys of a shard, of all rules, whose state is held ready for events; of more, those that no event comes for are
    /// packed.
    pub live_keys: usize,
    /// Bytes that the keys of all rules and events held back may take together; the least valuable go first. `None` is
    /// no cap: the library does not know the machine.
    pub memory: Option<usize>,
    /// Alternatives that one completion may try before it gives up and reports the best found.
    pub search_steps: usize,
    /// Alerts that one completion of a `pick all` rule may give.
    pub matches_per_completion: usize,
    /// Alerts of one rule and key that may be open at a time. The oldest are forgotten first.
    pub open_alerts_per_key: usize,
    /// How often `repeat every` says one alert again.
    pub repeats_per_alert: u64,
    /// Bytes of one input line; a longer line is rejected.
    pub max_line: usize,
    /// Nesting of JSON values; a deeper line is rejected.
    pub max_json_depth: usize,
    /// Nesting of expressions and groups in a rule.
    pub max_rule_depth: usize,
    /// Steps of one rule.
    pub max_steps: usize,
    /// The number in `at least N of`.
    pub max_count: u64,
    /// Bytes of one regular expression's text.
    pub max_regex_len: usize,
    /// Bytes of one compiled regular expression.
    pub max_regex_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            runs_per_key: 100_000,
            live_keys: 1 << 16,
            memory: None,
            search_steps: 1_000_000,
            matches_per_completion: 10_000,
            open_alerts_per_key: 1000,
            repeats_per_alert: 10_000,
            max_line: 1 << 20,
            max_json_depth: 128,
            max_rule_depth: 64,
            max_steps: 64,
            max_count: 100_000,
            max_regex_len: 4096,
            max_regex_size: 1 << 20,
        }
    }
}

/// Ways through one pattern that `any` of sequences may make.
pub const MAX_WAYS: usize = 64;
