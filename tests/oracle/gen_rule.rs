//! Random rules of the first ring, weighted so that constructs combine and most streams still have candidates.

use super::event::Ms;
use super::expr::{Expr, Op};
use super::gen_expr::{Name, Scope, condition, having};
use super::random::Random;
use super::rule::*;
use super::valid;

const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

/// A rule that `check` accepts.
pub fn rule(r: &mut Random) -> Rule {
    loop {
        let mut rule = Maker { r, names: vec![], handed: false, plain: false, steps: 0 }.rule();
        rule.number();
        if valid::refusal(&rule).is_none() {
            return rule;
        }
    }
}

struct Maker<'a> {
    r: &'a mut Random,
    /// Names bound so far.
    names: Vec<Name>,
    handed: bool,
    /// Nothing but one-event conditions, `pick latest` and `skip past last`: what the fastest strategies are for.
    plain: bool,
    steps: usize,
}

impl Maker<'_> {
    fn rule(mut self) -> Rule {
        let mut rule = Rule::default();
        let key = |name: &str| KeyComp { name: name.into(), field: name.into(), ..KeyComp::default() };
        match self.r.weighted(&[30, 44, 10, 5, 11]) {
            0 => {}
            1 => rule.by = vec![key("k")],
            2 => rule.by = vec![key("k"), key("j")],
            3 => rule.by = vec![KeyComp { optional: true, ..key("k") }],
            _ => self.handed = true,
        }
        self.plain = self.r.percent(35);
        if self.r.percent(6) {
            let is = |c: &str| Expr::bin(Op::Eq, Expr::field("type"), Expr::Str(c.into()));
            rule.classes.push(("E".into(), Expr::bin(Op::Or, is("A"), is("B"))));
        }
        let elements = 1 + self.r.weighted(&[18, 34, 33, 15]);
        for i in 0..elements {
            if i > 0 && self.r.percent(16) {
                let timed = self.r.percent(65);
                let events = self.guards(true);
                let end = timed.then(|| End::After(self.length(1, 4)));
                rule.body.push((Joint::default(), Elem::Absence { events, inner: vec![], fewer: 1, end }));
            }
            let joint = if i > 0 { self.joint() } else { Joint::default() };
            let elem = self.elem(i == 0, elements == 1);
            rule.body.push((joint, elem));
        }
        while self.r.percent(17) {
            let events = self.guards(true);
            let end = Some(End::After(self.length(1, 5)));
            rule.body.push((Joint::default(), Elem::Absence { events, inner: vec![], fewer: 1, end }));
        }
        if self.handed {
            self.hand_over(&mut rule);
        } else if rule.by.len() == 1 && !rule.by[0].optional && self.r.percent(10) {
            // One component, from different fields.
            let comp = |field: &str| KeyComp { name: "who".into(), field: field.into(), ..KeyComp::default() };
            rule.by = vec![comp("k")];
            for step in rule.body.iter_mut().flat_map(|(_, e)| e.steps_mut()) {
                if self.r.percent(40) {
                    step.by = vec![comp("j")];
                }
            }
        }
        self.clauses(&mut rule);
        self.parts(&mut rule);
        self.choice(&mut rule);
        self.sliding(&mut rule);
        super::gen_more::spans(self.r, &mut rule);
        super::gen_more::pending(self.r, &mut rule);
        super::gen_more::named_lasts(self.r, &mut rule);
        if rule.by.len() == 1 && rule.by[0].name == "k" && self.r.percent(12) {
            self.computed_key(&mut rule.by[0]);
        }
        super::gen_more::ends(self.r, &mut rule);
        super::gen_absent::absent_groups(self.r, &mut rule);
        if !rule.classes.is_empty() && !super::render::text(&rule).contains("E ") {
            rule.classes.clear();
        }
        self.follow(&mut rule);
        rule
    }

    /// Makes one of the elements a member of `any`, beside a new sequence.
    fn choice(&mut self, rule: &mut Rule) {
        if self.handed || !self.r.percent(8) {
            return;
        }
        let at = self.r.below(rule.body.len());
        if !matches!(rule.body[at].1, Elem::Step(_) | Elem::All { .. } | Elem::Any { .. }) {
            return;
        }
        let before: Vec<String> =
            rule.body[..at].iter().flat_map(|(_, e)| e.steps()).filter_map(|s| s.name.clone()).collect();
        let mut visible: Vec<Name> = self.names.iter().filter(|n| before.contains(&n.name)).cloned().collect();
        let mut member = vec![];
        for i in 0..1 + self.r.weighted(&[20, 65, 15]) {
            let joint = if i > 0 { self.joint() } else { Joint::default() };
            let mut step = self.plain(&visible, at == 0 && i == 0);
            let many = self.r.percent(20);
            if many {
                step.quant = Some(Quant { consecutive: self.r.percent(15), count: self.count(), distinct: vec![] });
                step.cond = None;
                self.names.last_mut().expect("named").many = true;
            }
            visible.extend(self.names.last().cloned());
            member.push((joint, Elem::Step(step)));
            if self.r.percent(15) {
                let events = self.guards_over(&visible);
                let end = Some(End::After(self.length(1, 4)));
                member.push((Joint::default(), Elem::Absence { events, inner: vec![], fewer: 1, end }));
            }
        }
        let own = vec![(Joint::default(), rule.body[at].1.clone())];
        let members = if self.r.percent(50) { vec![own, member] } else { vec![member, own] };
        rule.body[at].1 = Elem::Choice { members };
    }

    /// A clock in the place of some class, where one may stand.
    fn clock(&mut self, rule: &mut Rule) {
        let before = rule.clone();
        rule.clock = Some(*self.r.choose(&[2000, 4000, 5000]));
        let at = self.r.below(rule.body.len());
        match &mut rule.body[at].1 {
            Elem::Absence { events, .. } => events[0] = Guard { classes: vec!["T".into()], ..Guard::default() },
            elem => {
                let many = elem.steps().len();
                let at = self.r.below(many);
                let step = elem.steps_mut().swap_remove(at);
                if !step.without.is_empty() && self.r.percent(50) {
                    step.without[0] = Guard { classes: vec!["T".into()], ..Guard::default() };
                } else {
                    step.classes = vec!["T".into()];
                    step.cond = None;
                }
            }
        }
        rule.number();
        if valid::refusal(rule).is_some() {
            *rule = before;
        }
    }

    /// A key for every element of a list, or one that is computed from fields.
    fn computed_key(&mut self, key: &mut KeyComp) {
        let (v, w) = (Expr::field("v"), Expr::field("w"));
        match self.r.below(5) {
            0 | 1 => {
                key.field = "t".into();
                key.each = true;
            }
            2 => key.expr = Some(Expr::bin(Op::Add, v, w)),
            3 => key.expr = Some(Expr::bin(Op::Gt, v, Expr::Num(2.0))),
            _ => key.expr = Some(Expr::bin(Op::Default, Expr::field("j"), Expr::field("k"))),
        }
    }

    /// Bounds on parts of the pattern.
    fn parts(&mut self, rule: &mut Rule) {
        for (_, elem) in &mut rule.body {
            if let Elem::Group { within, .. } = elem
                && self.r.percent(30)
            {
                *within = Some(self.bound(1, 3));
            }
        }
        if rule.body.len() > 1 && self.r.percent(10) {
            for _ in 0..1 + self.r.weighted(&[85, 15]) {
                let from = self.r.below(rule.body.len());
                let to = from + 1 + self.r.below(rule.body.len() - from);
                rule.parts.push(Part { from, to, within: self.bound(1, 5), computed: None });
            }
            rule.parts.sort_by_key(|p| (p.from, std::cmp::Reverse(p.to)));
        }
    }

    /// What becomes of the alerts.
    fn follow(&mut self, rule: &mut Rule) {
        if self.r.percent(8) {
            rule.resolve_on = self.guards(true);
        }
        if rule.sliding().is_some() && !self.names.is_empty() && self.r.percent(14) {
            rule.resolve_when = Some(having(self.r, &self.names));
        }
        if rule.body.last().is_some_and(|(_, e)| matches!(e, Elem::Absence { .. })) && self.r.percent(25) {
            rule.repeat = Some(self.length(1, 4));
        }
        if self.r.percent(7) {
            self.clock(rule);
        }
        if rule.by.is_empty() && !self.handed && self.r.percent(12) {
            let before = rule.clone();
            rule.expect_start = true;
            rule.number();
            if valid::refusal(rule).is_some() {
                *rule = before;
            }
        }
    }

    fn clauses(&mut self, rule: &mut Rule) {
        let sliding = rule.body.len() == 1 && rule.body[0].1.steps().iter().any(|s| s.repeated());
        if self.r.percent(if sliding { 85 } else { 65 }) {
            rule.within = Some(self.bound(3, 9));
        }
        if self.r.percent(if self.plain { 3 } else { 20 }) && !self.names.is_empty() {
            rule.having = Some(having(self.r, &self.names));
        }
        if self.plain {
            rule.cancel = if self.r.percent(16) { self.guards(false) } else { vec![] };
            return;
        }
        rule.pick = [Pick::Latest, Pick::First, Pick::All, Pick::Each][self.r.weighted(&[64, 14, 10, 12])];
        rule.skip = [Skip::PastLast, Skip::ToNext, Skip::NoSkip][self.r.weighted(&[66, 15, 19])].clone();
        if self.r.percent(16) {
            rule.cancel = self.guards(false);
        }
        if self.r.percent(8) {
            let by = if rule.by.len() == 2 && self.r.percent(50) { vec!["k".to_string()] } else { vec![] };
            rule.suppress = Some((self.length(2, 6), by));
        }
        if self.r.percent(7) && !self.names.is_empty() {
            let name = self.r.choose(&self.names).name.clone();
            rule.skip = if self.r.percent(50) { Skip::ToFirst(name) } else { Skip::ToLast(name) };
        }
    }

    /// What only sliding counts have.
    fn sliding(&mut self, rule: &mut Rule) {
        let [(_, Elem::Step(step))] = &rule.body[..] else { return };
        if !step.repeated() || step.until.is_some() {
            return;
        }
        if self.r.percent(12) {
            rule.within = None;
            rule.events = Some(self.r.within(2, 5) as usize);
        }
        if self.r.percent(12) && !self.names.is_empty() {
            let names = self.names.clone();
            rule.having.get_or_insert_with(|| having(self.r, &names));
            rule.lasting = Some(self.length(1, 3));
        }
    }

    /// Whole or half seconds.
    fn length(&mut self, from: i64, to: i64) -> Ms {
        let half = if self.r.percent(12) { 500 } else { 0 };
        self.r.within(from, to) * 1000 + half
    }

    fn bound(&mut self, from: i64, to: i64) -> Bound {
        Bound { d: self.length(from, to), open: self.r.percent(8) }
    }

    fn joint(&mut self) -> Joint {
        let mut joint = Joint::default();
        match self.r.weighted(&[70, 9, 6, 9, 5, 3]) {
            1 => joint.directly = true,
            2 => joint.next = true,
            3 => joint.within = Some(self.bound(1, 4)),
            4 => joint.after = Some(self.length(1, 2)),
            5 => {
                joint.after = Some(self.length(1, 2));
                joint.within = Some(self.bound(3, 5));
            }
            _ => {}
        }
        if self.r.percent(10) && joint.within.is_none() {
            joint.within = Some(self.bound(2, 5));
        }
        joint
    }

    fn classes(&mut self) -> Vec<String> {
        match self.r.below(100) {
            0..3 => vec!["any".into()],
            3..7 => vec!["E".into()],
            7..14 => {
                let at = self.r.below(4);
                vec![LETTERS[at].into(), LETTERS[(at + 1 + self.r.below(3)) % 4].into()]
            }
            _ => {
                // Mostly one letter a position, so that sequences are not all of one class.
                let at = if self.r.percent(75) { self.steps % 4 } else { self.r.below(4) };
                vec![LETTERS[at].into()]
            }
        }
    }

    fn elem(&mut self, first: bool, only: bool) -> Elem {
        let weights = if self.handed { [1, 0, 0, 0] } else { [84, 6, 5, 5] };
        match self.r.weighted(&weights) {
            0 => Elem::Step(self.step(first, only)),
            1 => {
                let before = self.names.clone();
                let members = (0..2 + self.r.weighted(&[80, 20])).map(|_| self.plain(&before, first)).collect();
                let without = if self.r.percent(25) { self.guards(false) } else { vec![] };
                Elem::All { members, without }
            }
            2 => {
                let before = self.names.clone();
                let members = (0..2).map(|_| self.plain(&before, first)).collect();
                Elem::Any { members }
            }
            _ => {
                let count = self.count();
                let outside = self.names.clone();
                let mut body = vec![];
                for i in 0..1 + self.r.weighted(&[15, 70, 15]) {
                    let joint = if i > 0 { self.group_joint() } else { Joint::default() };
                    let visible = self.names.clone();
                    body.push((joint, self.plain(&visible, first && i == 0)));
                }
                // From outside, the steps of a repeated group are lists.
                self.names[outside.len()..].iter_mut().for_each(|n| n.many = true);
                Elem::Group { count, body, within: None }
            }
        }
    }

    fn group_joint(&mut self) -> Joint {
        let mut joint = Joint::default();
        match self.r.below(6) {
            0 => joint.directly = true,
            1 => joint.within = Some(self.bound(1, 3)),
            _ => {}
        }
        joint
    }

    fn name(&mut self, many: bool) -> Option<String> {
        self.steps += 1;
        let name = ["a", "b", "c", "d", "e", "f", "g", "h", "m", "n"][(self.steps - 1) % 10].to_string();
        self.names.push(Name { name: name.clone(), many });
        Some(name)
    }

    /// A single step inside braces.
    fn plain(&mut self, visible: &[Name], first: bool) -> Step {
        let classes = self.classes();
        let scope = Scope { names: self.visible(visible), stats: true, ..Scope::default() };
        let cond = self.r.percent(if first { 15 } else { 30 }).then(|| condition(self.r, &scope));
        Step { name: self.name(false), classes, cond, ..Step::default() }
    }

    fn count(&mut self) -> Count {
        match self.r.weighted(&[40, 14, 12, 28, 6]) {
            0 => Count::AtLeast(2 + self.r.weighted(&[70, 30])),
            1 => Count::Exactly(1 + self.r.weighted(&[20, 60, 20])),
            2 => {
                let n = 1 + self.r.below(2);
                Count::Range(n, n + 1 + self.r.below(2))
            }
            3 => Count::OneOrMore,
            _ => Count::ZeroOrMore,
        }
    }

    fn step(&mut self, first: bool, only: bool) -> Step {
        let mut step = Step { classes: self.classes(), ..Step::default() };
        let before = self.names.clone();
        if self.r.percent(if only { 80 } else { 34 }) {
            let count = if !only && self.r.percent(18) { Count::Optional } else { self.count() };
            let mut quant = Quant { consecutive: false, count, distinct: vec![] };
            if count != Count::Optional {
                quant.consecutive = self.r.percent(15);
                if !matches!(count, Count::OneOrMore | Count::ZeroOrMore) && self.r.percent(20) {
                    quant.distinct.push(self.r.choose(&["v", "w", "j"]).to_string());
                    if self.r.percent(30) {
                        quant.distinct = vec!["w".into(), "j".into()];
                    }
                }
            }
            step.quant = Some(quant);
        }
        let many = step.repeated();
        step.name = self.name(many);
        let scope = Scope {
            names: self.visible(&before),
            own: if many && !self.plain { step.name.clone() } else { None },
            prev: (many || !first) && !self.plain,
            stats: true,
        };
        if self.r.percent(35) {
            step.cond = Some(condition(self.r, &scope));
        }
        if self.r.percent(8) {
            let unless = self.r.percent(60);
            let mut names = before.clone();
            if !many && self.r.percent(40) {
                names.push(Name { name: step.name.clone().expect("named"), many: false });
            }
            let events = self.guards_over(&names);
            step.last.push(Last { unless, name: None, events, d: self.bound(1, 4), computed: None });
        }
        if self.r.percent(14) {
            let mut names = before.clone();
            if !many && self.r.percent(30) {
                names.push(Name { name: step.name.clone().expect("named"), many: false });
            }
            step.without = self.guards_over(&names);
        }
        if many && self.r.percent(14) {
            let mut guards = self.guards_over(&before);
            step.until = Some(guards.swap_remove(0));
        }
        step
    }

    /// The names that conditions may read.
    fn visible(&self, names: &[Name]) -> Vec<Name> {
        if self.plain { vec![] } else { names.to_vec() }
    }

    fn guards(&mut self, cross: bool) -> Vec<Guard> {
        let names: Vec<Name> = if cross || self.r.percent(60) { self.names.clone() } else { vec![] };
        self.guards_over(&names)
    }

    fn guards_over(&mut self, names: &[Name]) -> Vec<Guard> {
        let mut out = vec![];
        for _ in 0..1 + self.r.weighted(&[85, 15]) {
            let class = self.r.choose(&["X", "X", "A", "B", "C", "D"]).to_string();
            let scope = Scope { names: self.visible(names), ..Scope::default() };
            let cond = self.r.percent(40).then(|| condition(self.r, &scope));
            let by = vec![];
            out.push(Guard { classes: vec![class], cond, by });
        }
        if !self.handed && out.len() == 1 && self.r.percent(6) {
            out[0].by = vec![KeyComp { name: "k".into(), field: "k".into(), ..KeyComp::default() }];
        }
        out
    }

    /// Gives every step its own components, each sharing one with an earlier step.
    fn hand_over(&mut self, rule: &mut Rule) {
        let comp = |name: &str| KeyComp { name: name.into(), field: name.into(), ..KeyComp::default() };
        let mut seen: Vec<&str> = vec![];
        for (_, elem) in &mut rule.body {
            for step in elem.steps_mut() {
                let mut own = match self.r.below(4) {
                    0 => vec!["k", "j"],
                    1 | 2 => vec!["k"],
                    _ => vec!["j"],
                };
                if !seen.is_empty() && own.iter().all(|c| !seen.contains(c)) {
                    own = seen.clone();
                }
                step.by = own.iter().map(|c| comp(c)).collect();
                seen.extend(own.iter().filter(|c| !seen.contains(c)).copied().collect::<Vec<_>>());
            }
        }
    }
}
