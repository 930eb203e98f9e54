//! Conditions over selections: `selection and not 1 of filter_*`.
//!
//! Loosest first: `or`, `and`, `not`, `x of pattern`, parentheses. Words of the grammar may be written in any case.

use super::lower::Lowerer;
use super::model::{Detection, Selection, Text};
use super::tree::{at_least, chain, not};
use crate::base::wildcard::fits;
use crate::diag::codes::sigma as codes;
use crate::syntax::ast::{BinaryOp, Expr};
use crate::syntax::source::Span;
use crate::syntax::spelling::nearest;

/// Nesting of parentheses and `not`.
const MAX_DEPTH: usize = 64;

/// A word or sign with its bytes in the text.
#[derive(Clone, Copy, Debug)]
struct Token<'t> {
    text: &'t str,
    start: usize,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// Reads one condition.
struct Parser<'p, 'l, 't> {
    lowerer: &'p mut Lowerer<'l>,
    detection: &'p Detection,
    text: &'t Text,
    tokens: Vec<Token<'t>>,
    at: usize,
    depth: usize,
    used: &'p mut Vec<bool>,
}

impl Lowerer<'_> {
    /// One condition of a detection; none if it is wrong, which is reported. `used` notes the selections it names.
    pub(super) fn condition_text(&mut self, detection: &Detection, text: &Text, used: &mut Vec<bool>) -> Option<Expr> {
        if let Some(at) = text.value.find('|') {
            return self.aggregation(text, at);
        }
        let tokens = tokens(&text.value);
        let mut parser = Parser { lowerer: self, detection, text, tokens, at: 0, depth: 0, used };
        let condition = parser.any()?;
        match parser.peek() {
            None => Some(condition),
            Some(token) => {
                let message = format!("`{}` is not expected here", token.text);
                parser.wrong(token, message, "join selections with `and` or `or`")
            }
        }
    }

    fn aggregation(&mut self, text: &Text, at: usize) -> Option<Expr> {
        let span = text.part(at, text.value.len());
        let near = text.value[at + 1..].trim_start().starts_with("near");
        let (message, help) = if near {
            (
                "`near` is no longer part of Sigma",
                "write a correlation: `correlation: {type: temporal, rules: […], timespan: 5m}`",
            )
        } else {
            (
                "aggregations in conditions are no longer part of Sigma",
                "write a correlation in a second document: `correlation: {type: event_count, rules: [this_rule], group-by: [field], timespan: 5m, condition: {gt: 10}}`; `count(field)` is `value_count`",
            )
        };
        self.error(codes::OLD_AGGREGATION, message, span, help);
        None
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if c.is_whitespace() || matches!(c, '(' | ')') {
            if start < at {
                tokens.push(Token { text: &text[start..at], start });
            }
            if at < text.len() && !c.is_whitespace() {
                tokens.push(Token { text: &text[at..at + 1], start: at });
            }
            start = at + c.len_utf8();
        }
    }
    tokens
}

impl<'t> Parser<'_, '_, 't> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(word));
        self.at += usize::from(found);
        found
    }

    fn span(&self, token: Token<'_>) -> Span {
        self.text.part(token.start, token.start + token.text.len())
    }

    fn wrong<T>(&mut self, token: Token<'_>, message: impl Into<String>, help: &str) -> Option<T> {
        let span = self.span(token);
        self.lowerer.error(codes::CONDITION, message, span, help);
        None
    }

    fn any(&mut self) -> Option<Expr> {
        let mut parts = vec![self.all()?];
        while self.take("or") {
            parts.push(self.all()?);
        }
        chain(BinaryOp::Or, parts)
    }

    fn all(&mut self) -> Option<Expr> {
        let mut parts = vec![self.operand()?];
        while self.take("and") {
            parts.push(self.operand()?);
        }
        chain(BinaryOp::And, parts)
    }

    fn operand(&mut self) -> Option<Expr> {
        self.depth += 1;
        let found = self.deeper();
        self.depth -= 1;
        found
    }

    fn deeper(&mut self) -> Option<Expr> {
        let Some(token) = self.peek() else {
            let span = self.text.span;
            self.lowerer.error(codes::CONDITION, "the condition ends too early", span, "name a selection at its end");
            return None;
        };
        if self.depth > MAX_DEPTH {
            return self.wrong(token, "the condition is nested too deeply", "split the rule into several");
        }
        self.at += 1;
        if token.is("not") {
            let span = self.span(token);
            return Some(not(self.operand()?, span));
        }
        if token.text == "(" {
            let inner = self.any()?;
            if !self.take(")") {
                return self.wrong(token, "the parenthesis is not closed", "write `)` where it ends");
            }
            return Some(inner);
        }
        if self.peek().is_some_and(|next| next.is("of")) {
            return self.some_of(token);
        }
        if token.text == ")" || ["and", "or", "of", "them"].iter().any(|word| token.is(word)) {
            let message = format!("`{}` is not expected here", token.text);
            return self.wrong(token, message, "name a selection, or write `1 of them`");
        }
        match self.detection.selections.iter().position(|selection| selection.name.as_str() == token.text) {
            Some(at) => self.selection(at),
            None => self.absent(token),
        }
    }

    fn selection(&mut self, at: usize) -> Option<Expr> {
        self.used[at] = true;
        let detection = self.detection;
        self.lowerer.selection(&detection.selections[at])
    }

    fn absent(&mut self, token: Token<'_>) -> Option<Expr> {
        let names: Vec<&str> = self.detection.selections.iter().map(|s| s.name.as_str()).collect();
        let help = match nearest(token.text, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if token.text.contains('*') => format!("write `1 of {0}` or `all of {0}`", token.text),
            None if names.is_empty() => "write a selection beside the condition".to_owned(),
            None => format!("the selections are `{}`", names.join("`, `")),
        };
        let span = self.span(token);
        self.lowerer.error(codes::ABSENT_SELECTION, format!("there is no selection `{}`", token.text), span, help);
        None
    }

    /// `1 of them`, `all of sel*`, `2 of (…)`
    fn some_of(&mut self, quantifier: Token<'_>) -> Option<Expr> {
        self.at += 1;
        let Some(pattern) = self.peek() else {
            return self.wrong(quantifier, "the condition ends too early", "write `them`, or a pattern such as `sel*`");
        };
        self.at += 1;
        let mut found = Vec::new();
        for (at, selection) in self.detection.selections.iter().enumerate() {
            if is_meant(selection, pattern.text) {
                found.push(at);
            }
        }
        if found.is_empty() {
            let span = self.span(pattern);
            let message = format!("`{}` means none of the selections", pattern.text);
            let names: Vec<&str> = self.detection.selections.iter().map(|s| s.name.as_str()).collect();
            let help =
                format!("the selections are `{}`; those that begin with `_` are not among `them`", names.join("`, `"));
            self.lowerer.error(codes::ABSENT_SELECTION, message, span, help);
            return None;
        }
        let count = found.len();
        let parts: Option<Vec<Expr>> = found.into_iter().map(|at| self.selection(at)).collect();
        let parts = parts?;
        if quantifier.is("all") {
            return chain(BinaryOp::And, parts);
        }
        if quantifier.is("any") {
            return chain(BinaryOp::Or, parts);
        }
        match quantifier.text.parse::<usize>() {
            Ok(1) => chain(BinaryOp::Or, parts),
            Ok(n) if n == count => chain(BinaryOp::And, parts),
            Ok(n) if n > 1 && n < count => at_least(n, parts, self.span(quantifier)),
            Ok(n) if n > count => {
                let message = format!("{n} of {count} selections can never hold");
                self.wrong(quantifier, message, "write `all of`")
            }
            _ => {
                let message = format!("`{}` is no number of selections", quantifier.text);
                self.wrong(quantifier, message, "write `1 of`, `all of` or `any of`")
            }
        }
    }
}

/// Whether a pattern of `x of` means a selection.
fn is_meant(selection: &Selection, pattern: &str) -> bool {
    let name = selection.name.as_str();
    if pattern.eq_ignore_ascii_case("them") {
        return !name.starts_with('_');
    }
    (pattern.starts_with('_') || !name.starts_with('_')) && fits(pattern, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_anywhere() {
        for (pattern, name, expected) in [
            ("sel*", "selection", true),
            ("sel*", "other_sel", false),
            ("*_x", "a_x", true),
            ("a*b*c", "a1b2c", true),
            ("a*b", "ab_", false),
            ("sel", "selection", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn signs_stand_apart_from_words() {
        let found: Vec<&str> = tokens("not (a or 1 of b*)and c").iter().map(|t| t.text).collect();
        assert_eq!(found, ["not", "(", "a", "or", "1", "of", "b*", ")", "and", "c"]);
    }
}
