//! The structure of a pattern: names of steps, counts, where absences and guards may stand, and what the
//! first ring of the language leaves out.

use std::collections::BTreeSet;

use crate::base::function::Statistic;
use crate::check::model::{Model, Node, NodeKind, Role, StepInfo, minimum};
use crate::check::{Checker, walk};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{
    Absence, AlertValue, ClassRef, ClauseKind, Count, Element, Expr, ExprKind, Group, Guard, Quantifier, RuleDecl,
    Sequence, Step, StepGuardKind, TemplatePart, Then,
};
use crate::syntax::source::Span;

/// Steps, guards and statistics of one rule together, at most.
const MAX_PARTS: usize = 64;

impl<'a> Checker<'a> {
    /// Names of steps: taken, reserved, or hiding the field of a key.
    pub(crate) fn step_names(&mut self, model: &Model<'a>) {
        let named: Vec<_> = model.steps.iter().filter_map(|s| s.step.name.as_ref()).collect();
        for (i, name) in named.iter().enumerate() {
            if let Some(first) = named[..i].iter().find(|n| n.name == name.name) {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE_STEP,
                        format!("two steps are called `{}`", name.name),
                        name.span,
                        "named again here",
                    )
                    .label(first.span, "first named here")
                    .note("`any` and `all` members are steps like others: names are unique in a rule")
                    .help("rename one of them"),
                );
            }
            if matches!(name.name.as_str(), "prev" | "key") {
                self.out.push(
                    Diagnostic::error(
                        codes::RESERVED_NAME,
                        format!("a step cannot be called `{}`", name.name),
                        name.span,
                        "a reserved name",
                    )
                    .help("choose another name for the step"),
                );
            }
            let hidden = model.steps.iter().flat_map(|s| &s.components).find_map(|c| {
                let field = c.field.as_ref()?;
                let (head, _) = field.split_once('.')?;
                (head == name.name).then_some((field, c.item.span))
            });
            if let Some((field, span)) = hidden {
                self.out.push(
                    Diagnostic::warning(
                        codes::STEP_HIDES_FIELD,
                        format!("the step `{}` hides the fields below `{}`", name.name, name.name),
                        name.span,
                        format!("in conditions `{field}` now means a field of this step"),
                    )
                    .label(span, "read as a field of the event here")
                    .help("rename the step"),
                );
            }
        }
    }

    /// Elements, joints, counts and guards.
    pub(crate) fn structure(&mut self, model: &Model<'a>) {
        self.sizes(model);
        for group in &model.flattened {
            self.group_without_effect(group.span, "braces without a quantifier have");
        }
        for element in &model.misplaced {
            self.misplaced(element);
        }
        if let Some(matching) = model.matching {
            self.plain_groups(&matching.body);
        }
        for (at, node) in model.nodes.iter().enumerate() {
            self.joint(model, node);
            match &node.kind {
                NodeKind::Step(step) => self.step_shape(model, at, &model.steps[*step]),
                NodeKind::Absence(absence) => self.absence(model, at, absence),
                NodeKind::All(all, steps) => {
                    self.members(model, at, steps, "all");
                    if steps.len() == 1 {
                        self.group_without_effect(all.span, "`all` with one member has");
                    }
                }
                NodeKind::Any(any, steps) => {
                    self.members(model, at, steps, "any");
                    if steps.len() == 1 {
                        self.group_without_effect(any.span, "`any` with one member has");
                    }
                }
                NodeKind::Group(group, steps) => self.repeated_group(model, group, steps),
            }
        }
        self.end_of_pattern(model);
        self.ambiguous_any(model);
    }

    fn sizes(&mut self, model: &Model<'a>) {
        if model.steps.len() > self.limits.max_steps {
            let over = model.steps[self.limits.max_steps].step.span;
            self.out.push(
                Diagnostic::error(
                    codes::TOO_MANY_STEPS,
                    format!("this rule has {} steps", model.steps.len()),
                    over,
                    format!("the limit is {} steps", self.limits.max_steps),
                )
                .help("count repeated events with `at least N of`, or build a second rule on the alerts of a first"),
            );
        }
    }

    /// What may stand at the borders of braces that are flattened.
    fn plain_groups(&mut self, sequence: &Sequence) {
        let elements: Vec<&Element> = sequence.elements().collect();
        let joints: Vec<Option<&Then>> =
            std::iter::once(None).chain(sequence.rest.iter().map(|(t, _)| Some(t))).collect();
        for (at, element) in elements.iter().enumerate() {
            let Element::Group(group) = element else { continue };
            if group.quantifier.is_some() {
                continue;
            }
            self.plain_groups(&group.body);
            let inner: Vec<&Element> = group.body.elements().collect();
            let begins = inner.first().filter(|e| matches!(e, Element::Absence(_)));
            let open = |e: &&&Element| matches!(e, Element::Absence(a) if a.within.is_none());
            let ends = inner.last().filter(open);
            let before = at.checked_sub(1).and_then(|i| elements.get(i)).filter(open);
            if let Some(absence) = begins.or(ends).or(before) {
                self.out.push(
                    Diagnostic::error(
                        codes::ABSENCE_BEFORE_GROUP,
                        "an absence cannot stand at the border of braces",
                        absence.span(),
                        "the step that it belongs to is on the other side",
                    )
                    .label(group.span, "the braces")
                    .help("delete the braces: they change nothing here"),
                );
            }
            if let Some(then) = joints.get(at).copied().flatten().filter(|t| t.next) {
                self.out.push(
                    Diagnostic::error(
                        codes::WRONG_NEXT,
                        "`next` takes a step that binds one event",
                        then.span,
                        "before braces",
                    )
                    .label(group.span, "the braces")
                    .help("delete the braces: they change nothing here"),
                );
            }
        }
    }

    /// The parts of a rule that look at events each have a bit in a word of 64.
    pub(crate) fn parts(&mut self, model: &Model<'a>) {
        let mut statistics: BTreeSet<(usize, String)> = BTreeSet::new();
        let mut guards = 0;
        let mut contiguous = false;
        for (index, info) in model.steps.iter().enumerate() {
            guards += info.step.guards.iter().map(|g| g.events.len()).sum::<usize>();
            guards += usize::from(info.step.until.is_some());
            if let Some(condition) = &info.step.condition {
                self.statistics_in(condition, index, &mut statistics);
            }
        }
        for node in &model.nodes {
            contiguous |= node.then.is_some_and(|t| t.directly);
            guards += node.then.map_or(0, |t| usize::from(t.next));
            guards += match &node.kind {
                NodeKind::Absence(absence) => absence.events.len(),
                NodeKind::All(all, _) => all.without.len(),
                _ => 0,
            };
        }
        for clause in &model.rule.clauses {
            match &clause.kind {
                ClauseKind::CancelOn(events) => guards += events.len(),
                ClauseKind::Having(e) | ClauseKind::Severity(e) | ClauseKind::Risk(e) => {
                    self.statistics_in(e, usize::MAX, &mut statistics);
                }
                ClauseKind::Alert(fields) => {
                    for field in fields {
                        match &field.value {
                            AlertValue::Expr(e) => self.statistics_in(e, usize::MAX, &mut statistics),
                            AlertValue::Template(parts, _) => {
                                for part in parts {
                                    if let TemplatePart::Expr(e) = part {
                                        self.statistics_in(e, usize::MAX, &mut statistics);
                                    }
                                }
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        let parts = model.steps.len() + guards + statistics.len() + usize::from(contiguous);
        if parts > MAX_PARTS && model.steps.len() <= self.limits.max_steps {
            self.out.push(
                Diagnostic::error(
                    codes::TOO_MANY_STEPS,
                    format!("this rule has {parts} steps, guards and statistics together"),
                    model.rule.name.span,
                    format!("the limit is {MAX_PARTS}"),
                )
                .note(format!(
                    "steps: {}, guarded events: {guards}, statistics: {}",
                    model.steps.len(),
                    statistics.len()
                ))
                .help("build a second rule on the alerts of a first: `alert.rule_name`"),
            );
        }
    }

    /// The running statistics of an expression, `let`s included.
    fn statistics_in(&self, expr: &Expr, step: usize, found: &mut BTreeSet<(usize, String)>) {
        let mut lets: Vec<&str> = Vec::new();
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            walk::expressions(expr, &mut |e| {
                match &e.kind {
                    ExprKind::Call(call) if Statistic::by_name(&call.name.name).is_some() && self.has_window(call) => {
                        found.insert((step, self.sources.text(e.span).to_string()));
                    }
                    ExprKind::Path(path) if path.parts.len() == 1 => {
                        let name = path.parts[0].name.as_str();
                        if let Some(decl) = self.names.lets.get(name)
                            && !lets.contains(&name)
                        {
                            lets.push(name);
                            open.push(&decl.value);
                        }
                    }
                    _ => {}
                }
                true
            });
        }
    }

    fn group_without_effect(&mut self, span: Span, what: &str) {
        self.out.push(
            Diagnostic::warning(codes::GROUP_WITHOUT_EFFECT, format!("{what} no effect"), span, "can be left out")
                .help("delete the braces, or repeat the group: `at least 3 of { … }`"),
        );
    }

    fn joint(&mut self, model: &Model<'a>, node: &Node<'a>) {
        let Some(then) = node.then else { return };
        let bounded = then.after.as_ref().or(then.within.as_ref());
        if let NodeKind::Absence(absence) = &node.kind {
            let word = if then.directly { Some("directly") } else { then.next.then_some("next") };
            if let Some(word) = word {
                self.out.push(
                    Diagnostic::error(
                        codes::BOUND_BEFORE_ABSENCE,
                        format!("`{word}` has no meaning before an absence"),
                        then.span,
                        "no event follows that could be next",
                    )
                    .label(absence.span, "nothing is bound here")
                    .help("write `then no …`, and put the word before the step that follows it"),
                );
            } else if let Some(bound) = bounded {
                let word = if then.after.is_some() { "after" } else { "within" };
                self.out.push(
                    Diagnostic::error(
                        codes::BOUND_BEFORE_ABSENCE,
                        format!("`{word}` before an absence bounds no gap"),
                        bound.span,
                        "there is no event to measure to",
                    )
                    .note("an absence runs from the previous step's event")
                    .help("the length of an absence follows it: `then no X within 5m`"),
                );
            }
            return;
        }
        if then.next {
            let single = matches!(&node.kind, NodeKind::Step(i) if model.steps[*i].step.quantifier.is_none());
            if !single {
                self.out.push(
                    Diagnostic::error(
                        codes::WRONG_NEXT,
                        "`next` takes a step that binds one event",
                        then.span,
                        "what follows is not a single step",
                    )
                    .note("`then next X` means: X, and no other such X in between")
                    .help("leave out `next`, or say what must not lie between with `without`"),
                );
            } else if then.directly {
                self.out.push(
                    Diagnostic::error(
                        codes::NO_EFFECT,
                        "`next` has no effect beside `directly`",
                        then.span,
                        "already implied",
                    )
                    .note("with `directly` no event of the pattern's classes lies between anyway")
                    .help("delete `next`"),
                );
            }
        }
    }

    fn step_shape(&mut self, model: &Model<'a>, at: usize, info: &StepInfo<'a>) {
        let step = info.step;
        if let Some(quantifier) = &step.quantifier {
            self.quantifier(quantifier);
        }
        let first = !model.nodes[..at].iter().any(|n| !matches!(n.kind, NodeKind::Absence(_)));
        if first && !info.is_repeated() {
            self.without_on_first(step);
        }
        self.until(step, info.is_repeated());
        self.guard_lasts(step);
    }

    fn without_on_first(&mut self, step: &Step) {
        if let Some(guard) = step.guards.iter().find(|g| g.kind == StepGuardKind::Without) {
            self.out.push(
                Diagnostic::error(
                    codes::WITHOUT_ON_FIRST,
                    "`without` has no effect on the first step",
                    guard.span,
                    "there is no step before, so nothing lies between",
                )
                .help("for something that must not have happened before write `unless X in last 1h`"),
            );
        }
    }

    fn until(&mut self, step: &Step, repeated: bool) {
        if let (Some(until), false) = (&step.until, repeated) {
            self.out.push(
                Diagnostic::error(
                    codes::UNTIL_WITHOUT_REPETITION,
                    "`until` ends a repetition, and this step has none",
                    until.span,
                    "binds one event at most",
                )
                .help("repeat the step, `one or more of X until U`, or make what ends it a step: `then U`"),
            );
        }
    }

    fn guard_lasts(&mut self, step: &Step) {
        for guard in &step.guards {
            match (&guard.last, guard.kind) {
                (Some(last), StepGuardKind::If | StepGuardKind::Unless) => {
                    self.duration(last, "`in last`");
                }
                (None, StepGuardKind::If | StepGuardKind::Unless) => self.out.push(
                    Diagnostic::error(
                        codes::NOT_A_DURATION,
                        "this guard does not say how far it looks back",
                        guard.span,
                        "no `in last`",
                    )
                    .help("add `in last 1h`"),
                ),
                _ => {}
            }
        }
    }

    fn quantifier(&mut self, quantifier: &Quantifier) {
        let span = quantifier.span;
        let wrong = |message: &str, label: &str, help: &str| {
            Diagnostic::error(codes::WRONG_COUNT, message, span, label).help(help)
        };
        let most = match quantifier.count {
            Count::AtLeast(n) | Count::Exactly(n) | Count::Range(_, n) => n,
            _ => 0,
        };
        let found = match quantifier.count {
            Count::AtLeast(0) => wrong(
                "`at least 0` asks for nothing",
                "always satisfied",
                "write `zero or more of`, or a number from 1 on",
            ),
            Count::Exactly(0) => wrong(
                "`exactly 0` is an absence",
                "binds nothing",
                "write `then no X within 5m`, or `without X` after the next step",
            ),
            Count::Range(_, 0) => wrong(
                "`0..0` is an absence",
                "binds nothing",
                "write `then no X within 5m`, or `without X` after the next step",
            ),
            Count::Range(n, m) if n > m => wrong(
                &format!("`{n}..{m}` counts backwards"),
                "the first number is larger than the second",
                &format!("write `{m}..{n} of`"),
            )
            .fix(span, self.sources.text(span).replacen(&format!("{n}..{m}"), &format!("{m}..{n}"), 1)),
            _ if most > self.limits.max_count => wrong(
                &format!("{most} events are more than a step may count"),
                &format!("the limit is {}", self.limits.max_count),
                "count over a shorter time, or raise the limit in the configuration",
            ),
            Count::AtLeast(1) => {
                let text = self.sources.text(span).replacen("at least 1", "one or more", 1);
                let report = Diagnostic::warning(
                    codes::AT_LEAST_ONE,
                    "`at least 1` is `one or more`",
                    span,
                    "binds every event that qualifies, not one",
                );
                if quantifier.distinct.is_empty() {
                    report.help("write `one or more of`, or leave the count out to bind one event").fix(span, text)
                } else {
                    report.help("leave the count out to bind one event")
                }
            }
            Count::Optional if quantifier.consecutive || !quantifier.distinct.is_empty() => Diagnostic::error(
                codes::NO_EFFECT,
                "an optional step binds one event at most",
                span,
                "`consecutive` and `distinct` have no effect",
            )
            .help("delete them, or repeat the step: `zero or more of`"),
            Count::ZeroOrMore if !quantifier.distinct.is_empty() => Diagnostic::error(
                codes::NO_EFFECT,
                "`distinct` has no effect without a number to reach",
                span,
                "any count will do",
            )
            .help("write `at least 2 distinct …`, or ask in `having`: `count(distinct a.f) > 1`"),
            _ => return,
        };
        self.out.push(found);
    }

    fn absence(&mut self, model: &Model<'a>, at: usize, absence: &'a Absence) {
        if !model.nodes[..at].iter().any(|n| !matches!(n.kind, NodeKind::Absence(_))) {
            // Reported once, for the first of several.
            if at == 0 {
                self.out.push(
                    Diagnostic::error(
                        codes::BEGINS_WITH_ABSENCE,
                        "a pattern cannot begin with an absence",
                        absence.span,
                        "absent since when?",
                    )
                    .note("an absence runs from an event to a deadline")
                    .help("put the step it follows before it, `a: X then no Y within 5m`, or look back from the next step: `X unless Y in last 5m`"),
                );
            }
            return;
        }
        if absence.within.is_some() {
            return;
        }
        // A bound before the absence is reported by itself: it belongs behind it.
        let misplaced = model.nodes[at].then.is_some_and(|t| t.within.is_some() || t.after.is_some());
        match model.nodes.get(at + 1).map(|n| &n.kind) {
            None if misplaced => {}
            None => self.out.push(
                Diagnostic::error(
                    codes::ENDLESS_ABSENCE,
                    "an absence at the end needs `within`",
                    absence.span,
                    "for how long?",
                )
                .note("without a deadline it would never be decided")
                .help("say for how long")
                .fix(end_of(absence.span), " within 5m"),
            ),
            Some(NodeKind::Step(_) | NodeKind::Any(..)) => {}
            Some(other) => {
                let help = match other {
                    NodeKind::All(..) => "write `without X` after the braces of `all`, or give the absence a `within`",
                    NodeKind::Absence(_) => "put both into one list, `no X, Y`, or give each a `within`",
                    _ => "give the absence a `within`",
                };
                self.out.push(
                    Diagnostic::error(
                        codes::ABSENCE_BEFORE_GROUP,
                        "an absence without `within` must be followed by a step",
                        absence.span,
                        "lasts until the next step's event",
                    )
                    .help(help),
                );
            }
        }
    }

    fn members(&mut self, model: &Model<'a>, at: usize, steps: &[usize], word: &str) {
        let first = !model.nodes[..at].iter().any(|n| !matches!(n.kind, NodeKind::Absence(_)));
        for info in steps.iter().map(|i| &model.steps[*i]) {
            let step = info.step;
            if let Some(quantifier) = &step.quantifier {
                self.out.push(
                    Diagnostic::error(
                        codes::MEMBER_NOT_SINGLE,
                        format!("a repeated or optional member of `{word}` is not built yet"),
                        quantifier.span,
                        "members bind one event each",
                    )
                    .help("move the repetition before or after the braces"),
                );
                continue;
            }
            let without = step.guards.iter().find(|g| g.kind == StepGuardKind::Without);
            match (without, info.role) {
                (Some(_), Role::AnyMember) if first => self.without_on_first(step),
                (Some(guard), role) => {
                    let help = if role == Role::AllMember {
                        "write it after the braces: `all { … } without X` covers the whole span"
                    } else {
                        "write it before `any`, for all members: `then no X then any { … }`"
                    };
                    self.out.push(
                        Diagnostic::error(
                            codes::WITHOUT_IN_GROUP,
                            format!("`without` cannot stand at a member of `{word}`"),
                            guard.span,
                            "between which events?",
                        )
                        .help(help),
                    );
                }
                _ => {}
            }
            self.until(step, false);
            self.guard_lasts(step);
        }
    }

    fn misplaced(&mut self, element: &Element) {
        let (what, help) = match element {
            Element::Absence(_) => {
                ("an absence", "count the steps alone, and look back with `unless X in last 5m` outside the group")
            }
            Element::All(_) | Element::Any(_) => {
                ("`all` or `any`", "repeat a sequence of single steps; `(X or Y)` takes either class")
            }
            Element::Group(_) => ("a group", "join its steps to the outer group with `then`"),
            Element::Step(_) => return,
        };
        self.out.push(
            Diagnostic::error(
                codes::GROUP_TOO_RICH,
                format!("{what} inside a repeated group is not built yet"),
                element.span(),
                "only single steps joined by `then`",
            )
            .help(help),
        );
    }

    fn repeated_group(&mut self, model: &Model<'a>, group: &Group, steps: &[(Option<&'a Then>, usize)]) {
        if let Some(quantifier) = &group.quantifier {
            let refused = if quantifier.consecutive {
                Some("a `consecutive` group")
            } else if !quantifier.distinct.is_empty() {
                Some("a group counted by `distinct`")
            } else {
                (quantifier.count == Count::Optional).then_some("an optional group")
            };
            match refused {
                Some(what) => self.out.push(
                    Diagnostic::error(
                        codes::GROUP_TOO_RICH,
                        format!("{what} is not built yet"),
                        quantifier.span,
                        "not available",
                    )
                    .help("write `at least N of { … }`, or make single steps optional"),
                ),
                None => self.quantifier(quantifier),
            }
        }
        for (joint, index) in steps {
            let step = model.steps[*index].step;
            let problem = if let Some(quantifier) = &step.quantifier {
                Some((quantifier.span, "a repeated or optional step"))
            } else if let Some(guard) = step.guards.first() {
                let what = if guard.kind == StepGuardKind::Without { "`without`" } else { "a guard with `in last`" };
                Some((guard.span, what))
            } else if let Some(until) = &step.until {
                Some((until.span, "`until`"))
            } else {
                joint.filter(|j| j.next).map(|j| (j.span, "`next`"))
            };
            if let Some((span, what)) = problem {
                self.out.push(
                    Diagnostic::error(
                        codes::GROUP_TOO_RICH,
                        format!("{what} inside a repeated group is not built yet"),
                        span,
                        "only single steps joined by `then`",
                    )
                    .help("move it outside the group, or write the repetitions out"),
                );
            }
        }
    }

    /// What a pattern may end with, and whether it can bind nothing.
    fn end_of_pattern(&mut self, model: &Model<'a>) {
        let empty = |node: &Node<'a>| match &node.kind {
            NodeKind::Step(i) => model.steps[*i].may_be_empty(),
            NodeKind::Group(group, _) => group.quantifier.as_ref().is_some_and(|q| minimum(q.count) == 0),
            NodeKind::Absence(_) => true,
            NodeKind::All(..) | NodeKind::Any(..) => false,
        };
        let span = |node: &Node<'a>| match &node.kind {
            NodeKind::Step(i) => model.steps[*i].step.quantifier.as_ref().map_or(model.steps[*i].step.span, |q| q.span),
            NodeKind::Group(group, _) => group.quantifier.as_ref().map_or(group.span, |q| q.span),
            NodeKind::Absence(absence) => absence.span,
            NodeKind::All(all, _) => all.span,
            NodeKind::Any(any, _) => any.span,
        };
        let Some(last) = model.nodes.last() else { return };
        // `at least 0` at the end is reported as such.
        let named = |node: &Node<'a>| match &node.kind {
            NodeKind::Step(i) => model.steps[*i].step.quantifier.as_ref().map(|q| q.count),
            NodeKind::Group(group, _) => group.quantifier.as_ref().map(|q| q.count),
            _ => None,
        };
        if matches!(named(last), Some(Count::AtLeast(0) | Count::Exactly(0) | Count::Range(_, 0))) {
            return;
        }
        if !matches!(last.kind, NodeKind::Absence(_)) && empty(last) {
            let single = model.nodes.len() == 1;
            self.out.push(
                Diagnostic::error(
                    codes::LAST_MAY_BE_EMPTY,
                    "the last step may bind nothing, so it would never be waited for",
                    span(last),
                    "has no effect at the end",
                )
                .note("a match completes as soon as its last step is satisfied, and this one is before its first event")
                .help(if single {
                    "write `one or more of`"
                } else {
                    "delete the step, or write `one or more of`"
                }),
            );
        } else if matches!(last.kind, NodeKind::Absence(_))
            && model.nodes.len() > 1
            && !matches!(model.nodes[0].kind, NodeKind::Absence(_))
            && model.nodes.iter().all(empty)
        {
            self.out.push(
                Diagnostic::error(
                    codes::MAY_BIND_NOTHING,
                    "this pattern may bind no event at all",
                    span(&model.nodes[0]),
                    "every step may bind nothing",
                )
                .note("an absence runs from an event")
                .help("make one of the steps required"),
            );
        }
    }
}

fn end_of(span: Span) -> Span {
    Span { start: span.end, ..span }
}

/// Every class that a rule names, guards included.
pub(crate) fn all_classes(rule: &RuleDecl) -> Vec<&ClassRef> {
    let mut found = Vec::new();
    for clause in &rule.clauses {
        match &clause.kind {
            ClauseKind::Match(matching) => sequence_classes(&matching.body, &mut found),
            ClauseKind::CancelOn(guards) => guard_classes(guards, &mut found),
            _ => {}
        }
    }
    found
}

fn sequence_classes<'a>(sequence: &'a Sequence, found: &mut Vec<&'a ClassRef>) {
    for element in sequence.elements() {
        match element {
            Element::Step(step) => step_classes(step, found),
            Element::Absence(absence) => guard_classes(&absence.events, found),
            Element::All(all) => {
                all.members.iter().for_each(|s| step_classes(s, found));
                guard_classes(&all.without, found);
            }
            Element::Any(any) => any.members.iter().for_each(|s| step_classes(s, found)),
            Element::Group(group) => sequence_classes(&group.body, found),
        }
    }
}

fn step_classes<'a>(step: &'a Step, found: &mut Vec<&'a ClassRef>) {
    found.extend(&step.classes);
    step.guards.iter().for_each(|g| guard_classes(&g.events, found));
    step.until.iter().for_each(|u| found.extend(&u.classes));
}

fn guard_classes<'a>(guards: &'a [Guard], found: &mut Vec<&'a ClassRef>) {
    guards.iter().for_each(|g| found.extend(&g.classes));
}
