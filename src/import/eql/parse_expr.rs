//! Expressions: pest's pairs to the model, with the order of the operators.

use pest::iterators::Pair;

use super::grammar::Rule;
use super::model::{Arith, Compare, Expr, ExprKind, Field, Test, Text};
use super::parser::Reader;
use super::report::refused;
use crate::diag::codes::eql as codes;
use crate::diag::{Code, Diagnostic};
use crate::syntax::source::Span;

impl Reader<'_> {
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let span = self.span(&pair);
        if depth > self.limits.max_rule_depth {
            self.too_deep(span);
            return None;
        }
        // `or` of `and`s: the operands of each `or` so far.
        let mut ors: Vec<Vec<Expr>> = vec![Vec::new()];
        let mut whole = true;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::condition => match self.condition(part, depth) {
                    Some(expr) => ors.last_mut()?.push(expr),
                    None => whole = false,
                },
                Rule::kw_or => ors.push(Vec::new()),
                Rule::compat_or => {
                    self.habit(&part, "or");
                    ors.push(Vec::new());
                }
                Rule::compat_and => self.habit(&part, "and"),
                _ => {}
            }
        }
        if !whole {
            return None;
        }
        let mut ands = Vec::new();
        for mut operands in ors {
            let and = match operands.len() {
                0 | 1 => operands.pop()?,
                _ => {
                    let span = operands[0].span.to(operands[operands.len() - 1].span);
                    Expr { kind: ExprKind::And(operands), span }
                }
            };
            ands.push(and);
        }
        match ands.len() {
            1 => ands.pop(),
            _ => Some(Expr { kind: ExprKind::Or(ands), span }),
        }
    }

    /// Reports an operator of another language.
    fn habit(&mut self, pair: &Pair<'_, Rule>, right: &str) {
        let span = self.span(pair);
        let written = pair.as_str().trim_end();
        self.report(
            Diagnostic::error(codes::HABIT, format!("EQL writes `{right}`, not `{written}`"), span, "another language")
                .help(format!("write `{right}`"))
                .fix(span, if written == "!" { "not ".to_owned() } else { right.to_owned() }),
        );
    }

    fn condition(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let mut nots: Vec<Span> = Vec::new();
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_not => nots.push(self.span(&part)),
                Rule::compat_not => {
                    self.habit(&part, "not");
                    nots.push(self.span(&part));
                }
                Rule::comparison => value = self.comparison(part, depth),
                _ => {}
            }
        }
        if nots.len() + depth > self.limits.max_rule_depth {
            self.too_deep(nots[0]);
            return None;
        }
        let mut expr = value?;
        for not in nots.into_iter().rev() {
            let span = not.to(expr.span);
            expr = Expr { kind: ExprKind::Not(Box::new(expr)), span };
        }
        Some(expr)
    }

    fn comparison(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let mut parts = pair.into_inner();
        let mut left = self.sum(parts.next()?, depth)?;
        let mut compared = false;
        for part in parts {
            let span = self.span(&part);
            if compared {
                self.report(refused(
                    codes::NOT_IN_EQL,
                    "comparisons cannot be chained",
                    span,
                    "the second of two",
                    "write `1 < x and x < 5`",
                ));
                return None;
            }
            compared = true;
            left = if part.as_rule() == Rule::compared {
                self.compared(left, part, depth)?
            } else {
                self.tested(left, part, depth)?
            };
        }
        Some(left)
    }

    fn compared(&mut self, left: Expr, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let mut parts = pair.into_inner();
        let sign = parts.next()?;
        let op = match sign.as_str() {
            "==" => Compare::Eq,
            "!=" => Compare::Ne,
            "<" => Compare::Lt,
            "<=" => Compare::Le,
            ">" => Compare::Gt,
            ">=" => Compare::Ge,
            _ => {
                self.habit(&sign, "==");
                Compare::Eq
            }
        };
        let right = self.sum(parts.next()?, depth)?;
        let span = left.span.to(right.span);
        Some(Expr { kind: ExprKind::Compare(op, Box::new(left), Box::new(right)), span })
    }

    fn tested(&mut self, left: Expr, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let whole = self.span(&pair);
        let (mut negated, mut test, mut list, mut listed) = (false, None, Vec::new(), false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_not => negated = true,
                Rule::test => {
                    test = Some(match part.as_str().trim_end() {
                        "in" => Test::In,
                        "in~" => Test::InFold,
                        "like" => Test::Like,
                        "regex" => Test::Regex,
                        "regex~" => Test::RegexFold,
                        _ => Test::LikeFold,
                    });
                }
                Rule::list => {
                    listed = true;
                    for element in part.into_inner() {
                        list.push(self.expr(element, depth + 1)?);
                    }
                }
                Rule::sum => list.push(self.sum(part, depth)?),
                _ => {}
            }
        }
        let test = test?;
        let is_in = matches!(test, Test::In | Test::InFold);
        if negated && !is_in {
            self.report(
                Diagnostic::error(codes::HABIT, "only `in` takes `not` before it", whole, "`not` in the middle")
                    .help("put `not` in front of the whole comparison: `not x like \"a*\"`"),
            );
            return None;
        }
        if is_in && !listed {
            self.report(refused(
                codes::UNEXPECTED,
                "`in` takes a list in parentheses",
                whole,
                "no list",
                "write `x in (\"a\", \"b\")`",
            ));
            return None;
        }
        let span = left.span.to(whole);
        Some(Expr { kind: ExprKind::Test { value: Box::new(left), test, negated, list }, span })
    }

    fn sum(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let span = self.span(&pair);
        let (mut values, mut ops) = (Vec::new(), Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::unary => values.push(self.unary(part, depth)?),
                Rule::arith => ops.push(match part.as_str() {
                    "+" => Arith::Add,
                    "-" => Arith::Sub,
                    "*" => Arith::Mul,
                    "/" => Arith::Div,
                    _ => Arith::Rem,
                }),
                _ => {}
            }
        }
        if ops.len() + depth > self.limits.max_rule_depth {
            self.too_deep(span);
            return None;
        }
        // First products, then sums, each from the left.
        let mut values = values.into_iter();
        let mut terms = vec![values.next()?];
        let mut signs = Vec::new();
        for (op, right) in ops.into_iter().zip(values) {
            if matches!(op, Arith::Add | Arith::Sub) {
                signs.push(op);
                terms.push(right);
            } else {
                let left = terms.pop()?;
                terms.push(arith(op, left, right));
            }
        }
        let mut terms = terms.into_iter();
        let first = terms.next()?;
        Some(signs.into_iter().zip(terms).fold(first, |left, (op, right)| arith(op, left, right)))
    }

    fn unary(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let mut minus: Vec<Span> = Vec::new();
        let mut value = None;
        let mut signs = 0;
        for part in pair.into_inner() {
            if part.as_rule() == Rule::minus {
                signs += 1;
                if part.as_str() == "-" {
                    minus.push(self.span(&part));
                }
            } else {
                value = self.primary(part, depth);
            }
        }
        let mut expr = value?;
        if signs + depth > self.limits.max_rule_depth {
            self.too_deep(expr.span);
            return None;
        }
        for sign in minus.into_iter().rev() {
            let span = sign.to(expr.span);
            expr = Expr { kind: ExprKind::Neg(Box::new(expr)), span };
        }
        Some(expr)
    }

    fn primary(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::paren => {
                let inner = self.expr(pair.into_inner().next()?, depth + 1)?;
                return Some(Expr { kind: inner.kind, span });
            }
            Rule::null => ExprKind::Null,
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::number => self.number(pair.as_str(), span)?,
            Rule::raw | Rule::string | Rule::compat_quotes | Rule::compat_raw => ExprKind::Str(self.literal(&pair)),
            Rule::field => ExprKind::Field(self.field(pair)?),
            Rule::call => return self.call(pair, depth),
            Rule::lineage => {
                self.report(
                    refused(
                        codes::NOT_IN_EQL,
                        "relations between processes are not part of Elastic's EQL",
                        span,
                        "Elasticsearch does not have it",
                        "write a sequence: `sequence [ parent ] by process.entity_id [ child ] by process.parent.entity_id`",
                    )
                    .note("`child of`, `descendant of` and `event of` belong to Endgame's EQL"),
                );
                return None;
            }
            _ => return None,
        };
        Some(Expr { kind, span })
    }

    fn number(&mut self, text: &str, span: Span) -> Option<ExprKind> {
        let number = if text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse::<i128>().ok().filter(|n| *n <= i128::from(u64::MAX)).map(ExprKind::Int)
        } else {
            text.parse().ok().filter(|x: &f64| x.is_finite()).map(ExprKind::Float)
        };
        if number.is_none() {
            let help = "write it as `1e30`, if a number of that size is meant";
            self.report(refused(codes::UNEXPECTED, "this number is too large", span, "more than 64 bits", help));
        }
        number
    }

    fn call(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Option<Expr> {
        let span = self.span(&pair);
        let (mut name, mut fold, mut args) = (None, false, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::call_name => {
                    let function = part.into_inner().next()?;
                    let place = self.span(&function);
                    fold = function.as_str().ends_with('~');
                    name = Some(Text { value: function.as_str().trim_end_matches('~').to_owned(), span: place });
                }
                Rule::expr => args.push(self.expr(part, depth + 1)?),
                _ => {}
            }
        }
        Some(Expr { kind: ExprKind::Call { name: name?, fold, args }, span })
    }

    pub(super) fn field(&mut self, pair: Pair<'_, Rule>) -> Option<Field> {
        let span = self.span(&pair);
        let (mut parts, mut optional) = (Vec::new(), false);
        for part in pair.into_inner() {
            let place = self.span(&part);
            match part.as_rule() {
                Rule::optional => optional = true,
                Rule::word => parts.push(Text { value: part.as_str().to_owned(), span: place }),
                Rule::quoted => {
                    let written = part.as_str();
                    let value = written[1..written.len() - 1].replace("``", "`");
                    // A name in backquotes may be a whole path: `` `event.category` ``.
                    if value.split('.').any(str::is_empty) {
                        parts.push(Text { value, span: place });
                    } else {
                        parts.extend(value.split('.').map(|v| Text { value: v.to_owned(), span: place }));
                    }
                }
                Rule::index => {
                    self.report(refused(
                        codes::NOT_IN_EQL,
                        "EQL does not look into arrays",
                        place,
                        "Elasticsearch refuses it too",
                        "leave it out: a comparison holds if it holds for any element",
                    ));
                    return None;
                }
                _ => {}
            }
        }
        if let Some(part) = parts.iter().find(|p| p.value.contains('`')) {
            let report = refused(
                codes::NOT_IN_EQL,
                "a backquote in a name cannot be read",
                part.span,
                "a name with a backquote in it",
                "rename the field where the events are made",
            );
            self.report(report);
            return None;
        }
        Some(Field { parts, optional, span })
    }

    /// The value of a text in quotes of any form; a form that EQL does not have is reported.
    pub(super) fn literal(&mut self, pair: &Pair<'_, Rule>) -> String {
        let written = pair.as_str();
        let span = self.span(pair);
        match pair.as_rule() {
            Rule::raw => written[3..written.len() - 3].to_owned(),
            Rule::compat_quotes => {
                let inner = &written[1..written.len() - 1];
                let fixed = format!("\"{}\"", inner.replace("\\'", "'").replace('"', "\\\""));
                self.report(
                    Diagnostic::error(codes::HABIT, "a text stands in double quotes", span, "in single quotes")
                        .help(format!("write `{fixed}`"))
                        .fix(span, fixed),
                );
                inner.to_owned()
            }
            Rule::compat_raw => {
                let inner = &written[2..written.len() - 1];
                let fixed = format!("\"\"\"{inner}\"\"\"");
                self.report(
                    Diagnostic::error(codes::HABIT, "a raw text stands in three double quotes", span, "`?` before it")
                        .note("`?\"…\"` belongs to Endgame's EQL")
                        .help(format!("write `{fixed}`"))
                        .fix(span, fixed),
                );
                inner.to_owned()
            }
            _ => self.unescape(&written[1..written.len() - 1], pair.as_span().start() + 1),
        }
    }

    fn unescape(&mut self, body: &str, start: usize) -> String {
        let mut out = String::with_capacity(body.len());
        let mut rest = body;
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            let place = start + (body.len() - rest.len()) + at;
            rest = &rest[at + 1..];
            let Some(next) = rest.chars().next() else { break };
            rest = &rest[next.len_utf8()..];
            let simple = match next {
                'n' => Some('\n'),
                'r' => Some('\r'),
                't' => Some('\t'),
                'b' => Some('\u{8}'),
                'f' => Some('\u{c}'),
                '\\' | '"' => Some(next),
                'u' => {
                    let inner = rest.strip_prefix('{').and_then(|r| r.split_once('}'));
                    let digits = inner.filter(|(d, _)| (2..=8).contains(&d.len()));
                    let code = digits.and_then(|(d, after)| Some((u32::from_str_radix(d, 16).ok()?, after)));
                    code.and_then(|(code, after)| {
                        rest = after;
                        char::from_u32(code)
                    })
                }
                _ => None,
            };
            match simple {
                Some(c) => out.push(c),
                None => {
                    let span = self.query_span(place, place + 1 + next.len_utf8());
                    let first = self.query_span(place, place);
                    self.report(
                        Diagnostic::error(Code("E0013"), format!("`\\{next}` is no escape"), span, "not an escape")
                            .note("strings know `\\\\`, `\\\"`, `\\n`, `\\r`, `\\t` and `\\u{…}`")
                            .help("write `\\\\` for a backslash, or use a raw string: `\"\"\"…\"\"\"`")
                            .fix(first, "\\"),
                    );
                    out.push(next);
                }
            }
        }
        out.push_str(rest);
        out
    }
}

fn arith(op: Arith, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Arith(op, Box::new(left), Box::new(right)), span }
}
