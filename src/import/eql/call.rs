//! Calls: EQL's functions, by the functions and operators of the rule language.
//!
//! As in Elasticsearch, names are read in any case. `~` folds the case of texts: of a constant by `"…"i`, of two
//! values by `lower(…)` on both.

use super::lower_expr::{Conditions, binary, call, divide, expr, literal, text};
use super::model::{Arith, Expr, ExprKind, Text};
use super::regex;
use super::report::refused;
use crate::diag::Diagnostic;
use crate::diag::codes::eql as codes;
use crate::syntax::ast::{self, BinaryOp, StrLit};
use crate::syntax::source::Span;

/// A function of EQL: its name, how many arguments it takes, whether it has a `~` form, and how it is called.
struct Known {
    name: &'static str,
    least: usize,
    most: usize,
    folds: bool,
    usage: &'static str,
}

const fn known(name: &'static str, least: usize, most: usize, folds: bool, usage: &'static str) -> Known {
    Known { name, least, most, folds, usage }
}

const FUNCTIONS: [Known; 16] = [
    known("add", 2, 2, false, "add(a, b)"),
    known("between", 3, 4, true, "between(text, \"left\", \"right\"[, greedy])"),
    known("cidrMatch", 2, usize::MAX, false, "cidrMatch(ip, \"10.0.0.0/8\", …)"),
    known("concat", 1, usize::MAX, false, "concat(a, b, …)"),
    known("divide", 2, 2, false, "divide(a, b)"),
    known("endsWith", 2, 2, true, "endsWith(text, \"part\")"),
    known("indexOf", 2, 3, true, "indexOf(text, \"part\"[, start])"),
    known("length", 1, 1, false, "length(text)"),
    known("modulo", 2, 2, false, "modulo(a, b)"),
    known("multiply", 2, 2, false, "multiply(a, b)"),
    known("number", 1, 2, false, "number(text[, base])"),
    known("startsWith", 2, 2, true, "startsWith(text, \"part\")"),
    known("string", 1, 1, false, "string(value)"),
    known("stringContains", 2, 2, true, "stringContains(text, \"part\")"),
    known("substring", 2, 3, false, "substring(text, start[, end])"),
    known("subtract", 2, 2, false, "subtract(a, b)"),
];

/// What belonged to EQL once, or belongs to Endgame's: lower case, and what to write.
const GONE: [(&str, &str); 6] = [
    ("wildcard", "write `x like (\"a*\", \"b*\")`, or `:` to fold case"),
    ("match", "write `x regex \"…\"`; it matches the whole text"),
    ("matchlite", "write `x regex \"…\"`; it matches the whole text"),
    ("arraycontains", "write `x == \"a\"`: it holds if it holds for any element"),
    ("arraycount", "a rule file has lists: `len(x)`"),
    ("arraysearch", "a rule file has lists: `some(x as e where …)`"),
];

impl Conditions<'_> {
    /// A call of a function.
    pub(super) fn function(&mut self, name: &Text, fold: bool, args: &[Expr], span: Span) -> ast::Expr {
        let nothing = expr(ast::ExprKind::Bool(false), span);
        let lower = name.value.to_ascii_lowercase();
        if let Some((_, help)) = GONE.iter().find(|(gone, _)| *gone == lower) {
            let message = format!("the function `{}` is not part of Elastic's EQL", name.value);
            self.out.push(refused(codes::NOT_IN_EQL, message, name.span, "Elasticsearch does not have it", *help));
            return nothing;
        }
        let Some(known) = FUNCTIONS.iter().find(|known| known.name.eq_ignore_ascii_case(&name.value)) else {
            let names: Vec<&str> = FUNCTIONS.iter().map(|k| k.name).collect();
            let near = crate::syntax::spelling::nearest(&name.value, names.iter().copied());
            let message = format!("there is no function `{}`", name.value);
            let report = Diagnostic::error(codes::WRONG_CALL, message, name.span, "unknown function");
            self.out.push(match near {
                Some(near) => report.help(format!("did you mean `{near}`?")).fix(name.span, near),
                None => report.help(format!("the functions are `{}`", names.join("`, `"))),
            });
            return nothing;
        };
        if fold && !known.folds {
            let message = format!("`{}` has no form with `~`", known.name);
            self.out.push(refused(codes::WRONG_CALL, message, name.span, "compares nothing", "leave `~` out").note(
                "the functions with `~` are `between`, `endsWith`, `indexOf`, `startsWith` and `stringContains`",
            ));
            return nothing;
        }
        if args.len() < known.least || args.len() > known.most {
            let message = format!("`{}` takes other arguments", known.name);
            let label = format!("{} given", args.len());
            let help = format!("write `{}`", known.usage);
            self.out.push(refused(codes::WRONG_CALL, message, span, label, help));
            return nothing;
        }
        if let Some(null) = args.iter().find(|a| matches!(a.kind, ExprKind::Null)) {
            if known.name == "number" && args.len() == 2 && matches!(args[1].kind, ExprKind::Null) {
                return self.plain("number", &args[..1], span);
            }
            let message = format!("`{}` of `null` is `null`", known.name);
            let help = "ask whether the field is missing: `field == null`";
            self.out.push(refused(codes::NULL_VALUE, message, null.span, "makes the call missing", help));
            return nothing;
        }
        self.known(known.name, fold, args, span)
    }

    fn known(&mut self, name: &str, fold: bool, args: &[Expr], span: Span) -> ast::Expr {
        match name {
            "add" => self.arith(Arith::Add, &args[0], &args[1], span),
            "subtract" => self.arith(Arith::Sub, &args[0], &args[1], span),
            "multiply" => self.arith(Arith::Mul, &args[0], &args[1], span),
            "modulo" => self.arith(Arith::Rem, &args[0], &args[1], span),
            "divide" => {
                let (left, right) = (self.condition(&args[0]), self.condition(&args[1]));
                divide(&args[0], &args[1], left, right, span)
            }
            "length" => self.plain("len", args, span),
            "number" => self.plain("number", args, span),
            "string" => self.plain("string", args, span),
            "concat" => self.plain("concat", args, span),
            "substring" => self.plain("slice", args, span),
            "startsWith" => self.part("starts_with", fold, args, span),
            "endsWith" => self.part("ends_with", fold, args, span),
            "stringContains" => self.contains(fold, args, span),
            "indexOf" => {
                if !fold {
                    return self.plain("index_of", args, span);
                }
                let mut args: Vec<ast::Expr> = args.iter().map(|a| self.condition(a)).collect();
                for arg in &mut args[..2] {
                    *arg = lowered(arg.clone());
                }
                call("index_of", args, span)
            }
            "cidrMatch" => self.networks(args, span),
            _ => self.between(fold, args, span),
        }
    }

    fn plain(&mut self, name: &str, args: &[Expr], span: Span) -> ast::Expr {
        let args = args.iter().map(|a| self.condition(a)).collect();
        call(name, args, span)
    }

    /// A test of a text for a part of it.
    fn part(&mut self, name: &str, fold: bool, args: &[Expr], span: Span) -> ast::Expr {
        let value = self.condition(&args[0]);
        let args = match &args[1].kind {
            ExprKind::Str(part) => vec![value, text(part, fold, args[1].span)],
            _ if fold => vec![lowered(value), lowered(self.condition(&args[1]))],
            _ => vec![value, self.condition(&args[1])],
        };
        call(name, args, span)
    }

    fn contains(&mut self, fold: bool, args: &[Expr], span: Span) -> ast::Expr {
        match &args[1].kind {
            ExprKind::Str(part) if part.is_empty() => {
                self.out.push(refused(
                    codes::WRONG_CALL,
                    "no text contains the empty one, as EQL sees it",
                    args[1].span,
                    "never true",
                    "write `x != null` for any text",
                ));
                expr(ast::ExprKind::Bool(false), span)
            }
            // `contains` of a list asks for an equal element; this asks for a part of one.
            ExprKind::Str(part) => {
                let value = format!("*{}*", part.replace('*', "[*]").replace('?', "[?]"));
                let patterns = vec![literal(&value, fold, args[1].span)];
                let value = Box::new(self.condition(&args[0]));
                expr(ast::ExprKind::Like { value, patterns, negated: false }, span)
            }
            _ => {
                let part = self.condition(&args[1]);
                let filled = binary(BinaryOp::Ne, part, text("", false, span), span);
                let holds = self.part("contains", fold, args, span);
                binary(BinaryOp::And, filled, holds, span)
            }
        }
    }

    fn networks(&mut self, args: &[Expr], span: Span) -> ast::Expr {
        let mut out = vec![self.condition(&args[0])];
        for network in &args[1..] {
            match &network.kind {
                ExprKind::Str(value) => {
                    // An address alone is a network of one.
                    let whole = match value.parse() {
                        Ok(std::net::IpAddr::V4(_)) => format!("{value}/32"),
                        Ok(std::net::IpAddr::V6(_)) => format!("{value}/128"),
                        Err(_) => value.clone(),
                    };
                    out.push(text(&whole, false, network.span));
                }
                _ => {
                    let help = "write it as `\"10.0.0.0/8\"`";
                    let message = "a network is a text";
                    self.out.push(refused(codes::WRONG_CALL, message, network.span, "not a constant", help));
                }
            }
        }
        call("cidr", out, span)
    }

    /// `between(x, "left", "right")`: a group of a regular expression, and the empty text if it is not found.
    fn between(&mut self, fold: bool, args: &[Expr], span: Span) -> ast::Expr {
        let value = self.condition(&args[0]);
        let greedy = match args.get(3).map(|a| &a.kind) {
            None | Some(ExprKind::Bool(false)) => Some("(.*?)"),
            Some(ExprKind::Bool(true)) => Some("(.*)"),
            _ => None,
        };
        let (ExprKind::Str(left), ExprKind::Str(right), Some(inner)) = (&args[1].kind, &args[2].kind, greedy) else {
            self.out.push(refused(
                codes::WRONG_CALL,
                "`between` takes constants",
                span,
                "the texts on both sides, and `true` or `false`, must be written out",
                "write `between(text, \"left\", \"right\")`",
            ));
            return expr(ast::ExprKind::Bool(false), span);
        };
        let pattern = format!("(?s:{}{inner}{})", regex::escape(left), regex::escape(right));
        let pattern = expr(ast::ExprKind::Regex(ast::RegexLit { pattern, fold, span }), span);
        let zero = || expr(ast::ExprKind::Int(0), span);
        let empty = call("substring", vec![value.clone(), zero(), zero()], span);
        binary(BinaryOp::Default, call("extract", vec![value, pattern], span), empty, span)
    }
}

/// A text in lower case; a constant at once.
fn lowered(value: ast::Expr) -> ast::Expr {
    let span = value.span;
    match value.kind {
        ast::ExprKind::Str(lit) => expr(ast::ExprKind::Str(StrLit { value: lit.value.to_lowercase(), ..lit }), span),
        _ => call("lower", vec![value], span),
    }
}
