//! Kinds of expressions: what each may give, and what can only be missing.
//!
//! A field of an event may be anything; literals, functions and operators have kinds. An expression that is
//! reported counts as "anything", so that one mistake is one diagnostic.

use crate::base::Value;
use crate::base::function::Kinds;
use crate::check::Checker;
use crate::check::fold::fold;
use crate::check::model::path_text;
use crate::check::scope::{Place, Scope, View};
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Ident, InSet, StrLit, TableDecl};
use crate::syntax::source::Span;

impl Checker<'_> {
    /// What `expr` may give in `scope`.
    pub(crate) fn infer(&mut self, expr: &Expr, scope: &Scope<'_, '_>) -> Kinds {
        match &expr.kind {
            ExprKind::Str(text) => {
                if text.fold {
                    self.fold_without_effect(text);
                }
                Kinds::STRING
            }
            ExprKind::Int(_) | ExprKind::Float(_) => Kinds::NUMBER,
            ExprKind::Bool(_) => Kinds::BOOL,
            ExprKind::Duration(_) => Kinds::DURATION,
            ExprKind::Path(path) => self.path(path, scope),
            ExprKind::Call(call) => self.call(call, expr.span, scope),
            ExprKind::Not(inner) => {
                self.condition(inner, scope, "`not`");
                Kinds::BOOL
            }
            ExprKind::Neg(inner) => self.negative(inner, expr.span, scope),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, expr.span, scope),
            ExprKind::In { value, set, negated } => {
                self.membership(value, set, *negated, scope);
                Kinds::BOOL
            }
            ExprKind::Like { value, patterns, .. } => {
                self.text_operand(value, "like", scope);
                patterns.iter().for_each(|p| self.glob(p));
                Kinds::BOOL
            }
            ExprKind::Matches { value, patterns } => {
                self.text_operand(value, "=~", scope);
                patterns.iter().for_each(|p| self.regex(p));
                Kinds::BOOL
            }
            ExprKind::List(items) => {
                for item in items {
                    self.infer(item, scope);
                }
                Kinds::LIST
            }
            ExprKind::Lookup { table, key } => {
                self.lookup(table, key, expr.span, scope);
                Kinds::OBJECT
            }
            ExprKind::AnyElement { list, name, condition } => {
                self.any_element(list, name, condition, scope);
                Kinds::BOOL
            }
            ExprKind::Regex(regex) => {
                self.regex_as_value(regex);
                Kinds::ANY
            }
            ExprKind::Member(base, fields) => self.member(base, fields, scope),
            ExprKind::Below(inner) => self.infer(inner, scope),
            ExprKind::Index(base, _) => {
                let kinds = self.infer(base, scope);
                if !kinds.meets(Kinds::LIST) {
                    self.out.push(
                        Diagnostic::error(
                            codes::WRONG_OPERAND,
                            format!("`[…]` takes an element of a list, and this is a {kinds}"),
                            base.span,
                            kinds.to_string(),
                        )
                        .note("the result is always missing"),
                    );
                }
                Kinds::FIELD
            }
        }
    }

    /// Like [`Self::infer`], for operands whose suffix `i` acts: texts and lists of texts.
    pub(crate) fn infer_comparable(&mut self, expr: &Expr, scope: &Scope<'_, '_>) -> Kinds {
        match &expr.kind {
            ExprKind::Str(_) => Kinds::STRING,
            ExprKind::List(items) => {
                for item in items {
                    self.infer_comparable(item, scope);
                }
                Kinds::LIST
            }
            _ => self.infer(expr, scope),
        }
    }

    /// An expression that must be true or false. `what` names what asks for it.
    pub(crate) fn condition(&mut self, expr: &Expr, scope: &Scope<'_, '_>, what: &str) {
        let before = self.out.len();
        self.class_as_field(expr, scope);
        let kinds = self.infer(expr, scope);
        if self.out.len() > before {
            return;
        }
        if !kinds.meets(Kinds::BOOL) {
            self.out.push(
                Diagnostic::error(
                    codes::NOT_A_CONDITION,
                    format!("{what} needs a condition, and this is a {kinds}"),
                    expr.span,
                    format!("a {kinds} is never true"),
                )
                .help("compare it with something, or ask `exists(…)`"),
            );
            return;
        }
        // The operands of logic were judged one by one; a whole that folds has one that was reported.
        if matches!(expr.kind, ExprKind::Binary(BinaryOp::And | BinaryOp::Or, ..) | ExprKind::Not(_)) {
            return;
        }
        if let Some(Value::Bool(value)) = fold(expr, &self.names) {
            let consequence = if value { "it excludes nothing" } else { "nothing can pass" };
            self.out.push(
                Diagnostic::error(
                    codes::CONSTANT_CONDITION,
                    format!("this condition is always {value}"),
                    expr.span,
                    format!("always {value}: {consequence}"),
                )
                .note("it reads nothing from events")
                .help("compare a field, or delete the condition"),
            );
        }
    }

    /// `failed and outcome == "failure"` where `failed` is an event class: it would be read as a field.
    fn class_as_field(&mut self, expr: &Expr, scope: &Scope<'_, '_>) {
        let ExprKind::Path(path) = &expr.kind else { return };
        let [name] = path.parts.as_slice() else { return };
        let (class, is_let) =
            (self.names.classes.get(name.name.as_str()), self.names.lets.contains_key(name.name.as_str()));
        if let (Some(class), false, true) = (class, is_let, scope.place.has_event()) {
            self.out.push(
                Diagnostic::warning(
                    codes::CLASS_AS_FIELD,
                    format!("`{}` is read as a field here, not as the event class", name.name),
                    name.span,
                    "a field of this name",
                )
                .label(class.name.span, "the event class")
                .note("an event class can only stand where a step names its events")
                .help("repeat the condition of the class, or name it with `let` and use it in both places"),
            );
        }
    }

    fn negative(&mut self, inner: &Expr, span: Span, scope: &Scope<'_, '_>) -> Kinds {
        let kinds = self.infer(inner, scope);
        let able = kinds.and(Kinds::NUMBER.or(Kinds::DURATION));
        if able.is_empty() {
            self.out.push(
                Diagnostic::error(codes::WRONG_OPERAND, format!("a {kinds} has no negative"), span, "always missing")
                    .help("`-` takes a number or a duration; for conditions write `not`"),
            );
            return Kinds::ANY;
        }
        able
    }

    fn binary(&mut self, op: BinaryOp, a: &Expr, b: &Expr, span: Span, scope: &Scope<'_, '_>) -> Kinds {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let what = if op == BinaryOp::And { "`and`" } else { "`or`" };
                self.condition(a, scope, what);
                self.condition(b, scope, what);
                Kinds::BOOL
            }
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                self.comparison(op, a, b, span, scope);
                Kinds::BOOL
            }
            BinaryOp::Default => {
                let (x, y) = (self.infer_comparable(a, scope), self.infer_comparable(b, scope));
                if fold(a, &self.names).is_some() {
                    self.out.push(
                        Diagnostic::error(codes::NO_EFFECT, "this default is never taken", b.span, "never used")
                            .label(a.span, "never missing")
                            .help("delete `??` and the default"),
                    );
                }
                x.or(y)
            }
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => {
                let (x, y) = (self.infer(a, scope), self.infer(b, scope));
                let result = arithmetic(op, x, y);
                if !result.is_empty() {
                    return result;
                }
                let mut report = Diagnostic::error(
                    codes::WRONG_OPERAND,
                    format!("`{}` cannot take a {x} and a {y}", op.as_str()),
                    span,
                    "always missing",
                )
                .label(a.span, x.to_string())
                .label(b.span, y.to_string());
                if op == BinaryOp::Add && (x == Kinds::STRING || y == Kinds::STRING) {
                    let text = format!("concat({}, {})", self.sources.text(a.span), self.sources.text(b.span));
                    report = report.help("texts are joined by `concat`").fix(span, text);
                } else if x.or(y).meets(Kinds::TIME.or(Kinds::DURATION)) {
                    report = report.help("a time takes a duration such as `5m`; a duration becomes a number by division: `(b.@ts - a.@ts) / 1s`");
                } else {
                    report = report.help("convert a text with `number(…)`");
                }
                self.out.push(report);
                Kinds::ANY
            }
        }
    }

    fn comparison(&mut self, op: BinaryOp, a: &Expr, b: &Expr, span: Span, scope: &Scope<'_, '_>) {
        let (x, y) = (self.infer_comparable(a, scope), self.infer_comparable(b, scope));
        for side in [a, b] {
            if matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
                && let ExprKind::Str(text) = &side.kind
                && text.fold
            {
                self.fold_without_effect(text);
                return;
            }
        }
        for (side, other) in [(a, b), (b, a)] {
            if let ExprKind::List(_) = side.kind {
                let list = self.sources.text(side.span).to_string();
                let value = self.sources.text(other.span).to_string();
                let word = if op == BinaryOp::Ne { "not in" } else { "in" };
                self.out.push(
                    Diagnostic::error(
                        codes::NEVER_EQUAL,
                        format!("`{}` compares with one value, not with a list of them", op.as_str()),
                        side.span,
                        "a list",
                    )
                    .note("a comparison with an array field already holds if it holds for any element")
                    .help("ask whether the value is one of the list")
                    .fix(span, format!("{value} {word} {list}")),
                );
                return;
            }
        }
        self.glob_as_text(op, a, b, span);
        let offsets = scope.place == Place::Test && x.or(y) == Kinds::TIME.or(Kinds::DURATION);
        if x.is_empty() || y.is_empty() || x.meets(y) || x.or(y).meets(Kinds::LIST) || offsets {
            return;
        }
        let outcome = match op {
            BinaryOp::Eq => "false",
            BinaryOp::Ne => "true",
            _ => "missing",
        };
        let report = Diagnostic::error(
            codes::NEVER_EQUAL,
            format!("a {x} and a {y} are compared: the result is always {outcome}"),
            span,
            format!("always {outcome}"),
        )
        .label(a.span, x.to_string())
        .label(b.span, y.to_string());
        self.out.push(kinds_help(report, a, b, x, y));
    }

    /// `name == "*.exe"`: the star is meant literally.
    fn glob_as_text(&mut self, op: BinaryOp, a: &Expr, b: &Expr, span: Span) {
        if !matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
            return;
        }
        let ExprKind::Str(text) = &b.kind else { return };
        let glob = text.value.len() > 2 && (text.value.starts_with('*') || text.value.ends_with('*'));
        if !glob || !matches!(a.kind, ExprKind::Path(_)) {
            return;
        }
        let like = if op == BinaryOp::Eq { "like" } else { "not like" };
        let (left, right) = (self.sources.text(a.span), self.sources.text(b.span));
        let fix = format!("{left} {like} {right}");
        self.out.push(
            Diagnostic::warning(
                codes::SUSPICIOUS_PATTERN,
                format!("`{}` compares the whole text: `*` is no wildcard here", op.as_str()),
                b.span,
                "a literal `*`",
            )
            .help("wildcards work with `like`")
            .fix(span, fix),
        );
    }

    fn membership(&mut self, value: &Expr, set: &InSet, negated: bool, scope: &Scope<'_, '_>) {
        let kinds = self.infer_comparable(value, scope);
        match set {
            InSet::Table(table) => {
                let columns = self.table(table).map(TableDecl::key_length);
                let given = match &value.kind {
                    ExprKind::List(items) => items.len(),
                    _ => 1,
                };
                if let Some(columns) = columns
                    && columns != given
                {
                    self.out.push(
                        Diagnostic::error(
                            codes::LOOKUP_ARITY,
                            format!("the key of `@{}` has {columns} columns, and {given} are given", table.name),
                            table.span,
                            format!("a key of {columns} columns"),
                        )
                        .help("give one value a key column: `(a, b) in @table`"),
                    );
                }
            }
            InSet::List(items) => {
                let mut among = Kinds::NONE;
                for item in items {
                    among = among.or(self.infer_comparable(item, scope));
                }
                if !kinds.is_empty() && !among.is_empty() && !kinds.meets(among) && !kinds.meets(Kinds::LIST) {
                    let outcome = if negated { "true" } else { "false" };
                    let report = Diagnostic::error(
                        codes::NEVER_EQUAL,
                        format!("a {kinds} is sought among values that are a {among}: the result is always {outcome}"),
                        value.span,
                        kinds.to_string(),
                    );
                    self.out.push(match items.first() {
                        Some(item) => kinds_help(report.label(item.span, among.to_string()), value, item, kinds, among),
                        None => report,
                    });
                }
            }
        }
    }

    fn text_operand(&mut self, value: &Expr, operator: &str, scope: &Scope<'_, '_>) {
        let kinds = self.infer_comparable(value, scope);
        if !kinds.meets(Kinds::STRING.or(Kinds::LIST)) {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_OPERAND,
                    format!("`{operator}` looks into a text, and this is a {kinds}"),
                    value.span,
                    "always missing",
                )
                .help("turn it into a text with `string(…)`"),
            );
        }
    }

    fn member(&mut self, base: &Expr, fields: &[Ident], scope: &Scope<'_, '_>) -> Kinds {
        if let ExprKind::Call(call) = &base.kind
            && matches!(call.name.name.as_str(), "first" | "last")
            && let [Expr { kind: ExprKind::Path(path), .. }] = call.args.as_slice()
            && path.parts.len() == 1
            && call.events.is_none()
        {
            let name = &path.parts[0];
            let Some(step) = scope.step_named(&name.name) else {
                self.unknown_step(name, scope, &call.name.name);
                return Kinds::ANY;
            };
            if call.condition.is_some() || call.distinct {
                self.out.push(
                    Diagnostic::error(
                        codes::NOT_BUILT_YET,
                        format!("`{}` with a condition is not built yet", call.name.name),
                        call.condition.as_ref().map_or(call.name.span, |c| c.span),
                        "not available",
                    )
                    .help("put the condition into the step's `where`"),
                );
                return Kinds::ANY;
            }
            if self.step_is_readable(step, name, scope) && scope.views[step] != View::Later {
                let classes = scope.model.map_or(&[][..], |m| &m.steps[step].step.classes);
                self.alert_class_field(classes, fields);
            }
            return self.fields(fields);
        }
        if let ExprKind::Call(call) = &base.kind
            && call.name.name == "nth"
        {
            let Some(step) = self.nth(call, base.span, scope) else { return Kinds::ANY };
            let classes = scope.model.map_or(&[][..], |m| &m.steps[step].step.classes);
            self.alert_class_field(classes, fields);
            return self.fields(fields);
        }
        let kinds = self.infer(base, scope);
        if let Some(attribute) = fields.iter().find(|f| f.name.starts_with('@')) {
            self.out.push(
                Diagnostic::error(
                    codes::UNKNOWN_ATTRIBUTE,
                    format!("only events have `{}`", attribute.name),
                    attribute.span,
                    "this is not an event",
                )
                .label(base.span, kinds.to_string()),
            );
            return Kinds::ANY;
        }
        if !kinds.meets(Kinds::OBJECT) {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_OPERAND,
                    format!("a {kinds} has no fields"),
                    fields.first().map_or(base.span, |f| f.span),
                    "always missing",
                )
                .label(base.span, kinds.to_string()),
            );
            return Kinds::ANY;
        }
        Kinds::FIELD
    }

    fn lookup(&mut self, table: &Ident, key: &[Expr], span: Span, scope: &Scope<'_, '_>) {
        for part in key {
            self.infer(part, scope);
        }
        let Some(columns) = self.table(table).map(TableDecl::key_length) else { return };
        // The parts of a key of several columns may stand in parentheses.
        let key = match key {
            [Expr { kind: ExprKind::List(parts), .. }] => parts,
            parts => parts,
        };
        if columns != key.len() {
            self.out.push(
                Diagnostic::error(
                    codes::LOOKUP_ARITY,
                    format!("the key of `@{}` has {columns} columns, and {} are given", table.name, key.len()),
                    span,
                    format!("a key of {columns} columns"),
                )
                .help("give one value a key column, in the order of the `table` declaration"),
            );
        }
    }

    /// The declaration of a table; reports an unknown one.
    fn table(&mut self, table: &Ident) -> Option<&crate::syntax::ast::TableDecl> {
        if let Some(decl) = self.names.tables.get(table.name.as_str()) {
            return Some(*decl);
        }
        let report = Diagnostic::error(
            codes::UNKNOWN_TABLE,
            format!("there is no table `@{}`", table.name),
            table.span,
            "unknown table",
        );
        let report = match closest(&table.name, self.names.table_names()) {
            Some(near) => report.help(format!("did you mean `@{near}`?")).fix(table.span, near),
            None => report.help(format!("declare it: `table {} from \"{}.csv\" key column`", table.name, table.name)),
        };
        self.out.push(report);
        None
    }

    /// Reports `first(x)` or an aggregate over something that is no step.
    pub(crate) fn unknown_step(&mut self, name: &Ident, scope: &Scope<'_, '_>, function: &str) {
        let steps: Vec<&str> = scope.model.map(|m| m.step_names().collect()).unwrap_or_default();
        let report = Diagnostic::error(
            codes::NOT_A_STEP,
            format!("`{function}` is over the events that a step bound, and `{}` is no step", name.name),
            name.span,
            "no step has this name",
        );
        let report = if let Some(near) = closest(&name.name, steps.iter().copied()) {
            report.help(format!("did you mean `{near}`?")).fix(name.span, near)
        } else if steps.is_empty() {
            report
                .note(format!("no step can be read in {}", scope.place.name()))
                .help(format!("over past events of the class give a window: `{function}({}, 1h)`", name.name))
        } else {
            report.help(format!(
                "the steps are: {}; over past events of the class give a window: `{function}({}, 1h)`",
                steps.join(", "),
                name.name
            ))
        };
        self.out.push(report);
    }

    fn fold_without_effect(&mut self, text: &StrLit) {
        self.out.push(
            Diagnostic::error(
                codes::FOLD_WITHOUT_EFFECT,
                "the suffix `i` has no effect here",
                text.span,
                "nothing is compared",
            )
            .note("`i` folds case in `==`, `!=`, `in`, `like`, `=~`, `contains`, `starts_with` and `ends_with`")
            .help("delete the `i`, or lower both sides with `lower(…)`"),
        );
    }
}

/// The help for two kinds that do not meet, fitted to the pair.
fn kinds_help(report: Diagnostic, a: &Expr, b: &Expr, x: Kinds, y: Kinds) -> Diagnostic {
    let both = x.or(y);
    let literal = |e: &Expr| match &e.kind {
        ExprKind::Int(n) => Some((e.span, *n)),
        _ => None,
    };
    if both == Kinds::DURATION.or(Kinds::NUMBER) {
        return match literal(a).or(literal(b)) {
            Some((span, n)) => {
                report.help(format!("write a duration with its unit: `{n}s`")).fix(span, format!("{n}s"))
            }
            None => report.help("divide the duration by its unit: `(b.@ts - a.@ts) / 1s` is a number"),
        };
    }
    if both == Kinds::STRING.or(Kinds::NUMBER) {
        return report
            .note("a text and a number never compare equal")
            .help("turn the text into a number with `number(…)`, or the number into a text with `string(…)`");
    }
    if both.meets(Kinds::TIME) {
        return report
            .help("a time compares with a time; for parts of it there are `hour(@ts)`, `weekday(@ts)` and others");
    }
    match (&a.kind, &b.kind) {
        (ExprKind::Path(p), _) | (_, ExprKind::Path(p)) => report.help(format!("check what `{}` is", path_text(p))),
        _ => report,
    }
}

/// The kinds an arithmetic operator may give; none if it can only be missing.
fn arithmetic(op: BinaryOp, a: Kinds, b: Kinds) -> Kinds {
    const N: Kinds = Kinds::NUMBER;
    const T: Kinds = Kinds::TIME;
    const D: Kinds = Kinds::DURATION;
    let table: &[(Kinds, Kinds, Kinds)] = match op {
        BinaryOp::Add => &[(N, N, N), (T, D, T), (D, T, T), (D, D, D)],
        BinaryOp::Sub => &[(N, N, N), (T, T, D), (T, D, T), (D, D, D)],
        BinaryOp::Mul => &[(N, N, N), (D, N, D), (N, D, D)],
        BinaryOp::Div => &[(N, N, N), (D, N, D), (D, D, N), (T, D, N)],
        _ => &[(N, N, N)],
    };
    table
        .iter()
        .filter(|(x, y, _)| a.meets(*x) && b.meets(*y))
        .fold(Kinds::NONE, |found, (_, _, result)| found.or(*result))
}
