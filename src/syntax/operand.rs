//! Operands of expressions: literals, paths, calls, lists, look-ups, and the tails `in`, `like` and `=~`.

use pest::iterators::Pair;

use super::ast::{Call, Expr, ExprKind, Ident, InSet, RegexLit, StrLit};
use super::build::Builder;
use super::grammar::Rule;
use super::literal::{self, DurationError};
use super::pratt::Operand;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

impl Builder<'_> {
    /// A primary with its `.f` and `[i]`.
    pub(super) fn operand(&mut self, pair: Pair<'_, Rule>) -> Operand {
        let start = self.span(&pair);
        let mut inner = pair.into_inner();
        let Some(primary) = inner.next() else { return Operand::leaf(ExprKind::Bool(true), start) };
        let mut operand = self.primary(primary);
        for postfix in inner {
            let span = start.to(self.span(&postfix));
            let span = Span { end: self.span(&postfix).end, ..span };
            let value = Box::new(operand.expr);
            let kind = if postfix.as_rule() == Rule::member {
                ExprKind::Member(value, self.members(postfix))
            } else {
                let written = postfix.into_inner().next().map_or("", |p| p.as_str());
                let index = written.parse::<i64>().unwrap_or_else(|_| {
                    self.report(
                        Diagnostic::error(Code("E0012"), "this index is out of range", span, "larger than any list")
                            .help("the first element is `[0]`, the last `[-1]`"),
                    );
                    0
                });
                ExprKind::Index(value, index)
            };
            operand = Operand::of(Expr { kind, span }, operand.depth + 1);
            if operand.depth > self.limits.max_rule_depth {
                return self.too_deep(span, span);
            }
        }
        operand
    }

    fn primary(&mut self, pair: Pair<'_, Rule>) -> Operand {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::duration | Rule::compat_duration => ExprKind::Duration(self.duration(&pair)),
            Rule::float => ExprKind::Float(self.float(&pair)),
            Rule::integer => ExprKind::Int(self.integer(&pair)),
            Rule::string | Rule::compat_quotes => ExprKind::Str(self.text(&pair)),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::path => ExprKind::Path(self.path(pair)),
            Rule::call => return self.call(pair),
            Rule::lookup => return self.lookup(pair),
            _ => return self.paren(pair),
        };
        Operand::leaf(kind, span)
    }

    pub(super) fn duration(&mut self, pair: &Pair<'_, Rule>) -> i64 {
        let span = self.span(pair);
        let mut written = pair.as_str().to_owned();
        if pair.as_rule() == Rule::compat_duration {
            let fixed = literal::spoken_duration(&written);
            let mut report = Diagnostic::error(
                Code("E0010"),
                "this is not how a duration is written",
                span,
                "whole numbers with a unit, without a space",
            )
            .note("the units are `w`, `d`, `h`, `m`, `s`, `ms`, `us` and `ns`; they may be joined: `1h30m`");
            if let Some(fixed) = &fixed {
                report = report.help(format!("write `{fixed}`")).fix(span, fixed.clone());
            }
            self.report(report);
            written = fixed.unwrap_or_else(|| "1s".to_owned());
        }
        match literal::duration(&written) {
            Ok(nanos) => nanos,
            Err(DurationError::Overflow) => {
                self.report(
                    Diagnostic::error(Code("E0011"), "this duration is too long", span, "more than 292 years")
                        .help("durations are counted in nanoseconds, up to `106751d`"),
                );
                0
            }
            Err(DurationError::Order) => {
                self.report(
                    Diagnostic::error(
                        Code("E0010"),
                        "the units of a duration go from large to small, each once",
                        span,
                        "out of order",
                    )
                    .help("write it like `1d12h30m`"),
                );
                0
            }
        }
    }

    fn float(&mut self, pair: &Pair<'_, Rule>) -> f64 {
        let value = pair.as_str().parse::<f64>().unwrap_or(f64::INFINITY);
        if value.is_finite() {
            return value;
        }
        let span = self.span(pair);
        self.report(
            Diagnostic::error(
                Code("E0012"),
                "this number is out of range",
                span,
                "larger than any floating-point number",
            )
            .help("the largest is about `1.8e308`"),
        );
        0.0
    }

    pub(super) fn integer(&mut self, pair: &Pair<'_, Rule>) -> i128 {
        literal::integer(pair.as_str()).unwrap_or_else(|| {
            let span = self.span(pair);
            self.report(
                Diagnostic::error(Code("E0012"), "this number is out of range", span, "more than 64 bits")
                    .help("write it with a decimal point if it need not be exact"),
            );
            0
        })
    }

    /// A count: an integer that fits `u64`.
    pub(super) fn count(&mut self, pair: &Pair<'_, Rule>) -> u64 {
        u64::try_from(self.integer(pair)).unwrap_or(0)
    }

    fn paren(&mut self, pair: Pair<'_, Rule>) -> Operand {
        let span = self.span(&pair);
        let is_list = pair.clone().into_inner().nth(1).is_some();
        let (mut items, depth) = self.expr_list(pair);
        if is_list {
            return Operand::of(Expr { kind: ExprKind::List(items), span }, depth + 1);
        }
        let inner = items.pop().unwrap_or(Expr { kind: ExprKind::Bool(true), span });
        Operand::of(Expr { span, ..inner }, depth)
    }

    /// The expressions among a pair's parts, and the depth of the deepest.
    fn expr_list(&mut self, pair: Pair<'_, Rule>) -> (Vec<Expr>, usize) {
        let mut depth = 0;
        let mut items = Vec::new();
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::expr) {
            let operand = self.operand_tree(part);
            depth = depth.max(operand.depth);
            items.push(operand.expr);
        }
        (items, depth)
    }

    fn lookup(&mut self, pair: Pair<'_, Rule>) -> Operand {
        let span = self.span(&pair);
        let table = match pair.clone().into_inner().next() {
            Some(table) => self.table(table),
            None => Ident { name: String::new(), span },
        };
        let (key, depth) = self.expr_list(pair);
        Operand::of(Expr { kind: ExprKind::Lookup { table, key }, span }, depth + 1)
    }

    /// `@vpn`
    pub(super) fn table(&mut self, pair: Pair<'_, Rule>) -> Ident {
        let span = self.span(&pair);
        let name = pair.into_inner().next().map(|n| Self::name_text(&n)).unwrap_or_default();
        Ident { name, span }
    }

    fn call(&mut self, pair: Pair<'_, Rule>) -> Operand {
        let span = self.span(&pair);
        let mut call = Call {
            name: Ident { name: String::new(), span },
            distinct: false,
            args: Vec::new(),
            events: None,
            condition: None,
            by: Vec::new(),
        };
        let mut depth = 0;
        let mut element = None;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::call_name => {
                    let name = part.into_inner().next().map(|n| Self::name_text(&n)).unwrap_or_default();
                    call.name = Ident { name, span: at };
                }
                Rule::kw_distinct => call.distinct = true,
                Rule::expr => {
                    let operand = self.operand_tree(part);
                    depth = depth.max(operand.depth);
                    call.args.push(operand.expr);
                }
                Rule::events_window => {
                    call.events = part.into_inner().next().map(|n| self.count(&n));
                }
                Rule::call_where => {
                    let (mut conditions, deepest) = self.expr_list(part);
                    depth = depth.max(deepest);
                    call.condition = conditions.pop().map(Box::new);
                }
                Rule::call_by => call.by = self.key_items(part),
                Rule::regex => {
                    let regex = self.regex(&part);
                    call.args.push(Expr { kind: ExprKind::Regex(regex), span: at });
                }
                Rule::element_name => {
                    let name = part.into_inner().find(|p| p.as_rule() != Rule::kw_as);
                    element = name.map(|n| Ident { name: Self::name_text(&n), span: self.span(&n) });
                }
                _ => {}
            }
        }
        if call.name.name == "some" || element.is_some() {
            return self.any_element(call, element, span, depth + 1);
        }
        Operand::of(Expr { kind: ExprKind::Call(call), span }, depth + 1)
    }

    /// `some(xs as x where …)`; every part of it is needed, and nothing else takes an `as`.
    fn any_element(&mut self, mut call: Call, element: Option<Ident>, span: Span, depth: usize) -> Operand {
        let whole = call.name.name == "some" && call.args.len() == 1 && !call.distinct && call.events.is_none();
        if let (true, Some(name), Some(condition)) = (whole, &element, call.condition.take()) {
            let (list, name) = (Box::new(call.args.remove(0)), name.clone());
            return Operand::of(Expr { kind: ExprKind::AnyElement { list, name, condition }, span }, depth);
        }
        let (what, at) = match &element {
            Some(name) if call.name.name != "some" => {
                ("`as` names the elements of `some`, and of nothing else", name.span)
            }
            Some(_) => ("`some` asks a condition of the elements of one list", span),
            None => ("`some` does not say what an element is called", call.name.span),
        };
        self.report(
            Diagnostic::error(Code("E0040"), what, at, "not the form of `some`")
                .help("write `some(items as item where item.price > 100)`"),
        );
        Operand::leaf(ExprKind::Bool(true), span)
    }

    /// `left in …`, `left like …`, `left =~ …`, and what is written in their place.
    pub(super) fn tested(&mut self, left: Operand, tail: Pair<'_, Rule>) -> Operand {
        let left = self.ended(left);
        let at = self.span(&tail);
        self.check_not_compared(&left, at);
        let span = left.expr.span.to(at);
        let depth = left.depth;
        match tail.as_rule() {
            Rule::in_tail => self.in_tail(left, tail, span),
            Rule::like_tail => {
                let mut negated = false;
                let mut patterns = Vec::new();
                for part in tail.into_inner() {
                    match part.as_rule() {
                        Rule::kw_not => negated = true,
                        Rule::kw_like => {}
                        _ => patterns.push(self.text(&part)),
                    }
                }
                self.compared(ExprKind::Like { value: Box::new(left.expr), patterns, negated }, span, depth)
            }
            Rule::regex_tail => self.regex_tail(left, tail, span),
            Rule::compat_infix => self.infix_function(left, tail, span),
            _ => {
                let missing = !tail.clone().into_inner().any(|p| p.as_rule() == Rule::kw_not);
                let value = self.written(left.expr.span).to_owned();
                self.report_null(span, &value, missing);
                self.compared(ExprKind::Bool(true), span, 0)
            }
        }
    }

    fn in_tail(&mut self, left: Operand, tail: Pair<'_, Rule>, span: Span) -> Operand {
        let mut negated = false;
        let mut set = InSet::List(Vec::new());
        let mut depth = left.depth;
        for part in tail.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::kw_not => negated = true,
                Rule::table => set = InSet::Table(self.table(part)),
                Rule::list => {
                    let inner = part.clone().into_inner().next();
                    let brackets = inner.filter(|p| p.as_rule() == Rule::compat_brackets);
                    if brackets.is_some() {
                        let text = self.written(at).to_owned();
                        let fixed = format!("({})", &text[1..text.len() - 1]);
                        self.report(
                            Diagnostic::error(
                                Code("E0017"),
                                "a list stands in parentheses",
                                at,
                                "this one is in brackets",
                            )
                            .help(format!("write `in {fixed}`"))
                            .fix(at, fixed),
                        );
                    }
                    let (items, deepest) = self.expr_list(brackets.unwrap_or(part));
                    depth = depth.max(deepest);
                    set = InSet::List(items);
                }
                Rule::compat_in_item => {
                    let text = part.as_str().trim_end().to_owned();
                    self.report(
                        Diagnostic::error(Code("E0017"), "`in` takes a list", at, "not a list")
                            .help(format!("write `in ({text})`, or `==`"))
                            .fix(at, format!("({text})")),
                    );
                    if let Some(item) = part.into_inner().next() {
                        set = InSet::List(vec![self.primary(item).expr]);
                    }
                }
                _ => {}
            }
        }
        self.compared(ExprKind::In { value: Box::new(left.expr), set, negated }, span, depth)
    }

    fn regex_tail(&mut self, left: Operand, tail: Pair<'_, Rule>, span: Span) -> Operand {
        let mut patterns = Vec::new();
        let mut negated = false;
        for part in tail.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::compat_matches => self.foreign_comparison(at, part.as_str(), "=~"),
                Rule::compat_unmatch => {
                    negated = true;
                    let value = self.written(left.expr.span).to_owned();
                    let rest = self.written(Span { start: at.end, ..span }).trim().to_owned();
                    let fixed = format!("not {value} =~ {rest}");
                    self.report(
                        Diagnostic::error(Code("E0017"), "there is no `!~`", at, "not an operator of this language")
                            .help(format!("write `{fixed}`"))
                            .fix(span, fixed),
                    );
                }
                Rule::regex => patterns.push(self.regex(&part)),
                Rule::string | Rule::compat_quotes => {
                    let text = self.text(&part);
                    let fixed = format!("/{}/{}", text.value.replace('/', "\\/"), if text.fold { "i" } else { "" });
                    self.report(
                        Diagnostic::error(
                            Code("E0029"),
                            "a regular expression stands between slashes",
                            at,
                            "this is a string",
                        )
                        .help(format!("write `{fixed}`"))
                        .fix(at, fixed),
                    );
                    patterns.push(RegexLit { pattern: text.value, fold: text.fold, span: at });
                }
                _ => {}
            }
        }
        let depth = left.depth;
        let whole = self.compared(ExprKind::Matches { value: Box::new(left.expr), patterns }, span, depth);
        if negated {
            return self.compared(ExprKind::Not(Box::new(whole.expr)), span, whole.depth);
        }
        whole
    }

    fn regex(&mut self, pair: &Pair<'_, Rule>) -> RegexLit {
        let span = self.span(pair);
        let (pattern, flags) = literal::regex(pair.as_str());
        if !matches!(flags, "" | "i") {
            let start = span.end as usize - flags.len();
            let at = Span::new(self.source, start, span.end as usize);
            let inline: String = flags.chars().filter(|c| "imsx".contains(*c)).collect();
            let report =
                Diagnostic::error(Code("E0029"), "the only flag of a regular expression is `i`", at, "unknown flag");
            let written = pair.as_str();
            let body = &written[1..written.len() - flags.len() - 1];
            let fixed = if inline.is_empty() { format!("/{body}/") } else { format!("/(?{inline}){body}/") };
            self.report(report.help(format!("write other flags inside: `{fixed}`")).fix(span, fixed));
        }
        RegexLit { pattern, fold: flags.contains('i'), span }
    }

    /// `a contains "b"`: the word is a function here.
    fn infix_function(&mut self, left: Operand, tail: Pair<'_, Rule>, span: Span) -> Operand {
        let mut name = Ident { name: String::new(), span };
        let mut texts: Vec<StrLit> = Vec::new();
        for part in tail.into_inner() {
            if part.as_rule() == Rule::compat_infix_word {
                let written = part.as_str().to_ascii_lowercase();
                name.span = self.span(&part);
                name.name = match written.as_str() {
                    "startswith" => "starts_with".to_owned(),
                    "endswith" => "ends_with".to_owned(),
                    _ => written,
                };
            } else {
                texts.push(self.text(&part));
            }
        }
        let value = self.written(left.expr.span).to_owned();
        let list = self.written(Span { start: name.span.end, ..span }).trim().to_owned();
        let fixed = format!("{}({value}, {list})", name.name);
        self.report(
            Diagnostic::error(Code("E0017"), format!("`{}` is a function", name.name), name.span, "not an operator")
                .help(format!("write `{fixed}`"))
                .fix(span, fixed),
        );
        let as_expr = |text: StrLit| Expr { span: text.span, kind: ExprKind::Str(text) };
        let list_span = Span { start: name.span.end, ..span };
        let mut items: Vec<Expr> = texts.into_iter().map(as_expr).collect();
        let second = match items.len() {
            1 => items.remove(0),
            _ => Expr { kind: ExprKind::List(items), span: list_span },
        };
        let depth = left.depth;
        let call = Call {
            name,
            distinct: false,
            args: vec![left.expr, second],
            events: None,
            condition: None,
            by: Vec::new(),
        };
        self.compared(ExprKind::Call(call), span, depth + 1)
    }
}
