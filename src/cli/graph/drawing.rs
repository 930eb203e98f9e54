//! The automaton of a rule as a drawing: states and labelled transitions, before any drawing language.

use tripline::syntax::ast::{
    Absence, AfterMatch, ClauseKind, Count, Element, Group, Guard, Pick, RuleDecl, Sequence, Step, StepGuardKind, Then,
};

use crate::cli::wording::{Wording, count};

/// A drawing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    /// The rule's name and title.
    pub title: String,
    /// States; the first is the start.
    pub nodes: Vec<Node>,
    /// Transitions.
    pub edges: Vec<Edge>,
    /// What holds for the whole rule.
    pub notes: Vec<String>,
}

/// A state.
#[derive(Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub label: String,
    /// What it is.
    pub kind: NodeKind,
}

/// Kinds of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Nothing bound yet.
    Start,
    /// Something is bound.
    State,
    /// The match is complete.
    Alert,
    /// The attempt is given up.
    Abandoned,
}

/// A transition.
#[derive(Debug, PartialEq, Eq)]
pub struct Edge {
    /// From this state.
    pub from: usize,
    /// To this one.
    pub to: usize,
    /// What makes it happen, line by line.
    pub label: Vec<String>,
    /// What it is.
    pub kind: EdgeKind,
}

/// Kinds of transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// An event is bound.
    Take,
    /// One more event of the same step, or one more iteration.
    Again,
    /// Time passes.
    Time,
    /// The attempt ends.
    Break,
}

/// Draws a rule.
pub fn draw(rule: &RuleDecl, wording: Wording<'_>) -> Drawing {
    let title =
        rule.title.as_ref().map_or_else(|| rule.name.name.clone(), |t| format!("{}: {}", rule.name.name, t.value));
    let mut builder = Builder {
        wording,
        drawing: Drawing { title, ..Drawing::default() },
        exits: Vec::new(),
        bounds: Vec::new(),
        abandoned: None,
    };
    let start = builder.node("start", NodeKind::Start);
    builder.exits = vec![(start, Vec::new())];
    for clause in &rule.clauses {
        if let ClauseKind::Match(found) = &clause.kind {
            builder.sequence(&found.body);
            builder.complete();
            if let Some(within) = &found.within {
                let note = format!("within {} from the first to the last bound event", wording.expr(within));
                builder.drawing.notes.push(note);
            }
        }
    }
    for clause in &rule.clauses {
        builder.clause(&clause.kind);
    }
    builder.drawing
}

struct Builder<'a> {
    wording: Wording<'a>,
    drawing: Drawing,
    /// States from which the next element is entered, with what must hold to leave them.
    exits: Vec<(usize, Vec<String>)>,
    /// Bounds of the joint to the next element.
    bounds: Vec<String>,
    abandoned: Option<usize>,
}

impl Builder<'_> {
    fn sequence(&mut self, sequence: &Sequence) {
        self.element(&sequence.first, None);
        for (then, element) in &sequence.rest {
            self.element(element, Some(then));
        }
    }

    fn element(&mut self, element: &Element, then: Option<&Then>) {
        if let Some(then) = then {
            self.bounds.extend(self.wording.bounds(then));
        }
        match element {
            Element::Step(step) => self.step(step),
            Element::Absence(absence) => self.absence(absence),
            Element::All(all) => {
                self.breaks(&all.without);
                let mut label = vec!["all of, in any order:".to_owned()];
                label.extend(all.members.iter().map(|step| self.member(step)));
                let name: Vec<String> = all.members.iter().map(|step| self.wording.step_name(step)).collect();
                let node = self.node(&name.join(" + "), NodeKind::State);
                self.enter(node, &label);
                self.exits = vec![(node, Vec::new())];
            }
            Element::Any(any) => {
                let name: Vec<String> = any.members.iter().map(|step| self.wording.step_name(step)).collect();
                let node = self.node(&name.join(" or "), NodeKind::State);
                let bounds = std::mem::take(&mut self.bounds);
                for step in &any.members {
                    self.bounds.clone_from(&bounds);
                    self.enter(node, &[self.member(step)]);
                }
                self.exits = vec![(node, Vec::new())];
            }
            Element::Choice(choice) => {
                let (before, bounds) = (self.exits.clone(), std::mem::take(&mut self.bounds));
                let mut exits = Vec::new();
                for member in &choice.members {
                    self.exits.clone_from(&before);
                    self.bounds.clone_from(&bounds);
                    self.sequence(member);
                    exits.append(&mut self.exits);
                }
                self.exits = exits;
            }
            Element::Group(group) => self.group(group),
        }
    }

    fn member(&self, step: &Step) -> String {
        let event = self.wording.event_of(step);
        step.name.as_ref().map_or_else(|| event.clone(), |name| format!("{}: {event}", name.name))
    }

    fn step(&mut self, step: &Step) {
        let mut label = vec![self.wording.event_of(step)];
        for guard in &step.guards {
            if guard.kind == StepGuardKind::Without {
                self.breaks(&guard.events);
            } else {
                label.push(self.wording.step_guard(guard));
            }
        }
        let node = self.node(&self.wording.step_name(step), NodeKind::State);
        let before = self.exits.clone();
        self.enter(node, &label);
        let Some(quantifier) = &step.quantifier else {
            self.exits = vec![(node, Vec::new())];
            return;
        };
        let optional = matches!(quantifier.count, Count::Optional | Count::ZeroOrMore);
        let mut leave = Vec::new();
        if quantifier.count != Count::Optional {
            let again = if quantifier.consecutive { "directly one more" } else { "one more" };
            self.edge(node, node, vec![again.to_owned()], EdgeKind::Again);
            if !optional {
                leave.push(self.wording.quantifier(quantifier));
            }
        }
        if let Some(until) = &step.until {
            leave.push(format!("until {}", self.wording.guard(until)));
        }
        if let Some(ends) = &step.ends {
            let length = self.wording.expr(&ends.length);
            leave.push(match ends.silent {
                true => format!("until silent {length}"),
                false => format!("{length} after the first"),
            });
        }
        self.exits = vec![(node, leave)];
        if optional {
            self.exits.extend(before);
        }
    }

    fn absence(&mut self, absence: &Absence) {
        match &absence.group {
            Some(group) => self.breaks_with(&[self.wording.span(group.span)]),
            None => self.breaks(&absence.events),
        }
        let passed = match (&absence.within, &absence.until) {
            (Some(within), _) => Some(self.wording.expr(within)).map(|d| (format!("{d} passed"), format!("{d} pass"))),
            (None, Some(until)) => Some(self.wording.expr(until)).map(|t| (format!("{t} reached"), t)),
            (None, None) => None,
        };
        if let Some((state, passes)) = passed {
            let node = self.node(&state, NodeKind::State);
            let bounds = std::mem::take(&mut self.bounds);
            for (from, mut label) in std::mem::take(&mut self.exits) {
                label.push(match absence.fewer {
                    None => format!("{passes} without it"),
                    Some(n) => format!("{passes} with fewer than {n} of it"),
                });
                label.extend(bounds.iter().cloned());
                self.edge(from, node, label, EdgeKind::Time);
            }
            self.exits = vec![(node, Vec::new())];
        }
    }

    fn group(&mut self, group: &Group) {
        let first = self.drawing.nodes.len();
        self.sequence(&group.body);
        if let Some(within) = &group.within {
            let bound = format!("within {} of its part", self.wording.expr(within));
            for (_, leave) in &mut self.exits {
                leave.push(bound.clone());
            }
        }
        if let Some(quantifier) = &group.quantifier {
            for (from, _) in self.exits.clone() {
                self.edge(from, first, vec!["once more".to_owned()], EdgeKind::Again);
            }
            let times = format!("{} times", count(quantifier.count));
            for (_, leave) in &mut self.exits {
                leave.push(times.clone());
            }
        }
    }

    /// Ends the pattern: a plain last state is the alert itself, others lead to it.
    fn complete(&mut self) {
        if let [(node, leave)] = self.exits.as_slice()
            && leave.is_empty()
            && *node != 0
        {
            let node = &mut self.drawing.nodes[*node];
            node.kind = NodeKind::Alert;
            node.label = format!("{}: alert", node.label);
            return;
        }
        let alert = self.node("alert", NodeKind::Alert);
        for (from, leave) in std::mem::take(&mut self.exits) {
            self.edge(from, alert, leave, EdgeKind::Take);
        }
    }

    fn clause(&mut self, clause: &ClauseKind) {
        let note = match clause {
            ClauseKind::By(items) => format!("by {}", self.wording.key(items)),
            ClauseKind::Having { condition, lasting } => {
                let lasting = lasting.as_ref().map(|d| format!(" for {}", self.wording.expr(d))).unwrap_or_default();
                format!("having {}{lasting}", self.wording.expr(condition))
            }
            ClauseKind::Pick(pick) => format!("pick {}", pick_word(*pick)),
            ClauseKind::AfterMatch(after) => format!("after match {}", after_words(after)),
            ClauseKind::Suppress { period, by } => {
                let by: Vec<String> = by.iter().map(|e| self.wording.expr(e)).collect();
                let per = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
                format!("suppress {}{per}", self.wording.expr(period))
            }
            ClauseKind::CancelOn(guards) => {
                let states: Vec<usize> =
                    (0..self.drawing.nodes.len()).filter(|n| self.drawing.nodes[*n].kind == NodeKind::State).collect();
                self.exits = states.into_iter().map(|state| (state, Vec::new())).collect();
                self.breaks(guards);
                format!("cancel on {}", self.wording.guards(guards))
            }
            _ => return,
        };
        self.drawing.notes.push(note);
    }

    /// Transitions from the current states to the end of the attempt.
    fn breaks(&mut self, guards: &[Guard]) {
        let label: Vec<String> = guards.iter().map(|guard| self.wording.guard(guard)).collect();
        self.breaks_with(&label);
    }

    fn breaks_with(&mut self, label: &[String]) {
        let abandoned = match self.abandoned {
            Some(node) => node,
            None => {
                let node = self.node("given up", NodeKind::Abandoned);
                self.abandoned = Some(node);
                node
            }
        };
        for (from, _) in self.exits.clone() {
            if from != 0 {
                self.edge(from, abandoned, label.to_vec(), EdgeKind::Break);
            }
        }
    }

    /// Transitions from the current states into a new one, with the bounds of the joint.
    fn enter(&mut self, to: usize, label: &[String]) {
        let bounds = std::mem::take(&mut self.bounds);
        for (from, mut lines) in self.exits.clone() {
            lines.extend(label.iter().cloned());
            lines.extend(bounds.iter().cloned());
            self.edge(from, to, lines, EdgeKind::Take);
        }
    }

    fn node(&mut self, label: &str, kind: NodeKind) -> usize {
        self.drawing.nodes.push(Node { label: label.to_owned(), kind });
        self.drawing.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, label: Vec<String>, kind: EdgeKind) {
        // Whatever ends an attempt ends it the same way: one transition with all its causes.
        let same = |e: &&mut Edge| e.kind == EdgeKind::Break && kind == EdgeKind::Break && (e.from, e.to) == (from, to);
        if let Some(edge) = self.drawing.edges.iter_mut().find(same) {
            edge.label.extend(label);
            return;
        }
        self.drawing.edges.push(Edge { from, to, label, kind });
    }
}

/// The words of `pick`.
pub fn pick_word(pick: Pick) -> &'static str {
    match pick {
        Pick::Latest => "latest",
        Pick::First => "first",
        Pick::All => "all",
        Pick::Each => "each",
        Pick::Pending => "pending",
    }
}

/// The words of `after match`.
pub fn after_words(after: &AfterMatch) -> String {
    match after {
        AfterMatch::SkipPastLast => "skip past last".to_owned(),
        AfterMatch::SkipToNext => "skip to next".to_owned(),
        AfterMatch::NoSkip => "no skip".to_owned(),
        AfterMatch::SkipToFirst(step) => format!("skip to first {}", step.name),
        AfterMatch::SkipToLast(step) => format!("skip to last {}", step.name),
    }
}
