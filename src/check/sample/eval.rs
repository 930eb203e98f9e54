//! A small evaluator of class conditions over JSON values, three-valued like the engine's.
//!
//! It knows the operators and the functions that class declarations use. For anything else the answer is
//! "not known", which is not the same as missing: a class with such a condition is left out of the report.

use std::net::IpAddr;

use serde_json::Value as Json;

use crate::base::Value;
use crate::check::literal::compile_regex;
use crate::check::names::Names;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, InSet, StrLit};

/// A `let` may name another one; more than this is a cycle.
const MAX_DEPTH: usize = 64;
/// Bytes of a compiled regular expression; the checker has refused larger ones already.
const MAX_REGEX: usize = 1 << 20;

/// The value of a path: at each level nested first, then ever longer literal keys. `null` is not there.
pub(super) fn find<'j>(value: &'j Json, path: &[String]) -> Option<&'j Json> {
    let Some((head, rest)) = path.split_first() else {
        return (!value.is_null()).then_some(value);
    };
    let Json::Object(fields) = value else { return None };
    let nested = fields.get(head).and_then(|inner| find(inner, rest));
    nested.or_else(|| {
        (2..=path.len()).find_map(|n| fields.get(&path[..n].join(".")).and_then(|inner| find(inner, &path[n..])))
    })
}

/// Conditions over one event.
pub(super) struct Evaluator<'e, 'a> {
    pub(super) names: &'e Names<'a>,
    pub(super) event: &'e Json,
}

/// "Not known": the condition uses something that is not evaluated here.
pub(super) struct Unknown;

impl Evaluator<'_, '_> {
    /// Whether the event is of a class; `None` if that is not known.
    pub(super) fn is_class(&self, class: &str, type_field: &[String]) -> Option<bool> {
        if class == "any" {
            return Some(true);
        }
        match self.names.classes.get(class) {
            Some(decl) => match self.value(&decl.condition, 0) {
                Ok(value) => Some(value == Value::Bool(true)),
                Err(Unknown) => None,
            },
            None => Some(find(self.event, type_field).and_then(Json::as_str) == Some(class)),
        }
    }

    pub(super) fn value(&self, expr: &Expr, depth: usize) -> Result<Value, Unknown> {
        if depth > MAX_DEPTH {
            return Err(Unknown);
        }
        let next = |e: &Expr| self.value(e, depth + 1);
        Ok(match &expr.kind {
            ExprKind::Str(text) => Value::Str(text.value.as_str().into()),
            ExprKind::Int(n) => Value::integer(*n),
            ExprKind::Float(n) => Value::number(*n),
            ExprKind::Bool(b) => Value::Bool(*b),
            ExprKind::Path(path) => {
                let parts: Vec<String> = path.parts.iter().map(|p| p.name.clone()).collect();
                if let [name] = parts.as_slice()
                    && let Some(decl) = self.names.lets.get(name.as_str())
                {
                    return next(&decl.value);
                }
                if parts.iter().any(|p| p.starts_with('@')) {
                    return Err(Unknown);
                }
                find(self.event, &parts).map_or(Value::Missing, Value::from_json)
            }
            ExprKind::Not(inner) => negated(next(inner)?),
            ExprKind::Binary(BinaryOp::And, a, b) => and(next(a)?, next(b)?),
            ExprKind::Binary(BinaryOp::Or, a, b) => negated(and(negated(next(a)?), negated(next(b)?))),
            ExprKind::Binary(BinaryOp::Default, a, b) => match next(a)? {
                Value::Missing => next(b)?,
                found => found,
            },
            ExprKind::Binary(op, a, b) => {
                let fold = [a, b].iter().any(|e| matches!(&e.kind, ExprKind::Str(s) if s.fold));
                compare(*op, &next(a)?, &next(b)?, fold)?
            }
            ExprKind::In { value, set: InSet::List(items), negated: not } => {
                let value = next(value)?;
                let mut found = false;
                for item in items {
                    let fold = matches!(&item.kind, ExprKind::Str(s) if s.fold);
                    found |= compare(BinaryOp::Eq, &value, &next(item)?, fold)? == Value::Bool(true);
                }
                truth(&value, found, *not)
            }
            ExprKind::Like { value, patterns, negated: not } => {
                let value = next(value)?;
                let found = any_text(&value, &|text| patterns.iter().any(|p| glob(p, text)));
                truth(&value, found, *not)
            }
            ExprKind::Matches { value, patterns } => {
                let value = next(value)?;
                let compiled: Vec<_> =
                    patterns.iter().filter_map(|p| compile_regex(&p.pattern, p.fold, MAX_REGEX).ok()).collect();
                let found = any_text(&value, &|text| compiled.iter().any(|r| r.is_match(text)));
                truth(&value, found, false)
            }
            ExprKind::Call(call) => self.call(call, depth)?,
            _ => return Err(Unknown),
        })
    }

    fn call(&self, call: &crate::syntax::ast::Call, depth: usize) -> Result<Value, Unknown> {
        let args = call.args.iter().map(|a| self.value(a, depth + 1)).collect::<Result<Vec<_>, _>>()?;
        let first = args.first().cloned().unwrap_or_default();
        let texts = |change: &dyn Fn(&str) -> String| match &first {
            Value::Str(text) => Value::Str(change(text).into()),
            _ => Value::Missing,
        };
        Ok(match call.name.name.as_str() {
            "exists" => Value::Bool(first != Value::Missing),
            "lower" => texts(&str::to_lowercase),
            "upper" => texts(&str::to_uppercase),
            "trim" => texts(&|text| text.trim().to_owned()),
            "len" => match &first {
                Value::Str(text) => Value::integer(text.chars().count() as i128),
                Value::List(items) => Value::integer(items.len() as i128),
                _ => Value::Missing,
            },
            "contains" | "starts_with" | "ends_with" if matches!(first, Value::Missing | Value::Str(_)) => {
                let parts = call.args.get(1).map(literal_texts).unwrap_or_default();
                if parts.is_empty() {
                    return Err(Unknown);
                }
                let found = any_text(&first, &|text| {
                    parts.iter().any(|part| {
                        let (text, part) = if part.fold {
                            (text.to_lowercase(), part.value.to_lowercase())
                        } else {
                            (text.to_owned(), part.value.clone())
                        };
                        match call.name.name.as_str() {
                            "contains" => text.contains(&part),
                            "starts_with" => text.starts_with(&part),
                            _ => text.ends_with(&part),
                        }
                    })
                });
                truth(&first, found, false)
            }
            "cidr" => {
                let nets: Vec<&str> = call.args[1..].iter().flat_map(literal_texts).map(|s| s.value.as_str()).collect();
                let found = any_text(&first, &|text| nets.iter().any(|net| in_network(text, net)));
                truth(&first, found, false)
            }
            _ => return Err(Unknown),
        })
    }
}

fn negated(value: Value) -> Value {
    match value {
        Value::Bool(b) => Value::Bool(!b),
        _ => Value::Missing,
    }
}

fn and(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (Value::Bool(true), Value::Bool(true)) => Value::Bool(true),
        _ => Value::Missing,
    }
}

/// The result of a test on a value that may be missing.
fn truth(value: &Value, found: bool, not: bool) -> Value {
    if *value == Value::Missing { Value::Missing } else { Value::Bool(found != not) }
}

fn any_text(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Str(text) => test(text),
        Value::List(items) => items.iter().any(|item| any_text(item, test)),
        _ => false,
    }
}

fn compare(op: BinaryOp, a: &Value, b: &Value, fold: bool) -> Result<Value, Unknown> {
    if matches!(b, Value::List(_)) && !matches!(a, Value::List(_)) {
        return compare(op.mirrored(), b, a, fold);
    }
    if let (Value::List(items), false) = (a, matches!(b, Value::List(_))) {
        let positive = if op == BinaryOp::Ne { BinaryOp::Eq } else { op };
        let mut found = false;
        for item in items {
            found |= compare(positive, item, b, fold)? == Value::Bool(true);
        }
        return Ok(truth(b, found, op == BinaryOp::Ne));
    }
    let folded = |v: &Value| match v {
        Value::Str(text) if fold => Value::Str(text.to_lowercase()),
        other => other.clone(),
    };
    let (a, b) = (folded(a), folded(b));
    let ordered = |test: fn(std::cmp::Ordering) -> bool| {
        a.as_ref().compare(b.as_ref()).map_or(Value::Missing, |order| Value::Bool(test(order)))
    };
    Ok(match op {
        BinaryOp::Eq => a.as_ref().equals(b.as_ref()).map_or(Value::Missing, Value::Bool),
        BinaryOp::Ne => a.as_ref().equals(b.as_ref()).map_or(Value::Missing, |equal| Value::Bool(!equal)),
        BinaryOp::Lt => ordered(std::cmp::Ordering::is_lt),
        BinaryOp::Le => ordered(std::cmp::Ordering::is_le),
        BinaryOp::Gt => ordered(std::cmp::Ordering::is_gt),
        BinaryOp::Ge => ordered(std::cmp::Ordering::is_ge),
        _ => return Err(Unknown),
    })
}

fn literal_texts(expr: &Expr) -> Vec<&StrLit> {
    match &expr.kind {
        ExprKind::Str(text) => vec![text],
        ExprKind::List(items) => items.iter().flat_map(literal_texts).collect(),
        _ => Vec::new(),
    }
}

/// `*` is any run of characters, `?` is one; `[*]` and `[?]` are meant literally.
fn glob(pattern: &StrLit, text: &str) -> bool {
    #[derive(Clone, Copy)]
    enum Token {
        Run,
        One,
        Char(char),
    }
    let fold = |text: &str| if pattern.fold { text.to_lowercase() } else { text.to_owned() };
    let (pattern, text): (Vec<char>, Vec<char>) =
        (fold(&pattern.value).chars().collect(), fold(text).chars().collect());
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut at = 0;
    while at < pattern.len() {
        let token = match &pattern[at..] {
            ['[', c @ ('*' | '?'), ']', ..] => {
                at += 2;
                Token::Char(*c)
            }
            ['*', ..] => Token::Run,
            ['?', ..] => Token::One,
            [c, ..] => Token::Char(*c),
            [] => break,
        };
        tokens.push(token);
        at += 1;
    }
    // Backtracks to the last run only, which is enough for globs.
    let (mut t, mut p, mut run) = (0, 0, None);
    while t < text.len() {
        match tokens.get(p) {
            Some(Token::Run) => {
                run = Some((p, t));
                p += 1;
            }
            Some(Token::One) => (t, p) = (t + 1, p + 1),
            Some(Token::Char(c)) if *c == text[t] => (t, p) = (t + 1, p + 1),
            _ => match run {
                Some((start, taken)) => {
                    run = Some((start, taken + 1));
                    (t, p) = (taken + 1, start + 1);
                }
                None => return false,
            },
        }
    }
    tokens[p..].iter().all(|token| matches!(token, Token::Run))
}

fn in_network(address: &str, network: &str) -> bool {
    let Some((base, bits)) = network.split_once('/') else { return false };
    match (address.parse(), base.parse(), bits.parse::<u32>()) {
        (Ok(IpAddr::V4(a)), Ok(IpAddr::V4(b)), Ok(bits @ 0..=32)) => {
            (u32::from(a) ^ u32::from(b)).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (Ok(IpAddr::V6(a)), Ok(IpAddr::V6(b)), Ok(bits @ 0..=128)) => {
            (u128::from(a) ^ u128::from(b)).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::source::Span;

    #[test]
    fn paths_are_found_nested_first_then_dotted() {
        let event = serde_json::json!({"a": {"b": null, "b.c": 1}, "a.b": {"c": 2}, "x.y": 3});
        let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(find(&event, &path("a.b.c")), Some(&serde_json::json!(1)));
        assert_eq!(find(&event, &path("x.y")), Some(&serde_json::json!(3)));
        assert_eq!(find(&event, &path("a.b")), Some(&serde_json::json!({"c": 2})));
        assert_eq!(find(&event, &path("a.q")), None);
    }

    #[test]
    fn globs() {
        let pattern = |value: &str, fold| StrLit { value: value.into(), fold, raw: false, span: Span::default() };
        assert!(glob(&pattern("*.exe", true), r"C:\Windows\CMD.EXE"));
        assert!(glob(&pattern("a*b?d", false), "axxbcd"));
        assert!(!glob(&pattern("a*b?d", false), "axxbd"));
        assert!(glob(&pattern("1[*]2", false), "1*2"));
        assert!(!glob(&pattern("1[*]2", false), "1x2"));
    }

    #[test]
    fn networks() {
        assert!(in_network("10.1.2.3", "10.0.0.0/8"));
        assert!(in_network("10.1.2.3", "0.0.0.0/0"));
        assert!(!in_network("11.1.2.3", "10.0.0.0/8"));
        assert!(in_network("fd12::1", "fd00::/8"));
    }
}
