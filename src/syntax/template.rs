//! Texts of an `alert` block: plain text with `{expr}` in it; `{{` and `}}` are braces.

use super::ast::{Expr, StrLit, TemplatePart};
use super::build::Builder;
use super::parser;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

impl Builder<'_> {
    /// The parts of a text. A brace that cannot be read is reported and stays as text.
    pub(super) fn template(&mut self, text: &StrLit) -> Vec<TemplatePart> {
        // Without escapes, the value stands in the source byte for byte, and spans can point into it.
        let opening = if text.raw { 2 } else { 1 };
        let in_source = text.raw || !self.written(text.span).contains('\\');
        let base = in_source.then(|| text.span.start as usize + opening);
        let value = text.value.as_str();
        let place = |from: usize, to: usize| match base {
            Some(base) => Span::new(text.span.source, base + from, base + to),
            None => text.span,
        };
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(found) = value[at..].find(['{', '}']) {
            let brace = at + found;
            plain.push_str(&value[at..brace]);
            let byte = value.as_bytes()[brace];
            if value.as_bytes().get(brace + 1) == Some(&byte) {
                plain.push(char::from(byte));
                at = brace + 2;
                continue;
            }
            let close = (byte == b'{').then(|| closing(value, brace + 1)).flatten();
            let Some(close) = close else {
                let (what, twice) = if byte == b'{' { ("opened", "{{") } else { ("closed", "}}") };
                self.report(
                    Diagnostic::error(
                        Code("E0033"),
                        format!("a brace in this text is {what} but has no partner"),
                        place(brace, brace + 1),
                        "`{…}` holds an expression",
                    )
                    .help(format!("for a brace as text write `{twice}`")),
                );
                // What follows is read as text, so one slip is one report.
                at = brace;
                break;
            };
            if !plain.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
            }
            parts.extend(self.placeholder(&value[brace + 1..close], base.map(|b| b + brace + 1), text.span));
            at = close + 1;
        }
        plain.push_str(&value[at..]);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(TemplatePart::Text(plain));
        }
        parts
    }

    /// What stands between the braces. `base` is where it lies in the source, if it lies there as it is.
    fn placeholder(&mut self, inner: &str, base: Option<usize>, whole: Span) -> Option<TemplatePart> {
        if inner.trim().is_empty() {
            let span = base.map_or(whole, |b| Span::new(whole.source, b - 1, b + inner.len() + 1));
            self.report(
                Diagnostic::error(Code("E0033"), "there is no expression between these braces", span, "empty")
                    .help("for braces as text write `{{` and `}}`"),
            );
            return None;
        }
        let (expr, mut diagnostics) = parser::parse_expr(self.source, inner, base.unwrap_or(0), self.limits);
        if base.is_none() {
            for diagnostic in &mut diagnostics {
                diagnostic.labels.iter_mut().for_each(|label| label.span = whole);
                diagnostic.fix = None;
            }
        }
        self.diagnostics.append(&mut diagnostics);
        let mut expr = expr?;
        if base.is_none() {
            expr = without_places(expr, whole);
        }
        Some(TemplatePart::Expr(expr))
    }
}

/// An expression whose places are not known better than `whole`.
fn without_places(mut expr: Expr, whole: Span) -> Expr {
    super::visit::expr_spans(&mut expr, &mut |span| *span = whole);
    expr
}

/// Where the brace that opened before `from` closes, strings and inner braces stepped over.
fn closing(value: &str, from: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut quoted = false;
    let mut escaped = false;
    for (i, byte) in value.bytes().enumerate().skip(from) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(i),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}
