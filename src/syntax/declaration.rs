//! Declarations of a file, and the clauses of a rule that are not its pattern.

use pest::iterators::Pair;

use super::ast::{
    AfterMatch, AlertField, AlertValue, Clause, ClauseKind, EventDecl, Expr, ExprKind, Ident, Item, KeyItem, LetDecl,
    Pick, RuleDecl, StrLit, TableDecl,
};
use super::build::Builder;
use super::grammar::Rule;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

impl Builder<'_> {
    /// The declaration inside a `declaration` pair; `None` if it is not built yet.
    pub(super) fn item(&mut self, pair: Pair<'_, Rule>) -> Option<Item> {
        let mut item = None;
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::event_decl => {
                    let (name, condition) = self.named_expr(part, "event")?;
                    item = Some(Item::Event(EventDecl { name, condition, span }));
                }
                Rule::let_decl => {
                    let (name, value) = self.named_expr(part, "let")?;
                    item = Some(Item::Let(LetDecl { name, value, span }));
                }
                Rule::table_decl => item = Some(Item::Table(self.table_decl(part)?)),
                Rule::rule_decl => item = Some(Item::Rule(self.rule_decl(part)?)),
                Rule::test_decl => item = Some(Item::Test(self.test_decl(part)?)),
                Rule::clock_decl => item = Some(Item::Clock(self.clock_decl(part)?)),
                Rule::separator => self.separator(&part),
                _ => {}
            }
        }
        item
    }

    pub(super) fn separator(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.span(pair);
        self.report(
            Diagnostic::error(Code("E0032"), format!("no `{}` is needed here", pair.as_str()), span, "not needed")
                .note("lines of a block follow one another without a separator")
                .help("leave it out")
                .fix(span, ""),
        );
    }

    /// `name = expr`, with whatever stands for `=`.
    fn named_expr(&mut self, pair: Pair<'_, Rule>, place: &str) -> Option<(Ident, Expr)> {
        let mut name = None;
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word | Rule::quoted | Rule::compat_name => name = Some(self.ident(&part)),
                Rule::compat_assign => self.wrong_assign(&part, place),
                Rule::expr => value = Some(self.expr(part)),
                _ => {}
            }
        }
        Some((name?, value?))
    }

    pub(super) fn wrong_assign(&mut self, pair: &Pair<'_, Rule>, place: &str) {
        let span = self.span(pair);
        let start = span.start as usize - self.base;
        let glued = !self.text[..start].ends_with(|c: char| c.is_whitespace());
        self.report(
            Diagnostic::error(
                Code("E0028"),
                format!("in `{place}`, a name gets its value with `=`"),
                span,
                "this should be `=`",
            )
            .help("write `=`")
            .fix(span, if glued { " =" } else { "=" }),
        );
    }

    fn table_decl(&mut self, pair: Pair<'_, Rule>) -> Option<TableDecl> {
        let span = self.span(&pair);
        let mut name = None;
        let mut path = None;
        let mut key = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::string | Rule::compat_quotes => path = Some(self.text(&part)),
                Rule::word | Rule::quoted | Rule::compat_name if name.is_none() => name = Some(self.ident(&part)),
                Rule::word | Rule::quoted => key.push(self.ident(&part)),
                _ => {}
            }
        }
        Some(TableDecl { name: name?, path: path?, key, span })
    }

    /// A rule that parsed as a whole.
    pub(super) fn rule_decl(&mut self, pair: Pair<'_, Rule>) -> Option<RuleDecl> {
        let span = self.span(&pair);
        let mut rule = RuleDecl { name: Ident { name: String::new(), span }, title: None, clauses: Vec::new(), span };
        let mut named = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word | Rule::quoted | Rule::compat_name => {
                    rule.name = self.ident(&part);
                    named = true;
                }
                Rule::string | Rule::compat_quotes => rule.title = Some(self.text(&part)),
                Rule::separator => self.separator(&part),
                Rule::kw_rule => {}
                _ => rule.clauses.extend(self.clause(part)),
            }
        }
        named.then_some(rule)
    }

    /// One clause; `None` if it is refused.
    pub(super) fn clause(&mut self, pair: Pair<'_, Rule>) -> Option<Clause> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::severity => ClauseKind::Severity(self.only_expr(pair)?),
            Rule::risk => ClauseKind::Risk(self.only_expr(pair)?),
            Rule::tags => ClauseKind::Tags(self.texts(pair)),
            Rule::references => ClauseKind::References(self.texts(pair)),
            Rule::false_positives => ClauseKind::FalsePositives(self.texts(pair)),
            Rule::id => ClauseKind::Id(self.texts(pair).pop()?),
            Rule::status => ClauseKind::Status(self.texts(pair).pop()?),
            Rule::title => ClauseKind::Title(self.texts(pair).pop()?),
            Rule::description => ClauseKind::Description(self.texts(pair).pop()?),
            Rule::runbook => ClauseKind::Runbook(self.texts(pair).pop()?),
            Rule::author => ClauseKind::Author(self.texts(pair).pop()?),
            Rule::by => ClauseKind::By(self.key_items(pair)),
            Rule::match_clause => ClauseKind::Match(self.match_clause(pair)?),
            Rule::having => {
                let lasting = pair.clone().into_inner().find(|p| p.as_rule() == Rule::having_for);
                let lasting = lasting.and_then(|part| self.only_expr(part));
                ClauseKind::Having { condition: self.only_expr(pair)?, lasting }
            }
            Rule::pick => ClauseKind::Pick(self.pick(pair)?),
            Rule::after_match => ClauseKind::AfterMatch(self.after_match(pair)?),
            Rule::cancel_on => {
                let guards = pair.into_inner().find(|p| p.as_rule() == Rule::guards)?;
                self.check_by_on_its_line(span);
                ClauseKind::CancelOn(self.guards(guards))
            }
            Rule::alert => ClauseKind::Alert(self.alert(pair)),
            Rule::suppress => {
                self.check_by_on_its_line(span);
                let mut exprs: Vec<Expr> = Vec::new();
                for part in pair.into_inner().filter(|p| p.as_rule() == Rule::expr) {
                    exprs.push(self.expr(part));
                }
                let by = exprs.split_off(1.min(exprs.len()));
                let period = exprs.pop()?;
                self.check_bound(&period);
                ClauseKind::Suppress { period, by }
            }
            Rule::enabled => ClauseKind::Enabled(switch(&pair)),
            Rule::shadow => ClauseKind::Shadow(switch(&pair)),
            Rule::internal => ClauseKind::Internal(switch(&pair)),
            Rule::resolve_on => {
                let guards = pair.into_inner().find(|p| p.as_rule() == Rule::guards)?;
                self.check_by_on_its_line(span);
                ClauseKind::ResolveOn(self.guards(guards))
            }
            Rule::resolve_when => ClauseKind::ResolveWhen(self.only_expr(pair)?),
            Rule::repeat => {
                let period = self.only_expr(pair)?;
                self.check_bound(&period);
                ClauseKind::Repeat(period)
            }
            Rule::limits => ClauseKind::Limits(self.limit_list(pair)),
            Rule::expect_keys => ClauseKind::Expect(self.expect_keys(pair)?),
            _ => return None,
        };
        Some(Clause { kind, span })
    }

    fn only_expr(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let expr = pair.into_inner().find(|p| p.as_rule() == Rule::expr)?;
        Some(self.expr(expr))
    }

    fn texts(&mut self, pair: Pair<'_, Rule>) -> Vec<StrLit> {
        let is_text = |p: &Pair<'_, Rule>| matches!(p.as_rule(), Rule::string | Rule::compat_quotes);
        pair.into_inner().filter(is_text).map(|p| self.text(&p)).collect()
    }

    /// `by` on a line of its own after `suppress` or `cancel on` reads as theirs, but is perhaps the rule's.
    fn check_by_on_its_line(&mut self, clause: Span) {
        let (start, end) = (clause.start as usize - self.base, clause.end as usize - self.base);
        let first = self.tokens.partition_point(|t| t.start < start);
        let last = self.tokens.partition_point(|t| t.start < end);
        for token in &self.tokens[first.min(last)..last] {
            if token.first_on_line && token.is_word(self.text, "by") {
                let at = self.at(token.start, token.end);
                self.report(
                    Diagnostic::error(
                        Code("E0038"),
                        "it is unclear what this `by` belongs to",
                        at,
                        "on a line of its own, but read as part of the clause above",
                    )
                    .label(Span { end: at.start, ..clause }, "this clause")
                    .help("put it on the line above, or, if it is the key of the rule, above that clause"),
                );
                return;
            }
        }
    }

    /// The items after `by`, wherever it stands.
    pub(super) fn key_items(&mut self, pair: Pair<'_, Rule>) -> Vec<KeyItem> {
        let mut items = Vec::new();
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::key_item) {
            if let Some(item) = self.key_item(part) {
                items.push(item);
            }
        }
        items
    }

    fn key_item(&mut self, pair: Pair<'_, Rule>) -> Option<KeyItem> {
        let span = self.span(&pair);
        let mut name = None;
        let mut value = None;
        let mut optional = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word | Rule::quoted => name = Some(self.ident(&part)),
                Rule::key_assign if part.as_str() == ":" => self.wrong_assign(&part, "by"),
                Rule::expr => value = Some(self.expr(part)),
                Rule::key_optional => optional = true,
                _ => {}
            }
        }
        let value = value?;
        let written = self.written(value.span);
        // Around an operation they may be needed, and do no harm.
        let plain = matches!(value.kind, ExprKind::Path(_) | ExprKind::List(_) | ExprKind::Call(_));
        if plain && written.starts_with('(') && written.ends_with(')') {
            let inner = written[1..written.len() - 1].trim().to_owned();
            self.report(
                Diagnostic::error(Code("E0032"), "a key stands without parentheses", value.span, "leave them out")
                    .help(format!("write `by {inner}`"))
                    .fix(value.span, inner),
            );
        }
        Some(KeyItem { name, value, optional, span })
    }

    fn pick(&mut self, pair: Pair<'_, Rule>) -> Option<Pick> {
        let word = pair.into_inner().find(|p| p.as_rule() == Rule::word)?;
        let span = self.span(&word);
        match word.as_str() {
            "latest" => Some(Pick::Latest),
            "first" => Some(Pick::First),
            "all" => Some(Pick::All),
            "each" => Some(Pick::Each),
            "pending" => Some(Pick::Pending),
            other => {
                let known = ["latest", "first", "all", "each", "pending"];
                let mut report =
                    Diagnostic::error(Code("E0009"), format!("there is no `pick {other}`"), span, "unknown");
                let meant = super::spelling::nearest(other, known).or(match other {
                    "last" | "newest" => Some("latest"),
                    "oldest" => Some("first"),
                    _ => None,
                });
                report = match meant {
                    Some(word) => report.help(format!("did you mean `{word}`?")).fix(span, word),
                    None => {
                        report.help("there are `pick latest`, `pick first`, `pick each`, `pick all` and `pick pending`")
                    }
                };
                self.report(report);
                None
            }
        }
    }

    fn after_match(&mut self, pair: Pair<'_, Rule>) -> Option<AfterMatch> {
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::skip_past_last => return Some(AfterMatch::SkipPastLast),
                Rule::skip_to_next => return Some(AfterMatch::SkipToNext),
                Rule::no_skip => return Some(AfterMatch::NoSkip),
                Rule::skip_to_first | Rule::skip_to_last => {
                    let first = part.as_rule() == Rule::skip_to_first;
                    let name = part.into_inner().find(|p| matches!(p.as_rule(), Rule::word | Rule::quoted))?;
                    let name = self.ident(&name);
                    return Some(if first { AfterMatch::SkipToFirst(name) } else { AfterMatch::SkipToLast(name) });
                }
                Rule::compat_skip => {
                    let written = part.as_str().to_ascii_lowercase();
                    let meant = super::spelling::nearest(&written, ["skip past last", "skip to next", "no skip"]).or(
                        match written.as_str() {
                            "skip past last event" | "skip past last row" | "skip past" => Some("skip past last"),
                            "skip to next row" | "skip to next event" | "skip next" => Some("skip to next"),
                            _ => None,
                        },
                    );
                    let mut report = Diagnostic::error(
                        Code("E0009"),
                        format!("there is no `after match {}`", part.as_str()),
                        span,
                        "unknown",
                    );
                    report = match meant {
                        Some(form) => report.help(format!("did you mean `{form}`?")).fix(span, form),
                        None => report.help(
                            "there are `after match skip past last`, `after match skip to next` and `after match no skip`",
                        ),
                    };
                    self.report(report);
                }
                _ => {}
            }
        }
        None
    }

    fn alert(&mut self, pair: Pair<'_, Rule>) -> Vec<AlertField> {
        let mut fields = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::separator => self.separator(&part),
                Rule::alert_field => {
                    let span = self.span(&part);
                    if let Some((name, value)) = self.named_expr(part, "alert") {
                        let value = match value.kind {
                            ExprKind::Str(text) => AlertValue::Template(self.template(&text), text),
                            kind => AlertValue::Expr(Expr { kind, span: value.span }),
                        };
                        fields.push(AlertField { name, value, span });
                    }
                }
                _ => {}
            }
        }
        fields
    }

    fn limit_list(&mut self, pair: Pair<'_, Rule>) -> Vec<(Ident, u64)> {
        let mut limits = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::separator => self.separator(&part),
                Rule::limit => {
                    let mut name = None;
                    for inner in part.into_inner() {
                        match inner.as_rule() {
                            Rule::word | Rule::quoted => name = Some(self.ident(&inner)),
                            Rule::compat_assign => self.wrong_assign(&inner, "limits"),
                            Rule::integer => {
                                let value = self.count(&inner);
                                limits.extend(name.take().map(|name| (name, value)));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        limits
    }

    /// `5` where a duration is asked for.
    pub(super) fn check_bound(&mut self, bound: &Expr) {
        if let ExprKind::Int(n) = bound.kind {
            self.report(
                Diagnostic::error(Code("E0010"), "a duration needs a unit", bound.span, "a bare number")
                    .note("the units are `w`, `d`, `h`, `m`, `s`, `ms`, `us` and `ns`")
                    .help(format!("for seconds write `{n}s`, for minutes `{n}m`")),
            );
        }
    }
}

/// `shadow`, `shadow true`, `shadow false`
fn switch(pair: &Pair<'_, Rule>) -> bool {
    pair.clone().into_inner().find(|p| p.as_rule() == Rule::boolean).is_none_or(|p| p.as_str() == "true")
}
