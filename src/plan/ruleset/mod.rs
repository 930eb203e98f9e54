//! The compiled rule set: immutable tables, shared by every thread. No behaviour beyond look-up.
//!
//! ```text
//! line ──► slots (fields) ──► predicates ──► (rule, role) ──► key ──► state of (rule, key)
//! ```
//! A *role* is one thing an event can be to a rule: a candidate for a step, a hit of a guard, an event of a named
//! class, a sample of a statistic. Roles of a rule are bits of a `u64`.

mod alert;
mod clock;
mod follow;
mod pattern;

use std::sync::Arc;

use super::automaton::Automaton;
use super::classify::ClassIndex;
use super::expr::Expr;
use super::key::{self, KeySpec};
use super::sliding::Sliding;
use super::table::Table;
use crate::base::id::{GuardId, KeySpecId, PredId, StatId};
use crate::base::{Duration, FieldId, RuleId, StepId};

pub use super::strategy::StrategyKind;
pub use crate::syntax::ast::{BinaryOp, Pick};
pub use alert::*;
pub use clock::*;
pub use follow::*;
pub use pattern::*;

/// Everything that matching needs to know, and nothing that changes.
#[derive(Debug)]
pub struct Ruleset {
    /// Paths of the fields that some rule reads; a [`FieldId`] is a place here.
    pub fields: Vec<Vec<String>>,
    /// Distinct lists of key expressions.
    pub keyspecs: Vec<KeySpec>,
    /// Predicates and their index.
    pub classes: ClassIndex,
    /// The rules, in the order of the files.
    pub rules: Vec<Rule>,
    /// Look-up tables.
    pub tables: Vec<Arc<Table>>,
    /// Clocks.
    pub clocks: Vec<Clock>,
    /// What watches over alerts that were found. The id of the n-th in hits is the number of rules plus n.
    pub followers: Vec<Follower>,
    /// Hash over all rules.
    pub fingerprint: u64,
    /// Highest [`Rule::level`].
    pub levels: u32,
    /// The seed of [`Ruleset::hash_key`].
    pub key_seed: u64,
}

impl Ruleset {
    /// Whether the other differs in nothing but what its tables hold: state made by one is good for the other.
    pub fn differs_only_in_tables(&self, other: &Self) -> bool {
        let names = |set: &Self| set.tables.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
        self.fingerprint == other.fingerprint && self.fields == other.fields && names(self) == names(other)
    }

    /// The hash by which a key is found: [`key::seeded_hash`] with the seed of this rule set. Nothing that anybody sees
    /// depends on it.
    #[inline]
    pub fn hash_key(&self, key: &[u8]) -> u64 {
        key::seeded_hash(key, self.key_seed)
    }

    /// The hash of the only key of a rule that has no components: such rules are spread over shards.
    #[inline]
    pub fn hash_rule(&self, rule: RuleId) -> u64 {
        self.hash_key(&rule.0.to_le_bytes())
    }

    /// Whether time itself begins something: clocks tick, or keys are expected.
    pub fn is_scheduled(&self) -> bool {
        !self.clocks.is_empty() || self.rules.iter().any(|r| r.expect.is_some())
    }

    /// Whether events are gathered behind the shards: for rules on alerts, and for what becomes of alerts.
    pub fn gathers(&self) -> bool {
        self.levels > 0 || !self.followers.is_empty()
    }

    /// Whether the hits of an id go to the collector rather than to a shard: rules on alerts, and followers.
    #[inline]
    pub fn is_gathered(&self, id: RuleId) -> bool {
        self.rules.get(id.index()).is_none_or(|rule| rule.level > 0)
    }

    /// What an event can be to a rule or a follower.
    #[inline]
    pub fn roles(&self, id: RuleId) -> &[Role] {
        match self.rules.get(id.index()) {
            Some(rule) => &rule.roles,
            None => self.followers.get(id.index() - self.rules.len()).map_or(&[], |f| &f.roles),
        }
    }

    /// Whether all events of a rule meet in one state: it has no key, or no part of its key stays the same.
    pub fn is_whole(&self, rule: &Rule) -> bool {
        rule.roles.iter().all(|role| self.keyspecs[role.keyspec.index()].parts.is_empty())
    }

    /// A rule by its name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.name == name)
    }
}

/// One compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its place in [`Ruleset::rules`].
    pub id: RuleId,
    /// Its name.
    pub name: Arc<str>,
    /// What people read about it.
    pub meta: Meta,
    /// Severity: fixed, or an expression over the match that gives a level word.
    pub severity: SeverityRule,
    /// Off: takes no events.
    pub enabled: bool,
    /// Evaluates and counts, never notifies.
    pub shadow: bool,
    /// Never notifies, but feeds dependants.
    pub internal: bool,
    /// Stable hash of the rule's content: state is kept across rule sets by it.
    pub fingerprint: u64,
    /// Names of all key components; the alert's key is [`Rule::key`] of them.
    pub components: Vec<Arc<str>>,
    /// The components of the first step, which are the rule's key.
    pub key: Vec<usize>,
    /// Steps (or guards) differ in their components: one state for each value of those that all have, joined by value.
    pub handed_over: bool,
    /// Places of the components that all steps and guards have.
    pub shared: Vec<usize>,
    /// Steps in written order.
    pub steps: Vec<Step>,
    /// Guards in written order.
    pub guards: Vec<Guard>,
    /// Running statistics.
    pub stats: Vec<Stat>,
    /// The pattern.
    pub elements: Vec<Element>,
    /// Absences after the last element.
    pub trailing: Vec<Ahead>,
    /// First to last bound event, if that is constant.
    pub within: Option<Duration>,
    /// Bounds on parts of the pattern.
    pub parts: Vec<Part>,
    /// Those of which the bound is not constant.
    pub computed_parts: Vec<ComputedPart>,
    /// The bound of the match, if it is not constant.
    pub computed_within: Option<Box<Expr>>,
    /// For a pattern with `any` of sequences: a rule for each way through it, with the same steps, guards and roles,
    /// and the elements of that way. Empty for all other patterns, whose one way is the rule's own.
    pub alternatives: Vec<Rule>,
    /// `cancel on`.
    pub cancel: Vec<GuardId>,
    /// On the whole match.
    pub having: Option<Expr>,
    /// For a sliding count: its window and condition.
    pub sliding: Option<Box<Sliding>>,
    /// Which candidate.
    pub pick: Pick,
    /// What a match uses up.
    pub after: AfterMatch,
    /// Values of the alert.
    pub alert: Vec<(Arc<str>, AlertExpr)>,
    /// Risk score over the match.
    pub risk: Option<Expr>,
    /// Suppression.
    pub suppress: Option<Suppress>,
    /// Fields that stored events keep: all that the rule reads, sorted.
    pub kept: Vec<FieldId>,
    /// Whether it reads when a kept event arrived; if not, that is not kept.
    pub keeps_arrival: bool,
    /// Whether it reads the position of an event.
    pub reads_position: bool,
    /// What an event can be to this rule; a bit each.
    pub roles: Vec<Role>,
    /// Events that one key may hold.
    pub runs_per_key: usize,
    /// How it is executed, and why so.
    pub strategy: StrategyKind,
    /// Why that strategy, one sentence.
    pub reason: String,
    /// Where partial matches wait, for rules whose matches are enumerated.
    pub automaton: Option<Box<Automaton>>,
    /// 0 for rules on events; one more than the highest rule whose alerts it reads otherwise.
    pub level: u32,
    /// How long after its time an event can still matter; `None` is for ever.
    pub horizon: Option<Duration>,
    /// What the matcher would otherwise work out for every event.
    pub hints: Hints,
    /// What becomes of its alerts, if anything does.
    pub follow: Option<Box<Follow>>,
    /// Some step has an `unless open`.
    pub asks_open: bool,
    /// Keys that are expected.
    pub expect: Option<Box<Expect>>,
    /// It asks for `any_value()`: every line is decoded in full.
    pub reads_whole: bool,
}

/// Facts about a rule that every event asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// It has statistics, or guards that look back and are decided at arrival.
    pub needs_past: bool,
    /// Some step has a condition beyond its predicate that is decided at arrival.
    pub judged_on_arrival: bool,
    /// Time alone can bring a match, so every key has a timer; otherwise it only makes what is held useless.
    pub timed: bool,
    /// `having` reads the key.
    pub reads_key: bool,
    /// Roles that break contiguity, a bit each.
    pub named: u64,
    /// Roles with which an event can matter to a key that holds nothing.
    pub begins: u64,
    /// Rules with the same number keep the same of an event. `None` if what it keeps is its own.
    pub kept_as: Option<u32>,
}

/// What a match uses up; see [`crate::syntax::ast::AfterMatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterMatch {
    /// Everything up to the completion.
    SkipPastLast,
    /// The first event.
    SkipToNext,
    /// Nothing.
    NoSkip,
    /// What lies before an event of a step; everything up to the completion if it bound none.
    SkipTo {
        /// The step.
        step: StepId,
        /// Its last event rather than its first.
        last: bool,
    },
}

/// Something an event can be to a rule.
#[derive(Clone, Debug)]
pub struct Role {
    /// The stateless conditions; any of them will do.
    pub preds: Vec<PredId>,
    /// The key by which it is found; where the rule's key is handed over, what all roles have of it.
    pub keyspec: KeySpecId,
    /// What for.
    pub kind: RoleKind,
}

/// What a role is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleKind {
    /// May be bound to the step.
    Step(StepId),
    /// May hit the guard.
    Guard(GuardId),
    /// Of a class that some step names: breaks contiguity.
    Named,
    /// A sample of the statistic.
    Stat(StatId),
}

impl Rule {
    /// Whether the pattern is one repeated step with a bound: a sliding count (language.md §3.7).
    pub fn is_sliding(&self) -> bool {
        self.sliding.is_some()
    }

    /// The step of a pattern that is nothing but a repeated step without `until`.
    pub(super) fn only_repeated(&self) -> Option<&Step> {
        if !self.alternatives.is_empty() {
            return None;
        }
        match self.elements.as_slice() {
            [Element { kind: ElementKind::Repeat(step), .. }] if self.trailing.is_empty() => {
                Some(&self.steps[step.index()]).filter(|step| step.until.is_none() && step.ends.is_none())
            }
            _ => None,
        }
    }

    /// The groups that must not come.
    pub fn absent_groups(&self) -> impl Iterator<Item = &AbsentGroup> {
        let ahead = self.ways().iter().flat_map(|w| w.trailing.iter().chain(w.elements.iter().flat_map(|e| &e.ahead)));
        ahead.filter_map(|ahead| ahead.group.as_deref())
    }

    /// Whether a step is one of a group that must not come: its name stands for nothing that an alert could bind.
    pub fn must_not_come(&self, step: &Step) -> bool {
        let mut names = self.absent_groups().flat_map(|group| &group.steps).filter_map(|step| step.name);
        step.found_by.is_some() && names.any(|name| self.steps[name.index()].label == step.label)
    }

    /// The ways through the pattern.
    pub fn ways(&self) -> &[Self] {
        if self.alternatives.is_empty() { std::slice::from_ref(self) } else { &self.alternatives }
    }

    /// The last element, if the pattern completes when time has ended its repetition.
    pub fn closing(&self) -> Option<(StepId, Ends)> {
        let Some(ElementKind::Repeat(step)) = self.elements.last().map(|e| &e.kind) else { return None };
        let ends = self.steps[step.index()].ends.filter(|_| self.trailing.is_empty())?;
        Some((*step, ends))
    }

    /// The step of a pattern that is nothing but a step that binds one event.
    pub fn lone_step(&self) -> Option<&Step> {
        match self.elements.as_slice() {
            [Element { kind: ElementKind::Single(step), .. }]
                if self.trailing.is_empty() && self.alternatives.is_empty() =>
            {
                Some(&self.steps[step.index()])
            }
            _ => None,
        }
    }

    /// The least length of time from the last bound event to the completion: the largest constant trailing absence.
    pub fn trailing_deadline(&self) -> Option<Duration> {
        self.trailing.iter().filter_map(|a| a.within.fixed()).max()
    }

    /// Whether a deadline at the end of the pattern depends on what is bound.
    pub fn has_computed_deadline(&self) -> bool {
        let mut ahead = self.trailing.iter().chain(self.elements.iter().flat_map(|e| &e.ahead));
        !self.trailing.is_empty() && ahead.any(|a| a.within.fixed().is_none())
    }
}
