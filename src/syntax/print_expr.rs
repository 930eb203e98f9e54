//! Expressions and names back to text, with the parentheses that the precedence of the operators asks for.

use super::ast::{BinaryOp, ClassRef, Expr, ExprKind, Ident, InSet, KeyItem, Path, RegexLit, StrLit};
use super::doc::Doc;
use super::source::Span;
use super::{literal, pratt};
use crate::base::Duration;

/// What may print literals and names as they were written.
#[derive(Clone, Copy, Default)]
pub(super) struct Written<'t> {
    /// The text that the spans point into; without it literals get their canonical form.
    pub(super) text: Option<&'t str>,
}

/// How tightly an expression binds; parentheses go around one that binds less than its place asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Comparison,
    Default,
    Sum,
    Product,
    Negation,
    Postfix,
}

fn binding(expr: &Expr) -> Binding {
    match &expr.kind {
        ExprKind::Binary(op, ..) => op_binding(*op),
        ExprKind::Not(_) => Binding::Not,
        ExprKind::In { .. } | ExprKind::Like { .. } | ExprKind::Matches { .. } => Binding::Comparison,
        ExprKind::Neg(_) => Binding::Negation,
        ExprKind::Int(n) if *n < 0 => Binding::Negation,
        ExprKind::Float(x) if *x < 0.0 => Binding::Negation,
        _ => Binding::Postfix,
    }
}

fn op_binding(op: BinaryOp) -> Binding {
    match op {
        BinaryOp::Or => Binding::Or,
        BinaryOp::And => Binding::And,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => Binding::Comparison,
        BinaryOp::Default => Binding::Default,
        BinaryOp::Add | BinaryOp::Sub => Binding::Sum,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => Binding::Product,
    }
}

fn tighter(binding: Binding) -> Binding {
    match binding {
        Binding::Or => Binding::And,
        Binding::And => Binding::Not,
        Binding::Not => Binding::Comparison,
        Binding::Comparison => Binding::Default,
        Binding::Default => Binding::Sum,
        Binding::Sum => Binding::Product,
        Binding::Product => Binding::Negation,
        Binding::Negation | Binding::Postfix => Binding::Postfix,
    }
}

/// Words that mean something in an expression.
const OPERATORS: [&str; 8] = ["and", "or", "not", "in", "like", "true", "false", "null"];

/// Words that mean something where an event class stands, or after one.
const PATTERN_WORDS: [&str; 27] = [
    "after",
    "all",
    "at",
    "by",
    "consecutive",
    "directly",
    "distinct",
    "exactly",
    "fewer",
    "if",
    "in",
    "more",
    "next",
    "no",
    "of",
    "one",
    "open",
    "optional",
    "or",
    "silent",
    "then",
    "unless",
    "until",
    "where",
    "within",
    "without",
    "zero",
];

fn is_word(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A name in canonical form: in backquotes if it has odd characters or could be read as one of `words`.
fn canonical(name: &str, words: &[&str]) -> String {
    if is_word(name) && !words.contains(&name) { name.to_owned() } else { format!("`{name}`") }
}

impl<'t> Written<'t> {
    /// The written text of a span.
    pub(super) fn at(&self, span: Span) -> Option<&'t str> {
        self.text.and_then(|text| text.get(span.range())).filter(|text| !text.is_empty())
    }

    /// A name as written, as far as it is known.
    pub(super) fn ident(&self, ident: &Ident) -> String {
        match self.at(ident.span) {
            Some(written) if written.trim_matches('`') == ident.name => written.to_owned(),
            _ => canonical(&ident.name, &OPERATORS),
        }
    }

    fn part(&self, part: &Ident, first: bool) -> String {
        match self.at(part.span) {
            Some(written) if written.trim_matches('`') == part.name => written.to_owned(),
            _ if part.name.strip_prefix('@').is_some_and(is_word) => part.name.clone(),
            _ => canonical(&part.name, if first { &OPERATORS } else { &[] }),
        }
    }

    pub(super) fn path(&self, path: &Path) -> String {
        let parts: Vec<String> = path.parts.iter().enumerate().map(|(i, part)| self.part(part, i == 0)).collect();
        parts.join(".")
    }

    pub(super) fn class(&self, class: &ClassRef) -> String {
        match self.at(class.span) {
            Some(written) if written.replace('`', "") == class.name => written.to_owned(),
            _ if class.name == "any" => "any".to_owned(),
            _ => match class.name.strip_prefix("alert.") {
                Some(rule) => format!("alert.{}", canonical(rule, &[])),
                None => {
                    let parts: Vec<String> =
                        class.name.split('.').map(|part| canonical(part, &PATTERN_WORDS)).collect();
                    parts.join(".")
                }
            },
        }
    }

    pub(super) fn string(&self, text: &StrLit) -> String {
        if let Some(written) = self.at(text.span)
            && (written.starts_with('"') || written.starts_with("r\""))
        {
            return written.to_owned();
        }
        let suffix = if text.fold { "i" } else { "" };
        if text.raw && !text.value.contains(['"', '\n']) {
            return format!("r\"{}\"{suffix}", text.value);
        }
        format!("{}{suffix}", quoted(&text.value))
    }

    fn regex(&self, regex: &RegexLit) -> String {
        if let Some(written) = self.at(regex.span)
            && written.starts_with('/')
        {
            return written.to_owned();
        }
        let suffix = if regex.fold { "i" } else { "" };
        let pattern = regex.pattern.replace('\n', "\\n");
        // A comment must not begin where the expression does.
        let pattern = if pattern.starts_with('*') { format!("(?:){pattern}") } else { pattern };
        format!("/{}/{suffix}", if pattern.is_empty() { "(?:)".to_owned() } else { slashes(&pattern) })
    }

    /// A literal as written, if what is written is one and means `value`.
    pub(super) fn duration(&self, span: Span, nanos: i64) -> String {
        match self.at(span) {
            Some(written) if is_duration(written) && literal::duration(written) == Ok(nanos) => written.to_owned(),
            _ => Duration(nanos).to_string(),
        }
    }

    fn float(&self, span: Span, value: f64) -> String {
        match self.at(span) {
            Some(written) if written.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b)) => written.to_owned(),
            _ => format!("{value:?}"),
        }
    }

    pub(super) fn expr(&self, expr: &Expr) -> Doc {
        self.operand(expr, Binding::Or)
    }

    fn operand(&self, expr: &Expr, least: Binding) -> Doc {
        let doc = self.bare(expr);
        if binding(expr) < least { Doc::concat([Doc::text("("), doc, Doc::text(")")]) } else { doc }
    }

    fn bare(&self, expr: &Expr) -> Doc {
        match &expr.kind {
            ExprKind::Str(text) => Doc::text(self.string(text)),
            ExprKind::Int(n) => Doc::text(n.to_string()),
            ExprKind::Float(x) => Doc::text(self.float(expr.span, *x)),
            ExprKind::Bool(b) => Doc::text(b.to_string()),
            ExprKind::Duration(nanos) => Doc::text(self.duration(expr.span, *nanos)),
            ExprKind::Path(path) => Doc::text(self.path(path)),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Not(inner) => Doc::concat([Doc::text("not "), self.operand(inner, Binding::Not)]),
            ExprKind::Below(inner) => Doc::concat([Doc::text("< "), self.operand(inner, tighter(Binding::Comparison))]),
            ExprKind::Neg(inner) => Doc::concat([Doc::text("-"), self.operand(inner, Binding::Negation)]),
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), ..) => self.chain(*op, expr),
            ExprKind::Binary(op, left, right) => {
                let own = op_binding(*op);
                let least = if own == Binding::Comparison { tighter(own) } else { own };
                let parts = [
                    self.operand(left, least),
                    Doc::text(format!(" {} ", op.as_str())),
                    self.operand(right, tighter(own)),
                ];
                Doc::concat(parts)
            }
            ExprKind::In { value, set, negated } => {
                let value = self.operand(value, tighter(Binding::Comparison));
                let word = Doc::text(if *negated { " not in " } else { " in " });
                let set = match set {
                    InSet::List(items) => self.list(items.iter().map(|item| self.expr(item)).collect()),
                    InSet::Table(table) => Doc::text(format!("@{}", self.ident_bare(table))),
                };
                Doc::concat([value, word, set])
            }
            ExprKind::Like { value, patterns, negated } => {
                let value = self.operand(value, tighter(Binding::Comparison));
                let word = Doc::text(if *negated { " not like " } else { " like " });
                Doc::concat([value, word, self.one_of(patterns.iter().map(|p| self.string(p)).collect())])
            }
            ExprKind::Matches { value, patterns } => {
                let value = self.operand(value, tighter(Binding::Comparison));
                let patterns = self.one_of(patterns.iter().map(|p| self.regex(p)).collect());
                Doc::concat([value, Doc::text(" =~ "), patterns])
            }
            ExprKind::List(items) => match items.as_slice() {
                [one] => Doc::concat([Doc::text("("), self.expr(one), Doc::text(",)")]),
                _ => self.list(items.iter().map(|item| self.expr(item)).collect()),
            },
            ExprKind::Lookup { table, key } => {
                let key = Doc::commas(key.iter().map(|part| self.expr(part)));
                Doc::concat([Doc::text(format!("@{}[", self.ident_bare(table))), key.group(), Doc::text("]")])
            }
            ExprKind::Member(inner, parts) => {
                let names: Vec<String> = parts.iter().map(|part| self.part(part, false)).collect();
                Doc::concat([self.base(inner), Doc::text(format!(".{}", names.join(".")))])
            }
            ExprKind::AnyElement { list, name, condition } => {
                let head = Doc::concat([self.expr(list), Doc::text(format!(" as {}", self.ident(name)))]);
                let condition = Doc::concat([Doc::text("where "), self.expr(condition)]);
                let inside = Doc::Concat(vec![Doc::Soft, head, Doc::Line, condition]).nest(2);
                Doc::concat([Doc::text("some("), inside, Doc::Soft, Doc::text(")")]).group()
            }
            ExprKind::Regex(regex) => Doc::text(self.regex(regex)),
            ExprKind::Index(inner, index) => {
                let value = match &inner.kind {
                    ExprKind::Path(path) => Doc::text(self.path(path)),
                    _ => self.base(inner),
                };
                Doc::concat([value, Doc::text(format!("[{index}]"))])
            }
        }
    }

    /// A table's name after its `@`, whose span includes the sign.
    fn ident_bare(&self, table: &Ident) -> String {
        match self.at(table.span).and_then(|written| written.strip_prefix('@')) {
            Some(written) if written.trim_matches('`') == table.name => written.to_owned(),
            _ => {
                if is_word(&table.name) {
                    table.name.clone()
                } else {
                    format!("`{}`", table.name)
                }
            }
        }
    }

    /// What stands before `.f` or `[i]`. A path there would swallow the part.
    fn base(&self, inner: &Expr) -> Doc {
        let doc = self.bare(inner);
        match inner.kind {
            ExprKind::Call(_)
            | ExprKind::AnyElement { .. }
            | ExprKind::Lookup { .. }
            | ExprKind::Member(..)
            | ExprKind::Index(..)
            | ExprKind::List(_) => doc,
            _ => Doc::concat([Doc::text("("), doc, Doc::text(")")]),
        }
    }

    fn list(&self, items: Vec<Doc>) -> Doc {
        let inside = Doc::concat([Doc::Soft, Doc::commas(items)]).nest(2);
        Doc::concat([Doc::text("("), inside, Doc::Soft, Doc::text(")")]).group()
    }

    fn one_of(&self, mut texts: Vec<String>) -> Doc {
        if texts.len() == 1 {
            return Doc::text(texts.remove(0));
        }
        self.list(texts.into_iter().map(Doc::text).collect())
    }

    fn chain(&self, op: BinaryOp, expr: &Expr) -> Doc {
        let mut parts = Vec::new();
        for (i, operand) in pratt::operands(op, expr).into_iter().enumerate() {
            if i > 0 {
                parts.push(Doc::Line);
                parts.push(Doc::text(format!("{} ", op.as_str())));
            }
            parts.push(self.operand(operand, tighter(op_binding(op))));
        }
        Doc::concat(parts).group()
    }

    /// The items of a key.
    pub(super) fn key_items(&self, items: &[KeyItem]) -> Doc {
        Doc::commas(items.iter().map(|item| {
            let name = item.name.as_ref().map(|name| format!("{} = ", self.ident(name))).unwrap_or_default();
            let mark = if item.optional { "?" } else { "" };
            Doc::concat([Doc::text(name), self.expr(&item.value), Doc::text(mark)])
        }))
    }

    fn call(&self, call: &super::ast::Call) -> Doc {
        let name = match self.at(call.name.span) {
            Some(written) if written.trim_matches('`') == call.name.name => written.to_owned(),
            _ if is_word(&call.name.name) => call.name.name.clone(),
            _ => format!("`{}`", call.name.name),
        };
        let mut args: Vec<Doc> = call.args.iter().map(|arg| self.expr(arg)).collect();
        if let Some(n) = call.events {
            args.insert(args.len().min(1), Doc::text(format!("{n} events")));
        }
        let mut inside = vec![Doc::Soft];
        if call.distinct {
            inside.push(Doc::text("distinct "));
        }
        inside.push(Doc::commas(args));
        if let Some(condition) = &call.condition {
            inside.push(Doc::Line);
            inside.push(Doc::concat([Doc::text("where "), self.expr(condition)]));
        }
        if !call.by.is_empty() {
            inside.push(Doc::Line);
            inside.push(Doc::concat([Doc::text("by "), self.key_items(&call.by)]));
        }
        Doc::concat([Doc::text(format!("{name}(")), Doc::Concat(inside).nest(2), Doc::Soft, Doc::text(")")]).group()
    }
}

fn is_duration(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Escapes slashes that are not escaped.
fn slashes(pattern: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in pattern.chars() {
        if c == '/' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// A string literal for a value.
pub(super) fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if crate::diag::escape::is_unsafe(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
