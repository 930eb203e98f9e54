//! The compiled rule set: immutable tables, shared by every thread. No behaviour beyond look-up.
//!
//! ```text
//! line ──► slots (fields) ──► predicates ──► (rule, role) ──► key ──► state of (rule, key)
//! ```
//! A *role* is one thing an event can be to a rule: a candidate for a step, a hit of a guard, an event of a named
//! class, a sample of a statistic. Roles of a rule are bits of a `u64`.

use std::ops::Range;
use std::sync::Arc;

use super::classify::ClassIndex;
use super::expr::Expr;
use super::key::{KeyPart, KeySpec};
use super::sliding::Sliding;
use super::table::Table;
use crate::base::calendar::{Ticks, aligned_after};
use crate::base::function::Statistic;
use crate::base::id::{GuardId, KeySpecId, PredId, StatId, TableId};
use crate::base::{Duration, FieldId, RuleId, StepId, Timestamp};

pub use super::strategy::StrategyKind;
pub use crate::syntax::ast::{BinaryOp, Pick};

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
}

impl Ruleset {
    /// Whether the other differs in nothing but what its tables hold: state made by one is good for the other.
    pub fn differs_only_in_tables(&self, other: &Self) -> bool {
        let names = |set: &Self| set.tables.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
        self.fingerprint == other.fingerprint && self.fields == other.fields && names(self) == names(other)
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

    /// A rule by its name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.name == name)
    }
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Look when there is time.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Look soon.
    High,
    /// Look now.
    Critical,
}

impl Severity {
    /// From least to most.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
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
    /// Steps (or guards) differ in their components: one state for the whole rule, joined by value.
    pub handed_over: bool,
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
    /// What an event can be to this rule; a bit each.
    pub roles: Vec<Role>,
    /// Events that one key may hold.
    pub runs_per_key: usize,
    /// How it is executed, and why so.
    pub strategy: StrategyKind,
    /// Why that strategy, one sentence.
    pub reason: String,
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

/// A clock: an event class that time itself brings.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock {
    /// The class.
    pub name: Arc<str>,
    /// When it ticks.
    pub ticks: TickTimes,
}

/// When a clock ticks.
#[derive(Clone, Debug, PartialEq)]
pub enum TickTimes {
    /// At a local time of some days.
    Local(Ticks),
    /// Every so often, counted from 1970.
    Every(Duration),
}

impl Clock {
    /// The first tick not before a time; none when time ends.
    pub fn at_or_after(&self, t: Timestamp) -> Option<Timestamp> {
        match &self.ticks {
            TickTimes::Local(ticks) => ticks.at_or_after(t),
            TickTimes::Every(period) => aligned_after(Timestamp(t.0.saturating_sub(1)), *period),
        }
    }
}

/// `expect`: what a rule watches for without having seen it.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The table whose keys are expected; `None` is `expect start`.
    pub table: Option<TableId>,
    /// The fields of the key, which the virtual first event has.
    pub fields: Vec<FieldId>,
    /// The step that the virtual first event is bound to. `None` if that is a clock, which ticks by itself.
    pub begins: Option<StepId>,
}

/// What becomes of the alerts of a rule: `resolve`, `repeat every`.
#[derive(Clone, Debug)]
pub struct Follow {
    /// Its place in [`Ruleset::followers`].
    pub follower: usize,
    /// An event of these closes the open alerts of its key.
    pub resolve_on: Vec<GuardId>,
    /// A look at which this is true closes them; over the window of a sliding count.
    pub resolve_when: Option<Expr>,
    /// The alert is said again so often.
    pub repeat: Option<Duration>,
    /// An event of these ends that.
    pub ends_repeat: Vec<GuardId>,
    /// Some guard compares with bound events: open alerts keep theirs.
    pub reads_bound: bool,
}

/// The events that matter to open alerts of one rule. They are found as the events of rules are.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The rule.
    pub rule: RuleId,
    /// Its guards: each has a bit here, apart from the one it may have in the rule.
    pub roles: Vec<Role>,
    /// Some of the events are alerts.
    pub reads_alerts: bool,
}

/// `unless open alert.r` of a step.
#[derive(Clone, Debug)]
pub struct OpenGuard {
    /// The rule whose alerts hold the step back.
    pub rule: RuleId,
    /// That rule's key, over the event of the step.
    pub key: Vec<Expr>,
}

/// Facts about a rule that every event asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// It has statistics, or guards that look back and are decided at arrival.
    pub needs_past: bool,
    /// Some step has a condition beyond its predicate that is decided at arrival.
    pub judged_on_arrival: bool,
    /// `having` reads the key.
    pub reads_key: bool,
    /// Roles that break contiguity, a bit each.
    pub named: u64,
    /// Roles with which an event can matter to a key that holds nothing.
    pub begins: u64,
}

/// What people read about a rule.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Title, or nothing.
    pub title: Option<Arc<str>>,
    /// Tags.
    pub tags: Vec<Arc<str>>,
    /// Its id where it came from.
    pub id: Option<Arc<str>>,
    /// How far it is trusted.
    pub status: Option<Arc<str>>,
    /// Description.
    pub description: Option<Arc<str>>,
    /// What to do.
    pub runbook: Option<Arc<str>>,
    /// Author.
    pub author: Option<Arc<str>>,
    /// References.
    pub references: Vec<Arc<str>>,
    /// What else fires it.
    pub false_positives: Vec<Arc<str>>,
}

/// A severity, or how to find it.
#[derive(Clone, Debug)]
pub enum SeverityRule {
    /// Always the same.
    Fixed(Severity),
    /// A level word computed from the match; medium if it is none.
    Computed(Expr),
}

/// A value of an alert.
#[derive(Clone, Debug)]
pub enum AlertExpr {
    /// Any value.
    Value(Expr),
    /// A text with values in it.
    Template(Vec<TemplatePiece>),
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum TemplatePiece {
    /// Plain.
    Text(Box<str>),
    /// A value.
    Value(Expr),
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

/// `suppress d by …`
#[derive(Clone, Debug)]
pub struct Suppress {
    /// For how long after a sent alert.
    pub period: Duration,
    /// Per what, over the match; the rule's key if empty.
    pub by: Vec<Expr>,
}

/// Something an event can be to a rule.
#[derive(Clone, Debug)]
pub struct Role {
    /// The stateless conditions; any of them will do.
    pub preds: Vec<PredId>,
    /// The key by which it is found; empty for rules whose key is handed over.
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

/// A key component of a step or guard.
#[derive(Clone, Debug)]
pub struct KeyComponent {
    /// Its place in [`Rule::components`].
    pub place: usize,
    /// Its value, over the event.
    pub value: Expr,
    /// `?`: missing is a value.
    pub optional: bool,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, if written.
    pub name: Option<Arc<str>>,
    /// Name or class, for people.
    pub label: Arc<str>,
    /// Its bit.
    pub role: u8,
    /// Condition on the event and its statistics, beyond the predicate.
    pub arrival: Option<Expr>,
    /// `unless`/`if` guards that read nothing but the event: decided when it arrives.
    pub lookback: Vec<Lookback>,
    /// Condition that reads bound events.
    pub cross: Option<Expr>,
    /// `unless`/`if` guards that read bound events.
    pub cross_lookback: Vec<Lookback>,
    /// `unless open alert.r`: decided before the event reaches the matcher.
    pub unless_open: Vec<OpenGuard>,
    /// How many; `None` is one.
    pub quantifier: Option<Quantifier>,
    /// What ends the repetition.
    pub until: Option<GuardId>,
    /// The time that ends it.
    pub ends: Option<Ends>,
    /// Key components by value, for rules whose key is handed over.
    pub components: Vec<KeyComponent>,
    /// Equalities with later steps: `this` over the event of this step, `other` over the event of `step`.
    pub joins: Vec<Join>,
    /// The step's condition depends on its own earlier events (`prev`, `count(a)`), so order of scanning matters.
    pub own_history: bool,
    /// Steps that [`Step::cross`] reads.
    pub reads: Vec<StepId>,
    /// [`Step::cross`] reads `prev`.
    pub reads_prev: bool,
    /// It is no step of the pattern and is never bound: it holds what the `if q: X in last d` of this step has found, or
    /// what the search for an absent group behind this step stands at.
    pub found_by: Option<StepId>,
}

/// A time that ends a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// `until silent 30m`: an event more than so long after the last one is not bound.
    Silent(Duration),
    /// `until 5m`: nor is one more than so long after the first.
    After(Duration),
}

impl Ends {
    /// How long after its last or first event.
    pub fn length(self) -> Duration {
        match self {
            Self::Silent(d) | Self::After(d) => d,
        }
    }

    /// When a repetition with this first and last event ends.
    pub fn deadline(self, first: Timestamp, last: Timestamp) -> Timestamp {
        match self {
            Self::Silent(d) => last + d,
            Self::After(d) => first + d,
        }
    }
}

/// An equality between two steps, usable as a hash join.
#[derive(Clone, Debug)]
pub struct Join {
    /// The later step.
    pub step: StepId,
    /// Over the earlier step's event.
    pub this: Expr,
    /// Over the later step's event.
    pub other: Expr,
}

/// A quantifier.
#[derive(Clone, Debug)]
pub struct Quantifier {
    /// At least so many.
    pub min: u64,
    /// At most so many.
    pub max: Option<u64>,
    /// Different tuples are counted.
    pub distinct: Vec<Expr>,
    /// Contiguous.
    pub consecutive: bool,
}

/// `unless X in last d`, `if X in last d`.
#[derive(Clone, Debug)]
pub struct Lookback {
    /// `if` rather than `unless`.
    pub wanted: bool,
    /// Any of these.
    pub guards: Vec<GuardId>,
    /// `if q: X in last d`: where the newest hit is put, after the steps of the pattern in [`Rule::steps`].
    pub names: Option<StepId>,
    /// How far back.
    pub last: Span,
}

/// An event that must (not) occur.
#[derive(Clone, Debug)]
pub struct Guard {
    /// For people.
    pub label: Arc<str>,
    /// Its bit.
    pub role: u8,
    /// Condition that reads bound events or the guarded one.
    pub cross: Option<Expr>,
    /// The step it guards, whose name its condition may use.
    pub guarded: Option<StepId>,
    /// Key components by value that must agree, for rules whose key is handed over.
    pub components: Vec<KeyComponent>,
    /// For `unless`/`if` decided at arrival: equalities with the guarded event (guard side, event side) that
    /// make up the whole cross condition. `None` if the condition is not of that form.
    pub equalities: Option<Vec<(Expr, Expr)>>,
}

/// A running statistic: over the earlier events of a step's class and key.
#[derive(Clone, Debug)]
pub struct Stat {
    /// Which.
    pub kind: Statistic,
    /// Of what, over the event.
    pub value: Expr,
    /// Over how much of the past.
    pub window: StatWindow,
    /// Of the newest value, for `ewma`.
    pub weight: f64,
    /// Missing with fewer values.
    pub least: u64,
    /// Only earlier events for which this is true.
    pub filter: Option<Expr>,
    /// Its events agree on these, where that is more than the key of the state that holds them.
    pub key: Vec<KeyPart>,
    /// The step whose class it is.
    pub step: StepId,
    /// Its bit.
    pub role: u8,
}

/// The past that a statistic looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatWindow {
    /// The last `d`, closed.
    Time(Duration),
    /// The last `n` events.
    Events(u64),
    /// All of it, in a state of constant size.
    Ever,
}

/// An element of the pattern with its joint to the one before.
#[derive(Clone, Debug)]
pub struct Element {
    /// What it binds.
    pub kind: ElementKind,
    /// Contiguity and gaps to the element before.
    pub link: Link,
    /// Timed absences between the element before and this.
    pub ahead: Vec<Ahead>,
    /// What must not lie between the element before and this (or inside this).
    pub without: Vec<GuardId>,
}

/// The kinds of elements.
#[derive(Clone, Debug)]
pub enum ElementKind {
    /// One event.
    Single(StepId),
    /// One event or none.
    Optional(StepId),
    /// Events by quantifier.
    Repeat(StepId),
    /// Each member one event of its own, in any order.
    All(Vec<StepId>),
    /// One member.
    Any(Vec<StepId>),
    /// Iterations of a sequence of single steps.
    Group(Group),
}

/// A repeated group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Single steps with their joints inside one iteration; the first joint is to the iteration before.
    pub body: Vec<(StepId, Link)>,
    /// How often.
    pub quantifier: Quantifier,
    /// First to last event of each iteration.
    pub within: Option<Duration>,
}

/// `{ … } within d`: a bound on some of the elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The elements, by place.
    pub elements: Range<usize>,
    /// First to last event bound by them.
    pub within: Duration,
}

/// `{ … } within a.minutes * 1m`: tested when everything is bound.
#[derive(Clone, Debug)]
pub struct ComputedPart {
    /// The elements, by place.
    pub elements: Range<usize>,
    /// A duration over the whole match; the bound does not hold if it is missing.
    pub within: Expr,
}

/// A joint between two elements.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// Nothing of a named class between.
    pub directly: bool,
    /// The least gap.
    pub after: Option<Duration>,
    /// The greatest gap, if that is constant.
    pub within: Option<Duration>,
    /// The same, if it is not: over the events bound up to and with the element behind the joint.
    pub computed: Option<Box<Expr>>,
}

/// `no X within d`, `fewer than 3 of X until T`.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// Events of these; none for a group.
    pub guards: Vec<GuardId>,
    /// A sequence that must not lie wholly before the deadline.
    pub group: Option<Box<AbsentGroup>>,
    /// So many of them break it: 1 for `no`.
    pub fewer: u64,
    /// From the previous element's last event on, closed.
    pub within: Span,
}

/// `no { a: X then b: Y } within d`.
#[derive(Clone, Debug)]
pub struct AbsentGroup {
    /// Its steps, in order; never empty.
    pub steps: Vec<AbsentStep>,
    /// Events of the steps' classes, whatever their conditions: beside those that the pattern names they break
    /// `directly` inside. Empty if no joint asks for that.
    pub between: Vec<GuardId>,
}

impl AbsentGroup {
    /// Whether each step can be decided by itself: nothing inside reads what another one has found.
    pub fn is_separable(&self) -> bool {
        self.steps.iter().all(|step| !step.reads_inside)
    }
}

/// A step of an absent group.
#[derive(Clone, Debug)]
pub struct AbsentStep {
    /// Its class, key and condition.
    pub guard: GuardId,
    /// Where the event is put that it has found, after the steps of the pattern in [`Rule::steps`]; for named steps.
    pub name: Option<StepId>,
    /// The joint to the step before; nothing for the first.
    pub link: Link,
    /// Its condition or joint reads an event found by a step of the group.
    pub reads_inside: bool,
}

/// A length of time, or what it is computed from: an expression over the events that are bound where it stands.
#[derive(Clone, Debug)]
pub enum Span {
    /// A constant.
    Fixed(Duration),
    /// A duration.
    Computed(Expr),
    /// The time at which it ends.
    Until(Expr),
}

impl Span {
    /// The length, if it is constant.
    pub fn fixed(&self) -> Option<Duration> {
        match self {
            Self::Fixed(d) => Some(*d),
            Self::Computed(_) | Self::Until(_) => None,
        }
    }
}

impl Step {
    /// The look-backs that give a name to what they find.
    pub fn naming(&self) -> impl Iterator<Item = (&Lookback, StepId)> {
        self.cross_lookback.iter().filter_map(|l| Some((l, l.names?)))
    }
}

impl Element {
    /// The steps it has, in written order.
    pub fn steps(&self) -> Vec<StepId> {
        match &self.kind {
            ElementKind::Single(s) | ElementKind::Optional(s) | ElementKind::Repeat(s) => vec![*s],
            ElementKind::All(steps) | ElementKind::Any(steps) => steps.clone(),
            ElementKind::Group(group) => group.body.iter().map(|(s, _)| *s).collect(),
        }
    }
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
