//! The clauses beside `match`: duplicates, values, and those that have no effect.

use crate::base::Value;
use crate::base::function::Kinds;
use crate::check::Checker;
use crate::check::fold::fold;
use crate::check::model::Model;
use crate::check::scope::{Place, Scope};
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{
    AfterMatch, AlertField, AlertValue, Clause, ClauseKind, Expr, ExprKind, Ident, Pick, RuleDecl, TemplatePart,
};
use crate::syntax::source::Span;

/// The severities, least first.
pub(crate) const LEVELS: [&str; 5] = ["info", "low", "medium", "high", "critical"];
/// What `limits` of a rule may set.
const LIMITS: [&str; 1] = ["runs_per_key"];
/// Fields that every alert has.
const ALERT_FIELDS: [&str; 3] = ["key", "severity", "rule"];

/// The values of a rule's `alert` block.
pub(crate) fn alert_fields(rule: &RuleDecl) -> impl Iterator<Item = &AlertField> {
    rule.clauses.iter().flat_map(|c| match &c.kind {
        ClauseKind::Alert(fields) => fields.as_slice(),
        _ => &[],
    })
}

/// The word a clause begins with.
fn keyword(kind: &ClauseKind) -> &'static str {
    match kind {
        ClauseKind::Severity(_) => "severity",
        ClauseKind::Tags(_) => "tags",
        ClauseKind::Title(_) => "title",
        ClauseKind::Id(_) => "id",
        ClauseKind::Status(_) => "status",
        ClauseKind::Description(_) => "description",
        ClauseKind::Runbook(_) => "runbook",
        ClauseKind::Author(_) => "author",
        ClauseKind::References(_) => "references",
        ClauseKind::FalsePositives(_) => "false_positives",
        ClauseKind::Risk(_) => "risk",
        ClauseKind::By(_) => "by",
        ClauseKind::Match(_) => "match",
        ClauseKind::Having { .. } => "having",
        ClauseKind::Pick(_) => "pick",
        ClauseKind::AfterMatch(_) => "after match",
        ClauseKind::CancelOn(_) => "cancel on",
        ClauseKind::Alert(_) => "alert",
        ClauseKind::Suppress { .. } => "suppress",
        ClauseKind::Enabled(_) => "enabled",
        ClauseKind::Shadow(_) => "shadow",
        ClauseKind::Internal(_) => "internal",
        ClauseKind::ResolveOn(_) => "resolve on",
        ClauseKind::ResolveWhen(_) => "resolve when",
        ClauseKind::Repeat(_) => "repeat every",
        ClauseKind::Expect(_) => "expect",
        ClauseKind::Limits(_) => "limits",
    }
}

impl<'a> Checker<'a> {
    /// A clause that stands twice, or a second title.
    pub(crate) fn duplicate_clauses(&mut self, rule: &'a RuleDecl) {
        for (i, clause) in rule.clauses.iter().enumerate() {
            let word = keyword(&clause.kind);
            let first = rule.clauses[..i].iter().find(|c| keyword(&c.kind) == word).map(|c| c.span);
            let title = rule.title.as_ref().filter(|_| word == "title").map(|t| t.span);
            if let Some(first) = first.or(title) {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE_CLAUSE,
                        format!("`{word}` is given twice"),
                        clause.span,
                        "given again here",
                    )
                    .label(first, "first given here")
                    .note("only one of them could act")
                    .help(match word {
                        "having" => "join the conditions with `and`",
                        "cancel on" | "resolve on" | "tags" | "references" | "false_positives" | "by" => {
                            "put them into one list, separated by commas"
                        }
                        "alert" => "put the values into one block",
                        _ => "delete one of them",
                    }),
                );
            }
        }
    }

    /// All clauses but `match` and `by`.
    pub(crate) fn clauses(&mut self, model: &Model<'a>) {
        for clause in &model.rule.clauses {
            match &clause.kind {
                ClauseKind::Severity(expr) => self.severity(expr, model),
                ClauseKind::Risk(expr) => self.risk(expr, model),
                ClauseKind::Having { condition, lasting } => {
                    self.condition(condition, &Scope::after(Place::Having, model), "`having`");
                    if let Some(lasting) = lasting {
                        self.having_for(lasting, model);
                    }
                }
                ClauseKind::Pick(pick) => self.pick(*pick, clause, model),
                ClauseKind::AfterMatch(skip) => self.after_match(skip, clause, model),
                ClauseKind::CancelOn(guards) => {
                    for guard in guards {
                        self.guard(guard, &Scope::after(Place::Guard, model));
                    }
                    self.cancel_without_effect(clause, model);
                }
                ClauseKind::Alert(fields) => self.alert(fields, clause, model),
                ClauseKind::Suppress { period, by } => {
                    self.duration(period, "`suppress`");
                    for expr in by {
                        self.infer(expr, &Scope::after(Place::Suppress, model));
                    }
                }
                ClauseKind::Shadow(false) => self.out.push(
                    Diagnostic::error(codes::NO_EFFECT, "`shadow false` has no effect", clause.span, "the default")
                        .help("delete it; `shadow` alone makes the rule count without notifying"),
                ),
                ClauseKind::Internal(on) => self.internal(*on, clause, model),
                ClauseKind::ResolveOn(guards) => {
                    for guard in guards {
                        self.guard(guard, &Scope::after(Place::Guard, model));
                    }
                }
                ClauseKind::ResolveWhen(expr) => self.resolve_when(expr, clause, model),
                ClauseKind::Expect(expect) => self.expect(expect, clause, model),
                ClauseKind::Repeat(period) => self.repeat(period, clause, model),
                ClauseKind::Limits(limits) => self.limits(limits, clause.span),
                _ => {}
            }
        }
    }

    fn severity(&mut self, expr: &Expr, model: &Model<'a>) {
        if let ExprKind::Path(path) = &expr.kind
            && let [word] = path.parts.as_slice()
        {
            if LEVELS.contains(&word.name.as_str()) {
                return;
            }
            if closest(&word.name, LEVELS).is_some() || !self.names.lets.contains_key(word.name.as_str()) {
                self.unknown_level(&word.name, word.span, "");
                return;
            }
        }
        if !self.severity_branches(expr) {
            return;
        }
        let kinds = self.infer(expr, &Scope::after(Place::Severity, model));
        if !kinds.meets(Kinds::STRING) {
            self.out.push(
                Diagnostic::error(
                    codes::UNKNOWN_SEVERITY,
                    format!("a severity is a word, and this is a {kinds}"),
                    expr.span,
                    "no severity",
                )
                .help(format!("the severities are: {}", LEVELS.join(", "))),
            );
        }
    }

    /// The values an expression of severities may give: `if(count(a) > 10, "high", "low")`.
    fn severity_branches(&mut self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Str(text) if !LEVELS.contains(&text.value.as_str()) => {
                self.unknown_level(&text.value, expr.span, "\"");
                false
            }
            ExprKind::Path(path) if path.parts.len() == 1 && LEVELS.contains(&path.parts[0].name.as_str()) => {
                let word = &path.parts[0].name;
                self.out.push(
                    Diagnostic::error(
                        codes::UNKNOWN_SEVERITY,
                        format!("inside an expression `{word}` is a name, not a severity"),
                        expr.span,
                        "needs quotes here",
                    )
                    .help("write the severity as a text")
                    .fix(expr.span, format!("\"{word}\"")),
                );
                false
            }
            ExprKind::Call(call) if call.name.name == "if" && call.args.len() == 3 => {
                let then = self.severity_branches(&call.args[1]);
                self.severity_branches(&call.args[2]) && then
            }
            ExprKind::Binary(crate::syntax::ast::BinaryOp::Default, a, b) => {
                let first = self.severity_branches(a);
                self.severity_branches(b) && first
            }
            _ => true,
        }
    }

    fn unknown_level(&mut self, word: &str, span: Span, quote: &str) {
        let report = Diagnostic::error(
            codes::UNKNOWN_SEVERITY,
            format!("there is no severity `{word}`"),
            span,
            "unknown severity",
        )
        .note(format!("the severities are: {}", LEVELS.join(", ")));
        self.out.push(match closest(word, LEVELS) {
            Some(near) => report.help(format!("did you mean `{near}`?")).fix(span, format!("{quote}{near}{quote}")),
            None => report.help("choose one of them, or give an expression: `if(count(a) > 10, \"high\", \"low\")`"),
        });
    }

    fn risk(&mut self, expr: &Expr, model: &Model<'a>) {
        let kinds = self.infer(expr, &Scope::after(Place::Severity, model));
        let negative = matches!(fold(expr, &self.names), Some(v) if v.as_ref().as_f64().is_some_and(|n| n < 0.0));
        if !kinds.meets(Kinds::NUMBER) || negative {
            let what = if negative { "a negative number".to_string() } else { format!("a {kinds}") };
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_OPERAND,
                    format!("a risk is a number from 0 on, and this is {what}"),
                    expr.span,
                    what,
                )
                .help("write `risk 70`"),
            );
        }
    }

    fn pick(&mut self, pick: Pick, clause: &Clause, model: &Model<'a>) {
        let reason = if model.is_sliding() {
            "a sliding count has one candidate at a time: the events in its window"
        } else if model.only_step().is_some_and(|s| !s.is_repeated()) {
            "a single step has one candidate at a time: its event"
        } else {
            if pick == Pick::All {
                self.pick_all_unbounded(clause, model);
            } else if pick == Pick::Pending {
                self.pending(clause, model);
            }
            return;
        };
        self.out.push(
            Diagnostic::error(codes::NO_EFFECT, "`pick` has no effect here", clause.span, "nothing to pick from")
                .note(reason)
                .help("delete the clause"),
        );
    }

    fn after_match(&mut self, skip: &AfterMatch, clause: &Clause, model: &Model<'a>) {
        let reason = if model.only_step().is_some_and(|s| !s.is_repeated()) {
            "a match of a single step uses up its one event anyway"
        } else if model.is_sliding() && !matches!(skip, AfterMatch::NoSkip | AfterMatch::SkipPastLast) {
            "a match does not empty the window of a sliding count; `no skip` makes it fire at every event at which the count is reached"
        } else {
            self.skip_target(skip, model);
            return;
        };
        self.out.push(
            Diagnostic::error(codes::NO_EFFECT, "`after match` has no effect here", clause.span, "nothing to skip")
                .note(reason)
                .help("delete the clause"),
        );
    }

    /// The step of `skip to first a`.
    fn skip_target(&mut self, skip: &AfterMatch, model: &Model<'a>) {
        let (AfterMatch::SkipToFirst(name) | AfterMatch::SkipToLast(name)) = skip else { return };
        if model.step_named(&name.name).is_some() {
            return;
        }
        let report = Diagnostic::error(
            codes::SKIP_TO_UNKNOWN,
            format!("there is no step `{}` to skip to", name.name),
            name.span,
            "no step has this name",
        )
        .note("after a match, nothing before an event of the named step is used again");
        self.out.push(match closest(&name.name, model.step_names()) {
            Some(near) => report.help(format!("did you mean `{near}`?")).fix(name.span, near),
            None => report.help("name a step of the match, or write `after match skip past last`"),
        });
    }

    fn cancel_without_effect(&mut self, clause: &Clause, model: &Model<'a>) {
        if model.only_step().is_some_and(|s| !s.is_repeated()) {
            self.out.push(
                Diagnostic::error(
                    codes::NO_EFFECT,
                    "`cancel on` has no effect on a single step",
                    clause.span,
                    "there is never an attempt to cancel",
                )
                .note("an attempt lasts from the first event to the completion, and here they are one event")
                .help("for something that must not have happened before write `unless X in last 1h` after the step"),
            );
        }
    }

    fn alert(&mut self, fields: &[AlertField], clause: &Clause, model: &Model<'a>) {
        if fields.is_empty() {
            self.out.push(
                Diagnostic::error(codes::EMPTY_ALERT, "this `alert` block is empty", clause.span, "no values")
                    .note("an alert names its rule, key, time and events without it")
                    .help("delete it, or add values: `message = \"…\"`"),
            );
        }
        let scope = Scope::after(Place::Alert, model);
        let mut values = Vec::with_capacity(fields.len());
        for (i, field) in fields.iter().enumerate() {
            let name = &field.name;
            if let Some(first) = fields[..i].iter().find(|f| f.name.name == name.name) {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE_VALUE,
                        format!("the alert value `{}` is given twice", name.name),
                        name.span,
                        "given again here",
                    )
                    .label(first.name.span, "first given here")
                    .help("rename one of them, or delete it"),
                );
            }
            if ALERT_FIELDS.contains(&name.name.as_str()) {
                self.out.push(
                    Diagnostic::error(
                        codes::RESERVED_NAME,
                        format!("every alert has `{}` already", name.name),
                        name.span,
                        "a reserved name",
                    )
                    .note("rules on alerts read it under this name")
                    .help("choose another name for the value"),
                );
            }
            let kinds = match &field.value {
                AlertValue::Expr(expr) => self.infer(expr, &scope),
                AlertValue::Template(parts, _) => {
                    for part in parts {
                        if let TemplatePart::Expr(expr) = part {
                            self.infer(expr, &scope);
                        }
                    }
                    Kinds::STRING
                }
            };
            values.push((name.name.clone(), kinds));
        }
        if let Some(shape) = self.alerts.get_mut(&model.rule.name.name) {
            shape.values = values;
        }
    }

    fn limits(&mut self, limits: &[(Ident, u64)], span: Span) {
        if limits.is_empty() {
            self.out.push(
                Diagnostic::error(codes::NO_EFFECT, "this `limits` block is empty", span, "sets nothing")
                    .help("delete it"),
            );
        }
        for (i, (name, value)) in limits.iter().enumerate() {
            if !LIMITS.contains(&name.name.as_str()) {
                let report = Diagnostic::error(
                    codes::UNKNOWN_LIMIT,
                    format!("there is no limit `{}`", name.name),
                    name.span,
                    "unknown limit",
                )
                .note(format!("a rule can limit: {}", LIMITS.join(", ")));
                self.out.push(match closest(&name.name, LIMITS) {
                    Some(near) => report.help(format!("did you mean `{near}`?")).fix(name.span, near),
                    None => report,
                });
            } else if *value == 0 {
                self.out.push(
                    Diagnostic::error(
                        codes::UNKNOWN_LIMIT,
                        format!("`{} = 0` lets the rule keep nothing", name.name),
                        name.span,
                        "a limit of nothing",
                    )
                    .help("give a number from 1 on, or `enabled false` to switch the rule off"),
                );
            } else if let Some((first, _)) = limits[..i].iter().find(|(n, _)| n.name == name.name) {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE_VALUE,
                        format!("the limit `{}` is given twice", name.name),
                        name.span,
                        "given again here",
                    )
                    .label(first.span, "first given here")
                    .help("delete one of them"),
                );
            }
        }
    }

    /// A constant duration above zero; reports anything else. `what` names what asks for it.
    pub(crate) fn duration(&mut self, expr: &Expr, what: &str) -> Option<i64> {
        if let ExprKind::Below(inner) = &expr.kind {
            // The bound itself is excluded: in whole nanoseconds, one less.
            return self.duration(inner, what).map(|d| d - 1);
        }
        match fold(expr, &self.names) {
            Some(Value::Duration(d)) if d.0 > 0 => Some(d.0),
            Some(Value::Duration(d)) => {
                self.out.push(
                    Diagnostic::error(
                        codes::NOT_POSITIVE,
                        format!("the duration of {what} must be longer than nothing"),
                        expr.span,
                        if d.0 == 0 { "no time at all" } else { "below zero" },
                    )
                    .help("write a duration such as `5m`, or delete it"),
                );
                None
            }
            Some(Value::Int(n)) => {
                self.out.push(
                    Diagnostic::error(
                        codes::NOT_A_DURATION,
                        format!("{what} needs a duration with its unit"),
                        expr.span,
                        "a bare number",
                    )
                    .note("the units are w, d, h, m, s, ms, us and ns; they combine: `1h30m`")
                    .help(format!("write `{n}s` for seconds, or `{n}m` for minutes"))
                    .fix(expr.span, format!("{n}s")),
                );
                None
            }
            Some(_) => {
                self.out.push(
                    Diagnostic::error(
                        codes::NOT_A_DURATION,
                        format!("{what} needs a duration"),
                        expr.span,
                        "not a duration",
                    )
                    .help("write a duration such as `5m`"),
                );
                None
            }
            None => {
                self.out.push(
                    Diagnostic::error(
                        codes::NOT_A_DURATION,
                        format!("{what} needs a duration that is known when the rule is compiled"),
                        expr.span,
                        "depends on events or tables",
                    )
                    .note("a bound after `within`, `in last` and `no … until` may be computed; this one decides what is kept")
                    .help("write a constant such as `48h`; a bound by field goes into `having`: `b.@ts - a.@ts <= a.hours * 1h`"),
                );
                None
            }
        }
    }
}
