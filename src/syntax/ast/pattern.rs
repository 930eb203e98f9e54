//! Patterns: sequences of steps, absences, blocks and groups.

use super::{Expr, Ident, KeyItem};
use crate::syntax::source::Span;

/// `match { … } within 10m`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct MatchClause {
    /// The pattern.
    pub body: Sequence,
    /// The bound from the first to the last bound event.
    pub within: Option<Expr>,
    /// `within 100 events`: the bound of a sliding count by number.
    pub events: Option<EventsBound>,
    /// The whole clause.
    pub span: Span,
}

/// `100 events`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventsBound {
    /// How many.
    pub count: u64,
    /// Where it stands.
    pub span: Span,
}

/// Elements joined by `then`.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Sequence {
    /// What comes first.
    pub first: Box<Element>,
    /// What follows, each with its joint.
    pub rest: Vec<(Then, Element)>,
    /// From the first to the last element.
    pub span: Span,
}

impl Sequence {
    /// The elements in order, joints left out.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        std::iter::once(&*self.first).chain(self.rest.iter().map(|(_, element)| element))
    }
}

/// `then`, `then directly`, `then next`, `then after 5s within 1m`.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Then {
    /// `directly`: nothing of the named classes may lie between.
    pub directly: bool,
    /// `next`: the step is also its own `without`.
    pub next: bool,
    /// The least gap.
    pub after: Option<Expr>,
    /// The greatest gap.
    pub within: Option<Expr>,
    /// From `then` to the end of its bounds.
    pub span: Span,
}

/// What may stand between two `then`s.
// A rule has a handful of them: a box would cost every reader more than it saves.
#[expect(clippy::large_enum_variant, reason = "few of them, most are steps")]
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum Element {
    /// A step that binds one or more events.
    Step(Step),
    /// `no X where P within d`
    Absence(Absence),
    /// `all { a: X  b: Y } without Z`
    All(All),
    /// `any { a: X  b: Y }`
    Any(Any),
    /// `any { a: X then b: Y  c: Z }`
    Choice(Choice),
    /// `{ a: X then b: Y }`, or `at least 3 of { … }`
    Group(Group),
}

impl Element {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Step(e) => e.span,
            Self::Absence(e) => e.span,
            Self::All(e) => e.span,
            Self::Any(e) => e.span,
            Self::Choice(e) => e.span,
            Self::Group(e) => e.span,
        }
    }
}

/// `fail: at least 5 of auth where outcome == "failure" by ip = source.ip unless X in last 1h without Y until Z`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Step {
    /// The name before the colon.
    pub name: Option<Ident>,
    /// How many events it binds; one if none is written.
    pub quantifier: Option<Quantifier>,
    /// The event class, or the classes of `(X or Y)`.
    pub classes: Vec<ClassRef>,
    /// The condition.
    pub condition: Option<Expr>,
    /// The step's own key.
    pub by: Vec<KeyItem>,
    /// `unless`, `if` and `without`, in written order.
    pub guards: Vec<StepGuard>,
    /// `until U`: what ends the repetition.
    pub until: Option<Guard>,
    /// `until silent 30m`, `until 5m`: the time that ends the repetition.
    pub ends: Option<Ends>,
    /// The whole step.
    pub span: Span,
}

/// `until silent 30m`, `until 5m`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Ends {
    /// So long after the last event, not after the first.
    pub silent: bool,
    /// How long.
    pub length: Expr,
    /// Both.
    pub span: Span,
}

/// An event class: `auth`, `any`, `alert.other_rule`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassRef {
    /// The name; `alert.r` keeps its dot.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// `consecutive at least 5 distinct dst.port of`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Quantifier {
    /// `consecutive`
    pub consecutive: bool,
    /// How many.
    pub count: Count,
    /// `distinct f, g`; empty if every event counts.
    pub distinct: Vec<Expr>,
    /// The quantifier up to and with `of`.
    pub span: Span,
}

/// How many events a step, or iterations a group, takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// `at least N of`
    AtLeast(u64),
    /// `exactly N of`
    Exactly(u64),
    /// `N..M of`
    Range(u64, u64),
    /// `one or more of`
    OneOrMore,
    /// `zero or more of`
    ZeroOrMore,
    /// `optional`
    Optional,
}

/// A guard beside a step.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct StepGuard {
    /// Which.
    pub kind: StepGuardKind,
    /// `if q: X in last d`: what the newest such X is called.
    pub name: Option<Ident>,
    /// What must (not) have happened; never empty.
    pub events: Vec<Guard>,
    /// `in last d`; absent for `without`.
    pub last: Option<Expr>,
    /// The whole guard.
    pub span: Span,
}

/// The three guards a step may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepGuardKind {
    /// `unless X in last d`
    Unless,
    /// `if X in last d`
    If,
    /// `without X`
    Without,
    /// `unless open alert.r`: its one event is the class of the alerts.
    UnlessOpen,
}

/// `X where P by k = f`, as it stands in an absence, a guard, `until` or `cancel on`.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Guard {
    /// The class or classes.
    pub classes: Vec<ClassRef>,
    /// The condition.
    pub condition: Option<Expr>,
    /// Its own key.
    pub by: Vec<KeyItem>,
    /// The whole.
    pub span: Span,
}

/// `no X where P, Y within d`, `fewer than 3 of X until T`, `no { a: X then b: Y } within d`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Absence {
    /// `fewer than N of`: as many break it; none for `no`, which the first breaks.
    pub fewer: Option<u64>,
    /// What must not come; never empty. Of a group: its steps, in order.
    pub events: Vec<Guard>,
    /// What makes a sequence of them.
    pub group: Option<AbsentGroup>,
    /// For how long; without it and `until` the absence lasts until the next step.
    pub within: Option<Expr>,
    /// Until what time.
    pub until: Option<Expr>,
    /// The whole.
    pub span: Span,
}

impl Absence {
    /// Whether it ends at a deadline, rather than with the next step.
    pub fn is_timed(&self) -> bool {
        self.within.is_some() || self.until.is_some()
    }
}

/// `{ a: X then b: Y }` of an absence: the names and joints of a sequence of events that must not come as a whole.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct AbsentGroup {
    /// The name of each step; as many as the absence has events. They mean something inside the braces only.
    pub names: Vec<Option<Ident>>,
    /// What joins each step but the first to the one before.
    pub joints: Vec<Then>,
    /// The braces.
    pub span: Span,
}

/// `all { a: X  b: Y } without Z`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct All {
    /// The members, in written order.
    pub members: Vec<Step>,
    /// What must not lie inside its span.
    pub without: Vec<Guard>,
    /// The whole.
    pub span: Span,
}

/// `any { a: X  b: Y }`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Any {
    /// The members, in written order.
    pub members: Vec<Step>,
    /// The whole.
    pub span: Span,
}

/// `any { a: X then b: Y  c: Z }`: `any` of which some member is more than a single step.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Choice {
    /// The members, in written order.
    pub members: Vec<Sequence>,
    /// The whole.
    pub span: Span,
}

/// `{ a: X then b: Y } within 5m`, repeated if it has a quantifier.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Group {
    /// How often; once if none is written.
    pub quantifier: Option<Quantifier>,
    /// The inner pattern.
    pub body: Sequence,
    /// The bound from its first to its last bound event; of each iteration, if it is repeated.
    pub within: Option<Expr>,
    /// The whole.
    pub span: Span,
}
