//! The pattern of a rule: steps and guards, and the elements and joints that they stand in.

use std::ops::Range;
use std::sync::Arc;

use super::OpenGuard;
use crate::base::function::Statistic;
use crate::base::id::GuardId;
use crate::base::{Duration, StepId, Timestamp};
use crate::plan::expr::Expr;
use crate::plan::key::KeyPart;

/// A key component of a step or guard.
#[derive(Clone, Debug)]
pub struct KeyComponent {
    /// Its place in [`super::Rule::components`].
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
    /// `if q: X in last d`: where the newest hit is put, after the steps of the pattern in [`super::Rule::steps`].
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
    /// Where the event is put that it has found, after the steps of the pattern in [`super::Rule::steps`]; for named steps.
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
