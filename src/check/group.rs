//! Braces in patterns: plain groups, `all`, `any`, repeated groups, and what they may hold.

use crate::check::Checker;
use crate::check::model::{Model, NodeKind, Role};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Count, Element, Group, Sequence, StepGuardKind, Then};
use crate::syntax::source::Span;

impl<'a> Checker<'a> {
    /// What may stand at the borders of braces that are flattened.
    pub(super) fn plain_groups(&mut self, sequence: &Sequence) {
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
            let open = |e: &&&Element| matches!(e, Element::Absence(a) if !a.is_timed());
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
                    .help(borders_help(group)),
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
                    .help(borders_help(group)),
                );
            }
        }
    }

    pub(super) fn group_without_effect(&mut self, span: Span, what: &str) {
        self.out.push(
            Diagnostic::warning(codes::GROUP_WITHOUT_EFFECT, format!("{what} no effect"), span, "can be left out")
                .help("delete the braces, or repeat the group: `at least 3 of { … }`"),
        );
    }

    pub(super) fn members(&mut self, model: &Model<'a>, at: usize, steps: &[usize], word: &str) {
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
            self.guard_lasts(model, step);
        }
    }

    pub(super) fn misplaced(&mut self, element: &Element) {
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

    pub(super) fn repeated_group(&mut self, model: &Model<'a>, group: &Group, steps: &[(Option<&'a Then>, usize)]) {
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
            } else if let Some(ends) = &step.ends {
                Some((ends.span, "`until`"))
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
}

fn borders_help(group: &Group) -> &'static str {
    match group.within {
        None => "delete the braces: they change nothing here",
        Some(_) => "write it as `without X` or `X without X` at the step itself, or move the brace",
    }
}
