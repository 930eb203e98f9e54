//! Resolution of a dotted path: an attribute, `prev`, a step, a `let`, a key component, or a field.
//!
//! A path of one part is never a step: where events have fields it is a field (a step may be called like
//! one), elsewhere it is a key component or a `let`.

use crate::base::function::Kinds;
use crate::check::model::{Model, NodeKind, Role, path_text};
use crate::check::scope::{AlertShape, Place, Scope, View};
use crate::check::suggest::closest;
use crate::check::{Checker, walk};
use crate::diag::codes::check as codes;
use crate::diag::{Diagnostic, Fix};
use crate::syntax::ast::{AlertValue, Ident, Path};
use crate::syntax::source::Span;

/// The attributes of an event, with their kinds.
pub(crate) const ATTRIBUTES: [(&str, Kinds); 3] =
    [("@ts", Kinds::TIME), ("@arrival", Kinds::TIME), ("@seq", Kinds::NUMBER)];

impl Checker<'_> {
    /// What a path may be; reports what it cannot be.
    pub(crate) fn path(&mut self, path: &Path, scope: &Scope<'_, '_>) -> Kinds {
        let Some(head) = path.parts.first() else { return Kinds::ANY };
        if scope.elements.contains(&head.name.as_str()) {
            return self.element_field(path);
        }
        if let Some(alert) = scope.alert {
            return self.test_path(path, alert);
        }
        if head.name.starts_with('@') {
            if !scope.place.has_event() {
                self.no_event(path, scope);
                return Kinds::ANY;
            }
            self.seen.event.get_or_insert(path.span);
            return self.fields(&path.parts);
        }
        if path.parts.len() > 1 {
            if head.name == "prev" {
                return self.prev(path, scope);
            }
            if let Some(step) = scope.step_named(&head.name) {
                return self.step_field(path, step, scope);
            }
            if let Some((found, seen)) = scope.found_named(&head.name) {
                return self.found_field(path, found, seen);
            }
            if let Some((absent, readable)) = scope.absent_named(&head.name) {
                return self.absent_field(path, absent, readable);
            }
        } else if self.names.lets.contains_key(head.name.as_str()) && !self.is_key(path, scope) {
            return self.use_let(head, scope);
        }
        if !scope.place.has_event() {
            if !self.is_key(path, scope) {
                self.no_event(path, scope);
            }
            return Kinds::FIELD;
        }
        self.seen.event.get_or_insert(path.span);
        self.alert_field(path, scope);
        self.misspelt_step(path, scope);
        self.fields(&path.parts[1..])
    }

    /// The kinds of a chain of fields and attributes; an empty one is a field.
    pub(crate) fn fields(&mut self, parts: &[Ident]) -> Kinds {
        let mut kinds = Kinds::FIELD;
        for (i, part) in parts.iter().enumerate() {
            if !part.name.starts_with('@') {
                continue;
            }
            match ATTRIBUTES.iter().find(|(name, _)| *name == part.name) {
                Some((_, k)) if i + 1 == parts.len() => kinds = *k,
                Some(_) => {
                    self.out.push(
                        Diagnostic::error(
                            codes::UNKNOWN_ATTRIBUTE,
                            format!("`{}` has no fields", part.name),
                            parts[i + 1].span,
                            "nothing can follow an attribute",
                        )
                        .note("`@ts` and `@arrival` are times, `@seq` is a position"),
                    );
                    return Kinds::ANY;
                }
                None => {
                    let mut report = Diagnostic::error(
                        codes::UNKNOWN_ATTRIBUTE,
                        format!("an event has no attribute `{}`", part.name),
                        part.span,
                        "unknown attribute",
                    )
                    .note("the attributes are `@ts` (event time), `@arrival` (arrival time) and `@seq` (position)");
                    report = match closest(&part.name, ATTRIBUTES.iter().map(|(name, _)| *name)) {
                        Some(near) => report.help(format!("did you mean `{near}`?")).fix(part.span, near),
                        None => report.help("for a field whose name begins with `@`, write it in backquotes"),
                    };
                    self.out.push(report);
                    return Kinds::ANY;
                }
            }
        }
        kinds
    }

    fn use_let(&mut self, name: &Ident, scope: &Scope<'_, '_>) -> Kinds {
        let facts = self.let_facts(&name.name);
        self.let_reads_step(name, scope);
        if scope.place == Place::Let {
            self.seen.event = self.seen.event.or(facts.event.map(|_| name.span));
            self.seen.statistic = self.seen.statistic.or(facts.statistic.map(|_| name.span));
        } else if let (Some(field), false) = (facts.event, scope.place.has_event()) {
            self.out.push(
                Diagnostic::error(
                    codes::NO_EVENT,
                    format!("`{}` reads a field of an event, and {} has none", name.name, scope.place.name()),
                    name.span,
                    "there is no current event here",
                )
                .label(field, "the field that the `let` reads")
                .help("write the expression out, with a step before each field: `a.field`"),
            );
        } else if let (Some(statistic), false) = (facts.statistic, scope.place == Place::Step) {
            self.statistic_out_of_place(name.span, scope.place, Some(statistic));
        }
        facts.kinds
    }

    /// `let internal = cidr(source.ip, …)` used in a rule with a step called `source`.
    fn let_reads_step(&mut self, name: &Ident, scope: &Scope<'_, '_>) {
        let mut hidden = None;
        // A `let` may stand in another one.
        let mut names = vec![name.name.as_str()];
        let mut at = 0;
        while let Some(decl) = names.get(at).and_then(|n| self.names.lets.get(n)).copied() {
            at += 1;
            walk::paths(&decl.value, &mut |path| {
                let head = path.parts[0].name.as_str();
                if path.parts.len() > 1 && scope.is_name(head) {
                    hidden.get_or_insert(path);
                } else if path.parts.len() == 1 && self.names.lets.contains_key(head) && !names.contains(&head) {
                    names.push(head);
                }
            });
        }
        if let Some(path) = hidden {
            self.out.push(
                Diagnostic::error(
                    codes::LET_HIDDEN_BY_STEP,
                    format!(
                        "`{}` reads the field `{}`, and this rule has a step of that name",
                        name.name,
                        path_text(path)
                    ),
                    name.span,
                    format!("here `{}` would mean the step", path.parts[0].name),
                )
                .label(path.span, "meant as a field of the event")
                .help("rename the step"),
            );
        }
    }

    fn step_field(&mut self, path: &Path, step: usize, scope: &Scope<'_, '_>) -> Kinds {
        let readable = self.step_is_readable(step, &path.parts[0], scope);
        if scope.views[step] == View::OwnSingle
            && let Some(report) = self.out.last_mut()
        {
            let prefix = Span { end: path.parts[1].span.start, ..path.parts[0].span };
            report.fix = Some(Fix { span: prefix, replacement: String::new() });
        }
        if readable && scope.views[step] == View::Many {
            self.plain_field_of_repeated(path, scope);
            return Kinds::ANY;
        }
        if scope.views[step] == View::One {
            let classes = scope.model.map_or(&[][..], |m| &m.steps[step].step.classes);
            self.alert_class_field(classes, &path.parts[1..]);
        }
        self.fields(&path.parts[1..])
    }

    /// Reports a step that has bound nothing where its name stands.
    pub(crate) fn step_is_readable(&mut self, step: usize, name: &Ident, scope: &Scope<'_, '_>) -> bool {
        let declared = scope.model.and_then(|m| m.steps[step].step.name.as_ref()).map_or(name.span, |n| n.span);
        let report = match scope.views[step] {
            View::One | View::Many => return true,
            View::Later => Diagnostic::error(
                codes::STEP_NOT_BOUND_YET,
                format!("`{}` is read before it is bound", name.name),
                name.span,
                "nothing is bound to it at this point",
            )
            .label(declared, "bound only here, later in the pattern")
            .help("move the comparison to the later step's `where`, or to `having`, which sees all steps"),
            View::AllSibling => Diagnostic::error(
                codes::STEP_OUT_OF_SCOPE,
                format!("`{}` may come after this member of the same `all`", name.name),
                name.span,
                "not bound yet if the other order happens",
            )
            .label(declared, "a member of the same `all { … }`")
            .help("compare members of `all` in `having`, which sees all steps"),
            View::AnySibling => Diagnostic::error(
                codes::STEP_OUT_OF_SCOPE,
                format!("`{}` is never bound together with this member of `any`", name.name),
                name.span,
                "always missing here",
            )
            .label(declared, "another member of the same `any { … }`")
            .help("only one member of `any` is bound; use `all { … }` if both must occur"),
            View::OwnSingle => Diagnostic::error(
                codes::STEP_OUT_OF_SCOPE,
                format!("in its own `where`, `{}` means what it has bound so far, and that is nothing", name.name),
                name.span,
                "always missing here",
            )
            .label(declared, "a step that binds one event")
            .help(format!(
                "for a field of the current event leave out `{}.`; for a field that is itself called `{}`, rename the step",
                name.name, name.name
            )),
        };
        self.out.push(report);
        false
    }

    fn plain_field_of_repeated(&mut self, path: &Path, scope: &Scope<'_, '_>) {
        let name = &path.parts[0];
        let field: String = path.parts[1..].iter().map(|p| format!(".{}", p.name)).collect();
        let text = path_text(path);
        let model = scope.model;
        let step = model.and_then(|m| m.step_named(&name.name).map(|i| &m.steps[i]));
        let declared =
            step.and_then(|s| s.step.quantifier.as_ref().map(|q| q.span).or(s.step.name.as_ref().map(|n| n.span)));
        let mut report = Diagnostic::error(
            codes::PLAIN_FIELD_OF_REPEATED,
            format!("`{}` binds several events: `{text}` does not say which", name.name),
            path.span,
            "which of them?",
        );
        if let Some(declared) = declared {
            report = report.label(declared, "repeated here");
        }
        self.out.push(
            report
                .help(format!(
                    "write `first({0}){field}`, `last({0}){field}`, or an aggregate such as `max({text})` or `count({0})`",
                    name.name
                ))
                .fix(path.span, format!("last({}){field}", name.name)),
        );
    }

    fn prev(&mut self, path: &Path, scope: &Scope<'_, '_>) -> Kinds {
        let kinds = self.fields(&path.parts[1..]);
        let report =
            |message: &str, label: &str| Diagnostic::error(codes::PREV_OUT_OF_PLACE, message, path.span, label);
        let found = match (scope.place, scope.model, scope.own) {
            (Place::Step, Some(model), Some(own)) => match prev_problem(model, own) {
                None => return kinds,
                Some(problem) => problem.fold(report),
            },
            _ => report(
                &format!("`prev` has no meaning in {}", scope.place.name()),
                "only a step's `where` has a previous event",
            )
            .note("`prev.f` is the field of the event that was bound just before the one a step looks at")
            .help("name the step that is meant: `a.f`, or `last(a).f` if it is repeated; a field called `prev` is written in an object of its own"),
        };
        self.out.push(found);
        Kinds::ANY
    }

    /// Whether a path names a component of the rule's key.
    fn is_key(&self, path: &Path, scope: &Scope<'_, '_>) -> bool {
        let text = path_text(path);
        !scope.place.has_event()
            && scope.place != Place::Bound
            && scope.model.is_some_and(|m| m.key().iter().any(|c| c.name == text || c.field.as_ref() == Some(&text)))
    }

    fn no_event(&mut self, path: &Path, scope: &Scope<'_, '_>) {
        let Some(model) = scope.model else { return };
        let text = path_text(path);
        let head = &path.parts[0];
        if path.parts.len() == 1 && scope.is_name(&head.name) {
            self.step_as_value(head);
            return;
        }
        let report = Diagnostic::error(
            codes::NO_EVENT,
            format!("`{text}` does not say of which event, and {} has no current one", scope.place.name()),
            path.span,
            "neither a step's field, a key component nor a `let`",
        );
        // A component of a later step is bound, but under that step's name.
        let later = model.steps.iter().find_map(|s| {
            let component = s.components.iter().find(|c| c.name == text || c.field.as_ref() == Some(&text))?;
            Some((s.step.name.as_ref()?, component.field.as_ref()?))
        });
        let keys = model.key().iter().map(|c| c.name.as_str());
        let lets = self.names.lets.keys().copied();
        let steps = model.step_names();
        let near_step = || if path.parts.len() > 1 { closest(&head.name, steps) } else { None };
        let value = crate::check::clauses::alert_fields(model.rule).find(|f| f.name.name == text);
        let report = if let Some(field) = value {
            let report = report.note("the values of an `alert` block do not read each other");
            match &field.value {
                AlertValue::Expr(e) => {
                    let written = self.sources.text(e.span);
                    report.help(format!("write out its expression: `{written}`")).fix(path.span, written)
                }
                AlertValue::Template(..) => report.help("write the text out in both places"),
            }
        } else if let Some((name, field)) = later {
            report
                .note("the rule's key is that of its first step")
                .help(format!("say which step: `{}.{field}`", name.name))
                .fix(path.span, format!("{}.{field}", name.name))
        } else if let Some(near) = closest(&text, keys.chain(lets)) {
            report.help(format!("did you mean `{near}`?")).fix(path.span, near)
        } else if let Some(near) = near_step() {
            report.help(format!("did you mean the step `{near}`?")).fix(head.span, near)
        } else if let Some(step) = model.steps.iter().rev().find(|s| s.step.name.is_some()) {
            let name = step.step.name.as_ref().map_or("", |n| n.name.as_str());
            let value = if Scope::after(scope.place, model).views[model.step_named(name).unwrap_or(0)] == View::Many {
                format!("last({name}).{text}")
            } else {
                format!("{name}.{text}")
            };
            report.help(format!("say which event: `{value}`")).fix(path.span, value)
        } else {
            report.help(format!("name a step, `a: …`, and write `a.{text}`"))
        };
        self.out.push(report);
    }

    /// Reports a step's name that stands where a value is needed.
    pub(crate) fn step_as_value(&mut self, name: &Ident) {
        self.out.push(
            Diagnostic::error(
                codes::STEP_AS_VALUE,
                format!("the step `{}` is not a value", name.name),
                name.span,
                "which field of it?",
            )
            .help(format!(
                "write a field, `{0}.field`, or `count({0})`; `count({0}) > 0` asks whether it was bound",
                name.name
            )),
        );
    }

    /// A field of the current event, if all its classes are alerts: their values are known.
    fn alert_field(&mut self, path: &Path, scope: &Scope<'_, '_>) {
        self.alert_class_field(scope.classes, &path.parts);
    }

    /// Reports a first part that alerts of these classes do not have.
    pub(crate) fn alert_class_field(&mut self, classes: &[crate::syntax::ast::ClassRef], parts: &[Ident]) {
        let Some(head) = parts.first().filter(|p| !p.name.starts_with('@')) else { return };
        let mut known: Vec<String> = vec!["key".into(), "severity".into(), "rule".into()];
        for class in classes {
            let Some(rule) = class.name.strip_prefix("alert.") else { return };
            let Some(rule) = self.names.rules.get(rule) else { return };
            known.extend(crate::check::clauses::alert_fields(rule).map(|f| f.name.name.clone()));
        }
        if classes.is_empty() || known.contains(&head.name) {
            return;
        }
        let report = Diagnostic::error(
            codes::UNKNOWN_ALERT_FIELD,
            format!("alerts of `{}` have no value `{}`", classes[0].name.trim_start_matches("alert."), head.name),
            head.span,
            "always missing",
        )
        .note(format!("an alert has these fields: {}", known.join(", ")));
        let report = match closest(&head.name, known.iter().map(String::as_str)) {
            Some(near) => report.help(format!("did you mean `{near}`?")).fix(head.span, near),
            None => report.help(
                "a component of the alert's key is `key.name`; add other values to the `alert` block of that rule",
            ),
        };
        self.out.push(report);
    }

    /// `fial.user` where a step is called `fail`: read as a field, probably not meant.
    fn misspelt_step(&mut self, path: &Path, scope: &Scope<'_, '_>) {
        let (Some(model), true) = (scope.model, path.parts.len() > 1) else { return };
        let head = &path.parts[0];
        if head.name.chars().count() < 3 {
            return;
        }
        let Some(near) = closest(&head.name, model.step_names()) else { return };
        if crate::check::suggest::distance(&head.name, near) > 1 {
            return;
        }
        self.out.push(
            Diagnostic::warning(
                codes::MISSPELT_STEP,
                format!("`{}` is read as a field of the event; there is a step `{near}`", path_text(path)),
                head.span,
                "no step has this name",
            )
            .note("a field that events do not have is missing, and the condition then never holds")
            .help(format!("did you mean `{near}`?"))
            .fix(head.span, near),
        );
    }

    fn test_path(&mut self, path: &Path, alert: &AlertShape) -> Kinds {
        let text = path_text(path);
        let head = &path.parts[0].name;
        if let Some((_, kinds)) = alert.values.iter().find(|(name, _)| name == head) {
            return if path.parts.len() == 1 { *kinds } else { Kinds::FIELD };
        }
        let bare = text.strip_prefix("key.").unwrap_or(&text);
        if alert.key.iter().any(|(name, field)| name == bare || field.as_deref() == Some(bare)) {
            return Kinds::FIELD;
        }
        if matches!(text.as_str(), "severity" | "rule" | "title") {
            return Kinds::STRING;
        }
        let known: Vec<&str> = alert
            .values
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(alert.key.iter().map(|(name, _)| name.as_str()))
            .chain(["severity"])
            .collect();
        let report = Diagnostic::error(
            codes::TEST_UNKNOWN_VALUE,
            format!("the alert has no value `{text}`"),
            path.span,
            "always missing, so the expectation never holds",
        )
        .note(format!("known here: {}", known.join(", ")));
        let report = match closest(&text, known.iter().copied()) {
            Some(near) => report.help(format!("did you mean `{near}`?")).fix(path.span, near),
            None => report.help(format!("add `{head} = …` to the rule's `alert` block")),
        };
        self.out.push(report);
        Kinds::ANY
    }
}

/// Why `prev` cannot be read in a step.
struct PrevProblem(&'static str, &'static str, &'static str);

impl PrevProblem {
    fn fold(self, report: impl Fn(&str, &str) -> Diagnostic) -> Diagnostic {
        report(self.0, self.1).help(self.2)
    }
}

fn prev_problem(model: &Model<'_>, own: usize) -> Option<PrevProblem> {
    let step = &model.steps[own];
    let before = model.nodes[..step.node].iter().rev().find(|n| !matches!(n.kind, NodeKind::Absence(_)));
    match step.role {
        Role::AllMember => Some(PrevProblem(
            "`prev` is undefined in `all { … }`, whose members come in any order",
            "which event comes before is not known",
            "name the step that is meant: `a.f`",
        )),
        Role::GroupMember(0) => Some(PrevProblem(
            "`prev` of the first step of a repeated group is undefined",
            "the event before belongs to another repetition",
            "name the step that is meant, or compare inside one repetition",
        )),
        Role::GroupMember(_) => None,
        _ if before.is_none() && !step.is_repeated() => Some(PrevProblem(
            "`prev` is always missing here: this step binds the first event",
            "there is no event before it",
            "repeat the step, or put a step before it; for the past of the class use a statistic such as `last(field, 1h)`",
        )),
        _ => None,
    }
}
