//! Where rules are matched, and where their alerts go from there.
//!
//! ```text
//! match (by key) ─┬─► alerts
//!                 ├─► upper (by the key of the rule that reads them) ─► alerts
//!                 └─► gather (one) ─► alerts
//! ```
//! A rule on alerts is matched by its own key, in a second stage of the same steps, if nothing that it needs depends on the
//! order of alerts of other keys. What does, goes through [`super::Gatherer`]: alerts that are open or said again, rules
//! that ask for open alerts, rules on alerts of rules on alerts, and suppression by values that do not say where an alert
//! is found.

use crate::base::RuleId;
use crate::plan::{Rule, Ruleset};

/// Where a rule is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// By key, on events.
    Match,
    /// By key, on alerts, and on events beside them.
    Upper,
    /// In the one task that sees all alerts.
    Gather,
}

/// The stages of the rules of a set.
#[derive(Debug)]
pub(super) struct Stages {
    of: Vec<Stage>,
    /// By rule: its alerts go to the gatherer, which sends them.
    gathered: Vec<bool>,
    /// By rule: its alerts go to rules of the second stage.
    read_above: Vec<bool>,
    /// Events of followers go to the gatherer.
    follows: bool,
}

impl Stages {
    pub(super) fn new(rules: &Ruleset) -> Self {
        let count = rules.rules.len();
        // By rule: who reads its alerts.
        let readers: Vec<Vec<RuleId>> =
            rules.rules.iter().map(|rule| rules.classes.readers(rule.id).collect()).collect();
        let mut of: Vec<Stage> = rules.rules.iter().map(|rule| first_guess(rules, rule)).collect();
        for (read, readers) in rules.rules.iter().zip(&readers) {
            // An alert that is said again is found where it is open.
            if read.follow.as_ref().is_some_and(|follow| follow.repeat.is_some()) {
                for reader in readers.iter().filter(|reader| reader.index() < count) {
                    of[reader.index()] = Stage::Gather;
                }
            }
        }
        let in_gather = |of: &[Stage], reader: &RuleId| of.get(reader.index()).is_none_or(|s| *s == Stage::Gather);
        // What the gatherer reads comes in the order of all, so rules on alerts that it reads are matched there as well.
        loop {
            let read_there = |at: &usize| of[*at] == Stage::Upper && readers[*at].iter().any(|r| in_gather(&of, r));
            match (0..count).find(read_there) {
                Some(at) => of[at] = Stage::Gather,
                None => break,
            }
        }
        let gathered = rules.rules.iter().map(|rule| {
            of[rule.id.index()] == Stage::Gather
                || rule.follow.is_some()
                || readers[rule.id.index()].iter().any(|reader| in_gather(&of, reader))
                || !suppresses_by_key(rules, rule)
        });
        let gathered = gathered.collect();
        let above = |reader: &RuleId| of.get(reader.index()) == Some(&Stage::Upper);
        let read_above = readers.iter().map(|readers| readers.iter().any(above)).collect();
        Self { gathered, read_above, follows: !rules.followers.is_empty(), of }
    }

    /// Where the events of a rule, or of a follower, go.
    pub(super) fn of(&self, id: RuleId) -> Stage {
        self.of.get(id.index()).copied().unwrap_or(Stage::Gather)
    }

    pub(super) fn is_gathered(&self, rule: RuleId) -> bool {
        self.gathered[rule.index()]
    }

    pub(super) fn is_read_above(&self, rule: RuleId) -> bool {
        self.read_above[rule.index()]
    }

    pub(super) fn any_gathered(&self) -> bool {
        self.follows || self.gathered.contains(&true)
    }

    pub(super) fn any_above(&self) -> bool {
        self.of.contains(&Stage::Upper)
    }

    /// By rule: the gatherer does not match it.
    pub(super) fn not_in_gatherer(&self) -> Vec<bool> {
        self.of.iter().map(|stage| *stage != Stage::Gather).collect()
    }
}

/// The stage of a rule for what it is itself.
fn first_guess(rules: &Ruleset, rule: &Rule) -> Stage {
    let sees_ticks = (0..rules.clocks.len()).any(|clock| rules.classes.ticks_for(clock).any(|id| id == rule.id));
    match rule.level {
        0 => Stage::Match,
        1 if rule.follow.is_none()
            && !rule.asks_open
            && !rule.reads_position
            && rule.expect.is_none()
            && !sees_ticks
            && suppresses_by_key(rules, rule) =>
        {
            Stage::Upper
        }
        _ => Stage::Gather,
    }
}

/// Whether the alerts that `suppress` counts together are all found in one state.
fn suppresses_by_key(rules: &Ruleset, rule: &Rule) -> bool {
    rule.suppress.as_ref().is_none_or(|suppress| suppress.by.is_empty() || rules.is_whole(rule))
}
