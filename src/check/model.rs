//! A rule's pattern as `check` sees it: elements in order, groups flattened, steps numbered as written.
//!
//! The model only points into the syntax tree. It is built without judging; the other parts report.

use std::ops::Range;

use crate::syntax::ast::{
    Absence, AbsentGroup, All, Any, Choice, ClauseKind, Count, Element, Expr, ExprKind, Group, Guard, Ident, KeyItem,
    MatchClause, Path, RuleDecl, Sequence, Step, StepGuard, Then,
};

/// Ways through one pattern, at most.
pub(crate) const MAX_WAYS: usize = crate::base::limits::MAX_WAYS;

/// How a step stands in the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// An element of the sequence.
    Plain,
    /// A member of `all { … }`.
    AllMember,
    /// A member of `any { … }`.
    AnyMember,
    /// A step of a repeated group, with its place in it.
    GroupMember(usize),
}

/// A step with its place.
#[derive(Clone, Debug)]
pub(crate) struct StepInfo<'a> {
    pub(crate) step: &'a Step,
    /// The index of its element in [`Model::nodes`].
    pub(crate) node: usize,
    pub(crate) role: Role,
    pub(crate) components: Vec<Component<'a>>,
}

impl StepInfo<'_> {
    /// Whether it may bind several events: `a.f` is then ambiguous.
    pub(crate) fn is_repeated(&self) -> bool {
        self.step.quantifier.as_ref().is_some_and(|q| q.count != Count::Optional)
    }

    /// Whether a candidate may leave it unbound.
    pub(crate) fn may_be_empty(&self) -> bool {
        self.step.quantifier.as_ref().is_some_and(|q| minimum(q.count) == 0)
    }
}

/// The least number of events or iterations of a quantifier.
pub(crate) fn minimum(count: Count) -> u64 {
    match count {
        Count::AtLeast(n) | Count::Exactly(n) | Count::Range(n, _) => n,
        Count::OneOrMore => 1,
        Count::ZeroOrMore | Count::Optional => 0,
    }
}

/// An element of the flattened pattern.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    /// The joint before it; none before the first.
    pub(crate) then: Option<&'a Then>,
    pub(crate) kind: NodeKind<'a>,
    /// The members of `any` of sequences that it stands in, outer first: the number of the `any`, and of its member.
    pub(crate) branch: Vec<(usize, usize)>,
}

impl Node<'_> {
    /// Whether no way through the pattern takes both.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        self.branch.iter().any(|(any, member)| other.branch.iter().any(|(a, m)| a == any && m != member))
    }
}

/// What an element is; numbers are indices into [`Model::steps`].
#[derive(Clone, Debug)]
pub(crate) enum NodeKind<'a> {
    Step(usize),
    Absence(&'a Absence),
    All(&'a All, Vec<usize>),
    Any(&'a Any, Vec<usize>),
    /// A repeated group: its steps with the joint before each.
    Group(&'a Group, Vec<(Option<&'a Then>, usize)>),
}

impl NodeKind<'_> {
    /// The steps of the element.
    pub(crate) fn steps(&self) -> Vec<usize> {
        match self {
            Self::Step(i) => vec![*i],
            Self::Absence(_) => Vec::new(),
            Self::All(_, steps) | Self::Any(_, steps) => steps.clone(),
            Self::Group(_, steps) => steps.iter().map(|(_, i)| *i).collect(),
        }
    }
}

/// `{ … } within d`
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) group: &'a Group,
    pub(crate) within: &'a Expr,
    /// Places in [`Model::nodes`].
    pub(crate) nodes: Range<usize>,
}

/// A name inside the absence of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absent<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) guard: &'a Guard,
    pub(crate) group: &'a AbsentGroup,
    /// Its place in it.
    pub(crate) at: usize,
}

/// One part of a key.
#[derive(Clone, Debug)]
pub(crate) struct Component<'a> {
    pub(crate) name: String,
    /// The field path, if the value is nothing but one.
    pub(crate) field: Option<String>,
    pub(crate) item: &'a KeyItem,
}

/// A rule's pattern and keys.
#[derive(Clone, Debug)]
pub(crate) struct Model<'a> {
    pub(crate) rule: &'a RuleDecl,
    pub(crate) matching: Option<&'a MatchClause>,
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) steps: Vec<StepInfo<'a>>,
    /// Elements that a repeated group may not hold, for a report.
    pub(crate) misplaced: Vec<&'a Element>,
    /// Groups without a quantifier and a bound: flattened.
    pub(crate) flattened: Vec<&'a Group>,
    /// Groups without a quantifier that have a bound of their own: flattened too, with the nodes they hold. Inner
    /// ones come before outer ones.
    pub(crate) parts: Vec<Part<'a>>,
    /// Names that look-backs give to what they find.
    pub(crate) found: Vec<Found<'a>>,
    /// Names inside absences of groups.
    pub(crate) absent: Vec<Absent<'a>>,
    pub(crate) by: &'a [KeyItem],
    /// `any` of sequences: how many members each has, in written order.
    pub(crate) choices: Vec<(&'a Choice, usize)>,
    /// The members that what is read now stands in.
    branch: Vec<(usize, usize)>,
}

/// `if q: X in last d`: the name, and the step that looks back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) guard: &'a StepGuard,
    pub(crate) step: usize,
}

impl<'a> Model<'a> {
    /// A model for each way through the pattern: all steps, and the elements of that way.
    pub(crate) fn ways(&self) -> Vec<Self> {
        let mut ways: Vec<Vec<(usize, usize)>> = vec![Vec::new()];
        for (any, (_, members)) in self.choices.iter().enumerate() {
            // One that stands in a member not taken is not met.
            ways = ways
                .into_iter()
                .flat_map(|way| (0..*members).map(move |m| way.iter().copied().chain([(any, m)]).collect()))
                .take(MAX_WAYS + 1)
                .collect();
        }
        let mut found: Vec<Self> = Vec::new();
        let mut taken: Vec<Vec<usize>> = Vec::new();
        for way in ways {
            let on = |node: &Node<'a>| node.branch.iter().all(|b| way.contains(b));
            let places: Vec<usize> = (0..self.nodes.len()).filter(|at| on(&self.nodes[*at])).collect();
            if taken.contains(&places) {
                continue;
            }
            let before = |at: usize| places.iter().filter(|p| **p < at).count();
            let parts =
                self.parts.iter().map(|p| Part { nodes: before(p.nodes.start)..before(p.nodes.end), ..p.clone() });
            let parts = parts.filter(|p| !p.nodes.is_empty()).collect();
            let nodes = places.iter().map(|at| self.nodes[*at].clone()).collect();
            let mut way = Self { nodes, parts, ..self.clone() };
            // Steps of other members count as before what follows the `any`.
            for step in &mut way.steps {
                let taken = places.contains(&step.node);
                step.node = if taken { before(step.node) } else { before(step.node).saturating_sub(1) };
            }
            found.push(way);
            taken.push(places);
        }
        found
    }

    /// Flattens the pattern of a rule.
    pub(crate) fn new(rule: &'a RuleDecl) -> Self {
        let matching = rule.clauses.iter().find_map(|c| match &c.kind {
            ClauseKind::Match(m) => Some(m),
            _ => None,
        });
        let by = rule.clauses.iter().find_map(|c| match &c.kind {
            ClauseKind::By(items) => Some(items.as_slice()),
            _ => None,
        });
        let mut model = Self {
            rule,
            matching,
            nodes: Vec::new(),
            steps: Vec::new(),
            misplaced: Vec::new(),
            flattened: Vec::new(),
            parts: Vec::new(),
            found: Vec::new(),
            absent: Vec::new(),
            by: by.unwrap_or_default(),
            choices: Vec::new(),
            branch: Vec::new(),
        };
        if let Some(matching) = matching {
            model.sequence(&matching.body, None);
        }
        model
    }

    fn sequence(&mut self, sequence: &'a Sequence, before: Option<&'a Then>) {
        self.element(&sequence.first, before);
        for (then, element) in &sequence.rest {
            self.element(element, Some(then));
        }
    }

    fn element(&mut self, element: &'a Element, then: Option<&'a Then>) {
        let node = self.nodes.len();
        let kind = match element {
            Element::Step(step) => NodeKind::Step(self.step(step, node, Role::Plain)),
            Element::Absence(absence) => {
                if let Some(group) = &absence.group {
                    for (at, (name, guard)) in group.names.iter().zip(&absence.events).enumerate() {
                        let absent = |name| Absent { name, guard, group, at };
                        self.absent.extend(name.as_ref().map(absent));
                    }
                }
                NodeKind::Absence(absence)
            }
            Element::All(all) => {
                let steps = all.members.iter().map(|s| self.step(s, node, Role::AllMember)).collect();
                NodeKind::All(all, steps)
            }
            Element::Any(any) => {
                let steps = any.members.iter().map(|s| self.step(s, node, Role::AnyMember)).collect();
                NodeKind::Any(any, steps)
            }
            Element::Choice(choice) => {
                let any = self.choices.len();
                self.choices.push((choice, choice.members.len()));
                for (member, sequence) in choice.members.iter().enumerate() {
                    self.branch.push((any, member));
                    self.sequence(sequence, then);
                    self.branch.pop();
                }
                return;
            }
            Element::Group(group) if group.quantifier.is_none() => {
                self.sequence(&group.body, then);
                match &group.within {
                    Some(within) => self.parts.push(Part { group, within, nodes: node..self.nodes.len() }),
                    None => self.flattened.push(group),
                }
                return;
            }
            Element::Group(group) => {
                let mut steps = Vec::new();
                let joints = std::iter::once(None).chain(group.body.rest.iter().map(|(then, _)| Some(then)));
                for (joint, inner) in joints.zip(group.body.elements()) {
                    match inner {
                        Element::Step(step) => {
                            let index = self.step(step, node, Role::GroupMember(steps.len()));
                            steps.push((joint, index));
                        }
                        other => self.misplaced.push(other),
                    }
                }
                NodeKind::Group(group, steps)
            }
        };
        let branch = self.branch.clone();
        self.nodes.push(Node { then, kind, branch });
    }

    fn step(&mut self, step: &'a Step, node: usize, role: Role) -> usize {
        let mut components: Vec<Component<'a>> = self.by.iter().map(component).collect();
        for own in step.by.iter().map(component) {
            match components.iter_mut().find(|c| c.name == own.name) {
                Some(slot) => *slot = own,
                None => components.push(own),
            }
        }
        let at = self.steps.len();
        let named = step.guards.iter().filter_map(|guard| Some(Found { name: guard.name.as_ref()?, guard, step: at }));
        self.found.extend(named);
        self.steps.push(StepInfo { step, node, role, components });
        self.steps.len() - 1
    }

    /// Every guard of the rule: of steps, absences, `all` and `cancel on`.
    pub(crate) fn guards(&self) -> Vec<&'a Guard> {
        let mut found: Vec<&'a Guard> = Vec::new();
        for info in &self.steps {
            found.extend(info.step.guards.iter().flat_map(|g| &g.events).chain(&info.step.until));
        }
        for node in &self.nodes {
            match &node.kind {
                NodeKind::Absence(absence) => found.extend(&absence.events),
                NodeKind::All(all, _) => found.extend(&all.without),
                _ => {}
            }
        }
        for clause in &self.rule.clauses {
            if let ClauseKind::CancelOn(guards) | ClauseKind::ResolveOn(guards) = &clause.kind {
                found.extend(guards);
            }
        }
        found
    }

    /// The step of a name.
    pub(crate) fn step_named(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|s| s.step.name.as_ref().is_some_and(|n| n.name == name))
    }

    /// What a look-back has given a name to.
    pub(crate) fn found_named(&self, name: &str) -> Option<&Found<'a>> {
        self.found.iter().find(|f| f.name.name == name)
    }

    /// What a name inside the absence of a group stands for.
    pub(crate) fn absent_named(&self, name: &str) -> Option<&Absent<'a>> {
        self.absent.iter().find(|a| a.name.name == name)
    }

    /// Whether a name is that of a step, of what one looks back at, or of a step that must not come.
    pub(crate) fn is_name(&self, name: &str) -> bool {
        self.step_named(name).is_some() || self.found_named(name).is_some() || self.absent_named(name).is_some()
    }

    /// The names of all steps.
    pub(crate) fn step_names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.steps.iter().filter_map(|s| s.step.name.as_ref()).map(|n| n.name.as_str())
    }

    /// The key of the rule for pick, skip, suppress and the alert: that of the first step.
    pub(crate) fn key(&self) -> &[Component<'a>] {
        self.steps.first().map_or(&[], |s| &s.components)
    }

    /// Whether steps differ in the names of their key components.
    pub(crate) fn is_handed_over(&self) -> bool {
        let names = |s: &StepInfo<'a>| {
            let mut names: Vec<String> = s.components.iter().map(|c| c.name.clone()).collect();
            names.sort_unstable();
            names
        };
        self.steps.split_first().is_some_and(|(first, rest)| rest.iter().any(|s| names(s) != names(first)))
    }

    /// The one step of a pattern that is nothing else.
    pub(crate) fn only_step(&self) -> Option<&StepInfo<'a>> {
        match (self.nodes.as_slice(), self.steps.as_slice()) {
            ([Node { kind: NodeKind::Step(_), .. }], [step]) => Some(step),
            _ => None,
        }
    }

    /// A pattern that is one repeated step with `within` and without `until` is a sliding count.
    pub(crate) fn is_sliding(&self) -> bool {
        self.only_step().is_some_and(|s| s.is_repeated() && s.step.until.is_none() && s.step.ends.is_none())
            && self.matching.is_some_and(|m| m.within.is_some() || m.events.is_some())
    }
}

/// A key item with its name: the written one, or its field.
pub(crate) fn component(item: &KeyItem) -> Component<'_> {
    let field = match &item.value.kind {
        ExprKind::Path(path) => Some(path_text(path)),
        _ => None,
    };
    let name = item.component_name().unwrap_or_default();
    Component { name, field, item }
}

/// A path with dots between its parts.
pub(crate) fn path_text(path: &Path) -> String {
    let parts: Vec<&str> = path.parts.iter().map(|p| p.name.as_str()).collect();
    parts.join(".")
}

/// The operands of the outermost `and`s.
pub(crate) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match &expr.kind {
            ExprKind::Binary(crate::syntax::ast::BinaryOp::And, a, b) => {
                open.push(b);
                open.push(a);
            }
            _ => found.push(expr),
        }
    }
    found
}
