//! Clocks, and what a rule expects without having seen it.

use crate::base::calendar::{TimeOfDay, Zone, weekday};
use crate::check::Checker;
use crate::check::model::{Model, Node, NodeKind, path_text};
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{
    ClassRef, Clause, ClauseKind, ClockDecl, ClockTicks, ClockTime, ExpectKeys, ExprKind, Guard, KeyItem, StepGuardKind,
};
use crate::syntax::source::Span;

impl<'a> Checker<'a> {
    /// A `clock` declaration.
    pub(crate) fn clock(&mut self, clock: &ClockDecl) {
        match &clock.ticks {
            ClockTicks::Every(period) => {
                let second = crate::base::Duration::from_secs(1).0;
                if self.duration(period, "a clock").is_some_and(|d| d < second) {
                    self.out.push(
                        Diagnostic::error(
                            codes::CLOCK_TIME,
                            "a clock ticks once a second at most",
                            period.span,
                            "more often than that",
                        )
                        .note("each tick is an event of every key, also over times without input")
                        .help("write `every 1s`, or a longer time"),
                    );
                }
            }
            ClockTicks::Daily(at) | ClockTicks::Weekdays(at) => self.clock_time(at, false),
            ClockTicks::Weekly(at) => self.clock_time(at, true),
        }
    }

    fn clock_time(&mut self, at: &ClockTime, weekly: bool) {
        let text = at.time.value.as_str();
        let good = match text.split_once(' ') {
            Some((day, time)) if weekly => weekday(day).is_some() && TimeOfDay::parse(time.trim()).is_some(),
            _ => !weekly && TimeOfDay::parse(text).is_some(),
        };
        if !good {
            let example = if weekly { "weekly \"mon 06:00\"" } else { "daily \"06:00\"" };
            self.out.push(
                Diagnostic::error(
                    codes::CLOCK_TIME,
                    format!("`{text}` is no time that a clock can tick at"),
                    at.time.span,
                    if weekly { "not a day of the week and a time" } else { "not a time of day" },
                )
                .help(format!("write it like `{example}`")),
            );
        }
        if let Some(zone) = at.zone.as_ref().filter(|zone| Zone::by_name(&zone.value).is_none()) {
            let report = Diagnostic::error(
                codes::CLOCK_TIME,
                format!("there is no time zone `{}`", zone.value),
                zone.span,
                "unknown",
            );
            self.out.push(match closest(&zone.value, Zone::names()) {
                Some(near) => report.help(format!("did you mean `{near}`?")).fix(zone.span, format!("\"{near}\"")),
                None => report.help("zones are named as in the IANA database: `\"Europe/Berlin\"`"),
            });
        }
    }

    fn is_clock(&self, class: &ClassRef) -> bool {
        self.names.clocks.contains_key(class.name.as_str())
    }

    fn clock_in(&self, guards: &[Guard]) -> Option<Span> {
        guards.iter().flat_map(|g| &g.classes).find(|c| self.is_clock(c)).map(|c| c.span)
    }

    /// Whether a rule has events that time makes, ticks or expected keys: they go to whole keys.
    pub(crate) fn is_timed(&self, model: &Model<'a>) -> bool {
        let expects = model.rule.clauses.iter().any(|c| matches!(c.kind, ClauseKind::Expect(_)));
        let guards = model.guards();
        let steps = model.steps.iter().flat_map(|info| &info.step.classes);
        expects || steps.chain(guards.iter().flat_map(|g| &g.classes)).any(|class| self.is_clock(class))
    }

    /// Where a rule may name clocks: a tick has no key of its own.
    pub(crate) fn clocks_of(&mut self, model: &Model<'a>) {
        let clauses = &model.rule.clauses;
        let expects = clauses.iter().any(|c| matches!(c.kind, ClauseKind::Expect(ExpectKeys::From { .. })));
        let keyed = model.steps.iter().any(|s| !s.components.is_empty());
        let (mut ends, mut any) = (Vec::new(), Vec::new());
        let repeats = clauses.iter().any(|c| matches!(c.kind, ClauseKind::Repeat(_)));
        for clause in clauses {
            match &clause.kind {
                ClauseKind::ResolveOn(guards) => ends.extend(self.clock_in(guards)),
                ClauseKind::CancelOn(guards) if repeats => ends.extend(self.clock_in(guards)),
                _ => {}
            }
        }
        if let Some(NodeKind::Absence(absence)) = model.nodes.last().map(|n| &n.kind).filter(|_| repeats) {
            ends.extend(self.clock_in(&absence.events));
        }
        for span in ends {
            self.out.push(
                Diagnostic::error(
                    codes::CLOCK_PLACE,
                    "a clock does not end an open alert",
                    span,
                    "ticks are seen by the pattern only",
                )
                .help("name an event; `suppress` limits how often an alert is sent"),
            );
        }
        // The first step that must bind something, and those before it, on each way through the pattern.
        let mut first = Vec::new();
        for way in model.ways() {
            let empty = |n: &Node<'a>| matches!(&n.kind, NodeKind::Step(i) if way.steps[*i].may_be_empty());
            let upto = way.nodes.iter().position(|n| !empty(n)).map_or(way.nodes.len(), |at| at + 1);
            first.extend(way.nodes[..upto].iter().flat_map(|n| n.kind.steps()));
        }
        for (index, info) in model.steps.iter().enumerate() {
            let own = info.step.classes.iter().find(|c| self.is_clock(c)).map(|c| c.span);
            any.extend(own);
            let begins = own.filter(|_| first.contains(&index));
            let looks = info.step.guards.iter().filter(|g| matches!(g.kind, StepGuardKind::If | StepGuardKind::Unless));
            let back = looks.filter_map(|g| self.clock_in(&g.events)).next();
            if let Some(span) = begins.or(back).filter(|_| keyed && !expects) {
                self.out.push(
                    Diagnostic::error(
                        codes::CLOCK_KEY,
                        "a tick has no key, so it cannot begin anything here",
                        span,
                        if begins.is_some() { "the first step" } else { "looked back at" },
                    )
                    .note("in a rule with a key a tick goes to each key that has begun, or to each that is expected")
                    .help("say which keys there are, `expect device.id from @devices`, or leave out `by`"),
                );
            }
        }
        if let Some(span) = any.first().copied().filter(|_| model.is_handed_over()) {
            self.out.push(
                Diagnostic::error(
                    codes::CLOCK_KEY,
                    "a clock needs one key for all steps",
                    span,
                    "the keys of this rule change from step to step",
                )
                .help("give all steps the same `by`, or none"),
            );
        }
    }

    /// `expect k from @t`, `expect start`
    pub(crate) fn expect(&mut self, expect: &'a ExpectKeys, clause: &Clause, model: &Model<'a>) {
        let single = match model.nodes.first().map(|n| &n.kind) {
            Some(NodeKind::Step(i)) => model.steps[*i].step.quantifier.is_none().then(|| model.steps[*i].step),
            _ => None,
        };
        let single = single.filter(|_| model.nodes[0].branch.is_empty());
        let plain = single.filter(|step| step.guards.is_empty());
        match plain {
            None => {
                let at = model.steps.first().map_or(clause.span, |s| s.step.span);
                let choice = model.nodes.first().is_some_and(|n| !n.branch.is_empty());
                let why = if choice {
                    "one of several first steps"
                } else {
                    "the first step binds more than one event, or has guards"
                };
                self.out.push(
                    Diagnostic::error(
                        codes::EXPECT_FIRST,
                        "with `expect` a pattern begins with a plain step",
                        clause.span,
                        "begins each key as if its first step had happened",
                    )
                    .label(at, why)
                    .help("begin with one step that binds one event: `last: heartbeat then no heartbeat within 5m`"),
                );
            }
            Some(step) if matches!(expect, ExpectKeys::Start) && step.classes.iter().any(|c| self.is_clock(c)) => {
                self.out.push(
                    Diagnostic::error(
                        codes::NO_EFFECT,
                        "`expect start` has no effect on a rule that begins with a clock",
                        clause.span,
                        "the clock ticks by itself",
                    )
                    .help("delete it"),
                );
            }
            Some(_) if model.only_step().is_some() => self.out.push(
                Diagnostic::error(
                    codes::NO_EFFECT,
                    "`expect` has no effect on a single step",
                    clause.span,
                    "nothing follows that could be waited for",
                )
                .help("add what is expected to come: `then no heartbeat within 5m`"),
            ),
            Some(_) => {}
        }
        let wrong = |message: &str, span: Span, label: &str, help: String| {
            Diagnostic::error(codes::EXPECT_KEY, message, span, label).help(help)
        };
        if model.is_handed_over() {
            let help = "give all steps the same `by`".to_owned();
            self.out.push(wrong(
                "`expect` needs one key for all steps",
                clause.span,
                "keys change from step to step",
                help,
            ));
            return;
        }
        match expect {
            ExpectKeys::Start if !model.key().is_empty() => {
                let help = "name the keys: `expect device.id from @devices`".to_owned();
                self.out.push(wrong("`expect start` is for a rule without a key", clause.span, "which keys?", help));
            }
            ExpectKeys::Start => {}
            ExpectKeys::From { keys, table } => {
                let written = |items: &[KeyItem]| {
                    items.iter().map(|item| self.sources.text(item.value.span).trim().to_owned()).collect::<Vec<_>>()
                };
                let own: Vec<String> =
                    model.key().iter().map(|c| self.sources.text(c.item.value.span).trim().to_owned()).collect();
                if written(keys) != own {
                    let span = keys.first().map_or(clause.span, |k| k.span);
                    let help = if own.is_empty() {
                        format!("give the rule that key: `by {}`", written(keys).join(", "))
                    } else {
                        format!("write `expect {} from @{}`", own.join(", "), table.name)
                    };
                    self.out.push(wrong("`expect` does not name the key of the rule", span, "another key", help));
                }
                let Some(decl) = self.names.tables.get(table.name.as_str()).copied() else {
                    let report = Diagnostic::error(
                        codes::UNKNOWN_TABLE,
                        format!("there is no table `@{}`", table.name),
                        table.span,
                        "unknown table",
                    );
                    self.out.push(match closest(&table.name, self.names.tables.keys().copied()) {
                        Some(near) => report.help(format!("did you mean `@{near}`?")).fix(table.span, near),
                        None => report.help(format!("declare it: `table {} from \"….csv\" key …`", table.name)),
                    });
                    return;
                };
                let networks =
                    matches!(decl.key.as_slice(), [only] if matches!(only.name.as_str(), "cidr" | "polygon"));
                if networks || decl.key.len() != keys.len() {
                    let label =
                        if networks { "a table of areas has no single keys" } else { "another number of columns" };
                    let help = "the key columns of the table stand for the key of the rule, in order".to_owned();
                    let message = "the key of this table does not fit the key of the rule";
                    self.out.push(wrong(message, table.span, label, help).label(decl.name.span, "declared here"));
                }
            }
        }
        // Conditions on the event are passed over; a field that only they could give is missing.
        if let ExpectKeys::From { keys, .. } = expect {
            for item in keys {
                if !matches!(item.value.kind, ExprKind::Path(ref path) if !path_text(path).starts_with('@')) {
                    let help = "make the key of one field, and write that".to_owned();
                    self.out.push(wrong("an expected key is a field", item.span, "computed", help));
                }
            }
        }
    }
}
