//! Writes the oracle's rules as rule text.

use super::event::duration;
use super::expr::{Agg, Expr, Op, Sel};
use super::rule::*;
use super::statistic::{Call, Window};

/// The whole text: `event` declarations and one rule `r`.
pub fn file(rule: &Rule) -> String {
    wrap(&text(rule))
}

/// Puts clauses into a rule, leaving `event` lines before it.
pub fn wrap(clauses: &str) -> String {
    let (mut head, mut body) = (String::new(), String::new());
    for line in clauses.lines() {
        let target = if ["event ", "clock "].iter().any(|word| line.trim_start().starts_with(word)) {
            &mut head
        } else {
            &mut body
        };
        target.push_str(line);
        target.push('\n');
    }
    format!("{head}rule r {{\n{body}}}\n")
}

/// The clauses, one a line.
pub fn text(rule: &Rule) -> String {
    let mut out = String::new();
    for (name, cond) in &rule.classes {
        out += &format!("event {name} = {}\n", expr(cond));
    }
    if let Some(period) = rule.clock {
        out += &format!("clock T = every {}\n", duration(period));
    }
    if rule.expect_start {
        out += "expect start\n";
    }
    if !rule.by.is_empty() {
        out += &format!("by {}\n", key_items(&rule.by));
    }
    out += "match { ";
    for (i, (joint, elem)) in rule.body.iter().enumerate() {
        if i > 0 {
            out += " ";
            out += &joint_text(joint);
            out += " ";
        }
        for _ in rule.parts.iter().filter(|p| p.from == i) {
            out += "{ ";
        }
        out += &elem_text(elem);
        for part in rule.parts.iter().rev().filter(|p| p.to == i + 1) {
            let within = part.computed.as_ref().map_or_else(|| bound(part.within), expr);
            out += &format!(" }} within {within}");
        }
    }
    out += " }";
    if let Some(d) = rule.within {
        out += &format!(" within {}", bound(d));
    }
    if let Some(d) = &rule.computed {
        out += &format!(" within {}", expr(d));
    }
    if let Some(n) = rule.events {
        out += &format!(" within {n} events");
    }
    out += "\n";
    if let Some(h) = &rule.having {
        let lasting = rule.lasting.map_or(String::new(), |d| format!(" for {}", duration(d)));
        out += &format!("having {}{lasting}\n", expr(h));
    }
    match rule.pick {
        Pick::Latest => {}
        Pick::First => out += "pick first\n",
        Pick::All => out += "pick all\n",
        Pick::Each => out += "pick each\n",
        Pick::Pending => out += "pick pending\n",
    }
    match &rule.skip {
        Skip::PastLast => {}
        Skip::ToNext => out += "after match skip to next\n",
        Skip::NoSkip => out += "after match no skip\n",
        Skip::ToFirst(name) => out += &format!("after match skip to first {name}\n"),
        Skip::ToLast(name) => out += &format!("after match skip to last {name}\n"),
    }
    if !rule.cancel.is_empty() {
        out += &format!("cancel on {}\n", guards(&rule.cancel));
    }
    if !rule.resolve_on.is_empty() {
        out += &format!("resolve on {}\n", guards(&rule.resolve_on));
    }
    if let Some(c) = &rule.resolve_when {
        out += &format!("resolve when {}\n", expr(c));
    }
    if let Some(d) = rule.repeat {
        out += &format!("repeat every {}\n", duration(d));
    }
    if let Some((d, by)) = &rule.suppress {
        out += &format!("suppress {}", duration(*d));
        if !by.is_empty() {
            out += &format!(" by {}", by.join(", "));
        }
        out += "\n";
    }
    out
}

fn bound(b: Bound) -> String {
    format!("{}{}", if b.open { "< " } else { "" }, duration(b.d))
}

fn key_items(items: &[KeyComp]) -> String {
    let one = |k: &KeyComp| {
        let mark = if k.optional { "?" } else { "" };
        if let Some(e) = &k.expr {
            return format!("{} = ({}){mark}", k.name, expr(e));
        }
        let value = if k.each { format!("each({})", k.field) } else { k.field.clone() };
        if k.name == k.field { format!("{value}{mark}") } else { format!("{} = {value}{mark}", k.name) }
    };
    items.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn joint_text(joint: &Joint) -> String {
    let mut out = "then".to_string();
    if joint.directly {
        out += " directly";
    }
    if joint.next {
        out += " next";
    }
    if let Some(d) = joint.after {
        out += &format!(" after {}", duration(d));
    }
    if let Some(d) = joint.within {
        out += &format!(" within {}", bound(d));
    }
    if let Some(d) = &joint.computed {
        out += &format!(" within {}", expr(d));
    }
    out
}

fn elem_text(elem: &Elem) -> String {
    let steps = |m: &[Step]| m.iter().map(step).collect::<Vec<_>>().join("  ");
    match elem {
        Elem::Step(s) => step(s),
        Elem::Absence { events, inner, fewer, end } => {
            let end = match end {
                None => String::new(),
                Some(End::After(d)) => format!(" within {}", duration(*d)),
                Some(End::Computed(d)) => format!(" within {}", expr(d)),
                Some(End::Until(t)) => format!(" until {}", expr(t)),
            };
            let head = if *fewer == 1 { "no".to_string() } else { format!("fewer than {fewer} of") };
            if inner.is_empty() {
                return format!("{head} {}{end}", guards(events));
            }
            let mut out = String::new();
            for (guard, (joint, name)) in events.iter().zip(inner) {
                if !out.is_empty() {
                    out += &format!(" {} ", joint_text(joint));
                }
                out += &name.as_ref().map_or(String::new(), |n| format!("{n}: "));
                out += &guards(std::slice::from_ref(guard));
            }
            format!("{head} {{ {out} }}{end}")
        }
        Elem::Any { members } => format!("any {{ {} }}", steps(members)),
        Elem::All { members, without } if without.is_empty() => format!("all {{ {} }}", steps(members)),
        Elem::All { members, without } => format!("all {{ {} }} without {}", steps(members), guards(without)),
        Elem::Choice { members } => {
            let one = |body: &Vec<(Joint, Elem)>| {
                let elems = body.iter().enumerate().map(|(i, (joint, elem))| match i {
                    0 => elem_text(elem),
                    _ => format!("{} {}", joint_text(joint), elem_text(elem)),
                });
                elems.collect::<Vec<_>>().join(" ")
            };
            format!("any {{ {} }}", members.iter().map(one).collect::<Vec<_>>().join("  "))
        }
        Elem::Group { count, body, within } => {
            let mut out = count_text(*count) + "of { ";
            for (i, (joint, s)) in body.iter().enumerate() {
                if i > 0 {
                    out += &format!(" {} ", joint_text(joint));
                }
                out += &step(s);
            }
            out + " }" + &within.map_or(String::new(), |d| format!(" within {}", bound(d)))
        }
    }
}

fn count_text(count: Count) -> String {
    match count {
        Count::AtLeast(n) => format!("at least {n} "),
        Count::Exactly(n) => format!("exactly {n} "),
        Count::Range(n, m) => format!("{n}..{m} "),
        Count::OneOrMore => "one or more ".to_string(),
        Count::ZeroOrMore => "zero or more ".to_string(),
        Count::Optional => "optional ".to_string(),
    }
}

fn classes(names: &[String]) -> String {
    if names.len() == 1 { names[0].clone() } else { format!("({})", names.join(" or ")) }
}

fn step(s: &Step) -> String {
    let mut out = s.name.as_ref().map_or(String::new(), |n| format!("{n}: "));
    if let Some(q) = &s.quant {
        if q.consecutive {
            out += "consecutive ";
        }
        out += &count_text(q.count);
        if !q.distinct.is_empty() {
            out += &format!("distinct {} ", q.distinct.join(", "));
        }
        if q.count != Count::Optional {
            out += "of ";
        }
    }
    out += &classes(&s.classes);
    if let Some(c) = &s.cond {
        out += &format!(" where {}", expr(c));
    }
    if !s.by.is_empty() {
        out += &format!(" by {}", key_items(&s.by));
    }
    for last in &s.last {
        let word = if last.unless { "unless" } else { "if" };
        let reach = last.computed.as_ref().map_or_else(|| bound(last.d), expr);
        let name = last.name.as_ref().map_or(String::new(), |n| format!("{n}: "));
        out += &format!(" {word} {name}{} in last {reach}", guards(&last.events));
    }
    if !s.without.is_empty() {
        out += &format!(" without {}", guards(&s.without));
    }
    if let Some(u) = &s.until {
        out += &format!(" until {}", guards(std::slice::from_ref(u)));
    }
    if let Some(ends) = s.ends {
        out += &format!(" until {}{}", if ends.silent { "silent " } else { "" }, duration(ends.d));
    }
    out
}

fn guards(guards: &[Guard]) -> String {
    let one = |g: &Guard| {
        let mut out = classes(&g.classes);
        if let Some(c) = &g.cond {
            out += &format!(" where {}", expr(c));
        }
        if !g.by.is_empty() {
            out += &format!(" by {}", key_items(&g.by));
        }
        out
    };
    guards.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn aggregate(agg: Agg) -> &'static str {
    match agg {
        Agg::Min => "min",
        Agg::Max => "max",
        Agg::Sum => "sum",
        Agg::Avg => "avg",
        Agg::Stddev => "stddev",
        Agg::Median => "median",
    }
}

fn statistic(call: &Call) -> String {
    let mut out = format!("{}({}", call.stat.name(), call.field);
    out += &match call.window {
        Window::Time(d) => format!(", {}", duration(d)),
        Window::Events(n) => format!(", {n} events"),
        Window::Ever => ", ever".to_string(),
        Window::Weight(hundredths) => format!(", {:.2}", f64::from(hundredths) / 100.0),
        Window::Back(1) => String::new(),
        Window::Back(n) => format!(", {n}"),
    };
    if let Some(least) = call.least {
        out += &format!(", {least}");
    }
    if let Some(cond) = &call.cond {
        out += &format!(" where {}", expr(cond));
    }
    if !call.by.is_empty() {
        out += &format!(" by {}", call.by.join(", "));
    }
    out + ")"
}

/// An expression, with parentheses around every operation inside another.
pub fn expr(e: &Expr) -> String {
    let inner = |e: &Expr| match e {
        Expr::Bin(..) | Expr::Not(_) | Expr::In(..) => format!("({})", expr(e)),
        other => expr(other),
    };
    match e {
        Expr::Num(n) => format!("{n}"),
        Expr::Str(s) => format!("\"{s}\""),
        Expr::Bool(b) => format!("{b}"),
        Expr::Span(d) => duration(*d),
        Expr::Field(f) => f.clone(),
        Expr::Of(Sel::Plain, n, f) => format!("{n}.{f}"),
        Expr::Of(Sel::First, n, f) => format!("first({n}).{f}"),
        Expr::Of(Sel::Last, n, f) => format!("last({n}).{f}"),
        Expr::Prev(f) => format!("prev.{f}"),
        Expr::Count(n, None) => format!("count({n})"),
        Expr::Count(n, Some(c)) => format!("count({n} where {})", expr(c)),
        Expr::CountDistinct(n, f) => format!("count(distinct {n}.{f})"),
        Expr::Agg(a, n, f) => format!("{}({n}.{f})", aggregate(*a)),
        Expr::Nth(n, i, f) => format!("nth({n}, {i}).{f}"),
        Expr::Percentile(n, f, p) => format!("percentile({n}.{f}, {p})"),
        Expr::CountOver(ns, None) => format!("count(({}))", ns.join(", ")),
        Expr::CountOver(ns, Some(c)) => format!("count(({}) where {})", ns.join(", "), expr(c)),
        Expr::CountDistinctOver(ns, f) => format!("count(distinct ({}).{f})", ns.join(", ")),
        Expr::AggOver(a, ns, f) => format!("{}(({}).{f})", aggregate(*a), ns.join(", ")),
        Expr::Stat(call) => statistic(call),
        Expr::Exists(a) => format!("exists({})", expr(a)),
        Expr::Not(a) => format!("not {}", inner(a)),
        Expr::In(a, items) => {
            format!("{} in ({})", inner(a), items.iter().map(expr).collect::<Vec<_>>().join(", "))
        }
        Expr::Bin(op, a, b) => {
            let sign = match op {
                Op::Or => "or",
                Op::And => "and",
                Op::Eq => "==",
                Op::Ne => "!=",
                Op::Lt => "<",
                Op::Le => "<=",
                Op::Gt => ">",
                Op::Ge => ">=",
                Op::Default => "??",
                Op::Add => "+",
                Op::Sub => "-",
                Op::Mul => "*",
                Op::Div => "/",
            };
            format!("{} {sign} {}", inner(a), inner(b))
        }
    }
}
