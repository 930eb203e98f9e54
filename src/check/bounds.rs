//! Bounds in time: durations, gaps that cannot be kept, patterns without a bound.

use crate::base::Duration;
use crate::check::Checker;
use crate::check::model::{Model, NodeKind, Part};
use crate::check::scope::{Place, Scope};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Clause, Expr, Group, Then};
use crate::syntax::source::Span;

/// What stands before an element: the least and the greatest time since the one before.
#[derive(Clone, Copy, Default)]
struct NodeGap {
    least: Option<(i64, Span)>,
    /// The least time itself is too short.
    strict: bool,
    most: Option<(i64, Span)>,
}

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
        let only = binding.next().filter(|_| binding.next().is_none());
        let one_event = only.is_some_and(|kind| self.binds_one(model, kind));
        if let (Some(within), true) = (&matching.within, one_event && begins_with_step && model.choices.is_empty()) {
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
        let gaps = self.gaps(model, total);
        if let Some(total) = total {
            self.too_short(&gaps, total, "this pattern never matches: its");
        }
        self.part_bounds(model, &gaps, total);
        self.unbounded(model);
    }

    /// The bounds before each element, judged one by one.
    fn gaps(&mut self, model: &Model<'a>, total: Option<(i64, Span)>) -> Vec<NodeGap> {
        let mut gaps = Vec::new();
        // Deadlines of absences since the last step.
        let mut waiting: Option<(i64, Span)> = None;
        for (at, node) in model.nodes.iter().enumerate() {
            let scope = Scope::before(Place::Bound, model, at + 1);
            let gap = node.then.map(|then| self.gap(then, Some(&scope))).unwrap_or_default();
            if let NodeKind::Absence(absence) = &node.kind {
                let length = self.absence_end(model, at, absence);
                self.absent_bounds(model, at, absence, length);
                if let (Some(d), Some(within)) = (length, &absence.within) {
                    waiting = waiting.max(Some((d, within.span)));
                }
                gaps.push(NodeGap::default());
                continue;
            }
            if let NodeKind::Group(group, steps) = &node.kind {
                self.iteration_bounds(group, steps, total);
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
                gaps.push(NodeGap::default());
                continue;
            }
            // After an absence a step comes strictly later than the deadline.
            let absent = waiting.take();
            let strict = absent.is_some_and(|(d, _)| gap.after.is_none_or(|(after, _)| d >= after));
            gaps.push(NodeGap { least: gap.after.max(absent), strict, most: gap.within });
            self.dead_gap(gap.within, total, "the whole match");
        }
        gaps
    }

    /// Gaps that take longer together than they have.
    fn too_short(&mut self, gaps: &[NodeGap], (total, span): (i64, Span), what: &str) {
        let causes: Vec<(i64, Span)> = gaps.iter().filter_map(|g| g.least).collect();
        let least = causes.iter().fold(0i64, |sum, (d, _)| sum.saturating_add(*d));
        let strict = gaps.iter().any(|g| g.strict);
        if causes.is_empty() || least < total || (least == total && !strict) {
            return;
        }
        let mut report = Diagnostic::error(
            codes::NEVER_MATCHES,
            format!("{what} gaps take {} at least, and it has {}", show(least), show(total)),
            span,
            "too short",
        );
        for (_, cause) in causes {
            report = report.label(cause, "takes at least this long");
        }
        if strict && least == total {
            report = report.note("the step after an absence comes strictly later than its deadline");
        }
        self.out.push(report.help(format!("allow more than {}, or shorten the gaps", show(least))));
    }

    /// `{ … } within d`: the bound must say something, and leave room for what it holds.
    fn part_bounds(&mut self, model: &Model<'a>, gaps: &[NodeGap], total: Option<(i64, Span)>) {
        let scope = Scope::after(Place::Bound, model);
        let bounds: Vec<_> =
            model.parts.iter().map(|p| self.span(p.within, "`within`", &scope).map(|d| (d, p.within.span))).collect();
        for (i, (part, own)) in model.parts.iter().zip(&bounds).enumerate() {
            if part.nodes.len() == model.nodes.len() {
                self.part_is_whole(model, part);
                continue;
            }
            let mut binding =
                model.nodes[part.nodes.clone()].iter().filter(|n| !matches!(n.kind, NodeKind::Absence(_)));
            if let (Some(only), None) = (binding.next(), binding.next())
                && self.binds_one(model, &only.kind)
            {
                self.out.push(
                    Diagnostic::error(
                        codes::WITHIN_WITHOUT_EFFECT,
                        "`within` has no effect on a part that is one event",
                        part.within.span,
                        "one event spans no time",
                    )
                    .label(part.group.span, "the part")
                    .help("delete the braces and their bound; a bound on the gap before the step stands after `then`"),
                );
                continue;
            }
            let Some(own) = *own else {
                self.computed_part(model, part);
                continue;
            };
            // The gap before the part is not inside it.
            let mut inner = gaps[part.nodes.clone()].to_vec();
            if let Some(first) = inner.first_mut() {
                *first = NodeGap::default();
            }
            self.too_short(&inner, own, "this part never matches: its");
            for gap in &inner {
                self.dead_gap(gap.most, Some(own), "the part");
            }
            let outer = |(p, bound): (&Part<'a>, &Option<(i64, Span)>)| {
                (p.nodes.start <= part.nodes.start && part.nodes.end <= p.nodes.end).then_some(*bound).flatten()
            };
            let around = model.parts.iter().zip(&bounds).skip(i + 1).find_map(outer);
            match around {
                Some(around) => self.dead_gap(Some(own), Some(around), "the part around it"),
                None => self.dead_gap(Some(own), total, "the whole match"),
            }
        }
    }

    /// A part that holds the whole pattern: its bound is that of the match.
    fn part_is_whole(&mut self, model: &Model<'a>, part: &Part<'a>) {
        let text = self.sources.text(part.within.span).trim().to_owned();
        let mut report = Diagnostic::error(
            codes::PART_IS_WHOLE,
            "these braces hold the whole pattern",
            part.group.span,
            "nothing of the match lies outside",
        )
        .note("a bound of the whole match follows the braces of `match`");
        report = match model.matching.and_then(|m| m.within.as_ref()) {
            None => report.help(format!("delete the inner braces, and write `match {{ … }} within {text}`")),
            Some(outer) => report.label(outer.span, "already bounded here").help("delete the inner braces"),
        };
        self.out.push(report);
    }

    /// The bound and the gaps of a repeated group's iterations.
    fn iteration_bounds(&mut self, group: &Group, steps: &[(Option<&'a Then>, usize)], total: Option<(i64, Span)>) {
        let own = group.within.as_ref().and_then(|w| self.bound(w, "`within` on a repeated group"));
        let mut gaps = Vec::new();
        for (joint, _) in steps {
            let gap = joint.map(|j| self.gap(j, None)).unwrap_or_default();
            self.dead_gap(gap.within, own.or(total), if own.is_some() { "an iteration" } else { "the whole match" });
            gaps.push(NodeGap { least: gap.after, strict: false, most: gap.within });
        }
        let Some(own) = own else { return };
        if steps.len() == 1 {
            self.out.push(
                Diagnostic::error(
                    codes::WITHIN_WITHOUT_EFFECT,
                    "`within` has no effect on a repetition of one event",
                    own.1,
                    "bounds each iteration, which is one event",
                )
                .help("to bound all of them together write `{ at least N of X } within 5m` around the repeated step"),
            );
            return;
        }
        self.too_short(&gaps, own, "no iteration ever completes: its");
        self.dead_gap(Some(own), total, "the whole match");
    }

    /// Whether an element binds one event at most.
    fn binds_one(&self, model: &Model<'a>, kind: &NodeKind<'a>) -> bool {
        match kind {
            NodeKind::Step(i) => !model.steps[*i].is_repeated(),
            NodeKind::Any(..) => true,
            _ => false,
        }
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

    /// The least constant time that a joint takes.
    pub(super) fn least_gap(&mut self, then: &Then, scope: &Scope<'_, 'a>) -> Option<i64> {
        self.gap(then, Some(scope)).after.map(|(d, _)| d)
    }

    fn dead_gap(&mut self, most: Option<(i64, Span)>, around: Option<(i64, Span)>, what: &str) {
        if let (Some((most, span)), Some((total, whole))) = (most, around)
            && most >= total
        {
            self.out.push(
                Diagnostic::warning(
                    codes::DEAD_BOUND,
                    format!("this bound never acts: {what} has {}", show(total)),
                    span,
                    format!("{} are never reached", show(most)),
                )
                .label(whole, format!("the bound of {what}"))
                .help(format!("delete it, or lengthen the bound of {what}")),
            );
        }
    }

    /// A pattern that keeps attempts open without end. One report a rule.
    fn unbounded(&mut self, model: &Model<'a>) {
        let Some(matching) = model.matching else { return };
        if matching.events.is_some() || matching.within.as_ref().is_some_and(|w| !self.is_computed(w)) {
            return;
        }
        let elements: Vec<_> =
            model.nodes.iter().enumerate().filter(|(_, n)| !matches!(n.kind, NodeKind::Absence(_))).collect();
        let Some((at, first)) = elements.first().copied() else { return };
        if model.only_step().is_some_and(|step| step.step.ends.is_some()) {
            // Time closes each session, and what has closed is forgotten.
            return;
        }
        // What a part bounds is bounded.
        let fixed = |p: &&Part<'a>| !self.is_computed(p.within);
        let part_of = |at: usize| model.parts.iter().filter(fixed).find(|p| p.nodes.contains(&at));
        let repeated = |kind: &NodeKind<'a>| match kind {
            NodeKind::Step(i) => model.steps[*i].is_repeated(),
            NodeKind::Group(..) => true,
            _ => false,
        };
        if repeated(&first.kind) && matching.within.is_some() {
            // Refused by itself.
            return;
        }
        let (message, span, consequence) = if repeated(&first.kind) && part_of(at).is_none() {
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
            let open = elements.windows(2).find(|pair| {
                let ((before, _), (at, n)) = (pair[0], pair[1]);
                let kept = |t: &Then| t.within.as_ref().is_some_and(|w| !self.is_computed(w));
                let joined = n.then.is_some_and(|t| kept(t) || t.directly);
                let inside = model
                    .parts
                    .iter()
                    .any(|p| !self.is_computed(p.within) && p.nodes.contains(&before) && p.nodes.contains(&at));
                !inside && !(joined && (part_of(at).is_some() || !repeated(&n.kind)))
            });
            let all = elements.iter().find(|(at, n)| matches!(n.kind, NodeKind::All(..)) && part_of(*at).is_none());
            let Some((_, open)) = open.map(|pair| pair[1]).or(all.copied()) else { return };
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
pub(super) fn show(nanoseconds: i64) -> String {
    Duration(nanoseconds).to_string()
}
