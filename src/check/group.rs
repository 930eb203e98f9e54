//! Braces in patterns: plain groups, `all`, `any`, repeated groups, and what they may hold.

use crate::check::Checker;
use crate::check::model::{MAX_WAYS, Model, Node, NodeKind, Role};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Choice, Count, Element, Group, Sequence, StepGuardKind, Then};
use crate::syntax::source::Span;

impl<'a> Checker<'a> {
    /// What may stand at the borders of braces that are flattened.
    pub(super) fn plain_groups(&mut self, sequence: &Sequence) {
        let elements: Vec<&Element> = sequence.elements().collect();
        let joints: Vec<Option<&Then>> =
            std::iter::once(None).chain(sequence.rest.iter().map(|(t, _)| Some(t))).collect();
        for (at, element) in elements.iter().enumerate() {
            if let Element::Choice(choice) = element {
                self.choice_borders(
                    choice,
                    at.checked_sub(1).and_then(|i| elements.get(i)),
                    joints.get(at).copied().flatten(),
                );
            }
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

    /// What may stand at the borders of the members of `any`.
    fn choice_borders(&mut self, choice: &Choice, before: Option<&&Element>, then: Option<&Then>) {
        let open = |e: &&Element| matches!(e, Element::Absence(a) if a.within.is_none() && a.until.is_none());
        let mut absent = before.copied().filter(open);
        for member in &choice.members {
            self.plain_groups(member);
            let inner: Vec<&Element> = member.elements().collect();
            let begins = inner.first().copied().filter(|e| matches!(e, Element::Absence(_)));
            absent = absent.or(begins).or(inner.last().copied().filter(open));
        }
        if let Some(absence) = absent {
            self.out.push(
                Diagnostic::error(
                    codes::ABSENCE_BEFORE_GROUP,
                    "an absence cannot stand at the border of braces",
                    absence.span(),
                    "the step that it belongs to is on the other side",
                )
                .label(choice.span, "the braces")
                .help("write it as `X without Y` at the steps themselves"),
            );
        }
        if let Some(then) = then.filter(|t| t.next) {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_NEXT,
                    "`next` takes a step that binds one event",
                    then.span,
                    "before braces",
                )
                .label(choice.span, "the braces")
                .help("write `without` at the steps themselves"),
            );
        }
    }

    /// What several ways through a pattern have in common is reported once.
    pub(crate) fn once_for_all_ways(&mut self, from: usize) {
        let reported = self.out.split_off(from);
        for report in reported {
            let place = |d: &Diagnostic| d.labels.first().map(|l| l.span);
            let same = |d: &Diagnostic| place(d) == place(&report) || d.code == codes::UNBOUNDED;
            if !self.out[from..].iter().any(|d| d.code == report.code && same(d)) {
                self.out.push(report);
            }
        }
    }

    /// `any` of sequences: how many ways there are, and what does not go with it.
    pub(crate) fn choices(&mut self, model: &Model<'a>) {
        let Some((choice, _)) = model.choices.first().copied() else { return };
        if model.ways().len() > MAX_WAYS {
            self.out.push(
                Diagnostic::error(
                    codes::TOO_MANY_WAYS,
                    format!("there are more than {MAX_WAYS} ways through this pattern"),
                    choice.span,
                    "each of them is searched for",
                )
                .note("`any { … }` behind `any { … }` multiplies the ways")
                .help("split the rule, and build a rule on the alerts of its parts"),
            );
        }
        if model.is_handed_over() {
            self.out.push(
                Diagnostic::error(
                    codes::CHOICE_HANDED_OVER,
                    "`any` of sequences needs one key for all steps",
                    choice.span,
                    "the keys of this rule change from step to step",
                )
                .note("which keys a later step may rely on would depend on the member that matched")
                .help("give all steps the same `by`, or write a rule for each sequence"),
            );
        }
        let computed = model.nodes.iter().find_map(|n| match &n.kind {
            NodeKind::Absence(a) if a.until.is_some() || a.within.as_ref().is_some_and(|w| self.is_computed(w)) => {
                Some(a.span)
            }
            _ => None,
        });
        if let Some(span) = computed {
            self.out.push(
                Diagnostic::error(
                    codes::CHOICE_TOO_RICH,
                    "a computed deadline beside `any` of sequences is not built yet",
                    span,
                    "not a fixed duration",
                )
                .label(choice.span, "`any` of sequences")
                .help("write a rule for each sequence, or a fixed duration"),
            );
        }
        let closing = model.steps.iter().find_map(|s| s.step.ends.as_ref());
        if let Some(ends) = closing {
            self.out.push(
                Diagnostic::error(
                    codes::CHOICE_TOO_RICH,
                    "a repetition that time ends beside `any` of sequences is not built yet",
                    ends.span,
                    "which time ends the pattern depends on the member",
                )
                .label(choice.span, "`any` of sequences")
                .help("write a rule for each sequence, or name the event that ends it: `until X`"),
            );
        }
        let repeated = model.nodes.iter().find(|n| !n.branch.is_empty() && matches!(n.kind, NodeKind::Group(..)));
        if let Some(Node { kind: NodeKind::Group(group, _), .. }) = repeated {
            self.out.push(
                Diagnostic::error(
                    codes::CHOICE_TOO_RICH,
                    "a repeated group inside `any` is not built yet",
                    group.span,
                    "only sequences of steps",
                )
                .help("write a rule for each member, or repeat a single step"),
            );
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
            Element::Choice(_) => ("`any` of sequences", "write a rule for each sequence"),
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
