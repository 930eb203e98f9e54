//! The structure of a pattern: names of steps, counts, where absences and guards may stand, and what the
//! first ring of the language leaves out.

use crate::check::Checker;
use crate::check::model::{Model, Node, NodeKind, StepInfo, minimum};
use crate::check::scope::{Place, Scope};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{
    Absence, ClassRef, ClauseKind, Count, Element, Guard, Quantifier, RuleDecl, Sequence, Step, StepGuardKind,
};
use crate::syntax::source::Span;

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
        if info.is_repeated() {
            self.ends(model, at, info);
        }
        self.guard_lasts(model, step);
    }

    pub(super) fn without_on_first(&mut self, step: &Step) {
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

    pub(super) fn until(&mut self, step: &Step, repeated: bool) {
        let span = step.until.as_ref().map(|u| u.span).or(step.ends.as_ref().map(|e| e.span));
        if let (Some(span), false) = (span, repeated) {
            self.out.push(
                Diagnostic::error(
                    codes::UNTIL_WITHOUT_REPETITION,
                    "`until` ends a repetition, and this step has none",
                    span,
                    "binds one event at most",
                )
                .help("repeat the step, `one or more of X until U`, or make what ends it a step: `then U`"),
            );
        }
    }

    /// The number of `fewer than N of`, and its end.
    fn fewer(&mut self, absence: &Absence) {
        let Some(n) = absence.fewer else { return };
        if n == 0 {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_COUNT,
                    "`fewer than 0` never holds",
                    absence.span,
                    "there cannot be fewer than none",
                )
                .help("write `no X within 5m`, which is `fewer than 1`"),
            );
        } else if n > self.limits.max_count {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_COUNT,
                    format!("{n} events are more than may be counted"),
                    absence.span,
                    format!("the limit is {}", self.limits.max_count),
                )
                .help("count over a shorter time, or raise the limit in the configuration"),
            );
        }
        if !absence.is_timed() {
            self.out.push(
                Diagnostic::error(
                    codes::ENDLESS_ABSENCE,
                    "`fewer than` needs `within` or `until`",
                    absence.span,
                    "for how long?",
                )
                .note("the events are counted from the previous step's event to the deadline, where it is decided")
                .help("say for how long")
                .fix(end_of(absence.span), " within 5m"),
            );
        }
    }

    pub(super) fn guard_lasts(&mut self, model: &Model<'a>, step: &Step) {
        for guard in &step.guards {
            match (&guard.last, guard.kind) {
                (Some(last), StepGuardKind::If | StepGuardKind::Unless) => {
                    let index = model.steps.iter().position(|s| std::ptr::eq(s.step, step)).unwrap_or_default();
                    let scope = Scope { place: Place::Bound, ..Scope::guard(model, index, true) };
                    self.span(last, "`in last`", &scope);
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

    pub(super) fn quantifier(&mut self, quantifier: &Quantifier) {
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
        self.fewer(absence);
        if absence.is_timed() || absence.fewer.is_some() {
            return;
        }
        if let Some(group) = &absence.group {
            self.endless_group(absence, group);
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
            ClauseKind::CancelOn(guards) | ClauseKind::ResolveOn(guards) => guard_classes(guards, &mut found),
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
            Element::Choice(choice) => choice.members.iter().for_each(|member| sequence_classes(member, found)),
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
