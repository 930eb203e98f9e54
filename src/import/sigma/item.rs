//! One field and its values as a condition of the rule language.
//!
//! Decisions: texts fold case. A number equals the text that writes it and the other way round, and patterns and
//! regular expressions that could match the text of a number or bool are asked of that text (`texts(…)`). A list
//! in an event matches if an element does. `null` is a field that is absent or null; `*` alone is one that is there.

use super::lower::Lowerer;
use super::model::{Item, Text, Value, ValueKind};
use super::modifier::{Kind, Modifiers, Transform};
use super::pattern::{Pattern, Said};
use super::regex;
use super::tree::{binary, call, chain, exists, expr, field, like, literal, matches, not, one_of, string};
use crate::diag::codes::sigma as codes;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, RegexLit, StrLit};
use crate::syntax::source::Span;

/// What is asked of a field, put together by form so that long lists stay lists.
#[derive(Default)]
struct Asked {
    /// Equal to one of these.
    whole: Vec<Expr>,
    /// Like one of these.
    globs: Vec<StrLit>,
    /// Its text like one of these, whatever it is.
    scalar_globs: Vec<StrLit>,
    regexes: Vec<RegexLit>,
    scalar_regexes: Vec<RegexLit>,
    networks: Vec<Expr>,
    others: Vec<Expr>,
}

impl Lowerer<'_> {
    /// The condition of an item; none if it cannot be said, which is reported.
    pub(super) fn item(&mut self, item: &Item) -> Option<Expr> {
        let modifiers = self.modifiers(item)?;
        if item.values.is_empty() {
            let help = "write the values, `null` for a field that is not there, or `''` for an empty one";
            self.error(codes::WRONG_VALUE, "there are no values to look for", item.span, help);
            return None;
        }
        let condition = if item.also.is_empty() {
            self.over_fields(item, &modifiers, BinaryOp::Or)?
        } else {
            self.in_any_field(item, &modifiers)?
        };
        Some(if modifiers.neq { not(condition, item.span) } else { condition })
    }

    /// An item that may be held by one of several fields: a value is there if one field has it, and absent if all are.
    fn in_any_field(&mut self, item: &Item, modifiers: &Modifiers) -> Option<Expr> {
        let absent = |value: &Value| match value.kind {
            ValueKind::Null => true,
            ValueKind::Bool(there) => modifiers.kind == Kind::Exists && !there,
            _ => false,
        };
        let (absent, present): (Vec<Value>, Vec<Value>) = item.values.iter().cloned().partition(absent);
        let mut conditions = Vec::new();
        if !present.is_empty() || absent.is_empty() {
            conditions.push(self.over_fields(&Item { values: present, ..item.clone() }, modifiers, BinaryOp::Or)?);
        }
        if !absent.is_empty() {
            conditions.push(self.over_fields(&Item { values: absent, ..item.clone() }, modifiers, BinaryOp::And)?);
        }
        chain(if modifiers.all { BinaryOp::And } else { BinaryOp::Or }, conditions)
    }

    /// What the item asks for of each of its fields, joined.
    fn over_fields(&mut self, item: &Item, modifiers: &Modifiers, join: BinaryOp) -> Option<Expr> {
        let mut fields: Vec<Option<&Text>> = vec![item.field.as_ref()];
        fields.extend(item.also.iter().map(Some));
        let mut conditions = Vec::new();
        for name in fields {
            let value = match name {
                Some(name) => self.field(name)?,
                None => call("any_value", Vec::new(), item.span),
            };
            conditions.push(self.values(item, modifiers, name.is_none(), &value)?);
        }
        chain(join, conditions)
    }

    fn field(&mut self, name: &Text) -> Option<Expr> {
        let found = field(name);
        if found.is_none() {
            let help = "a name has no line break and no backquote in it";
            self.error(codes::WRONG_PART, "this cannot be the name of a field", name.span, help);
        }
        if found.is_some() && self.hidden.contains(name.as_str()) {
            let message = format!("a `let` of a rule file is called `{}` too", name.as_str());
            self.error(
                codes::WRONG_PART,
                message,
                name.span,
                "give the `let` another name, as it would hide the field",
            );
            return None;
        }
        found
    }

    fn values(&mut self, item: &Item, modifiers: &Modifiers, keywords: bool, field: &Expr) -> Option<Expr> {
        let mut all = Vec::new();
        let mut asked = Asked::default();
        let mut complete = true;
        for value in &item.values {
            let into = &mut asked;
            complete &= self.value(value, modifiers, keywords, field, into).is_some();
            if modifiers.all {
                all.extend(std::mem::take(&mut asked).condition(field, value.span));
            }
        }
        if !complete {
            return None;
        }
        if modifiers.all { chain(BinaryOp::And, all) } else { asked.condition(field, item.span) }
    }

    /// Adds what one value asks for. None if that cannot be said, which is reported.
    fn value(
        &mut self,
        value: &Value,
        mods: &Modifiers,
        keywords: bool,
        field: &Expr,
        asked: &mut Asked,
    ) -> Option<()> {
        if let Some(part) = mods.time_part {
            let op = if let Kind::Compare(op) = mods.kind { op } else { BinaryOp::Eq };
            let number = self.number(value, "a part of a time is a whole number")?;
            let part = call(part, vec![call("time", vec![field.clone()], value.span)], value.span);
            asked.others.push(binary(op, part, number, value.span));
            return Some(());
        }
        match mods.kind {
            Kind::Text => self.text(value, mods, keywords, field, asked),
            Kind::Regex { fold, lines, dot_all } => {
                let flags = match (lines, dot_all) {
                    (false, false) => "",
                    (true, false) => "(?m)",
                    (false, true) => "(?s)",
                    (true, true) => "(?ms)",
                };
                let translated = match regex::translate(&value.text, flags, fold) {
                    Ok(translated) => translated,
                    Err(refused) => {
                        let message = format!("this regular expression cannot be run: {}", refused.what);
                        self.error(codes::REGEX, message, value.span, refused.instead);
                        return None;
                    }
                };
                let regex = RegexLit { pattern: translated.pattern, fold, span: value.span };
                let regexes = if translated.may_be_scalar { &mut asked.scalar_regexes } else { &mut asked.regexes };
                regexes.push(regex);
                Some(())
            }
            Kind::Cidr => {
                let text = match (value.text.contains('/'), value.text.contains(':')) {
                    (true, _) => value.text.clone(),
                    (false, true) => format!("{}/128", value.text),
                    (false, false) => format!("{}/32", value.text),
                };
                let parts = text.split_once('/').map(|(address, bits)| (address.parse(), bits.parse::<u8>()));
                match parts {
                    Some((Ok(std::net::IpAddr::V4(_)), Ok(0..=32)))
                    | Some((Ok(std::net::IpAddr::V6(_)), Ok(0..=128))) => {
                        asked.networks.push(string(text, false, value.span));
                        Some(())
                    }
                    _ => {
                        let message = format!("`{}` is no network", value.text);
                        let help = "write an address and a prefix length: `10.0.0.0/8`, `fd00::/8`";
                        self.error(codes::WRONG_VALUE, message, value.span, help);
                        None
                    }
                }
            }
            Kind::Compare(op) => {
                let number = self.number(value, "only numbers have an order")?;
                let numbers = call("numbers", vec![field.clone()], value.span);
                asked.others.push(binary(op, numbers, number, value.span));
                Some(())
            }
            Kind::Exists => {
                let there = exists(field.clone(), value.span);
                match value.kind {
                    _ if keywords => self.wrong(value, "`exists` needs a field", "write the field before it"),
                    ValueKind::Bool(true) => {
                        asked.others.push(there);
                        Some(())
                    }
                    ValueKind::Bool(false) => {
                        asked.others.push(not(there, value.span));
                        Some(())
                    }
                    _ => self.wrong(value, "`exists` takes `true` or `false`", "write one of them"),
                }
            }
            Kind::Field => self.other_field(value, mods, keywords, field, asked),
        }
    }

    fn wrong(&mut self, value: &Value, message: &str, help: &str) -> Option<()> {
        self.error(codes::WRONG_VALUE, message, value.span, help);
        None
    }

    fn number(&mut self, value: &Value, message: &str) -> Option<Expr> {
        let text = value.text.trim();
        let kind = match value.kind {
            ValueKind::Int(value) => number_kind(value),
            ValueKind::Float(value) => Some(ExprKind::Float(value)),
            ValueKind::Str => text.parse().ok().and_then(number_kind).or_else(|| {
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
                number
                    .filter(|_| text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)))
                    .map(ExprKind::Float)
            }),
            ValueKind::Null | ValueKind::Bool(_) => None,
        };
        if kind.is_none() {
            self.wrong(value, message, "write a number");
        }
        kind.map(|kind| number_expr(kind, value.span))
    }

    /// `fieldref`: both values as texts.
    fn other_field(
        &mut self,
        value: &Value,
        mods: &Modifiers,
        keywords: bool,
        field: &Expr,
        asked: &mut Asked,
    ) -> Option<()> {
        if keywords || value.kind != ValueKind::Str || value.text.is_empty() {
            return self.wrong(
                value,
                "`fieldref` compares two fields",
                "write the name of the other field as its value",
            );
        }
        let other = self.field(&Text { value: value.text.clone(), span: value.span })?;
        let text = |field: &Expr| {
            let text = call("string", vec![field.clone()], value.span);
            if mods.cased { text } else { call("lower", vec![text], value.span) }
        };
        let (mine, other) = (text(field), text(&other));
        let both = |name: &str| call(name, vec![mine.clone(), other.clone()], value.span);
        let place = |wanted| mods.transforms.iter().any(|(transform, _)| *transform == wanted);
        let (start, end) = (place(Transform::StartsWith), place(Transform::EndsWith));
        asked.others.push(match (start, end) {
            _ if place(Transform::Contains) || (start && end) => both("contains"),
            (true, _) => both("starts_with"),
            (_, true) => both("ends_with"),
            _ => binary(BinaryOp::Eq, mine, other, value.span),
        });
        Some(())
    }

    /// A value without a modifier that says otherwise: a text with wildcards, a number, a bool, null.
    fn text(&mut self, value: &Value, mods: &Modifiers, keywords: bool, field: &Expr, asked: &mut Asked) -> Option<()> {
        let plain = mods.transforms.is_empty() && !keywords;
        let span = value.span;
        let number = match value.kind {
            ValueKind::Null if plain => {
                asked.others.push(not(exists(field.clone(), span), span));
                return Some(());
            }
            ValueKind::Null => return self.wrong(value, "null is no text", "write `''` for an empty text"),
            ValueKind::Bool(flag) if plain => {
                asked.whole.push(expr(ExprKind::Bool(flag), span));
                asked.whole.push(string(flag.to_string(), !mods.cased, span));
                return Some(());
            }
            ValueKind::Int(number) => Some((number_kind(number), number.to_string())),
            ValueKind::Float(number) => Some((Some(ExprKind::Float(number)), number.to_string())),
            _ => None,
        };
        if let (Some((kind, text)), true) = (number, plain) {
            asked.whole.extend(kind.map(|kind| number_expr(kind, span)));
            asked.whole.push(string(text, false, span));
            return Some(());
        }
        let pattern =
            if value.kind == ValueKind::Str { Pattern::parse(&value.text) } else { Pattern::plain(&value.text) };
        let placed = mods.transforms.iter().any(|(transform, _)| {
            matches!(transform, Transform::Contains | Transform::StartsWith | Transform::EndsWith)
        });
        for mut pattern in self.transformed(pattern, mods)? {
            if keywords && !placed {
                pattern.open_start();
                pattern.open_end();
            }
            self.pattern(&pattern, value, !mods.cased, field, asked)?;
        }
        Some(())
    }

    fn transformed(&mut self, pattern: Pattern, mods: &Modifiers) -> Option<Vec<Pattern>> {
        let mut patterns = vec![pattern];
        for (transform, span) in &mods.transforms {
            let wildcards = "the value has wildcards, and an encoding of them means nothing";
            let plain = "write wildcards as `\\*` and `\\?`, and put `contains` behind the encoding";
            let mut next = Vec::new();
            for mut pattern in patterns {
                match transform {
                    Transform::Contains => {
                        pattern.open_start();
                        pattern.open_end();
                    }
                    Transform::StartsWith => pattern.open_end(),
                    Transform::EndsWith => pattern.open_start(),
                    Transform::Utf16Le => pattern.utf16(u16::to_le_bytes, false),
                    Transform::Utf16Be => pattern.utf16(u16::to_be_bytes, false),
                    Transform::Utf16 => pattern.utf16(u16::to_le_bytes, true),
                    Transform::Base64 | Transform::Base64Offset => {
                        let encoded = if *transform == Transform::Base64 {
                            pattern.base64().map(|encoded| vec![encoded])
                        } else {
                            pattern.base64_offsets()
                        };
                        let Some(encoded) = encoded else {
                            self.error(codes::WRONG_MODIFIERS, wildcards, *span, plain);
                            return None;
                        };
                        next.extend(encoded);
                        continue;
                    }
                    Transform::WinDash => {
                        let Some(dashed) = pattern.windash() else {
                            let help = "split the value into several and write `contains|all|windash`";
                            self.error(codes::WRONG_MODIFIERS, "more than four dashes to exchange", *span, help);
                            return None;
                        };
                        next.extend(dashed);
                        continue;
                    }
                }
                next.push(pattern);
            }
            patterns = next;
        }
        Some(patterns)
    }

    fn pattern(&mut self, pattern: &Pattern, value: &Value, fold: bool, field: &Expr, asked: &mut Asked) -> Option<()> {
        let span = value.span;
        let Some(said) = pattern.said() else {
            let help = "write `base64` or `base64offset` behind it; events hold texts";
            self.error(codes::WRONG_MODIFIERS, "the encoded value is no text", span, help);
            return None;
        };
        let bools = || [true, false].into_iter().filter(|flag| pattern.matches(&flag.to_string(), fold));
        match said {
            Said::Whole(text) => {
                let number = plain_number(&text);
                asked.whole.extend(number.map(|kind| number_expr(kind, span)));
                asked.whole.extend(bools().map(|flag| expr(ExprKind::Bool(flag), span)));
                asked.whole.push(string(text, fold, span));
            }
            Said::Anything => asked.others.push(exists(field.clone(), span)),
            Said::Glob(glob) if pattern.may_be_number() => asked.scalar_globs.push(literal(glob, fold, span)),
            Said::Glob(glob) => {
                asked.globs.push(literal(glob, fold, span));
                asked.whole.extend(bools().map(|flag| expr(ExprKind::Bool(flag), span)));
            }
            Said::Regex(pattern) => asked.scalar_regexes.push(RegexLit { pattern, fold, span }),
        }
        Some(())
    }
}

impl Asked {
    /// Any of it.
    fn condition(mut self, field: &Expr, span: Span) -> Option<Expr> {
        let mut seen = std::collections::HashSet::new();
        self.whole.retain(|value| seen.insert(written(value)));
        let texts = || call("texts", vec![field.clone()], span);
        let mut parts = Vec::new();
        if !self.whole.is_empty() {
            parts.push(one_of(field.clone(), self.whole, span));
        }
        if !self.globs.is_empty() {
            parts.push(like(field.clone(), self.globs, span));
        }
        if !self.scalar_globs.is_empty() {
            parts.push(like(texts(), self.scalar_globs, span));
        }
        if !self.regexes.is_empty() {
            parts.push(matches(field.clone(), self.regexes, span));
        }
        if !self.scalar_regexes.is_empty() {
            parts.push(matches(texts(), self.scalar_regexes, span));
        }
        if !self.networks.is_empty() {
            let args = std::iter::once(field.clone()).chain(self.networks).collect();
            parts.push(call("cidr", args, span));
        }
        parts.extend(self.others);
        chain(BinaryOp::Or, parts)
    }
}

/// A literal as it is told apart from others.
fn written(value: &Expr) -> String {
    match &value.kind {
        ExprKind::Str(text) => format!("\"{}\"{}", text.value, text.fold),
        ExprKind::Neg(number) => format!("-{}", written(number)),
        ExprKind::Int(number) => number.to_string(),
        ExprKind::Float(number) => format!("{number:?}"),
        other => format!("{other:?}"),
    }
}

/// A number that the language can say.
fn number_kind(number: i128) -> Option<ExprKind> {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number).then_some(ExprKind::Int(number))
}

/// A number as the parser gives it: the sign of a negative one is an operator.
fn number_expr(kind: ExprKind, span: Span) -> Expr {
    let positive = match kind {
        ExprKind::Int(number) if number < 0 => ExprKind::Int(-number),
        ExprKind::Float(number) if number < 0.0 => ExprKind::Float(-number),
        kind => return expr(kind, span),
    };
    expr(ExprKind::Neg(Box::new(expr(positive, span))), span)
}

/// The number that a text writes in the plain way: digits without leading zeros, perhaps a fraction.
fn plain_number(text: &str) -> Option<ExprKind> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || unsigned.len() > 20 {
        return None;
    }
    match fraction {
        None if text == "-0" => None,
        None => text.parse().ok().and_then(number_kind),
        Some(fraction) if digits(fraction) => text.parse().ok().map(ExprKind::Float),
        Some(_) => None,
    }
}
