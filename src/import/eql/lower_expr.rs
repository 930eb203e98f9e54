//! Conditions of EQL as expressions of the rule language, meaning for meaning: both are three-valued, and in both a
//! comparison of an array holds if it holds for any element.
//!
//! `== null` becomes `not exists(…)`; `:` and `like~` compare with case folded, as `"…"i` where there is no wildcard; a
//! regular expression is anchored, because EQL's match the whole text.

use super::model::{Arith, Compare, Expr, ExprKind, Field, Test};
use super::regex;
use super::report::refused;
use super::shape::fields;
use crate::diag::Diagnostic;
use crate::diag::codes::eql as codes;
use crate::syntax::ast::{self, BinaryOp, Call, Ident, InSet, StrLit};
use crate::syntax::join;
use crate::syntax::source::Span;

/// What conditions are translated with.
pub(super) struct Conditions<'l> {
    pub(super) out: &'l mut Vec<Diagnostic>,
}

pub(super) fn expr(kind: ast::ExprKind, span: Span) -> ast::Expr {
    ast::Expr { kind, span }
}

/// The path of a field.
pub(super) fn path(field: &Field) -> ast::Expr {
    let part = |name: &str, span| Ident { name: name.to_owned(), span };
    let parts = match field.parts.as_slice() {
        [only] if only.value == "@timestamp" => vec![part("@ts", only.span)],
        parts => parts.iter().map(|p| part(&p.value, p.span)).collect(),
    };
    expr(ast::ExprKind::Path(ast::Path { parts, span: field.span }), field.span)
}

/// A text.
pub(super) fn text(value: &str, fold: bool, span: Span) -> ast::Expr {
    expr(ast::ExprKind::Str(literal(value, fold, span)), span)
}

/// A text; one with backslashes is written as it is.
pub(super) fn literal(value: &str, fold: bool, span: Span) -> StrLit {
    let plain = !value.chars().any(|c| c == '"' || c.is_control() || crate::diag::escape::is_unsafe(c));
    StrLit { value: value.to_owned(), fold, raw: plain && value.contains('\\'), span }
}

pub(super) fn call(name: &str, args: Vec<ast::Expr>, span: Span) -> ast::Expr {
    let name = Ident { name: name.to_owned(), span };
    expr(ast::ExprKind::Call(Call { name, distinct: false, args, events: None, condition: None, by: Vec::new() }), span)
}

pub(super) fn binary(op: BinaryOp, left: ast::Expr, right: ast::Expr, span: Span) -> ast::Expr {
    expr(ast::ExprKind::Binary(op, Box::new(left), Box::new(right)), span)
}

/// A pattern of `like` in the rule language, in which `[*]` and `[?]` are literal. `None` if it has no such form.
fn glob(pattern: &str) -> Option<String> {
    // Two `*` mean what one means, but do not make `[*]`.
    (!pattern.contains("[?]")).then(|| pattern.replace("[*]", "[**]"))
}

fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Str(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) => true,
        ExprKind::Neg(inner) => matches!(inner.kind, ExprKind::Int(_) | ExprKind::Float(_)),
        _ => false,
    }
}

fn reads(expr: &Expr) -> bool {
    let mut any = false;
    fields(expr, &mut |_| any = true);
    any
}

impl Conditions<'_> {
    /// The parts of a condition that must all be true; none for `true`.
    pub(super) fn conjuncts(&mut self, condition: &Expr) -> Vec<ast::Expr> {
        match &condition.kind {
            ExprKind::Bool(true) => Vec::new(),
            ExprKind::And(parts) => parts.iter().flat_map(|part| self.conjuncts(part)).collect(),
            _ => vec![self.condition(condition)],
        }
    }

    fn chain(&mut self, op: BinaryOp, parts: &[Expr], out: &mut Vec<ast::Expr>) {
        for part in parts {
            match (&part.kind, op) {
                (ExprKind::And(inner), BinaryOp::And) | (ExprKind::Or(inner), BinaryOp::Or) => {
                    self.chain(op, inner, out);
                }
                _ => out.push(self.condition(part)),
            }
        }
    }

    fn refuse_null(&mut self, span: Span) {
        self.out.push(
            refused(
                codes::NULL_VALUE,
                "nothing can come of `null` here",
                span,
                "makes the condition missing",
                "ask whether a field is missing: `field == null`, or there: `field != null`",
            )
            .note("a condition that is missing is not true, so the query would never match by it"),
        );
    }

    /// A condition or a value.
    pub(super) fn condition(&mut self, e: &Expr) -> ast::Expr {
        let span = e.span;
        match &e.kind {
            ExprKind::Null => {
                self.refuse_null(span);
                expr(ast::ExprKind::Bool(false), span)
            }
            ExprKind::Bool(value) => expr(ast::ExprKind::Bool(*value), span),
            ExprKind::Int(n) => expr(ast::ExprKind::Int(*n), span),
            ExprKind::Float(x) => expr(ast::ExprKind::Float(*x), span),
            ExprKind::Str(value) => text(value, false, span),
            ExprKind::Field(field) => self.field(field),
            ExprKind::Call { name, fold, args } => self.function(name, *fold, args, span),
            ExprKind::And(parts) | ExprKind::Or(parts) => {
                let op = if matches!(e.kind, ExprKind::And(_)) { BinaryOp::And } else { BinaryOp::Or };
                let mut operands = Vec::new();
                self.chain(op, parts, &mut operands);
                ast::Expr { span, ..join(op, operands) }
            }
            ExprKind::Not(inner) => expr(ast::ExprKind::Not(Box::new(self.condition(inner))), span),
            ExprKind::Neg(inner) => expr(ast::ExprKind::Neg(Box::new(self.condition(inner))), span),
            ExprKind::Arith(op, a, b) => self.arith(*op, a, b, span),
            ExprKind::Compare(op, a, b) => self.compare(*op, a, b, span),
            ExprKind::Test { value, test, negated, list } => self.test(value, *test, *negated, list, span),
        }
    }

    fn field(&mut self, field: &Field) -> ast::Expr {
        if let Some(odd) = field.parts.iter().find(|p| p.value.starts_with('@') && p.value != "@timestamp") {
            self.out.push(
                refused(
                    codes::NOT_IN_EQL,
                    format!("the field `{}` cannot be read", odd.value),
                    odd.span,
                    "a name that begins with `@`",
                    "rename the field where the events are made",
                )
                .note("names with `@` are attributes of an event in the rule language; `@timestamp` is its time"),
            );
        }
        path(field)
    }

    /// `a op b` over numbers.
    pub(super) fn arith(&mut self, op: Arith, a: &Expr, b: &Expr, span: Span) -> ast::Expr {
        let (left, right) = (self.condition(a), self.condition(b));
        let op = match op {
            Arith::Add => BinaryOp::Add,
            Arith::Sub => BinaryOp::Sub,
            Arith::Mul => BinaryOp::Mul,
            Arith::Rem => BinaryOp::Rem,
            Arith::Div => return divide(a, b, left, right, span),
        };
        binary(op, left, right, span)
    }

    fn compare(&mut self, op: Compare, a: &Expr, b: &Expr, span: Span) -> ast::Expr {
        let null = match (&a.kind, &b.kind) {
            (ExprKind::Null, ExprKind::Null) => {
                self.refuse_null(span);
                return expr(ast::ExprKind::Bool(false), span);
            }
            (ExprKind::Null, _) => Some((a, b)),
            (_, ExprKind::Null) => Some((b, a)),
            _ => None,
        };
        if let Some((null, value)) = null {
            let exists = call("exists", vec![self.condition(value)], value.span);
            return match op {
                Compare::Ne => ast::Expr { span, ..exists },
                Compare::Eq => expr(ast::ExprKind::Not(Box::new(exists)), span),
                _ => {
                    self.refuse_null(null.span);
                    expr(ast::ExprKind::Bool(false), span)
                }
            };
        }
        if reads(a) && reads(b) {
            self.out.push(
                refused(
                    codes::WRONG_OPERAND,
                    "a field cannot be compared with a field",
                    span,
                    "fields on both sides",
                    "compare with a constant; a rule file can compare fields: `where a.x == a.y`",
                )
                .note("Elasticsearch refuses it too"),
            );
        }
        let op = match op {
            Compare::Eq => BinaryOp::Eq,
            Compare::Ne => BinaryOp::Ne,
            Compare::Lt => BinaryOp::Lt,
            Compare::Le => BinaryOp::Le,
            Compare::Gt => BinaryOp::Gt,
            Compare::Ge => BinaryOp::Ge,
        };
        let (left, right) = (self.condition(a), self.condition(b));
        binary(op, left, right, span)
    }

    fn test(&mut self, value: &Expr, test: Test, negated: bool, list: &[Expr], span: Span) -> ast::Expr {
        if let Some(null) = list.iter().chain([value]).find(|e| matches!(e.kind, ExprKind::Null)) {
            self.refuse_null(null.span);
            return expr(ast::ExprKind::Bool(false), span);
        }
        let subject = self.condition(value);
        match test {
            Test::In | Test::InFold => self.among(subject, test == Test::InFold, negated, list, span),
            Test::Like | Test::LikeFold => {
                let Some(patterns) = self.texts(list, if test == Test::Like { "like" } else { ":" }) else {
                    return expr(ast::ExprKind::Bool(false), span);
                };
                like(subject, &patterns, test == Test::LikeFold, span)
            }
            Test::Regex | Test::RegexFold => {
                let Some(patterns) = self.texts(list, "regex") else {
                    return expr(ast::ExprKind::Bool(false), span);
                };
                let mut translated = Vec::new();
                for (pattern, at) in patterns {
                    match regex::translate(&pattern) {
                        Ok(pattern) => {
                            translated.push(ast::RegexLit { pattern, fold: test == Test::RegexFold, span: at });
                        }
                        Err(why) => self.out.push(
                            refused(codes::REGEX, why.message, at, why.label, why.help)
                                .note("EQL's regular expressions are Lucene's, and match the whole text"),
                        ),
                    }
                }
                if translated.is_empty() {
                    return expr(ast::ExprKind::Bool(false), span);
                }
                expr(ast::ExprKind::Matches { value: Box::new(subject), patterns: translated }, span)
            }
        }
    }

    /// `x in ("a", "b")`
    fn among(&mut self, subject: ast::Expr, fold: bool, negated: bool, list: &[Expr], span: Span) -> ast::Expr {
        let mut items = Vec::new();
        for element in list {
            if !is_constant(element) {
                self.out.push(refused(
                    codes::WRONG_OPERAND,
                    "a list holds constants",
                    element.span,
                    "not a constant",
                    "compare one by one: `x == a or x == b`",
                ));
                continue;
            }
            items.push(match &element.kind {
                ExprKind::Str(value) => text(value, fold, element.span),
                _ => self.condition(element),
            });
        }
        expr(ast::ExprKind::In { value: Box::new(subject), set: InSet::List(items), negated }, span)
    }

    fn texts(&mut self, list: &[Expr], operator: &str) -> Option<Vec<(String, Span)>> {
        let mut out = Vec::new();
        for element in list {
            match &element.kind {
                ExprKind::Str(value) => out.push((value.clone(), element.span)),
                _ => {
                    let help = if is_constant(element) {
                        "write `==`, or `in` for a list"
                    } else {
                        "write a text in double quotes"
                    };
                    let message = format!("`{operator}` compares with a text");
                    self.out.push(refused(codes::WRONG_OPERAND, message, element.span, "not a text", help));
                    return None;
                }
            }
        }
        Some(out)
    }
}

/// Any of the patterns.
fn like(subject: ast::Expr, patterns: &[(String, Span)], fold: bool, span: Span) -> ast::Expr {
    if !patterns.iter().any(|(p, _)| has_wildcard(p)) {
        return match patterns {
            [(only, at)] => binary(BinaryOp::Eq, subject, text(only, fold, *at), span),
            _ => {
                let items = patterns.iter().map(|(p, at)| text(p, fold, *at)).collect();
                expr(ast::ExprKind::In { value: Box::new(subject), set: InSet::List(items), negated: false }, span)
            }
        };
    }
    let globs: Option<Vec<StrLit>> =
        patterns.iter().map(|(p, at)| glob(p).map(|value| literal(&value, fold, *at))).collect();
    let value = Box::new(subject);
    match globs {
        Some(patterns) => expr(ast::ExprKind::Like { value, patterns, negated: false }, span),
        None => {
            let regexes = patterns.iter().map(|(p, at)| ast::RegexLit { pattern: regex::of_glob(p), fold, span: *at });
            expr(ast::ExprKind::Matches { value, patterns: regexes.collect() }, span)
        }
    }
}

/// `a / b`, which rounds down if both are whole. What is known to be a fraction, or to be whole, is not asked.
pub(super) fn divide(a: &Expr, b: &Expr, left: ast::Expr, right: ast::Expr, span: Span) -> ast::Expr {
    let quotient = binary(BinaryOp::Div, left.clone(), right.clone(), span);
    let (one, two) = (wholeness(a), wholeness(b));
    if one == Some(false) || two == Some(false) {
        return quotient;
    }
    let whole = |e: &ast::Expr| binary(BinaryOp::Eq, e.clone(), call("floor", vec![e.clone()], span), span);
    let mut tests = Vec::new();
    if one.is_none() {
        tests.push(whole(&left));
    }
    if two.is_none() {
        tests.push(whole(&right));
    }
    let rounded = call("floor", vec![quotient.clone()], span);
    if tests.is_empty() {
        return rounded;
    }
    call("if", vec![join(BinaryOp::And, tests), rounded, quotient], span)
}

/// Whether a value is a whole number, as far as the query says.
fn wholeness(e: &Expr) -> Option<bool> {
    match &e.kind {
        ExprKind::Int(_) => Some(true),
        ExprKind::Float(_) => Some(false),
        ExprKind::Neg(inner) => wholeness(inner),
        ExprKind::Arith(Arith::Add | Arith::Sub | Arith::Mul | Arith::Rem, a, b) => {
            match (wholeness(a), wholeness(b)) {
                (Some(true), Some(true)) => Some(true),
                (Some(false), _) | (_, Some(false)) => Some(false),
                _ => None,
            }
        }
        ExprKind::Call { name, .. } if matches!(name.value.to_ascii_lowercase().as_str(), "length" | "indexof") => {
            Some(true)
        }
        _ => None,
    }
}
