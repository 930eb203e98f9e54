//! Bounds in time: durations, gaps that cannot be kept, patterns without a bound.

use crate::base::Duration;
use crate::check::Checker;
use crate::check::model::{Model, NodeKind};
use crate::check::scope::{Place, Scope};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Clause, Expr, Then};
use crate::syntax::source::Span;

/// A joint's constant bounds with their places.
#[derive(Clone, Copy, Default)]
struct Gap {
    after: Option<(i64, Span)>,
    within: Option<(i64, Span)>,
}

impl<'a> Checker<'a> {
    /// All bounds of a rule's `match`.
    pub(crate) fn bounds(&mut self, model: &Model<'a>) {
        let Some(matching) = model.matching else { return };
        self.events_bound(model);
        let total = matching.within.as_ref().and_then(|w| Some((self.match_within(model)?, w.span)));
        let begins_with_step = !matches!(model.nodes.first().map(|n| &n.kind), Some(NodeKind::Absence(_)));
        let mut binding = model.nodes.iter().map(|n| &n.kind).filter(|k| !matches!(k, NodeKind::Absence(_)));
        let one_event = match (binding.next(), binding.next()) {
            (Some(NodeKind::Step(i)), None) => !model.steps[*i].is_repeated(),
            (Some(NodeKind::Any(..)), None) => true,
            _ => false,
        };
        if let (Some(within), true) = (&matching.within, one_event && begins_with_step) {
            self.out.push(
                Diagnostic::error(
                    codes::WITHIN_WITHOUT_EFFECT,
                    "`within` has no effect on a single step",
                    within.span,
                    "one event spans no time",
                )
                .help("delete it; to count events over time write `at least N of` before the class"),
            );
        }
        // The least time that a match takes, and what makes it so.
        let mut least = 0i64;
        let mut causes: Vec<Span> = Vec::new();
        let mut strict = false;
        // Deadlines of absences since the last step.
        let mut waiting: Option<(i64, Span)> = None;
        for (at, node) in model.nodes.iter().enumerate() {
            let scope = Scope::before(Place::Bound, model, at + 1);
            let gap = node.then.map(|then| self.gap(then, Some(&scope))).unwrap_or_default();
            if let NodeKind::Absence(absence) = &node.kind {
                if let (Some(d), Some(within)) = (self.absence_end(model, at, absence), &absence.within) {
                    waiting = waiting.max(Some((d, within.span)));
                }
                continue;
            }
            if let NodeKind::Group(_, steps) = &node.kind {
                for (joint, _) in steps {
                    let inner = joint.map(|j| self.gap(j, None)).unwrap_or_default();
                    self.dead_gap(inner, total);
                }
            }
            if let (Some((absent, absence)), Some((most, bound))) = (waiting, gap.within)
                && most <= absent
            {
                self.out.push(
                    Diagnostic::error(
                        codes::GAP_INSIDE_ABSENCE,
                        format!(
                            "this step can never come: it must come within {}, and only after {} of absence",
                            show(most),
                            show(absent)
                        ),
                        bound,
                        "over before the absence is",
                    )
                    .label(absence, "the step comes after this deadline")
                    .help(format!(
                        "allow more time than {}, or write `without` for what must not lie between",
                        show(absent)
                    )),
                );
                waiting = None;
                continue;
            }
            // After an absence a step comes strictly later than the deadline.
            let absent = waiting.take();
            strict |= absent.is_some_and(|(d, _)| gap.after.is_none_or(|(after, _)| d >= after));
            let least_gap = gap.after.max(absent);
            if let Some((d, span)) = least_gap {
                least = least.saturating_add(d);
                causes.push(span);
            }
            self.dead_gap(gap, total);
        }
        if let Some((total, span)) = total
            && !causes.is_empty()
            && (least > total || (strict && least == total))
        {
            let mut report = Diagnostic::error(
                codes::NEVER_MATCHES,
                format!(
                    "this pattern never matches: its gaps take {} at least, and it has {}",
                    show(least),
                    show(total)
                ),
                span,
                "too short",
            );
            for cause in causes {
                report = report.label(cause, "takes at least this long");
            }
            if strict && least == total {
                report = report.note("the step after an absence comes strictly later than its deadline");
            }
            self.out.push(report.help(format!("allow more than {}, or shorten the gaps", show(least))));
        }
        self.unbounded(model);
    }

    /// A constant duration with its place.
    fn bound(&mut self, expr: &Expr, what: &str) -> Option<(i64, Span)> {
        self.duration(expr, what).map(|d| (d, expr.span))
    }

    /// The bounds of a gap. `scope` is that of the step behind it, where its bound may be computed.
    fn gap(&mut self, then: &Then, scope: Option<&Scope<'_, 'a>>) -> Gap {
        let after = then.after.as_ref().and_then(|e| self.bound(e, "`after`"));
        let within = then.within.as_ref().and_then(|e| match scope {
            Some(scope) => self.span(e, "`then within`", scope).map(|d| (d, e.span)),
            None => self.bound(e, "`then within` inside a repeated group"),
        });
        if let (Some((least, from)), Some((most, to))) = (after, within)
            && least > most
        {
            self.out.push(
                Diagnostic::error(
                    codes::AFTER_PAST_WITHIN,
                    format!("no gap is at least {} and at most {}", show(least), show(most)),
                    from,
                    format!("at least {}", show(least)),
                )
                .label(to, format!("at most {}", show(most)))
                .help("exchange the two durations"),
            );
            return Gap::default();
        }
        Gap { after, within }
    }

    fn dead_gap(&mut self, gap: Gap, total: Option<(i64, Span)>) {
        if let (Some((most, span)), Some((total, whole))) = (gap.within, total)
            && most >= total
        {
            self.out.push(
                Diagnostic::warning(
                    codes::DEAD_BOUND,
                    format!("this bound never acts: the whole match has {}", show(total)),
                    span,
                    format!("{} are never reached", show(most)),
                )
                .label(whole, "the bound of the whole match")
                .help("delete it, or lengthen the bound of the whole match"),
            );
        }
    }

    /// A pattern that keeps attempts open without end. One report a rule.
    fn unbounded(&mut self, model: &Model<'a>) {
        let Some(matching) = model.matching else { return };
        if matching.events.is_some() || matching.within.as_ref().is_some_and(|w| !self.is_computed(w)) {
            return;
        }
        let elements: Vec<_> = model.nodes.iter().filter(|n| !matches!(n.kind, NodeKind::Absence(_))).collect();
        let Some(first) = elements.first() else { return };
        let repeated = |kind: &NodeKind<'a>| match kind {
            NodeKind::Step(i) => model.steps[*i].is_repeated(),
            NodeKind::Group(..) => true,
            _ => false,
        };
        if repeated(&first.kind) && matching.within.is_some() {
            // Refused by itself.
            return;
        }
        let (message, span, consequence) = if repeated(&first.kind) {
            let span = model
                .steps
                .first()
                .map_or(matching.span, |s| s.step.quantifier.as_ref().map_or(s.step.span, |q| q.span));
            (
                "this pattern has no bound: its first step collects events for ever",
                span,
                "events of any age are counted, and each key keeps them until it matches",
            )
        } else {
            // Two events joined by a bounded gap, or with nothing in between, hold little state for a short time.
            let open = elements[1..].iter().find(|n| {
                let fixed = |t: &Then| t.within.as_ref().is_some_and(|w| !self.is_computed(w));
                let joined = n.then.is_some_and(|t| fixed(t) || t.directly);
                !joined || repeated(&n.kind)
            });
            let all = elements.iter().find(|n| matches!(n.kind, NodeKind::All(..)));
            let Some(open) = open.or(all) else { return };
            let span = open.then.map_or(matching.span, |t| t.span);
            (
                "this pattern has no bound in time",
                span,
                "every first event stays open until it matches, and old ones match events of much later",
            )
        };
        let end = Span { start: matching.span.end, ..matching.span };
        if let Some(computed) = &matching.within {
            self.out.push(
                Diagnostic::warning(codes::UNBOUNDED, message, span, "waits without end")
                    .label(computed.span, "known only for a whole match")
                    .note(consequence)
                    .help("give each gap a constant bound as well: `then within 30d`"),
            );
            return;
        }
        self.out.push(
            Diagnostic::warning(codes::UNBOUNDED, message, span, "waits without end")
                .note(consequence)
                .help("bound the match, for example by ten minutes")
                .fix(end, " within 10m"),
        );
    }

    /// `pick all` without `within`: as many matches as there are combinations.
    pub(crate) fn pick_all_unbounded(&mut self, clause: &Clause, model: &Model<'a>) {
        // The unbounded pattern is reported itself; this is for patterns whose gaps alone are bounded.
        if model.matching.is_none_or(|m| m.within.is_some() || m.events.is_some())
            || self.out.iter().any(|d| d.code == codes::UNBOUNDED && within(d, model.rule.span))
        {
            return;
        }
        if model.nodes.len() < 2 {
            return;
        }
        self.out.push(
            Diagnostic::warning(
                codes::PICK_ALL_UNBOUNDED,
                "`pick all` without `within` gives a match for every combination of events",
                clause.span,
                "every combination, however old",
            )
            .help("bound the match: `match { … } within 10m`"),
        );
    }
}

fn within(diagnostic: &Diagnostic, span: Span) -> bool {
    diagnostic
        .labels
        .first()
        .is_some_and(|l| l.span.source == span.source && l.span.start >= span.start && l.span.end <= span.end)
}

/// A duration as a literal.
fn show(nanoseconds: i64) -> String {
    Duration(nanoseconds).to_string()
}
