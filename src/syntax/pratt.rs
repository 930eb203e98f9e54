//! Expressions: what pest matched, put in order by the precedence of the operators.
//!
//! Loosest first: `or`, `and`, `not`, comparisons with `in`, `like` and `=~`, `??`, `+ -`, `* / %`, unary `-`.
//! Invariants: no expression is deeper than [`crate::base::Limits::max_rule_depth`], so every later pass may recurse. Operands of one
//! `and` or `or` chain form a balanced tree whatever parentheses they were written with, so long chains are flat.

use std::sync::LazyLock;

use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::ast::{BinaryOp, Expr, ExprKind, Path};
use super::build::Builder;
use super::grammar::Rule;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

static PRATT: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::or))
        .op(left(Rule::and))
        .op(Op::prefix(Rule::not))
        .op(left(Rule::equal)
            | left(Rule::unequal)
            | left(Rule::less_equal)
            | left(Rule::less)
            | left(Rule::greater_equal)
            | left(Rule::greater)
            | Op::postfix(Rule::in_tail)
            | Op::postfix(Rule::like_tail)
            | Op::postfix(Rule::regex_tail)
            | Op::postfix(Rule::compat_infix)
            | Op::postfix(Rule::compat_is_null))
        .op(left(Rule::default))
        .op(left(Rule::plus) | left(Rule::minus))
        .op(left(Rule::times) | left(Rule::divide) | left(Rule::remainder))
        .op(Op::prefix(Rule::negate))
});

/// An expression on its way up, with what its parent needs to know.
pub(super) struct Operand {
    pub(super) expr: Expr,
    pub(super) depth: usize,
    /// A comparison without parentheses: it cannot be compared again.
    comparison: bool,
    /// The open end of a chain of `and` or `or`: operands found so far.
    chain: Option<(BinaryOp, Vec<Expr>)>,
}

impl Operand {
    pub(super) fn leaf(kind: ExprKind, span: Span) -> Self {
        Self::of(Expr { kind, span }, 1)
    }

    pub(super) fn of(expr: Expr, depth: usize) -> Self {
        Self { expr, depth, comparison: false, chain: None }
    }
}

/// Joins operands of `and` or `or` into a balanced tree, the form in which the parser gives every such chain.
/// The operands must not be empty.
pub fn join(op: BinaryOp, mut operands: Vec<Expr>) -> Expr {
    if operands.len() <= 1 {
        return operands.pop().unwrap_or(Expr { kind: ExprKind::Bool(op == BinaryOp::And), span: Span::default() });
    }
    let right = operands.split_off(operands.len().div_ceil(2));
    let (left, right) = (join(op, operands), join(op, right));
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span }
}

/// The operands of a chain of one operator, in order, however they are nested.
pub fn operands(op: BinaryOp, expr: &Expr) -> Vec<&Expr> {
    fn collect<'e>(op: BinaryOp, expr: &'e Expr, out: &mut Vec<&'e Expr>) {
        match &expr.kind {
            ExprKind::Binary(o, left, right) if *o == op => {
                collect(op, left, out);
                collect(op, right, out);
            }
            _ => out.push(expr),
        }
    }
    let mut out = Vec::new();
    collect(op, expr, &mut out);
    out
}

/// The operands of a chain of one operator, taken out of it.
pub fn flatten(op: BinaryOp, expr: Expr, out: &mut Vec<Expr>) {
    match expr.kind {
        ExprKind::Binary(o, left, right) if o == op => {
            flatten(op, *left, out);
            flatten(op, *right, out);
        }
        _ => out.push(expr),
    }
}

impl Builder<'_> {
    /// Any expression.
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        self.operand_tree(pair).expr
    }

    pub(super) fn operand_tree(&mut self, pair: Pair<'_, Rule>) -> Operand {
        let whole = self.span(&pair);
        let mut run = 0;
        for inner in pair.clone().into_inner() {
            run = if matches!(inner.as_rule(), Rule::not | Rule::negate) { run + 1 } else { 0 };
            if run > self.limits.max_rule_depth {
                let at = self.span(&inner);
                return self.too_deep(at, whole);
            }
        }
        // The closures share the builder; pest calls them one at a time.
        let cell = std::cell::RefCell::new(self);
        let result = PRATT
            .map_primary(|pair| cell.borrow_mut().operand(pair))
            .map_prefix(|op, right| cell.borrow_mut().prefixed(&op, right))
            .map_postfix(|left, tail| cell.borrow_mut().tested(left, tail))
            .map_infix(|left, op, right| cell.borrow_mut().binary(left, &op, right))
            .parse(pair.into_inner());
        cell.into_inner().closed(result)
    }

    pub(super) fn too_deep(&mut self, at: Span, whole: Span) -> Operand {
        self.report_depth(at);
        Operand::leaf(ExprKind::Bool(true), whole)
    }

    pub(super) fn report_depth(&mut self, at: Span) {
        let limit = self.limits.max_rule_depth;
        if !self.diagnostics.iter().any(|d| d.code == Code("E0006")) {
            self.report(
                Diagnostic::error(
                    Code("E0006"),
                    format!("this is nested more than {limit} levels deep"),
                    at,
                    "one level too many",
                )
                .help("split it: name a part with `let`"),
            );
        }
    }

    /// Ends a chain: its operands become one tree.
    fn closed(&mut self, mut operand: Operand) -> Operand {
        if let Some((op, list)) = operand.chain.take() {
            let levels = usize::BITS - list.len().leading_zeros();
            operand.depth += levels as usize;
            operand.expr = join(op, list);
        }
        if operand.depth > self.limits.max_rule_depth {
            let span = operand.expr.span;
            return self.too_deep(Span { end: span.end.min(span.start + 1), ..span }, span);
        }
        operand
    }

    fn prefixed(&mut self, op: &Pair<'_, Rule>, right: Operand) -> Operand {
        let right = self.closed(right);
        let at = self.span(op);
        let span = at.to(right.expr.span);
        if op.as_rule() == Rule::negate {
            return Operand::of(Expr { kind: ExprKind::Neg(Box::new(right.expr)), span }, right.depth + 1);
        }
        if op.as_str() != "not" {
            let fixed = if op.as_str() == "!" && !self.text_at(at.end).starts_with(' ') { "not " } else { "not" };
            self.foreign_operator(at, op.as_str(), "not", fixed);
        }
        Operand::of(Expr { kind: ExprKind::Not(Box::new(right.expr)), span }, right.depth + 1)
    }

    fn text_at(&self, end: u32) -> &str {
        self.text.get((end as usize).saturating_sub(self.base)..).unwrap_or("")
    }

    /// `&&`, `||`, `!`, `AND`: the words of this language are lower-case words.
    fn foreign_operator(&mut self, span: Span, written: &str, word: &str, fixed: &str) {
        self.report(
            Diagnostic::error(
                Code("E0016"),
                format!("`{written}` is written `{word}` here"),
                span,
                "not an operator of this language",
            )
            .help(format!("write `{word}`"))
            .fix(span, fixed)
            .mended(),
        );
    }

    fn binary(&mut self, left: Operand, pair: &Pair<'_, Rule>, right: Operand) -> Operand {
        let op = binary_op(pair.as_rule());
        let (at, written) = (self.span(pair), pair.as_str());
        match op {
            BinaryOp::Or if written != "or" => self.foreign_operator(at, written, "or", "or"),
            BinaryOp::And if written != "and" => self.foreign_operator(at, written, "and", "and"),
            BinaryOp::Eq if written == "=" => self.report(
                Diagnostic::error(Code("E0015"), "a comparison is written `==`", at, "`=` gives a name a value")
                    .help("write `==`")
                    .fix(at, "==")
                    .mended(),
            ),
            BinaryOp::Eq if written == "===" => self.foreign_comparison(at, written, "=="),
            BinaryOp::Ne if written != "!=" => self.foreign_comparison(at, written, "!="),
            _ => {}
        }
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            return self.chained(left, op, right);
        }
        let (left, right) = (self.closed(left), self.closed(right));
        let comparison = is_comparison(op);
        if comparison {
            self.check_not_compared(&left, at);
            self.check_not_null(&left.expr, op, &right.expr);
        }
        let span = left.expr.span.to(right.expr.span);
        let depth = left.depth.max(right.depth) + 1;
        if depth > self.limits.max_rule_depth {
            return self.too_deep(at, span);
        }
        let expr = Expr { kind: ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)), span };
        let whole = Operand { comparison, ..Operand::of(expr, depth) };
        self.closed(whole)
    }

    fn chained(&mut self, left: Operand, op: BinaryOp, right: Operand) -> Operand {
        let depth = left.depth.max(right.depth);
        let span = left.expr.span.to(right.expr.span);
        let mut list = match left.chain {
            Some((o, list)) if o == op => list,
            _ => {
                let mut list = Vec::new();
                flatten(op, self.closed(left).expr, &mut list);
                list
            }
        };
        flatten(op, self.closed(right).expr, &mut list);
        // The expression is made when the chain ends; until then only its span counts.
        Operand { expr: Expr { kind: ExprKind::Bool(true), span }, depth, comparison: false, chain: Some((op, list)) }
    }

    pub(super) fn foreign_comparison(&mut self, at: Span, written: &str, ours: &str) {
        self.report(
            Diagnostic::error(
                Code("E0017"),
                format!("`{written}` is written `{ours}` here"),
                at,
                "not an operator of this language",
            )
            .help(format!("write `{ours}`"))
            .fix(at, ours),
        );
    }

    /// Comparisons do not chain: `1 < x < 5` is two.
    pub(super) fn check_not_compared(&mut self, left: &Operand, at: Span) {
        if left.comparison {
            self.report(
                Diagnostic::error(Code("E0018"), "comparisons do not chain", at, "a second comparison")
                    .label(left.expr.span, "this is already true or false")
                    .help("join two comparisons with `and`: `1 < x and x < 5`"),
            );
        }
    }

    /// `a == null` is always missing, never true.
    fn check_not_null(&mut self, left: &Expr, op: BinaryOp, right: &Expr) {
        let is_null = |expr: &Expr| match &expr.kind {
            ExprKind::Path(Path { parts, .. }) => {
                parts.len() == 1 && parts[0].name == "null" && parts[0].span.range().len() == 4
            }
            _ => false,
        };
        let other = match (is_null(left), is_null(right)) {
            (false, true) => left,
            (true, false) => right,
            _ => return,
        };
        let written = self.written(other.span).to_owned();
        self.report_null(left.span.to(right.span), &written, op != BinaryOp::Ne);
    }

    pub(super) fn report_null(&mut self, span: Span, value: &str, missing: bool) {
        let fixed = if missing { format!("not exists({value})") } else { format!("exists({value})") };
        self.report(
            Diagnostic::error(
                Code("E0019"),
                "nothing compares equal to `null`",
                span,
                "a field that is null counts as missing",
            )
            .note("a comparison with a missing value is neither true nor false, so this would never hold")
            .help(format!("write `{fixed}`"))
            .fix(span, fixed),
        );
    }

    /// The text of a span of this source.
    pub(super) fn written(&self, span: Span) -> &str {
        let range = span.range();
        self.text.get(range.start.saturating_sub(self.base)..range.end.saturating_sub(self.base)).unwrap_or("")
    }

    /// Marks an operand as a comparison, for the tails `in`, `like` and `=~`.
    pub(super) fn compared(&mut self, kind: ExprKind, span: Span, depth: usize) -> Operand {
        let operand = Operand { comparison: true, ..Operand::of(Expr { kind, span }, depth + 1) };
        self.closed(operand)
    }

    /// An operand whose chain, if it has one, is ended.
    pub(super) fn ended(&mut self, operand: Operand) -> Operand {
        self.closed(operand)
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
}

fn binary_op(rule: Rule) -> BinaryOp {
    match rule {
        Rule::or => BinaryOp::Or,
        Rule::and => BinaryOp::And,
        Rule::equal => BinaryOp::Eq,
        Rule::unequal => BinaryOp::Ne,
        Rule::less => BinaryOp::Lt,
        Rule::less_equal => BinaryOp::Le,
        Rule::greater => BinaryOp::Gt,
        Rule::greater_equal => BinaryOp::Ge,
        Rule::default => BinaryOp::Default,
        Rule::plus => BinaryOp::Add,
        Rule::minus => BinaryOp::Sub,
        Rule::times => BinaryOp::Mul,
        Rule::divide => BinaryOp::Div,
        _ => BinaryOp::Rem,
    }
}
