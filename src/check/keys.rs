//! Keys: components and their names, keys of guards, keys that are handed over from step to step.

use std::collections::BTreeSet;

use crate::base::function::Kinds;
use crate::check::model::{Component, Model, NodeKind, Role, component};
use crate::check::pending::is_pending;
use crate::check::scope::{Place, Scope};
use crate::check::suggest::closest;
use crate::check::{Checker, walk};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Absence, ClauseKind, Expr, ExprKind, Guard, KeyItem};

impl<'a> Checker<'a> {
    /// All keys of a rule.
    pub(crate) fn keys(&mut self, model: &Model<'a>) {
        self.key_list(model.by);
        for info in &model.steps {
            self.key_list(&info.step.by);
        }
        if model.is_handed_over() {
            self.handed_over(model);
        }
        self.guard_keys(model);
        self.each_in_parts(model);
    }

    /// One written list of components.
    fn key_list(&mut self, items: &'a [KeyItem]) {
        for (i, item) in items.iter().enumerate() {
            let one = component(item);
            if let Some(first) =
                items[..i].iter().find(|other| !one.name.is_empty() && component(other).name == one.name)
            {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE_KEY,
                        format!("the key component `{}` is named twice", one.name),
                        item.span,
                        "named again here",
                    )
                    .label(first.span, "first named here")
                    .help("delete one of them, or give it a name of its own: `client = client.ip`"),
                );
            }
            self.key_value(item);
        }
    }

    /// A component is any expression over the event that gives one value, or `each` over a list.
    fn key_value(&mut self, item: &'a KeyItem) {
        let before = self.out.len();
        let value = item.each().unwrap_or(&item.value);
        self.key_expression(value, item.each().is_some());
        if self.out.len() > before || item.component_name().is_some() {
            return;
        }
        let text = self.sources.text(item.value.span).to_string();
        self.out.push(
            Diagnostic::error(
                codes::UNNAMED_KEY,
                "a computed key component needs a name",
                item.span,
                "what is it called in alerts?",
            )
            .note("steps agree on components by name, and the alert's key shows it")
            .help("give it a name")
            .fix(item.value.span, format!("name = {text}")),
        );
    }

    fn key_expression(&mut self, value: &Expr, each: bool) {
        let before = self.out.len();
        let kinds = self.infer(value, &Scope::bare(Place::Key));
        if self.out.len() > before {
            return;
        }
        let report = |message: &str, label: &str| Diagnostic::error(codes::WRONG_KEY, message, value.span, label);
        if let ExprKind::Path(path) = &value.kind
            && path.parts.iter().any(|p| p.name.starts_with('@'))
        {
            self.out.push(
                report("an attribute cannot be a key", "every event would have a key of its own")
                    .help("compute a part of it: `bucket = floor(@ts / 5m)`, `day = day(@ts)`"),
            );
            return;
        }
        if !self.reads_event(value) {
            self.out.push(
                report("this reads nothing of the event", "the same key for every event")
                    .help("compute it from a field; a rule without `by` has one key"),
            );
            return;
        }
        let scalars = Kinds::ANY.except(Kinds::LIST.or(Kinds::OBJECT));
        let text = self.sources.text(value.span).to_string();
        if each && !kinds.meets(Kinds::LIST) {
            self.out.push(
                report(&format!("`each` goes through a list, and this is a {kinds}"), "one value")
                    .help("leave out `each`: the value is the key"),
            );
        } else if !each && !kinds.meets(scalars) {
            let report = report(&format!("a {kinds} cannot be a key"), "not one value");
            self.out.push(if kinds.meets(Kinds::LIST) {
                report.help("give the event a key for each element").fix(value.span, format!("each({text})"))
            } else {
                report.help("take one value of it, or a text of all of it: `string(…)`")
            });
        }
    }

    /// Whether an expression of a key depends on the event, by itself or by a `let`.
    fn reads_event(&mut self, value: &Expr) -> bool {
        let mut names = Vec::new();
        let mut reads = false;
        walk::expressions(value, &mut |e| {
            match &e.kind {
                ExprKind::Path(path) if path.parts.len() == 1 => names.push(path.parts[0].name.clone()),
                ExprKind::Path(_) => reads = true,
                ExprKind::Call(call) => reads |= call.name.name == "any_value",
                _ => {}
            }
            true
        });
        reads
            || names
                .iter()
                .any(|name| !self.names.lets.contains_key(name.as_str()) || self.let_facts(name).event.is_some())
    }

    /// Steps with different components: each must share one with an earlier step.
    fn handed_over(&mut self, model: &Model<'a>) {
        let names =
            |components: &[Component<'a>]| -> BTreeSet<String> { components.iter().map(|c| c.name.clone()).collect() };
        let mut known: BTreeSet<String> = BTreeSet::new();
        for (at, node) in model.nodes.iter().enumerate() {
            let steps = node.kind.steps();
            for (place, info) in steps.iter().map(|i| &model.steps[*i]).enumerate() {
                let mine = names(&info.components);
                let inner_first = matches!(info.role, Role::GroupMember(n) if n > 0);
                let shared = mine.iter().any(|n| known.contains(n));
                if at == 0 && !inner_first {
                    let first = names(model.key());
                    if place > 0 && mine != first {
                        self.out.push(
                            Diagnostic::error(
                                codes::UNCLEAR_KEY,
                                "the first element's members have different keys, so the rule has none",
                                info.step.span,
                                format!("key: {}", list(&mine)),
                            )
                            .label(model.steps[0].step.span, format!("key: {}", list(&first)))
                            .note("the key of the first step is that of the rule: for `pick`, `suppress` and the alert")
                            .help("give all members the same components with `by`"),
                        );
                    }
                    if info.may_be_empty() {
                        self.out.push(
                            Diagnostic::error(
                                codes::UNCLEAR_KEY,
                                "the first step may bind nothing, so the rule may have no key",
                                info.step.span,
                                "optional",
                            )
                            .note("the keys of this rule are handed over from step to step, beginning with the first")
                            .help("make the first step required, or give all steps the same `by`"),
                        );
                    }
                } else if !shared && !inner_first {
                    self.unshared(model, info.step.span, &mine, &known);
                }
            }
            self.directly_handed_over(model, at);
            // What a later step may rely on: components that are bound in any case. What is wrong with the first
            // element was reported above.
            let mut sets = steps
                .iter()
                .map(|i| &model.steps[*i])
                .filter(|s| at == 0 || !s.may_be_empty())
                .map(|s| names(&s.components));
            let bound = match &node.kind {
                NodeKind::Any(..) if at > 0 => sets.next().map(|first| sets.fold(first, |all, next| &all & &next)),
                _ => sets.reduce(|all, next| &all | &next),
            };
            known.extend(bound.unwrap_or_default());
        }
    }

    fn unshared(
        &mut self,
        model: &Model<'a>,
        span: crate::syntax::source::Span,
        mine: &BTreeSet<String>,
        known: &BTreeSet<String>,
    ) {
        let report = Diagnostic::error(
            codes::KEY_NOT_SHARED,
            "this step shares no key component with an earlier one",
            span,
            format!("key: {}", list(mine)),
        );
        let report = match model.steps.first() {
            Some(first) => report.label(first.step.span, format!("key: {}", list(known))),
            None => report,
        };
        let near =
            mine.iter().find_map(|name| closest(name, known.iter().map(String::as_str)).map(|near| (name, near)));
        let report = report.note("it would be joined with the events of every key");
        self.out.push(match near {
            Some((name, near)) => report.help(format!("did you mean `{near}` instead of `{name}`?")),
            None if mine.is_empty() => {
                report.help("give it a `by` that names a component of an earlier step: `by user = user.name`")
            }
            None => report.help(format!(
                "name the same component in both, as `by {0} = field`; a step between may have both keys and hand over",
                known.iter().next().map_or("user", String::as_str)
            )),
        });
    }

    fn directly_handed_over(&mut self, model: &Model<'a>, at: usize) {
        let node = &model.nodes[at];
        let mut places = Vec::new();
        if let Some(then) = node.then.filter(|t| t.directly) {
            places.push((then.span, "directly"));
        }
        match &node.kind {
            NodeKind::Step(i) => {
                if let Some(q) = model.steps[*i].step.quantifier.as_ref().filter(|q| q.consecutive) {
                    places.push((q.span, "consecutive"));
                }
            }
            NodeKind::Group(_, steps) => {
                places.extend(steps.iter().filter_map(|(j, _)| j.filter(|j| j.directly)).map(|j| (j.span, "directly")));
            }
            NodeKind::Absence(Absence { group: Some(group), .. }) => {
                places.extend(group.joints.iter().filter(|j| j.directly).map(|j| (j.span, "directly")));
            }
            _ => {}
        }
        for (span, word) in places {
            self.out.push(
                Diagnostic::error(
                    codes::DIRECTLY_HANDED_OVER,
                    format!("`{word}` needs one key for all steps"),
                    span,
                    "the keys of this rule change from step to step",
                )
                .note("\"nothing in between\" is about the events of one key")
                .help("give all steps the same `by`, or say what must not lie between with `without`"),
            );
        }
    }

    /// A guard's own `by` names components of what it guards.
    fn guard_keys(&mut self, model: &Model<'a>) {
        let of = |steps: &[usize], all: bool| -> BTreeSet<String> {
            let mut sets = steps
                .iter()
                .map(|i| model.steps[*i].components.iter().map(|c| c.name.clone()).collect::<BTreeSet<_>>());
            let first = sets.next().unwrap_or_default();
            sets.fold(first, |a, b| if all { &a | &b } else { &a & &b })
        };
        // What looks at neighbours, or at one window a key, has no place for events of other keys.
        let contiguous = |node: &crate::check::model::Node<'a>| match &node.kind {
            NodeKind::Step(i) => model.steps[*i].step.quantifier.as_ref().is_some_and(|q| q.consecutive),
            NodeKind::Group(_, steps) => steps.iter().any(|(j, _)| j.is_some_and(|j| j.directly)),
            NodeKind::Absence(Absence { group: Some(group), .. }) => group.joints.iter().any(|j| j.directly),
            _ => false,
        };
        let strict = model.nodes.iter().any(|n| n.then.is_some_and(|t| t.directly) || contiguous(n));
        let whole = strict || model.is_sliding() || is_pending(model) || self.is_timed(model);
        self.whole_guard_keys = !model.is_handed_over() && whole;
        // What ends an alert is found by its key, which must be whole.
        let repeats =
            !model.is_handed_over() && model.rule.clauses.iter().any(|c| matches!(c.kind, ClauseKind::Repeat(_)));
        let mut last = BTreeSet::new();
        for (at, node) in model.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Absence(absence) => {
                    // Without `within` it is the next step's `without`.
                    let next = model.nodes.get(at + 1).filter(|_| !absence.is_timed());
                    let guarded = next.map_or_else(|| last.clone(), |n| of(&n.kind.steps(), false));
                    let ends = repeats && model.nodes[at..].iter().all(|n| matches!(n.kind, NodeKind::Absence(_)));
                    let strict = self.whole_guard_keys;
                    self.whole_guard_keys |= ends;
                    self.guards_by(&absence.events, &guarded);
                    self.whole_guard_keys = strict;
                }
                kind => {
                    let steps = kind.steps();
                    for info in steps.iter().map(|i| &model.steps[*i]) {
                        let own: BTreeSet<String> = info.components.iter().map(|c| c.name.clone()).collect();
                        for guard in &info.step.guards {
                            self.guards_by(&guard.events, &own);
                        }
                        if let Some(until) = &info.step.until {
                            self.guards_by(std::slice::from_ref(until), &own);
                        }
                    }
                    last = of(&steps, !matches!(kind, NodeKind::Any(..)));
                    if let NodeKind::All(all, _) = kind {
                        self.guards_by(&all.without, &last);
                    }
                }
            }
        }
        let key: BTreeSet<String> = model.key().iter().map(|c| c.name.clone()).collect();
        for clause in &model.rule.clauses {
            let (guards, ends) = match &clause.kind {
                ClauseKind::CancelOn(guards) => (guards, repeats),
                ClauseKind::ResolveOn(guards) => (guards, true),
                _ => continue,
            };
            let strict = self.whole_guard_keys;
            self.whole_guard_keys |= ends;
            self.guards_by(guards, &key);
            self.whole_guard_keys = strict;
            self.alert_guards(guards, model);
        }
        self.alert_steps(model);
    }

    /// `each` gives an event several whole keys: steps and guards must then all have the same components.
    fn each_in_parts(&mut self, model: &Model<'a>) {
        let guards = model.guards();
        let mut items = model.by.iter().chain(model.steps.iter().flat_map(|s| &s.step.by));
        let each = items.find(|item| item.each().is_some());
        let each = each.or_else(|| guards.iter().flat_map(|g| &g.by).find(|item| item.each().is_some()));
        let Some(each) = each else { return };
        let whole: BTreeSet<String> = model.key().iter().map(|c| c.name.clone()).collect();
        let partial = guards.iter().find(|g| {
            !g.by.is_empty() && g.by.iter().map(|item| component(item).name).collect::<BTreeSet<_>>() != whole
        });
        let report = |label| {
            Diagnostic::error(codes::EACH_IN_PARTS, "`each` needs one key for all of the rule", each.span, label)
        };
        if model.is_handed_over() {
            self.out.push(
                report("the keys of this rule change from step to step")
                    .note("an event with several values would have to agree with others in a part of its key")
                    .help("give all steps the same components with `by`"),
            );
        } else if let Some(guard) = partial {
            self.out.push(
                report("a guard agrees on a part of the key only")
                    .label(guard.span, "has other components")
                    .help("name all components of the key in the guard's `by`, or leave it out"),
            );
        }
    }

    fn guards_by(&mut self, guards: &'a [Guard], guarded: &BTreeSet<String>) {
        for guard in guards {
            self.key_list(&guard.by);
            let named: BTreeSet<String> = guard.by.iter().map(|item| component(item).name).collect();
            if let (true, Some(item)) = (self.whole_guard_keys && named.is_subset(guarded), guard.by.first())
                && named != *guarded
            {
                let missing: BTreeSet<String> = guarded.difference(&named).cloned().collect();
                self.out.push(
                    Diagnostic::error(
                        codes::PARTIAL_GUARD_KEY,
                        "this guard's key leaves out a part of the rule's key",
                        item.span,
                        format!("without {}", list(&missing)),
                    )
                    .note("`resolve on`, `repeat every`, `pick pending`, a clock, `expect`, a sliding count, `directly` and `consecutive` look at events of one whole key")
                    .help("name all components of the key here, or make the rule's key smaller"),
                );
            }
            for item in &guard.by {
                let name = component(item).name;
                if name.is_empty() || guarded.contains(&name) {
                    continue;
                }
                let report = Diagnostic::error(
                    codes::UNKNOWN_KEY,
                    format!("`{name}` is no key component of what this guards"),
                    item.span,
                    "nothing to agree with",
                )
                .note(format!("the components there are: {}", list(guarded)));
                let value = self.sources.text(item.value.span);
                self.out.push(match closest(&name, guarded.iter().map(String::as_str)) {
                    Some(near) => {
                        report.help(format!("did you mean `{near}`?")).fix(item.span, format!("{near} = {value}"))
                    }
                    None => match guarded.iter().next() {
                        Some(only) if guarded.len() == 1 => report
                            .help(format!("write `by {only} = {value}`, or compare in its `where`"))
                            .fix(item.span, format!("{only} = {value}")),
                        _ => report.help("give the component the name it has there, or compare in the guard's `where`"),
                    },
                });
            }
        }
    }
}

/// `ip, user`, or `none`.
fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "none".into() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}
