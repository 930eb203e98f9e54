//! Patterns: sequences with their bounds, absences, blocks and groups. Steps are in [`super::step`].

use pest::iterators::Pair;

use super::ast::{
    Absence, AbsentGroup, All, Any, Choice, Element, EventsBound, Expr, ExprKind, Group, Guard, MatchClause, Sequence,
    Then,
};
use super::build::Builder;
use super::grammar::Rule;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

/// `within` on a step where none may stand, kept until it is known where it was meant.
pub(super) type StrayWithin = Option<(Span, Expr)>;

impl Builder<'_> {
    pub(super) fn match_clause(&mut self, pair: Pair<'_, Rule>) -> Option<MatchClause> {
        let span = self.span(&pair);
        let mut body = None;
        let (mut within, mut events) = (None, None);
        let mut stray = None;
        let mut unbraced = None;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::sequence => body = self.sequence(part, &mut stray),
                Rule::compat_unbraced => {
                    unbraced = Some(at);
                    let inner = part.into_inner().next()?;
                    body = self.sequence(inner, &mut stray);
                }
                Rule::match_within => (within, events) = self.match_within(part),
                Rule::separator => self.separator(&part),
                _ => {}
            }
        }
        if let Some(mut at) = unbraced {
            if let Some((keyword, bound)) = stray.take() {
                at.end = at.end.min(keyword.start);
                within = within.or(Some(bound));
            }
            let written = self.written(at).trim().to_owned();
            let at = Span { end: at.start + u32::try_from(written.len()).unwrap_or(0), ..at };
            self.report(
                Diagnostic::error(Code("E0023"), "the pattern after `match` stands in braces", at, "no braces")
                    .help("put `{` before the first step and `}` after the last")
                    .fix(at, format!("{{ {written} }}")),
            );
        }
        if let Some((keyword, bound)) = stray {
            let clause = keyword.to(bound.span);
            // The keyword itself may be misspelt.
            let written = self.written(bound.span).to_owned();
            let mut report = Diagnostic::error(
                Code("E0024"),
                "`within` after the last step stands outside the braces",
                clause,
                "bounds nothing here",
            )
            .note("a bound of the whole match follows its closing brace; a bound of one gap follows its `then`");
            report = report.help(format!("write `match {{ … }} within {written}`"));
            self.report(report);
            within = within.or(Some(bound));
        }
        Some(MatchClause { body: body?, within, events, span })
    }

    /// The bound of a whole match: a duration, or a number of events.
    pub(super) fn match_within(&mut self, pair: Pair<'_, Rule>) -> (Option<Expr>, Option<EventsBound>) {
        match pair.clone().into_inner().find(|p| p.as_rule() == Rule::events_window) {
            Some(part) => {
                let span = self.span(&part);
                let count = part.into_inner().next().map_or(0, |n| self.count(&n));
                (None, Some(EventsBound { count, span }))
            }
            None => (self.bound(pair), None),
        }
    }

    /// A bound after `within` or `after`.
    pub(super) fn bound(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let mut bound = None;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::expr => bound = Some(self.bound_expr(part)),
                Rule::open_bound => {
                    let inner = part.into_inner().find(|p| p.as_rule() == Rule::expr)?;
                    let inner = Box::new(self.bound_expr(inner));
                    bound = Some(Expr { kind: ExprKind::Below(inner), span: at });
                }
                Rule::events_bound => self.report(
                    Diagnostic::error(
                        Code("E0045"),
                        "`within` a number of events bounds nothing but a sliding count",
                        at,
                        "not a duration",
                    )
                    .note("a sliding count is one repeated step; its bound follows the braces of `match`")
                    .help("bound by a duration, such as `within 5m`"),
                ),
                _ => {}
            }
        }
        bound
    }

    fn bound_expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let expr = self.expr(pair);
        self.check_bound(&expr);
        expr
    }

    /// Elements joined by `then`. What is refused is left out; `None` if nothing is left.
    /// A `within` after the last step goes to `stray`, one after any other step is reported here.
    pub(super) fn sequence(&mut self, pair: Pair<'_, Rule>, stray: &mut StrayWithin) -> Option<Sequence> {
        let span = self.span(&pair);
        let mut first: Option<Element> = None;
        let mut rest = Vec::new();
        let mut joint: Option<Then> = None;
        let mut hanging: StrayWithin = None;
        for part in pair.into_inner() {
            if part.as_rule() == Rule::then {
                self.gap_within(hanging.take(), &part);
                joint = Some(self.then(part));
                continue;
            }
            let Some(element) = self.element(part, &mut hanging) else { continue };
            match (first.is_some(), joint.take()) {
                (false, _) => first = Some(element),
                (true, then) => {
                    let at = element.span();
                    let plain = || Then {
                        directly: false,
                        next: false,
                        after: None,
                        within: None,
                        span: Span { end: at.start, ..at },
                    };
                    rest.push((then.unwrap_or_else(plain), element));
                }
            }
        }
        *stray = hanging;
        Some(Sequence { first: Box::new(first?), rest, span })
    }

    /// `A within 5m then B`: the bound belongs after `then`.
    fn gap_within(&mut self, hanging: StrayWithin, then: &Pair<'_, Rule>) {
        let Some((keyword, bound)) = hanging else { return };
        let clause = keyword.to(bound.span);
        // The keyword itself may be misspelt.
        let written = self.written(bound.span).to_owned();
        let keyword_end = self.span(then).start + 4;
        self.report(
            Diagnostic::error(Code("E0024"), "`within` does not follow a step", clause, "bounds nothing here")
                .label(Span { end: keyword_end, ..self.span(then) }, "a bound of this gap stands after `then`")
                .help(format!("write `then within {written}` before the next step")),
        );
    }

    fn then(&mut self, pair: Pair<'_, Rule>) -> Then {
        let span = self.span(&pair);
        let mut then = Then { directly: false, next: false, after: None, within: None, span };
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::compat_then => {
                    let written = part.as_str().trim_end().to_owned();
                    let directly = written == "=>";
                    self.report(
                        Diagnostic::error(
                            Code("E0020"),
                            format!("`{written}` is written `then` here"),
                            at,
                            if directly {
                                "`then directly` if nothing may lie between"
                            } else {
                                "not a joint of this language"
                            },
                        )
                        .help("write `then`")
                        .fix(at, "then"),
                    );
                }
                Rule::kw_directly => {
                    self.only_once(then.directly, "directly", at);
                    then.directly = true;
                }
                Rule::kw_next => {
                    self.only_once(then.next, "next", at);
                    then.next = true;
                }
                Rule::then_after => {
                    let bound = part.into_inner().find(|p| p.as_rule() == Rule::expr);
                    let bound = bound.map(|p| self.bound_expr(p));
                    self.only_once(then.after.is_some(), "after", at);
                    then.after = bound;
                }
                Rule::then_within => {
                    self.only_once(then.within.is_some(), "within", at);
                    then.within = self.bound(part);
                }
                _ => {}
            }
        }
        then
    }

    pub(super) fn only_once(&mut self, again: bool, what: &str, span: Span) {
        if again {
            self.report(
                Diagnostic::error(Code("E0025"), format!("`{what}` stands here twice"), span, "the second one")
                    .help("leave one of them out"),
            );
        }
    }

    /// One element; `None` if it is refused.
    fn element(&mut self, pair: Pair<'_, Rule>, stray: &mut StrayWithin) -> Option<Element> {
        match pair.as_rule() {
            Rule::step => Some(Element::Step(self.step(pair, stray)?)),
            Rule::absence | Rule::fewer => self.absence(pair).map(Element::Absence),
            Rule::all => self.all(pair).map(Element::All),
            Rule::any => self.any(pair),
            Rule::group => self.group(pair).map(Element::Group),
            Rule::compat_named_block => {
                let mut inner = pair.into_inner();
                let label = inner.next()?;
                let at = self.span(&label);
                self.report(
                    Diagnostic::error(Code("E0034"), "only a step has a name", at, "names a block or an absence")
                        .help("leave the name out, or name the steps inside")
                        .fix(at, ""),
                );
                self.element(inner.next()?, stray)
            }
            _ => None,
        }
    }

    fn absence(&mut self, pair: Pair<'_, Rule>) -> Option<Absence> {
        let span = self.span(&pair);
        let (mut events, mut fewer, mut of, mut group) = (Vec::new(), None, false, None);
        let (mut within, mut until) = (None, None);
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::integer => fewer = Some((self.count(&part), at)),
                Rule::kw_of => of = true,
                Rule::guards => events = self.guards(part),
                Rule::absence_within => within = self.bound(part),
                Rule::absence_until => {
                    if within.is_some() {
                        self.report(
                            Diagnostic::error(Code("E0025"), "an absence has one end", at, "the second one")
                                .help("leave `within` or `until` out"),
                        );
                    }
                    until = part.into_inner().find(|p| p.as_rule() == Rule::expr).map(|p| self.expr(p));
                }
                Rule::absent_group => {
                    let (steps, joined) = self.absent_group(part)?;
                    (events, group) = (steps, Some(joined));
                }
                _ => {}
            }
        }
        if let (Some((n, at)), false) = (fewer, of) {
            let end = Span { start: at.end, ..at };
            self.report(
                Diagnostic::error(Code("E0021"), "`of` is missing between the number and the class", at, "no `of`")
                    .help(format!("write `fewer than {n} of`"))
                    .fix(end, " of"),
            );
        }
        let fewer = fewer.map(|(n, _)| n);
        (!events.is_empty()).then_some(Absence { fewer, events, group, within, until, span })
    }

    /// The steps of `no { a: X then b: Y }`, which take a condition, a key and bounds on the gaps between them.
    fn absent_group(&mut self, pair: Pair<'_, Rule>) -> Option<(Vec<Guard>, AbsentGroup)> {
        let span = self.span(&pair);
        let mut group = AbsentGroup { names: Vec::new(), joints: Vec::new(), span };
        let (mut stray, mut events, mut refused) = (None, Vec::new(), false);
        let found = pair.into_inner().find(|p| p.as_rule() == Rule::sequence);
        let sequence = found.and_then(|p| self.sequence(p, &mut stray));
        self.refuse_stray(stray);
        let sequence = sequence?;
        let first = (None, *sequence.first);
        for (then, element) in std::iter::once(first).chain(sequence.rest.into_iter().map(|(t, e)| (Some(t), e))) {
            let step = match element {
                Element::Step(step) => step,
                other => {
                    self.too_rich(other.span(), "this");
                    refused = true;
                    continue;
                }
            };
            let more = step.quantifier.as_ref().map(|q| (q.span, "a number of events"));
            let more = more.or(step.guards.first().map(|g| (g.span, "a guard")));
            let more = more.or(step.until.as_ref().map(|u| (u.span, "`until`")));
            let more = more.or(step.ends.as_ref().map(|e| (e.span, "`until`")));
            let more = more.or(then.as_ref().filter(|t| t.next).map(|t| (t.span, "`next`")));
            if let Some((at, what)) = more {
                self.too_rich(at, what);
                refused = true;
            }
            events.push(Guard { classes: step.classes, condition: step.condition, by: step.by, span: step.span });
            group.names.push(step.name);
            group.joints.extend(then);
        }
        (!refused).then_some((events, group))
    }

    fn too_rich(&mut self, at: Span, what: &str) {
        self.report(
            Diagnostic::error(
                Code("E0046"),
                format!("{what} cannot stand inside the absence of a group"),
                at,
                "only single steps joined by `then`",
            )
            .note("a step inside takes `where` and `by`; a joint takes `directly`, `after` and `within`")
            .help("give the absence a simpler group, or make a rule of the group and write `no alert.that_rule within 5m`"),
        );
    }

    fn all(&mut self, pair: Pair<'_, Rule>) -> Option<All> {
        let span = self.span(&pair);
        let mut all = All { members: Vec::new(), without: Vec::new(), span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::member_sequence => {
                    let at = self.span(&part);
                    let elements = self.member(part);
                    if elements.len() > 1 {
                        self.report(
                            Diagnostic::error(Code("E0034"), "the members of `all` have no order", at, "a sequence")
                                .help("leave `then` out, or join the steps outside of `all`"),
                        );
                    }
                    for element in elements {
                        match element {
                            Element::Step(step) => all.members.push(step),
                            other => self.report(
                                Diagnostic::error(
                                    Code("E0034"),
                                    "a member of `all` is a single step",
                                    other.span(),
                                    "not a step",
                                )
                                .help("move it out; for an absence over the whole span write `all { … } without X`"),
                            ),
                        }
                    }
                }
                Rule::step_without => {
                    if let Some(guards) = part.into_inner().find(|p| p.as_rule() == Rule::guards) {
                        all.without = self.guards(guards);
                    }
                }
                Rule::separator => self.separator(&part),
                _ => {}
            }
        }
        self.not_empty(all.members.is_empty(), "all", span)?;
        Some(all)
    }

    fn any(&mut self, pair: Pair<'_, Rule>) -> Option<Element> {
        let span = self.span(&pair);
        let mut members = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::member_sequence => {
                    let mut stray = None;
                    members.extend(self.sequence(part, &mut stray));
                    self.refuse_stray(stray);
                }
                Rule::separator => self.separator(&part),
                _ => {}
            }
        }
        self.not_empty(members.is_empty(), "any", span)?;
        let single = |s: &Sequence| s.rest.is_empty() && matches!(&*s.first, Element::Step(_));
        if !members.iter().all(single) {
            return Some(Element::Choice(Choice { members, span }));
        }
        let steps = members.into_iter().filter_map(|member| match *member.first {
            Element::Step(step) => Some(step),
            _ => None,
        });
        Some(Element::Any(Any { members: steps.collect(), span }))
    }

    fn not_empty(&mut self, empty: bool, what: &str, span: Span) -> Option<()> {
        if empty {
            self.report(
                Diagnostic::error(Code("E0035"), format!("`{what}` has no members"), span, "nothing to match")
                    .help(format!("write at least one step: `{what} {{ a: login  b: download }}`")),
            );
            return None;
        }
        Some(())
    }

    /// The elements of a member of `all`; one, unless `then` stands in it.
    fn member(&mut self, pair: Pair<'_, Rule>) -> Vec<Element> {
        let mut stray = None;
        let elements = match self.sequence(pair, &mut stray) {
            Some(sequence) => {
                let mut elements = vec![*sequence.first];
                elements.extend(sequence.rest.into_iter().map(|(_, element)| element));
                elements
            }
            None => Vec::new(),
        };
        self.refuse_stray(stray);
        elements
    }

    pub(super) fn refuse_stray(&mut self, stray: StrayWithin) {
        if let Some((keyword, bound)) = stray {
            self.report(
                Diagnostic::error(
                    Code("E0024"),
                    "`within` does not follow a step",
                    keyword.to(bound.span),
                    "bounds nothing here",
                )
                .help("bound the whole match: `match { … } within …`"),
            );
        }
    }

    fn group(&mut self, pair: Pair<'_, Rule>) -> Option<Group> {
        let span = self.span(&pair);
        let mut quantifier = None;
        let mut body = None;
        let mut within = None;
        let mut stray = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::quantifier => quantifier = Some(self.quantifier(part)),
                Rule::sequence => body = self.sequence(part, &mut stray),
                Rule::group_within => within = self.bound(part),
                Rule::separator => self.separator(&part),
                _ => {}
            }
        }
        self.refuse_stray(stray);
        Some(Group { quantifier, body: body?, within, span })
    }
}
