//! Reads rule text into the oracle's rules: the clauses of one rule, after any `event` declarations.
//!
//! Meant for the texts of `tests/suite`; it panics on what the oracle does not know.

use super::event::Ms;
use super::expr::{Agg, Expr, Op, Sel};
use super::rule::*;
use super::statistic::{Call, Stat, Window};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Num(f64),
    Span(Ms),
    Str(String),
    Sym(&'static str),
}

const SYMBOLS: [&str; 23] = [
    "..", "==", "!=", "<=", ">=", "??", "<", ">", "=", "+", "-", "*", "/", "(", ")", "{", "}", "[", "]", ",", ":", ".",
    "?",
];

fn tokens(text: &str) -> Vec<Token> {
    let mut out = vec![];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let mut taken = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '@').unwrap_or(rest.len());
        if rest.starts_with("//") {
            taken = rest.find('\n').unwrap_or(rest.len());
        } else if let Some(body) = rest.strip_prefix('"') {
            taken = body.find('"').expect("a closing quotation mark") + 2;
            out.push(Token::Str(rest[1..taken - 1].to_string()));
        } else if rest.starts_with(|c: char| c.is_ascii_digit()) {
            let mut digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if rest[digits..].starts_with('.') && rest[digits + 1..].starts_with(|c: char| c.is_ascii_digit()) {
                digits += 1;
                digits += rest[digits..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - digits);
                taken = digits;
            }
            let number: f64 = rest[..digits].parse().expect("a number");
            if taken > digits {
                out.push(Token::Span(span(&rest[..taken])));
            } else {
                out.push(Token::Num(number));
            }
        } else if taken > 0 {
            out.push(Token::Word(rest[..taken].to_string()));
        } else {
            let symbol = SYMBOLS.iter().find(|s| rest.starts_with(**s)).unwrap_or_else(|| panic!("what is {rest:?}?"));
            out.push(Token::Sym(symbol));
            taken = symbol.len();
        }
        rest = rest[taken..].trim_start();
    }
    out
}

/// `5s`, `1m30s`, `500ms`
pub fn span(text: &str) -> Ms {
    let mut total = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or_else(|| panic!("no unit in {text}"));
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| n + digits);
        let number: Ms = rest[..digits].parse().unwrap_or_else(|_| panic!("no duration: {text}"));
        total += number
            * match &rest[digits..unit] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                other => panic!("no unit: {other}"),
            };
        rest = &rest[unit..];
    }
    total
}

/// The rule that a text of clauses says.
pub fn rule(text: &str) -> Rule {
    let mut p = Parser { tokens: tokens(text), at: 0, parts: vec![] };
    let mut rule = Rule::default();
    while p.at < p.tokens.len() {
        let word = p.word();
        match word.as_str() {
            "event" => {
                let name = p.word();
                p.symbol("=");
                let cond = p.expr();
                rule.classes.push((name, cond));
            }
            "by" => rule.by = p.key_items(),
            "match" => {
                p.symbol("{");
                rule.body = p.sequence(0);
                rule.parts = std::mem::take(&mut p.parts);
                rule.parts.sort_by_key(|p| (p.from, std::cmp::Reverse(p.to)));
                p.symbol("}");
                if p.take_word("within") {
                    if matches!(p.peek(0), Some(Token::Num(_))) {
                        rule.events = Some(p.count());
                        p.expect("events");
                    } else {
                        (rule.within, rule.computed) = p.length();
                    }
                }
            }
            "having" => {
                rule.having = Some(p.expr());
                rule.lasting = p.take_word("for").then(|| p.span());
            }
            "pick" => {
                rule.pick = match p.word().as_str() {
                    "latest" => Pick::Latest,
                    "first" => Pick::First,
                    "all" => Pick::All,
                    "each" => Pick::Each,
                    "pending" => Pick::Pending,
                    other => panic!("pick {other}"),
                };
            }
            "after" => {
                p.expect("match");
                rule.skip = match (p.word().as_str(), p.word().as_str()) {
                    ("skip", "past") => {
                        p.expect("last");
                        Skip::PastLast
                    }
                    ("skip", "to") => match p.word().as_str() {
                        "first" => Skip::ToFirst(p.word()),
                        "last" => Skip::ToLast(p.word()),
                        "next" => Skip::ToNext,
                        other => panic!("skip to {other}"),
                    },
                    ("no", "skip") => Skip::NoSkip,
                    other => panic!("after match {other:?}"),
                };
            }
            "cancel" => {
                p.expect("on");
                rule.cancel = p.guards();
            }
            "clock" => {
                p.expect("T");
                p.symbol("=");
                p.expect("every");
                rule.clock = Some(p.span());
            }
            "expect" => {
                p.expect("start");
                rule.expect_start = true;
            }
            "resolve" if p.take_word("on") => rule.resolve_on = p.guards(),
            "resolve" => {
                p.expect("when");
                rule.resolve_when = Some(p.expr());
            }
            "repeat" => {
                p.expect("every");
                rule.repeat = Some(p.span());
            }
            "suppress" => {
                let period = p.span();
                let mut by = vec![];
                if p.take_word("by") {
                    by = p.key_items().into_iter().map(|k| k.name).collect();
                }
                rule.suppress = Some((period, by));
            }
            other => panic!("no clause: {other}"),
        }
    }
    rule.number();
    rule
}

fn aggregate(function: &str) -> Agg {
    match function {
        "min" => Agg::Min,
        "max" => Agg::Max,
        "sum" => Agg::Sum,
        "avg" => Agg::Avg,
        "stddev" => Agg::Stddev,
        "median" => Agg::Median,
        other => panic!("no aggregate: {other}"),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Bounds of parts of the sequence read last.
    parts: Vec<Part>,
}

impl Parser {
    fn peek(&self, n: usize) -> Option<&Token> {
        self.tokens.get(self.at + n)
    }

    fn next(&mut self) -> Token {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().expect("more text")
    }

    fn is_word(&self, n: usize, word: &str) -> bool {
        matches!(self.peek(n), Some(Token::Word(w)) if w == word)
    }

    fn is_symbol(&self, n: usize, symbol: &str) -> bool {
        matches!(self.peek(n), Some(Token::Sym(s)) if *s == symbol)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(0, symbol);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> String {
        match self.next() {
            Token::Word(w) => w,
            other => panic!("a word, not {other:?}"),
        }
    }

    fn expect(&mut self, word: &str) {
        assert_eq!(self.word(), word);
    }

    fn symbol(&mut self, symbol: &str) {
        assert!(self.take_symbol(symbol), "{symbol} expected, found {:?} in {:?}", self.peek(0), self.tokens);
    }

    fn span(&mut self) -> Ms {
        match self.next() {
            Token::Span(d) => d,
            other => panic!("a duration, not {other:?}"),
        }
    }

    fn bound(&mut self) -> Bound {
        self.length().0.expect("a constant bound")
    }

    /// A bound: constant, or an expression.
    fn length(&mut self) -> (Option<Bound>, Option<Expr>) {
        let open = self.take_symbol("<");
        match self.expr() {
            Expr::Span(d) => (Some(Bound { d, open }), None),
            d => (None, Some(d)),
        }
    }

    fn count(&mut self) -> usize {
        match self.next() {
            Token::Num(n) => n as usize,
            other => panic!("a number, not {other:?}"),
        }
    }

    fn key_items(&mut self) -> Vec<KeyComp> {
        let mut out = vec![];
        loop {
            let mut comp = KeyComp::default();
            if self.is_word(0, "each") && self.is_symbol(1, "(") {
                comp.field = self.each();
                comp.each = true;
                comp.name.clone_from(&comp.field);
            } else {
                comp.name = self.word();
                comp.field.clone_from(&comp.name);
                if self.take_symbol("=") {
                    if self.is_symbol(0, "(") {
                        self.symbol("(");
                        comp.expr = Some(self.expr());
                        self.symbol(")");
                    } else if self.is_word(0, "each") && self.is_symbol(1, "(") {
                        comp.field = self.each();
                        comp.each = true;
                    } else {
                        comp.field = self.word();
                    }
                }
            }
            comp.optional = self.take_symbol("?");
            out.push(comp);
            if !self.take_symbol(",") {
                return out;
            }
        }
    }

    fn each(&mut self) -> String {
        self.expect("each");
        self.symbol("(");
        let field = self.word();
        self.symbol(")");
        field
    }

    /// `a, b)`, behind the opening parenthesis.
    fn name_list(&mut self) -> Vec<String> {
        let mut names = vec![self.word()];
        while self.take_symbol(",") {
            names.push(self.word());
        }
        self.symbol(")");
        names
    }

    /// Elements, of which `base` stand before it.
    fn sequence(&mut self, base: usize) -> Vec<(Joint, Elem)> {
        let mut out = vec![];
        let mut joint = Joint::default();
        loop {
            if self.take_symbol("{") {
                // A plain group is its sequence.
                let from = base + out.len();
                let mut inner = self.sequence(from);
                self.symbol("}");
                if self.take_word("within") {
                    let (within, computed) = self.length();
                    let within = within.unwrap_or(Bound::closed(0));
                    self.parts.push(Part { from, to: from + inner.len(), within, computed });
                }
                inner[0].0 = joint;
                out.append(&mut inner);
            } else {
                let elem = self.elem();
                out.push((joint, elem));
            }
            if !self.take_word("then") {
                return out;
            }
            joint = self.joint();
        }
    }

    fn joint(&mut self) -> Joint {
        let mut joint = Joint { directly: self.take_word("directly"), ..Joint::default() };
        joint.next = self.take_word("next");
        loop {
            if self.take_word("after") {
                joint.after = Some(self.span());
            } else if self.take_word("within") {
                (joint.within, joint.computed) = self.length();
            } else {
                return joint;
            }
        }
    }

    fn elem(&mut self) -> Elem {
        if self.is_word(0, "no") || self.is_word(0, "fewer") && self.is_word(1, "than") {
            let mut fewer = 1;
            if self.word() == "fewer" {
                self.expect("than");
                fewer = self.count();
                self.expect("of");
            }
            let (mut events, mut inner) = (vec![], vec![]);
            if self.take_symbol("{") {
                for (joint, elem) in self.sequence(0) {
                    let Elem::Step(step) = elem else { panic!("not in an absence: {elem:?}") };
                    events.push(Guard { classes: step.classes, cond: step.cond, by: step.by });
                    inner.push((joint, step.name));
                }
                self.symbol("}");
            } else {
                events = self.guards();
            }
            let end = if self.take_word("within") {
                Some(match self.expr() {
                    Expr::Span(d) => End::After(d),
                    d => End::Computed(d),
                })
            } else {
                self.take_word("until").then(|| End::Until(self.expr()))
            };
            return Elem::Absence { events, inner, fewer, end };
        }
        if (self.is_word(0, "all") || self.is_word(0, "any")) && self.is_symbol(1, "{") {
            let all = self.word() == "all";
            self.symbol("{");
            let mut members = vec![];
            if !all {
                let mut sequences = vec![];
                while !self.take_symbol("}") {
                    sequences.push(self.sequence(0));
                }
                let single = |s: &Vec<(Joint, Elem)>| matches!(&s[..], [(_, Elem::Step(_))]);
                if !sequences.iter().all(single) {
                    return Elem::Choice { members: sequences };
                }
                let step = |(_, elem)| match elem {
                    Elem::Step(step) => step,
                    other => panic!("not a step: {other:?}"),
                };
                return Elem::Any { members: sequences.into_iter().flatten().map(step).collect() };
            }
            while !self.take_symbol("}") {
                members.push(self.step());
            }
            let without = if self.take_word("without") { self.guards() } else { vec![] };
            return Elem::All { members, without };
        }
        let mark = self.at;
        if let Some(quant) = self.quant()
            && self.take_symbol("{")
        {
            let body = self.sequence(0).into_iter().map(|(joint, elem)| match elem {
                Elem::Step(step) => (joint, step),
                other => panic!("not in a group: {other:?}"),
            });
            let body = body.collect();
            self.symbol("}");
            let within = self.take_word("within").then(|| self.bound());
            return Elem::Group { count: quant.count, body, within };
        }
        self.at = mark;
        Elem::Step(self.step())
    }

    fn quant(&mut self) -> Option<Quant> {
        let consecutive = self.take_word("consecutive");
        let pair = |p: &Self, a, b| p.is_word(0, a) && p.is_word(1, b);
        let count = if pair(self, "at", "least") {
            self.at += 2;
            Count::AtLeast(self.count())
        } else if self.is_word(0, "exactly") && matches!(self.peek(1), Some(Token::Num(_))) {
            self.at += 1;
            Count::Exactly(self.count())
        } else if pair(self, "one", "or") {
            self.at += 3;
            Count::OneOrMore
        } else if pair(self, "zero", "or") {
            self.at += 3;
            Count::ZeroOrMore
        } else if self.is_word(0, "optional") {
            self.at += 1;
            return Some(Quant { consecutive, count: Count::Optional, distinct: vec![] });
        } else if matches!(self.peek(0), Some(Token::Num(_))) {
            let least = self.count();
            self.symbol("..");
            Count::Range(least, self.count())
        } else {
            assert!(!consecutive, "consecutive what?");
            return None;
        };
        let mut distinct = vec![];
        if self.take_word("distinct") {
            distinct.push(self.word());
            while self.take_symbol(",") {
                distinct.push(self.word());
            }
        }
        self.expect("of");
        Some(Quant { consecutive, count, distinct })
    }

    fn classes(&mut self) -> Vec<String> {
        if !self.take_symbol("(") {
            return vec![self.word()];
        }
        let mut out = vec![self.word()];
        while self.take_word("or") {
            out.push(self.word());
        }
        self.symbol(")");
        out
    }

    fn step(&mut self) -> Step {
        let mut step = Step::default();
        if self.is_symbol(1, ":") {
            step.name = Some(self.word());
            self.symbol(":");
        }
        step.quant = self.quant();
        step.classes = self.classes();
        if self.take_word("where") {
            step.cond = Some(self.expr());
        }
        if self.take_word("by") {
            step.by = self.key_items();
        }
        while self.is_word(0, "if") || self.is_word(0, "unless") {
            let unless = self.word() == "unless";
            let name = self.is_symbol(1, ":").then(|| self.word());
            if name.is_some() {
                self.symbol(":");
            }
            let events = self.guards();
            self.expect("in");
            self.expect("last");
            let (d, computed) = self.length();
            step.last.push(Last { unless, name, events, d: d.unwrap_or(Bound::closed(0)), computed });
        }
        if self.take_word("without") {
            step.without = self.guards();
        }
        if self.take_word("until") {
            if self.take_word("silent") {
                step.ends = Some(Ends { silent: true, d: self.span() });
            } else if matches!(self.peek(0), Some(Token::Span(_))) {
                step.ends = Some(Ends { silent: false, d: self.span() });
            } else {
                step.until = Some(self.guard());
            }
        }
        step
    }

    fn guards(&mut self) -> Vec<Guard> {
        let mut out = vec![self.guard()];
        while self.take_symbol(",") {
            out.push(self.guard());
        }
        out
    }

    fn guard(&mut self) -> Guard {
        let mut guard = Guard { classes: self.classes(), ..Guard::default() };
        if self.take_word("where") {
            guard.cond = Some(self.expr());
        }
        if self.take_word("by") {
            guard.by = self.key_items();
        }
        guard
    }

    fn expr(&mut self) -> Expr {
        self.binary(0)
    }

    /// Operators by how loosely they bind: `or`, `and`, `not`, comparisons, `??`, sums, products.
    fn binary(&mut self, level: usize) -> Expr {
        if level == 2 {
            if self.take_word("not") {
                return Expr::Not(Box::new(self.binary(2)));
            }
            return self.comparison();
        }
        if level == 7 {
            return self.unary();
        }
        let mut left = self.binary(level + 1);
        while let Some(op) = self.operator(level) {
            let right = self.binary(level + 1);
            left = Expr::bin(op, left, right);
        }
        left
    }

    fn operator(&mut self, level: usize) -> Option<Op> {
        let table: &[(&str, Op)] = match level {
            0 => &[("or", Op::Or)],
            1 => &[("and", Op::And)],
            4 => &[("??", Op::Default)],
            5 => &[("+", Op::Add), ("-", Op::Sub)],
            6 => &[("*", Op::Mul), ("/", Op::Div)],
            _ => &[],
        };
        table.iter().find(|(text, _)| self.take_word(text) || self.take_symbol(text)).map(|(_, op)| *op)
    }

    fn comparison(&mut self) -> Expr {
        let left = self.binary(4);
        let table = [("==", Op::Eq), ("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("<", Op::Lt), (">", Op::Gt)];
        if let Some((_, op)) = table.iter().find(|(text, _)| self.take_symbol(text)) {
            let right = self.binary(4);
            return Expr::bin(*op, left, right);
        }
        let negated = self.is_word(0, "not") && self.is_word(1, "in");
        if negated || self.is_word(0, "in") && self.is_symbol(1, "(") {
            self.at += 1 + usize::from(negated);
            self.symbol("(");
            let mut items = vec![self.expr()];
            while self.take_symbol(",") {
                items.push(self.expr());
            }
            self.symbol(")");
            let within = Expr::In(Box::new(left), items);
            return if negated { Expr::Not(Box::new(within)) } else { within };
        }
        left
    }

    fn unary(&mut self) -> Expr {
        if self.take_symbol("-") {
            return Expr::bin(Op::Sub, Expr::Num(0.0), self.unary());
        }
        match self.next() {
            Token::Num(n) => Expr::Num(n),
            Token::Span(d) => Expr::Span(d),
            Token::Str(s) => Expr::Str(s),
            Token::Sym("(") => {
                let inner = self.expr();
                self.symbol(")");
                inner
            }
            Token::Word(w) if w == "true" || w == "false" => Expr::Bool(w == "true"),
            Token::Word(w) if self.take_symbol("(") => {
                let out = self.call(&w);
                self.symbol(")");
                match out {
                    Expr::Of(sel, name, _) => {
                        self.symbol(".");
                        Expr::Of(sel, name, self.word())
                    }
                    Expr::Nth(name, n, _) => {
                        self.symbol(".");
                        Expr::Nth(name, n, self.word())
                    }
                    other => other,
                }
            }
            Token::Word(w) if self.take_symbol(".") => {
                let field = self.word();
                if w == "prev" { Expr::Prev(field) } else { Expr::Of(Sel::Plain, w, field) }
            }
            Token::Word(w) => Expr::Field(w),
            other => panic!("no expression: {other:?}"),
        }
    }

    fn call(&mut self, function: &str) -> Expr {
        match function {
            "exists" => return Expr::Exists(Box::new(self.expr())),
            "first" => return Expr::Of(Sel::First, self.word(), String::new()),
            "last" if self.is_symbol(1, ")") => return Expr::Of(Sel::Last, self.word(), String::new()),
            "nth" => {
                let name = self.word();
                self.symbol(",");
                return Expr::Nth(name, self.count(), String::new());
            }
            "percentile" => {
                let name = self.word();
                self.symbol(".");
                let field = self.word();
                self.symbol(",");
                return match self.next() {
                    Token::Num(p) => Expr::Percentile(name, field, p),
                    other => panic!("a number, not {other:?}"),
                };
            }
            "count" if self.is_word(0, "distinct") && self.is_symbol(1, "(") => {
                self.at += 2;
                let names = self.name_list();
                self.symbol(".");
                return Expr::CountDistinctOver(names, self.word());
            }
            "count" if self.take_symbol("(") => {
                let names = self.name_list();
                let cond = self.take_word("where").then(|| Box::new(self.expr()));
                return Expr::CountOver(names, cond);
            }
            _ if self.take_symbol("(") => {
                let names = self.name_list();
                self.symbol(".");
                return Expr::AggOver(aggregate(function), names, self.word());
            }
            "count" if self.take_word("distinct") => {
                let name = self.word();
                self.symbol(".");
                return Expr::CountDistinct(name, self.word());
            }
            "count" if !self.is_symbol(1, ",") => {
                let name = self.word();
                let cond = self.take_word("where").then(|| Box::new(self.expr()));
                return Expr::Count(name, cond);
            }
            _ => {}
        }
        let name = self.word();
        if self.take_symbol(".") {
            return Expr::Agg(aggregate(function), name, self.word());
        }
        let known = Stat::NAMES.iter().find(|(_, name)| *name == function);
        let stat = known.unwrap_or_else(|| panic!("no statistic: {function}")).0;
        let mut call = Call::new(stat, name, Window::Back(1));
        let more = self.take_symbol(",");
        if more {
            call.window = match (stat, self.next()) {
                (Stat::Ewma, Token::Num(n)) => Window::Weight((n * 100.0).round() as u32),
                (Stat::Prior, Token::Num(n)) => Window::Back(n as usize),
                (_, Token::Span(d)) => Window::Time(d),
                (_, Token::Word(w)) if w == "ever" => Window::Ever,
                (_, Token::Num(n)) => {
                    self.expect("events");
                    Window::Events(n as usize)
                }
                other => panic!("no window: {other:?}"),
            };
        }
        call.least = self.take_symbol(",").then(|| self.count());
        call.cond = self.take_word("where").then(|| self.expr());
        if self.take_word("by") {
            call.by = self.key_items().into_iter().map(|k| k.name).collect();
        }
        Expr::Stat(Box::new(call))
    }
}
