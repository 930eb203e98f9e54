//! Rules of the oracle. Plain data; only what the first ring of the language has and the oracle judges.

use super::event::Ms;
use super::expr::Expr;

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Rule {
    /// `event big = v > 3`
    pub classes: Vec<(String, Expr)>,
    pub by: Vec<KeyComp>,
    /// Elements, each with the joint before it; the first joint is empty.
    pub body: Vec<(Joint, Elem)>,
    /// `{ … } within d` over elements of the body, outer before inner.
    pub parts: Vec<Part>,
    /// In one way through a pattern with a choice: the steps of the ways not taken.
    pub untaken: Vec<Step>,
    /// In one way through a pattern with a choice: what must not come in the ways not taken.
    pub untaken_absent: Vec<Guard>,
    pub within: Option<Bound>,
    /// `within a.v * 1s`, in place of the other.
    pub computed: Option<Expr>,
    /// `within 100 events`, of a sliding count.
    pub events: Option<usize>,
    pub having: Option<Expr>,
    /// `having … for 10m`, of a sliding count.
    pub lasting: Option<Ms>,
    pub pick: Pick,
    pub skip: Skip,
    pub cancel: Vec<Guard>,
    pub suppress: Option<(Ms, Vec<String>)>,
    pub resolve_on: Vec<Guard>,
    pub resolve_when: Option<Expr>,
    pub repeat: Option<Ms>,
    /// `clock T = every 4s`
    pub clock: Option<Ms>,
    /// `expect start`
    pub expect_start: bool,
}

/// `within 5s`, or open: `within < 5s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    pub d: Ms,
    pub open: bool,
}

impl Bound {
    pub fn closed(d: Ms) -> Self {
        Self { d, open: false }
    }

    pub fn holds(self, gap: Ms) -> bool {
        gap < self.d || gap == self.d && !self.open
    }
}

/// A bound on the elements `from..to` of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub from: usize,
    pub to: usize,
    pub within: Bound,
    /// `within a.v * 1s`, in place of the other.
    pub computed: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct KeyComp {
    pub name: String,
    pub field: String,
    /// In place of the field: any expression over the event.
    pub expr: Option<Expr>,
    /// `each(field)`: a key for every element.
    pub each: bool,
    /// `?`: missing is a key.
    pub optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Pick {
    #[default]
    Latest,
    First,
    All,
    Each,
    /// One pending match per step, as EQL.
    Pending,
}

#[allow(clippy::enum_variant_names, reason = "the words of the rule language")]
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Skip {
    #[default]
    PastLast,
    ToNext,
    NoSkip,
    /// `skip to first a`
    ToFirst(String),
    /// `skip to last a`
    ToLast(String),
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Joint {
    pub directly: bool,
    pub next: bool,
    pub after: Option<Ms>,
    pub within: Option<Bound>,
    /// `within a.v * 1s`, in place of the other.
    pub computed: Option<Expr>,
}

#[allow(clippy::large_enum_variant, reason = "clarity before size")]
#[derive(Clone, Debug, PartialEq)]
pub enum Elem {
    Step(Step),
    /// `no X, Y within d`, `fewer than 3 of X until T`, `no { p: X then Y } within d`
    Absence {
        events: Vec<Guard>,
        /// Of a group: the joint before each of the events, and its name.
        inner: Vec<(Joint, Option<String>)>,
        /// So many hits break it.
        fewer: usize,
        end: Option<End>,
    },
    All {
        members: Vec<Step>,
        without: Vec<Guard>,
    },
    Any {
        members: Vec<Step>,
    },
    /// `any { … }` of sequences
    Choice {
        members: Vec<Vec<(Joint, Elem)>>,
    },
    Group {
        count: Count,
        body: Vec<(Joint, Step)>,
        /// On each iteration.
        within: Option<Bound>,
    },
}

/// How long an absence lasts.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// `within 5s`
    After(Ms),
    /// `within a.v * 1s`
    Computed(Expr),
    /// `until a.@ts + 3s`
    Until(Expr),
}

impl End {
    /// The length, if it is constant.
    pub fn fixed(&self) -> Option<Ms> {
        match self {
            Self::After(d) => Some(*d),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Step {
    /// Position among the rule's steps, in written order. Set by [`Rule::number`].
    pub id: usize,
    pub name: Option<String>,
    pub quant: Option<Quant>,
    pub classes: Vec<String>,
    pub cond: Option<Expr>,
    pub by: Vec<KeyComp>,
    pub last: Vec<Last>,
    pub without: Vec<Guard>,
    pub until: Option<Guard>,
    pub ends: Option<Ends>,
}

/// `until silent 3s`, `until 3s`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    pub silent: bool,
    pub d: Ms,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Quant {
    pub consecutive: bool,
    pub count: Count,
    pub distinct: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    AtLeast(usize),
    Exactly(usize),
    Range(usize, usize),
    OneOrMore,
    ZeroOrMore,
    Optional,
}

impl Count {
    /// Least and greatest number.
    pub fn bounds(self) -> (usize, usize) {
        match self {
            Self::AtLeast(n) => (n, usize::MAX),
            Self::Exactly(n) => (n, n),
            Self::Range(n, m) => (n, m),
            Self::OneOrMore => (1, usize::MAX),
            Self::ZeroOrMore => (0, usize::MAX),
            Self::Optional => (0, 1),
        }
    }

    pub fn admits(self, n: usize) -> bool {
        let (least, most) = self.bounds();
        least <= n && n <= most
    }
}

/// `unless X in last d`, `if X in last d`
#[derive(Clone, Debug, PartialEq)]
pub struct Last {
    pub unless: bool,
    /// `if q: X in last d`: what the newest such X is called.
    pub name: Option<String>,
    pub events: Vec<Guard>,
    pub d: Bound,
    /// `in last b.v * 1s`, in place of the other.
    pub computed: Option<Expr>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Guard {
    pub classes: Vec<String>,
    pub cond: Option<Expr>,
    pub by: Vec<KeyComp>,
}

impl Step {
    /// Repeated: binds a list of events, not one or none.
    pub fn repeated(&self) -> bool {
        self.quant.as_ref().is_some_and(|q| q.count != Count::Optional)
    }

    pub fn optional(&self) -> bool {
        self.quant.as_ref().is_some_and(|q| q.count == Count::Optional)
    }
}

impl Elem {
    /// The steps in it, in written order.
    pub fn steps(&self) -> Vec<&Step> {
        match self {
            Self::Step(s) => vec![s],
            Self::Absence { .. } => vec![],
            Self::All { members, .. } | Self::Any { members } => members.iter().collect(),
            Self::Choice { members } => members.iter().flatten().flat_map(|(_, e)| e.steps()).collect(),
            Self::Group { body, .. } => body.iter().map(|(_, s)| s).collect(),
        }
    }

    pub fn steps_mut(&mut self) -> Vec<&mut Step> {
        match self {
            Self::Step(s) => vec![s],
            Self::Absence { .. } => vec![],
            Self::All { members, .. } | Self::Any { members } => members.iter_mut().collect(),
            Self::Choice { members } => members.iter_mut().flatten().flat_map(|(_, e)| e.steps_mut()).collect(),
            Self::Group { body, .. } => body.iter_mut().map(|(_, s)| s).collect(),
        }
    }

    /// What must not come in it, apart from the guards of its steps.
    pub fn absent(&self) -> Vec<&Guard> {
        match self {
            Self::Absence { events, .. } => events.iter().collect(),
            Self::All { without, .. } => without.iter().collect(),
            Self::Choice { members } => members.iter().flatten().flat_map(|(_, e)| e.absent()).collect(),
            Self::Step(_) | Self::Any { .. } | Self::Group { .. } => vec![],
        }
    }

    /// Names inside the absence of a group.
    pub fn absent_names(&self) -> Vec<String> {
        match self {
            Self::Absence { inner, .. } => inner.iter().filter_map(|(_, name)| name.clone()).collect(),
            _ => vec![],
        }
    }

    /// Whether a candidate may bind nothing to it.
    pub fn may_be_empty(&self) -> bool {
        match self {
            Self::Step(s) => s.quant.as_ref().is_some_and(|q| q.count.bounds().0 == 0),
            Self::Absence { .. } => true,
            Self::All { .. } | Self::Any { .. } | Self::Choice { .. } => false,
            Self::Group { count, .. } => count.bounds().0 == 0,
        }
    }
}

impl Rule {
    pub fn steps(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = self.body.iter().flat_map(|(_, e)| e.steps()).chain(&self.untaken).collect();
        if !self.untaken.is_empty() {
            steps.sort_by_key(|s| s.id);
        }
        steps
    }

    /// The ways through the pattern: one rule for each choice of members, with the same steps.
    pub fn ways(&self) -> Vec<Self> {
        let Some(at) = self.body.iter().position(|(_, e)| matches!(e, Elem::Choice { .. })) else {
            return vec![self.clone()];
        };
        let Elem::Choice { members } = &self.body[at].1 else { unreachable!("found above") };
        let mut out = vec![];
        for (m, member) in members.iter().enumerate() {
            let mut way = self.clone();
            let mut member = member.clone();
            member[0].0 = self.body[at].0.clone();
            let more = member.len() - 1;
            way.body.splice(at..=at, member);
            for part in &mut way.parts {
                part.from += if part.from > at { more } else { 0 };
                part.to += if part.to > at { more } else { 0 };
            }
            let others = members.iter().enumerate().filter(|(o, _)| *o != m).flat_map(|(_, b)| b);
            way.untaken.extend(others.clone().flat_map(|(_, e)| e.steps()).cloned());
            way.untaken_absent.extend(others.flat_map(|(_, e)| e.absent()).cloned());
            out.extend(way.ways());
        }
        out
    }

    /// The steps of a part.
    pub fn steps_of(&self, part: &Part) -> Vec<&Step> {
        self.body[part.from..part.to].iter().flat_map(|(_, e)| e.steps()).collect()
    }

    /// Gives the steps their ids.
    pub fn number(&mut self) {
        for (id, step) in self.body.iter_mut().flat_map(|(_, e)| e.steps_mut()).enumerate() {
            step.id = id;
        }
    }

    /// What a name inside the absence of a group means: a place behind those of the steps.
    pub fn absent_named(&self, name: &str) -> Option<usize> {
        let names = self.body.iter().flat_map(|(_, e)| e.absent_names());
        names.into_iter().position(|n| n == name).map(|at| self.steps().len() + at)
    }

    pub fn step_named(&self, name: &str) -> Option<&Step> {
        self.steps().into_iter().find(|s| s.name.as_deref() == Some(name))
    }

    /// The step that looks back at what a name means, and how.
    pub fn named_last(&self, name: &str) -> Option<(&Step, &Last)> {
        let all = self.steps().into_iter().flat_map(|s| s.last.iter().map(move |l| (s, l)));
        all.into_iter().find(|(_, l)| l.name.as_deref() == Some(name))
    }

    /// The names of all steps by id, then those of what single steps look back at.
    pub fn names(&self) -> Vec<Option<String>> {
        let steps = self.steps();
        let found = steps.iter().filter(|s| !s.repeated()).flat_map(|s| &s.last).filter_map(|l| l.name.clone());
        steps.iter().map(|s| s.name.clone()).chain(found.map(Some)).collect()
    }

    /// The key components of a step: the rule's, overridden and extended by its own.
    pub fn comps(&self, step: &Step) -> Vec<KeyComp> {
        let mut out = self.by.clone();
        for own in &step.by {
            match out.iter_mut().find(|c| c.name == own.name) {
                Some(slot) => *slot = own.clone(),
                None => out.push(own.clone()),
            }
        }
        out
    }

    /// The components by which a guard is compared, where it guards a step with components `guarded`.
    pub fn guard_comps(&self, guard: &Guard, guarded: &[KeyComp]) -> Vec<KeyComp> {
        if !guard.by.is_empty() {
            return guard.by.clone();
        }
        guarded.iter().map(|c| self.by.iter().find(|r| r.name == c.name).unwrap_or(c).clone()).collect()
    }

    /// Whether the pattern is a sliding count: one repeated step with `within` and without `until`.
    pub fn sliding(&self) -> Option<&Step> {
        match &self.body[..] {
            [(_, Elem::Step(s))]
                if s.repeated()
                    && s.until.is_none()
                    && s.ends.is_none()
                    && (self.within.is_some() || self.events.is_some()) =>
            {
                Some(s)
            }
            _ => None,
        }
    }

    /// Steps do not all have the same component names.
    pub fn handed_over(&self) -> bool {
        let names = |s: &Step| {
            let mut n: Vec<String> = self.comps(s).into_iter().map(|c| c.name).collect();
            n.sort();
            n
        };
        let steps = self.steps();
        steps.windows(2).any(|w| names(w[0]) != names(w[1]))
    }
}
