//! What names mean where an expression stands: the current event, the steps, the key, the alert.
//!
//! A [`Scope`] is made anew for each place; it holds one [`View`] per step of the rule.

use crate::base::function::Kinds;
use crate::check::model::{Absent, Found, Model, Role};
use crate::syntax::ast::{AbsentGroup, ClassRef};

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The condition of an `event` declaration.
    Class,
    /// A `let`.
    Let,
    /// A component of a key.
    Key,
    /// A step's `where`.
    Step,
    /// The fields after `distinct`.
    Distinct,
    /// The condition of `unless`, `if`, `without`, `until`, `no` or `cancel on`.
    Guard,
    /// `where` inside an aggregate.
    Aggregate,
    /// The value of a running statistic.
    Statistic,
    /// `having`
    Having,
    /// `alert { … }`
    Alert,
    /// `severity` and `risk`
    Severity,
    /// `suppress … by`
    Suppress,
    /// A computed duration or time: `within`, `in last`, `until`.
    Bound,
    /// The conditions of `expect alert { … }`.
    Test,
}

impl Place {
    /// As it is called in a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Class => "an `event` declaration",
            Self::Let => "a `let`",
            Self::Key => "a key",
            Self::Step => "a step's `where`",
            Self::Distinct => "`distinct`",
            Self::Guard => "a guard",
            Self::Aggregate => "the `where` of an aggregate",
            Self::Statistic => "a running statistic",
            Self::Having => "`having`",
            Self::Alert => "`alert`",
            Self::Severity => "`severity` or `risk`",
            Self::Suppress => "`suppress … by`",
            Self::Bound => "a bound",
            Self::Test => "an expectation",
        }
    }

    /// Whether bare fields are those of a current event.
    pub(crate) fn has_event(self) -> bool {
        !matches!(self, Self::Having | Self::Alert | Self::Severity | Self::Suppress | Self::Bound | Self::Test)
    }
}

/// What a step's name means in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// One event: `a.f` is its field.
    One,
    /// Several events: `first(a).f`, `count(a)`, …
    Many,
    /// Comes later.
    Later,
    /// Another member of the same `all { … }`.
    AllSibling,
    /// Another member of the same `any { … }`.
    AnySibling,
    /// The step itself, which binds one event and has none yet.
    OwnSingle,
}

/// Whether what a look-back has found can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Yes,
    /// Found only later.
    NotYet,
    /// A repeated step looks back for each of its events.
    OneOfMany,
}

/// The names an expression may use.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'s, 'a> {
    pub(crate) place: Place,
    pub(crate) model: Option<&'s Model<'a>>,
    /// One a step of the model; steps beyond are not visible.
    pub(crate) views: Vec<View>,
    /// The step whose `where` it is.
    pub(crate) own: Option<usize>,
    /// The step whose guard it is: what its look-backs find is not there yet.
    pub(crate) guarded: Option<usize>,
    /// So many steps of this absent group come before: their names can be read.
    pub(crate) inside: Option<(&'s AbsentGroup, usize)>,
    /// The classes of the current event; empty if unknown.
    pub(crate) classes: &'s [ClassRef],
    /// What a test may name.
    pub(crate) alert: Option<&'s AlertShape>,
    /// Names of elements: of `some(xs as x where …)` around the expression, outermost first.
    pub(crate) elements: Vec<&'s str>,
}

impl<'s, 'a> Scope<'s, 'a> {
    /// A scope without steps.
    pub(crate) fn bare(place: Place) -> Self {
        Self {
            place,
            model: None,
            views: Vec::new(),
            own: None,
            guarded: None,
            inside: None,
            classes: &[],
            alert: None,
            elements: Vec::new(),
        }
    }

    /// The scope of a test's expectations.
    pub(crate) fn test(alert: &'s AlertShape) -> Self {
        Self { alert: Some(alert), ..Self::bare(Place::Test) }
    }

    /// After the whole match: `having`, `alert`, `cancel on`, …
    pub(crate) fn after(place: Place, model: &'s Model<'a>) -> Self {
        let views = (0..model.steps.len()).map(|i| outside(model, i)).collect();
        Self { model: Some(model), views, ..Self::bare(place) }
    }

    /// Before the element `node`: what an absence there may read.
    pub(crate) fn before(place: Place, model: &'s Model<'a>, node: usize) -> Self {
        let mut scope = Self::after(place, model);
        for (view, step) in scope.views.iter_mut().zip(&model.steps) {
            let excludes =
                |at: &crate::check::model::Node<'_>| model.nodes.get(step.node).is_some_and(|n| at.excludes(n));
            if model.nodes.get(node).or(model.nodes.last()).is_some_and(excludes) {
                *view = View::AnySibling;
            } else if step.node >= node {
                *view = View::Later;
            }
        }
        scope
    }

    /// The `where` of a step.
    pub(crate) fn step(model: &'s Model<'a>, index: usize) -> Self {
        let own = &model.steps[index];
        let mut scope = Self::before(Place::Step, model, own.node);
        for (i, view) in scope.views.iter_mut().enumerate() {
            let other = &model.steps[i];
            if other.node != own.node {
                continue;
            }
            *view = match (own.role, other.role) {
                _ if i == index && own.is_repeated() => View::Many,
                _ if i == index => View::OwnSingle,
                (Role::AllMember, _) => View::AllSibling,
                (Role::AnyMember, _) => View::AnySibling,
                (Role::GroupMember(mine), Role::GroupMember(theirs)) if theirs < mine => View::One,
                _ => View::Later,
            };
        }
        scope.own = Some(index);
        scope.classes = &model.steps[index].step.classes;
        scope
    }

    /// The condition of a guard of a step; `current` if the step's name means the event that is looked at.
    pub(crate) fn guard(model: &'s Model<'a>, index: usize, current: bool) -> Self {
        let mut scope = Self::step(model, index);
        scope.place = Place::Guard;
        scope.own = None;
        scope.guarded = Some(index);
        scope.classes = &[];
        if current || scope.views[index] == View::OwnSingle {
            scope.views[index] = View::One;
        }
        scope
    }

    /// What a look-back has given a name to, and whether it can be read here.
    pub(crate) fn found_named(&self, name: &str) -> Option<(&'s Found<'a>, Seen)> {
        let found = self.model?.found_named(name)?;
        let seen = match self.views.get(found.step) {
            _ if self.own == Some(found.step) => Seen::Yes,
            _ if self.guarded == Some(found.step) => Seen::NotYet,
            Some(View::One) => Seen::Yes,
            Some(View::Many) => Seen::OneOfMany,
            _ => Seen::NotYet,
        };
        Some((found, seen))
    }

    /// The step of an absent group that has a name, and whether it can be read here.
    pub(crate) fn absent_named(&self, name: &str) -> Option<(&'s Absent<'a>, bool)> {
        let absent = self.model?.absent_named(name)?;
        let before = |(group, before): (&AbsentGroup, usize)| std::ptr::eq(absent.group, group) && absent.at < before;
        Some((absent, self.inside.is_some_and(before)))
    }

    /// Whether a name is that of a step, of what one looks back at, or of a step that must not come.
    pub(crate) fn is_name(&self, name: &str) -> bool {
        self.step_named(name).is_some()
            || self.model.is_some_and(|m| m.found_named(name).is_some() || m.absent_named(name).is_some())
    }

    /// The index of a visible step's name.
    pub(crate) fn step_named(&self, name: &str) -> Option<usize> {
        self.model.and_then(|m| m.step_named(name)).filter(|i| *i < self.views.len())
    }
}

/// A step seen from elements outside its own.
fn outside(model: &Model<'_>, index: usize) -> View {
    let step = &model.steps[index];
    if step.is_repeated() || matches!(step.role, Role::GroupMember(_)) { View::Many } else { View::One }
}

/// What an alert of a rule holds, for its tests and for rules on alerts.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertShape {
    /// The values with their kinds.
    pub(crate) values: Vec<(String, Kinds)>,
    /// The names and field paths of the key's components.
    pub(crate) key: Vec<(String, Option<String>)>,
}
