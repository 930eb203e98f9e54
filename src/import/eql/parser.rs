//! A query's text to its model.
//!
//! What a `compat_*` rule matched is reported and mended, so one pass finds all problems; a query with a report is not
//! used. Recursion follows brackets, whose depth is bounded before pest reads anything, and chains of `not` and signs,
//! which are bounded here.

use pest::Parser;
use pest::iterators::Pair;

use super::grammar::{EqlParser, Rule};
use super::model::{Event, Field, Query, Sequence, Stage, Text};
use super::report::{refused, stopped, unclosed};
use super::scan::{Kind, Token, Tokens};
use super::text::Embedded;
use crate::base::Limits;
use crate::diag::codes::eql as codes;
use crate::diag::{Code, Diagnostic};
use crate::syntax::source::Span;

/// What every builder needs.
pub(super) struct Reader<'t> {
    pub(super) text: &'t Embedded,
    /// The tokens of the query.
    tokens: &'t [Token],
    pub(super) limits: &'t Limits,
    /// Where the query begins in the text.
    offset: usize,
    pub(super) out: Vec<Diagnostic>,
}

/// Reads the query that `tokens` are of; they must not be empty.
pub(super) fn query(
    text: &Embedded,
    scanned: &Tokens,
    tokens: &[Token],
    limits: &Limits,
) -> (Option<Query>, Vec<Diagnostic>) {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return (None, Vec::new()) };
    let mut reader = Reader { text, tokens, limits, offset: first.start, out: Vec::new() };
    let (start, end) = (first.start, last.end);
    for &(what, from, to) in scanned.unclosed.iter().filter(|u| u.1 >= start && u.1 <= end) {
        reader.out.push(unclosed(what, text.span(from, to)));
    }
    if !reader.out.is_empty() || !reader.brackets(tokens) || !reader.head(tokens) {
        return (None, reader.out);
    }
    match EqlParser::parse(Rule::query, &text.text[start..end]) {
        Ok(mut pairs) => {
            let query = pairs.next().and_then(|pair| reader.query(pair));
            (query, reader.out)
        }
        Err(error) => {
            reader.out.push(stopped(text, tokens, &error, start, end));
            (None, reader.out)
        }
    }
}

impl<'t> Reader<'t> {
    /// A span in the source of bytes of the query.
    pub(super) fn query_span(&self, start: usize, end: usize) -> Span {
        self.text.span(self.offset + start, self.offset + end)
    }

    /// The span of a pair, without the blanks and comments that pest lets it end with.
    pub(super) fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let start = self.offset + pair.as_span().start();
        let end = self.offset + pair.as_span().end();
        let after = self.tokens.partition_point(|t| t.start < end);
        let last = after.checked_sub(1).map(|i| self.tokens[i].end).filter(|&e| e > start);
        self.text.span(start, last.unwrap_or(end).min(end))
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    pub(super) fn too_deep(&mut self, span: Span) {
        let most = self.limits.max_rule_depth;
        self.report(
            Diagnostic::error(Code("E0006"), "this is nested too deeply", span, format!("more than {most} levels"))
                .help("chains of `and` and `or` are not nested, however long they are"),
        );
    }

    /// Whether brackets have partners and are not too deep.
    fn brackets(&mut self, tokens: &[Token]) -> bool {
        let mut open: Vec<&Token> = Vec::new();
        let body = &self.text.text;
        for token in tokens.iter().filter(|t| t.kind == Kind::Punct) {
            let span = self.text.span(token.start, token.end);
            match token.text(body) {
                "(" | "[" => {
                    open.push(token);
                    if open.len() > self.limits.max_rule_depth {
                        self.too_deep(span);
                        return false;
                    }
                }
                closing @ (")" | "]") => {
                    let wanted = if closing == ")" { "(" } else { "[" };
                    match open.pop() {
                        Some(top) if top.text(body) == wanted => {}
                        Some(top) => {
                            let (opened, from) = (top.text(body), self.text.span(top.start, top.end));
                            self.report(
                                Diagnostic::error(
                                    Code("E0004"),
                                    format!("`{opened}` is closed by `{closing}`"),
                                    span,
                                    "does not fit",
                                )
                                .label(from, "the bracket that is open here"),
                            );
                            return false;
                        }
                        None => {
                            self.report(
                                Diagnostic::error(
                                    Code("E0004"),
                                    format!("this `{closing}` closes nothing"),
                                    span,
                                    "no bracket is open",
                                )
                                .help("leave it out, or look for the opening bracket that is missing above")
                                .fix(span, ""),
                            );
                            return false;
                        }
                    }
                }
                _ => {}
            }
        }
        let Some(top) = open.last() else { return true };
        let closing = if top.text(body) == "(" { ")" } else { "]" };
        let span = self.text.span(top.start, top.end);
        self.report(
            Diagnostic::error(Code("E0004"), format!("this `{}` is not closed", top.text(body)), span, "opened here")
                .help(format!("write `{closing}` where it ends")),
        );
        false
    }

    /// Refuses whole kinds of queries by their first word.
    fn head(&mut self, tokens: &[Token]) -> bool {
        let body = &self.text.text;
        let first = &tokens[0];
        let next = tokens.get(1).map_or("", |t| t.text(body));
        if next == "where" || first.kind != Kind::Word {
            return true;
        }
        let span = self.text.span(first.start, first.end);
        match first.text(body) {
            "sample" => self.report(
                refused(
                    codes::NOT_ON_A_STREAM,
                    "a stream has no samples",
                    span,
                    "looks for events in any order, over all events at once",
                    "for events in any order within a time write a rule: `match { all { a: X  b: Y } } within 1h`",
                )
                .note("a sample takes events at random from everything a search sees; the order of time plays no part"),
            ),
            "join" => self.report(
                refused(
                    codes::NOT_IN_EQL,
                    "`join` belongs to Endgame's EQL",
                    span,
                    "Elasticsearch does not have it",
                    "for events in any order write a rule: `match { all { a: X  b: Y } } within 1h`",
                )
                .note("`sequence` asks for the events in the order that is written"),
            ),
            _ => return true,
        }
        false
    }

    fn query(&mut self, pair: Pair<'_, Rule>) -> Option<Query> {
        let mut query = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::event => query = self.event(part).map(Query::Event),
                Rule::sequence => query = self.sequence(part).map(Query::Sequence),
                Rule::pipe => self.pipe(part),
                _ => {}
            }
        }
        query
    }

    fn pipe(&mut self, pair: Pair<'_, Rule>) {
        let span = self.span(&pair);
        let Some(kind) = pair.into_inner().next() else { return };
        let report = match kind.as_str() {
            "tail" => Diagnostic::warning(
                codes::TAIL,
                "`tail` changes nothing on a stream",
                span,
                "every match is the newest when it completes",
            )
            .note("all matches are reported, each when it completes")
            .help("leave it out; `suppress 1h` in a rule thins alerts out"),
            "head" => refused(
                codes::NOT_ON_A_STREAM,
                "`head` has no meaning on a stream",
                span,
                "the first of all matches there will ever be",
                "leave it out",
            )
            .note("after that many matches the rule would be silent for ever")
            .fix(span, ""),
            name @ ("count" | "filter" | "sort" | "unique" | "unique_count") => refused(
                codes::NOT_IN_EQL,
                format!("the pipe `{name}` belongs to Endgame's EQL"),
                span,
                "Elasticsearch does not have it",
                match name {
                    "count" | "unique_count" => "write a rule: `match { a: at least 5 of X } within 10m` counts",
                    "unique" => "write a rule with `suppress 1h by …`",
                    "filter" => "put the condition behind `where`",
                    _ => "alerts come in the order of time",
                },
            ),
            name => refused(
                codes::NOT_IN_EQL,
                format!("there is no pipe `{name}`"),
                span,
                "unknown",
                "EQL has the pipes `head` and `tail`",
            ),
        };
        self.report(report);
    }

    /// `process where …`
    pub(super) fn event(&mut self, pair: Pair<'_, Rule>) -> Option<Event> {
        let span = self.span(&pair);
        let (mut category, mut condition) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::category => category = Some(self.category(part)),
                Rule::expr => condition = self.expr(part, 0),
                _ => {}
            }
        }
        Some(Event { category: category?, condition: condition?, span })
    }

    fn category(&mut self, pair: Pair<'_, Rule>) -> Option<Text> {
        let span = self.span(&pair);
        let written = pair.as_str().trim_end().to_owned();
        let value = match pair.into_inner().next() {
            Some(part) if part.as_rule() != Rule::word => self.literal(&part),
            _ if written == "any" => return None,
            _ => written,
        };
        Some(Text { value, span })
    }

    fn sequence(&mut self, pair: Pair<'_, Rule>) -> Option<Sequence> {
        let span = self.span(&pair);
        let (mut by, mut maxspan, mut stages, mut until) = (Vec::new(), None, Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::keys => by = self.keys(part),
                Rule::compat_keys => by.extend(self.keys_behind(part, "`sequence by host.id with maxspan=5m`")),
                Rule::with_setting => maxspan = self.maxspan(part),
                Rule::stage => stages.extend(self.stage(part)),
                Rule::until => {
                    until = part.into_inner().find(|p| p.as_rule() == Rule::stage).and_then(|p| self.stage(p))
                }
                _ => {}
            }
        }
        Some(Sequence { by, maxspan, stages, until, span })
    }

    fn keys_behind(&mut self, pair: Pair<'_, Rule>, right: &str) -> Vec<Field> {
        let span = self.span(&pair);
        self.report(
            Diagnostic::error(codes::HABIT, "`by` stands before `with`", span, "behind `with`")
                .help(format!("put it in front: {right}")),
        );
        pair.into_inner().next().map(|keys| self.keys(keys)).unwrap_or_default()
    }

    fn keys(&mut self, pair: Pair<'_, Rule>) -> Vec<Field> {
        let mut out = Vec::new();
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::expr) {
            let span = self.span(&part);
            let lone = {
                let mut inner = part.clone().into_inner().flatten().filter(|p| p.as_rule() == Rule::field);
                inner.next().filter(|field| self.span(field) == span)
            };
            match lone {
                Some(field) => out.extend(self.field(field)),
                None => self.report(refused(
                    codes::SEQUENCE_SHAPE,
                    "a key is a field",
                    span,
                    "an expression",
                    "`tripline import` gives a rule, whose keys may be expressions",
                )),
            }
        }
        out
    }

    fn stage(&mut self, pair: Pair<'_, Rule>) -> Option<Stage> {
        let span = self.span(&pair);
        let (mut missing, mut event, mut by, mut runs) = (false, None, Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::missing => missing = true,
                Rule::event => event = self.event(part),
                Rule::keys => by = self.keys(part),
                Rule::compat_keys => by.extend(self.keys_behind(part, "`[ … ] by host.id with runs=3`")),
                Rule::with_setting => {
                    let at = self.span(&part);
                    if missing {
                        self.report(refused(
                            codes::SEQUENCE_SHAPE,
                            "a missing event has no number",
                            at,
                            "one such event is enough to break it",
                            "leave `with runs` out",
                        ));
                    } else {
                        runs = Some(self.runs(part)?);
                    }
                }
                _ => {}
            }
        }
        Some(Stage { missing, event: event?, by, runs: runs.unwrap_or(1), span })
    }

    /// The name and the value of `with name=value`.
    fn setting(&mut self, pair: Pair<'_, Rule>, name: &str, example: &str) -> Option<(String, Span)> {
        let whole = self.span(&pair);
        let mut parts = pair.into_inner().filter(|p| p.as_rule() != Rule::kw_with);
        let word = parts.next()?;
        let value = parts.next();
        if word.as_str() != name {
            let span = self.span(&word);
            self.report(refused(
                codes::UNEXPECTED,
                format!("expected `{name}`, found `{}`", word.as_str()),
                span,
                format!("expected `{name}`"),
                format!("write `with {example}`"),
            ));
            return None;
        }
        let Some(value) = value else {
            self.report(refused(
                codes::UNEXPECTED,
                format!("`{name}` has no value"),
                whole,
                "expected `=` and a number",
                format!("write `with {example}`"),
            ));
            return None;
        };
        Some((value.as_str().trim().to_owned(), self.span(&value)))
    }

    fn runs(&mut self, pair: Pair<'_, Rule>) -> Option<u64> {
        let (text, span) = self.setting(pair, "runs", "runs=3")?;
        match text.parse() {
            Ok(runs) if runs >= 1 => Some(runs),
            _ => {
                self.report(refused(
                    codes::SEQUENCE_SHAPE,
                    "`runs` is a whole number from 1 on",
                    span,
                    "not one",
                    "write `with runs=3`",
                ));
                None
            }
        }
    }

    fn maxspan(&mut self, pair: Pair<'_, Rule>) -> Option<(i64, Span)> {
        let whole = self.span(&pair);
        let (text, span) = self.setting(pair, "maxspan", "maxspan=5m")?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
        let unit = text[digits.len()..].trim();
        let nanos: Option<i64> = match unit {
            "d" => Some(86_400_000_000_000),
            "h" => Some(3_600_000_000_000),
            "m" => Some(60_000_000_000),
            "s" => Some(1_000_000_000),
            "ms" => Some(1_000_000),
            "micros" => Some(1_000),
            "nanos" => Some(1),
            _ => None,
        };
        let Some(nanos) = nanos else {
            let message = if unit.is_empty() { "a time has a unit" } else { "there is no such unit of time" };
            let help = "write `5m`; the units are `d`, `h`, `m`, `s` and `ms`";
            self.report(refused(codes::UNEXPECTED, message, span, "no unit that is known", help));
            return None;
        };
        match digits.parse::<i64>().ok().and_then(|n| n.checked_mul(nanos)).filter(|n| *n > 0) {
            Some(length) => Some((length, whole)),
            None => {
                self.report(refused(
                    codes::UNEXPECTED,
                    "`maxspan` is a whole number above 0, and no more than some hundred years",
                    span,
                    "not one",
                    "write `with maxspan=5m`, or `90s` for one and a half minutes",
                ));
                None
            }
        }
    }
}
