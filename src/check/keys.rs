//! Keys: components and their names, keys of guards, keys that are handed over from step to step.

use std::collections::BTreeSet;

use crate::check::Checker;
use crate::check::model::{Component, Model, NodeKind, Role, component};
use crate::check::pending::is_pending;
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{ClauseKind, Expr, ExprKind, Guard, KeyItem};

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

    /// A component is one field, or a plain function of one.
    fn key_value(&mut self, item: &'a KeyItem) {
        match self.key_field(&item.value) {
            Ok(()) => {
                if item.name.is_none() && !matches!(item.value.kind, ExprKind::Path(_)) {
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
            }
            Err(report) => self.out.push(*report),
        }
    }

    fn key_field(&mut self, value: &Expr) -> Result<(), Box<Diagnostic>> {
        let refuse = |message: &str, label: &str| {
            Box::new(
                Diagnostic::error(codes::WRONG_KEY, message, value.span, label)
                    .help("a key component is a field, or a function of one field: `user = lower(user.name)`"),
            )
        };
        match &value.kind {
            ExprKind::Path(path) if path.parts.iter().any(|p| p.name.starts_with('@')) => {
                Err(refuse("an attribute cannot be a key", "every event would have a key of its own"))
            }
            ExprKind::Path(path)
                if path.parts.len() == 1 && self.names.lets.contains_key(path.parts[0].name.as_str()) =>
            {
                Err(refuse("a `let` as a key is not built yet", "not available"))
            }
            ExprKind::Path(path) => {
                let _ = self.path(path, &crate::check::scope::Scope::bare(crate::check::scope::Place::Key));
                Ok(())
            }
            ExprKind::Index(inner, _) | ExprKind::Member(inner, _)
                if !matches!(inner.kind, ExprKind::Lookup { .. }) =>
            {
                self.key_field(inner)
            }
            ExprKind::Call(call) if crate::base::function::Function::by_name(&call.name.name).is_some() => {
                let mut fields = 0;
                for arg in &call.args {
                    match &arg.kind {
                        ExprKind::Path(_) | ExprKind::Call(_) | ExprKind::Index(..) | ExprKind::Member(..) => {
                            fields += 1;
                            self.key_field(arg)?;
                        }
                        ExprKind::Str(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) => {}
                        ExprKind::Neg(inner) if matches!(inner.kind, ExprKind::Int(_) | ExprKind::Float(_)) => {}
                        _ => return Err(refuse("a key computed like this is not built yet", "not available")),
                    }
                }
                if fields != 1 {
                    return Err(refuse(
                        "a key component is computed from one field",
                        &format!("computed from {fields}"),
                    ));
                }
                let scope = crate::check::scope::Scope::bare(crate::check::scope::Place::Key);
                self.infer(value, &scope);
                Ok(())
            }
            ExprKind::Call(call) => {
                // Reports an unknown function by its name; everything else that is called is no key.
                let before = self.out.len();
                let scope = crate::check::scope::Scope::bare(crate::check::scope::Place::Key);
                self.infer(value, &scope);
                match self.out.len() > before {
                    true => Ok(()),
                    false => {
                        Err(refuse(&format!("`{}` cannot make a key", call.name.name), "not a function of one field"))
                    }
                }
            }
            _ => Err(refuse("a key computed like this is not built yet", "not available")),
        }
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
            _ => false,
        };
        let strict = model.nodes.iter().any(|n| n.then.is_some_and(|t| t.directly) || contiguous(n));
        self.whole_guard_keys = !model.is_handed_over() && (strict || model.is_sliding() || is_pending(model));
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
                    .note("`resolve on`, `repeat every`, `pick pending`, a sliding count, `directly` and `consecutive` look at events of one whole key")
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
