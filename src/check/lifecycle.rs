//! What happens to an alert after it was found: who sees it, how long it is open, when it is said again.

use crate::check::Checker;
use crate::check::clauses::alert_fields;
use crate::check::model::{Component, Model, NodeKind};
use crate::check::pattern::all_classes;
use crate::check::scope::{Place, Scope};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{ClassRef, Clause, ClauseKind, Expr, ExprKind, Guard, RuleDecl, StepGuardKind};
use crate::syntax::source::Span;

impl<'a> Checker<'a> {
    /// `internal`, and what has no effect beside it.
    pub(crate) fn internal(&mut self, on: bool, clause: &Clause, model: &Model<'a>) {
        if !on {
            self.out.push(
                Diagnostic::error(codes::NO_EFFECT, "`internal false` has no effect", clause.span, "the default")
                    .help("delete it; `internal` alone makes the rule feed other rules without notifying"),
            );
            return;
        }
        for other in &model.rule.clauses {
            let (word, why) = match &other.kind {
                ClauseKind::Suppress { .. } => ("suppress", "there are no notifications to hold back"),
                ClauseKind::Shadow(true) => ("shadow", "a rule in shadow feeds no other rule"),
                _ => continue,
            };
            self.out.push(
                Diagnostic::error(
                    codes::NO_EFFECT,
                    format!("`{word}` and `internal` exclude each other"),
                    other.span,
                    why,
                )
                .label(clause.span, "an internal rule never notifies, and feeds other rules")
                .help(format!("delete `{word}` or `internal`")),
            );
        }
    }

    /// Internal rules that no rule builds on.
    pub(crate) fn unread_internal_rules(&mut self) {
        let mut read: Vec<&str> = Vec::new();
        let mut reads_all = false;
        for rule in self.names.rules.values().copied() {
            for class in all_classes(rule) {
                reads_all |= class.name == "alert";
                read.extend(class.name.strip_prefix("alert."));
            }
        }
        for rule in self.names.rules.values().copied().collect::<Vec<_>>() {
            let clause = rule.clauses.iter().find(|c| matches!(c.kind, ClauseKind::Internal(true)));
            let name = rule.name.name.as_str();
            if let Some(clause) = clause
                && !reads_all
                && !read.contains(&name)
            {
                self.out.push(
                    Diagnostic::warning(
                        codes::UNREAD_INTERNAL,
                        format!("no rule reads the alerts of `{name}`, and it never notifies"),
                        clause.span,
                        "nobody learns of its matches",
                    )
                    .note(format!("a rule reads them as events of class `alert.{name}`"))
                    .help("delete `internal`, or check it together with the rules that build on it"),
                );
            }
        }
    }

    /// `resolve when C`: reads the step as `having` does, and needs a window to look at.
    pub(crate) fn resolve_when(&mut self, expr: &'a Expr, clause: &Clause, model: &Model<'a>) {
        self.condition(expr, &Scope::after(Place::Having, model), "`resolve when`");
        if !model.is_sliding() {
            self.out.push(
                Diagnostic::error(
                    codes::RESOLVE_WHEN_WITHOUT_COUNT,
                    "`resolve when` needs a sliding count",
                    clause.span,
                    "this pattern is looked at once, when it completes",
                )
                .note("a sliding count is one repeated step with `within`: it is looked at with every event")
                .help("name the event that ends the trouble: `resolve on X`"),
            );
        }
    }

    /// `repeat every d`: only while an absence at the end of the pattern lasts.
    pub(crate) fn repeat(&mut self, period: &Expr, clause: &Clause, model: &Model<'a>) {
        self.duration(period, "`repeat every`");
        self.repeat_of_group(clause, model);
        let absent = model.nodes.last().is_some_and(|n| matches!(n.kind, NodeKind::Absence(_)));
        if let (true, Some((choice, _))) = (absent, model.choices.first()) {
            self.out.push(
                Diagnostic::error(
                    codes::CHOICE_TOO_RICH,
                    "`repeat every` beside `any` of sequences is not built yet",
                    clause.span,
                    "which absence lasts depends on the member",
                )
                .label(choice.span, "`any` of sequences")
                .help("write a rule for each sequence"),
            );
        } else if !absent {
            self.out.push(
                Diagnostic::error(
                    codes::REPEAT_WITHOUT_ABSENCE,
                    "`repeat every` needs an absence at the end of the pattern",
                    clause.span,
                    "nothing lasts here",
                )
                .note("the alert is said again until one of the absent events comes")
                .help("delete it, or end the pattern with an absence: `then no X within 5m`"),
            );
        } else if model.is_handed_over() {
            self.out.push(
                Diagnostic::error(
                    codes::REPEAT_HANDED_OVER,
                    "`repeat every` needs one key for all steps",
                    clause.span,
                    "the keys of this rule change from step to step",
                )
                .help("give all steps the same `by`, or delete it"),
            );
        }
    }

    /// `unless open alert.r`: r is resolved some time, and its key is part of the step's. Also: alerts of an internal
    /// rule that nobody asks whether they are open are resolved for nobody.
    pub(crate) fn open_guards(&mut self) {
        let mut asked: Vec<&str> = Vec::new();
        for rule in self.names.all_rules.clone() {
            let model = Model::new(rule);
            for info in &model.steps {
                let guards = info.step.guards.iter().filter(|g| g.kind == StepGuardKind::UnlessOpen);
                for class in guards.flat_map(|g| &g.events).flat_map(|e| &e.classes) {
                    asked.extend(class.name.strip_prefix("alert."));
                    self.open_guard(class, &info.components);
                }
            }
        }
        for rule in self.names.all_rules.clone() {
            let internal = rule.clauses.iter().any(|c| matches!(c.kind, ClauseKind::Internal(true)));
            let resolve = rule.clauses.iter().find(|c| is_resolve(&c.kind));
            if let Some(resolve) = resolve.filter(|_| internal && !asked.contains(&rule.name.name.as_str())) {
                self.out.push(
                    Diagnostic::error(
                        codes::NO_EFFECT,
                        "`resolve` has no effect on an internal rule",
                        resolve.span,
                        "nobody was told of the alert",
                    )
                    .note("it would have one if another rule asked `unless open` for its alerts")
                    .help("delete `resolve`, or `internal`"),
                );
            }
        }
    }

    /// `resolve on alert.r` and `cancel on alert.r`.
    pub(crate) fn alert_guards(&mut self, guards: &'a [Guard], model: &Model<'a>) {
        for guard in guards.iter().filter(|g| g.by.is_empty()) {
            self.alert_lacks_key(&guard.classes, guard.span.end, model);
        }
    }

    /// Steps of class `alert.r` that take the key of the rule.
    pub(crate) fn alert_steps(&mut self, model: &Model<'a>) {
        for info in model.steps.iter().filter(|info| info.step.by.is_empty()) {
            let classes = &info.step.classes;
            let end = info.step.condition.as_ref().map(|c| c.span.end).or(classes.last().map(|c| c.span.end));
            self.alert_lacks_key(classes, end.unwrap_or(info.step.span.end), model);
        }
    }

    /// An alert has the parts of its key under `key`, so a key of this rule that is read from the alert itself is missing,
    /// and no alert is ever met. A `by` that would read it there stands at `by_at`.
    fn alert_lacks_key(&mut self, classes: &'a [ClassRef], by_at: u32, model: &Model<'a>) {
        let [class] = classes else { return };
        let Some(name) = class.name.strip_prefix("alert.") else { return };
        let Some(other) = self.names.rules.get(name).copied() else { return };
        let values: Vec<&str> = alert_fields(other).map(|f| f.name.name.as_str()).collect();
        let has = |field: &str| {
            let head = field.split('.').next().unwrap_or(field);
            head.starts_with('@') || ["key", "severity", "rule"].contains(&head) || values.contains(&head)
        };
        let lacks = |c: &&Component<'a>| !c.item.optional && c.field.as_deref().is_some_and(|f| !has(f));
        let Some(missing) = model.key().iter().find(lacks) else { return };
        let theirs = Model::new(other);
        let written = |c: &Component<'a>| {
            let value = self.sources.text(c.item.value.span).trim();
            let theirs = theirs.key().iter().any(|t| t.name == c.name);
            format!("{} = {}", c.name, if theirs { format!("key.{}", c.name) } else { value.to_owned() })
        };
        let by: Vec<String> = model.key().iter().map(written).collect();
        let report = Diagnostic::warning(
            codes::ALERT_WITHOUT_KEY,
            format!(
                "alerts of `{name}` have no `{}`, so none is ever met here",
                missing.field.as_deref().unwrap_or(&missing.name)
            ),
            class.span,
            format!("without the key component `{}`", missing.name),
        )
        .label(missing.item.span, "a part of this rule's key")
        .note("an alert has the parts of its key under `key`, and the values of its `alert` block");
        self.out.push(if theirs.key().iter().any(|t| t.name == missing.name) {
            let end = Span { start: by_at, end: by_at, ..class.span };
            let by = by.join(", ");
            report.help(format!("read the key from there: `by {by}`")).fix(end, format!(" by {by}"))
        } else {
            report.help(format!("give the `alert` block of `{name}` a value `{}`", missing.name))
        });
    }

    fn open_guard(&mut self, class: &ClassRef, mine: &[Component<'a>]) {
        let Some(name) = class.name.strip_prefix("alert.") else {
            self.out.push(
                Diagnostic::error(
                    codes::OPEN_NO_ALERT,
                    "`unless open` takes the alerts of a rule",
                    class.span,
                    "events are not open or closed",
                )
                .help(format!("write `unless open alert.r`, or `unless {} in last 1h`", class.name)),
            );
            return;
        };
        // An unknown rule is reported with its class.
        let Some(other) = self.names.rules.get(name).copied() else { return };
        if !resolves(other) {
            self.out.push(
                Diagnostic::error(
                    codes::OPEN_WITHOUT_RESOLVE,
                    format!("the alerts of `{name}` are never resolved"),
                    class.span,
                    "would be open for ever",
                )
                .label(other.name.span, "has no `resolve`")
                .help(format!("give `{name}` a `resolve on X`, or write `unless alert.{name} in last 1h`")),
            );
        }
        let each = |c: &&Component<'a>| matches!(&c.item.value.kind, ExprKind::Call(call) if call.name.name == "each");
        if let Some(several) = mine.iter().find(each) {
            self.out.push(
                Diagnostic::error(
                    codes::OPEN_KEY,
                    "`unless open` needs one key, and `each` gives several",
                    class.span,
                    "open for which of them?",
                )
                .label(several.item.span, "a key for each element")
                .help(format!("write `unless alert.{name} in last 1h`")),
            );
            return;
        }
        let theirs = Model::new(other);
        for component in theirs.key() {
            if mine.iter().any(|c| c.name == component.name) {
                continue;
            }
            self.out.push(
                Diagnostic::error(
                    codes::OPEN_KEY,
                    format!("this step has no key component `{}`", component.name),
                    class.span,
                    format!("the alerts of `{name}` are found by it"),
                )
                .label(component.item.span, "a part of that rule's key")
                .help(format!("add it to the step's or the rule's `by`: `by {} = …`", component.name)),
            );
        }
    }
}

/// Whether the alerts of a rule are resolved some time.
pub(crate) fn resolves(rule: &RuleDecl) -> bool {
    rule.clauses.iter().any(|c| is_resolve(&c.kind))
}

/// Whether the alerts of a rule are said again.
pub(crate) fn repeats(rule: &RuleDecl) -> bool {
    rule.clauses.iter().any(|c| matches!(c.kind, ClauseKind::Repeat(_)))
}

fn is_resolve(clause: &ClauseKind) -> bool {
    matches!(clause, ClauseKind::ResolveOn(_) | ClauseKind::ResolveWhen(_))
}
