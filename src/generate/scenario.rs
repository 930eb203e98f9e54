//! One scenario: events that are meant to make a rule fire once.
//!
//! Goes along the pattern, makes the events that each element asks for and moves a virtual time between them. What the
//! pattern leaves open (how many, how far apart, which branch, how large) is chosen at random, so that some attempt
//! meets also what cannot be solved (`having`, statistics).

use std::collections::BTreeMap;

use fastrand::Rng;

use super::draft::Draft;
use super::scope::{Scope, key_of};
use super::solve::magnitude;
use super::value::{Bound, Past, View};
use super::walk::{alert_field, counted_in_having, expects, parts_of, steps_of};
use crate::base::{Duration, Timestamp, Value};
use crate::syntax::ast::{
    Absence, ClauseKind, Count, Element, Expr, ExprKind, Guard, KeyItem, RuleDecl, Sequence, Step, StepGuard,
    StepGuardKind, Then,
};
use crate::syntax::statistic::is_ever;

/// Most events of one repetition.
const MOST: u64 = 400;

/// What one attempt chooses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Knobs {
    /// Events beyond the least number, by way of choice.
    more: u64,
    /// Time between events that nothing bounds.
    pace: Duration,
    /// Earlier events of the class, for running statistics.
    past: u32,
    /// Whether fields that the rule reads and no condition sets are given a value.
    fill: bool,
    /// How large the numbers among them are.
    size: Option<f64>,
    /// Different values extend what a class asks for, instead of replacing it.
    extend: bool,
    /// How many in ten events also meet what `having` counts.
    share: u8,
    /// The hour and weekday at which it begins.
    begin: Duration,
}

impl Knobs {
    /// Chooses; the first attempts are the plainest.
    pub fn choose(attempt: u32, scope: &Scope<'_>, rng: &mut Rng) -> Self {
        let numbers = scope.numbers();
        let more = match attempt % 4 {
            0 => 0,
            1 => 1,
            2 => rng.u64(1..6),
            _ if numbers.is_empty() => rng.u64(1..20),
            _ => (numbers[rng.usize(0..numbers.len())].abs().min(MOST as f64) as u64) + rng.u64(0..2),
        };
        let pace = [1_000, 5_000, 200, 60_000, 600_000][(attempt / 4) as usize % 5];
        let past = if attempt.is_multiple_of(3) { 0 } else { rng.u32(2..40) };
        Self {
            more,
            pace: Duration::from_millis(pace),
            past,
            fill: attempt % 5 != 4,
            size: (attempt % 2 == 1).then(|| magnitude(numbers, rng)),
            extend: attempt / 2 % 2 == 1,
            share: if attempt % 7 < 4 { 10 } else { rng.u8(0..10) },
            begin: Duration::from_secs(rng.i64(0..7 * 24) * 3600),
        }
    }

    /// Begins with the stream.
    pub fn at_once(&mut self) {
        self.begin = Duration::ZERO;
    }
}

/// Makes scenarios of a rule.
#[derive(Debug)]
pub struct Builder<'b> {
    scope: &'b Scope<'b>,
    knobs: Knobs,
    /// The events made.
    pub drafts: Vec<Draft>,
    now: Timestamp,
    salt: u64,
    rng: &'b mut Rng,
}

/// What holds in the pattern of one rule.
#[derive(Debug, Default)]
struct Frame {
    /// Values of key components.
    components: BTreeMap<String, Value>,
    /// Values that fields must have in all events, because a rule above reads them.
    pins: Vec<(Vec<String>, Value)>,
    bound: Bound,
    /// The longest that one repetition may last.
    within: Option<Duration>,
    /// How long a condition must hold.
    lasting: Option<Duration>,
    /// What the earlier events of a class were like.
    past: Option<Past>,
}

impl<'b> Builder<'b> {
    /// Begins; `salt` makes the keys of scenarios different.
    pub fn new(scope: &'b Scope<'b>, knobs: Knobs, start: Timestamp, salt: u64, rng: &'b mut Rng) -> Self {
        Self { scope, knobs, drafts: Vec::new(), now: start + knobs.begin, salt: salt * 1000, rng }
    }

    /// Makes the events of one match of a rule.
    pub fn rule(&mut self, rule: &'b RuleDecl) {
        let begin = self.now;
        self.matched(rule, Frame::default());
        let mut ticks = false;
        steps_of(rule, &mut |step| ticks |= self.scope.clock(step).is_some());
        if expects(rule) || ticks {
            // Time passes only between events.
            self.drafts.push(self.scope.other(begin));
            self.drafts.push(self.scope.other(self.now + Duration::from_secs(1)));
        }
        self.drafts.sort_by_key(|draft| draft.ts);
    }

    fn matched(&mut self, rule: &'b RuleDecl, mut frame: Frame) {
        let mut body = None;
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::Match(found) => {
                    frame.within = found.within.as_ref().and_then(fixed);
                    body = Some(&found.body);
                }
                ClauseKind::Having { lasting, .. } => frame.lasting = lasting.as_ref().and_then(fixed),
                _ => {}
            }
        }
        let Some(body) = body else { return };
        match &*body.first {
            Element::Step(step) if expects(rule) && self.scope.clock(step).is_none() => {
                // The virtual first event is none of the stream.
                let mut draft = Draft::new(self.now);
                draft.step = name_of(step);
                self.set_keys(key_of(rule), &mut draft, &mut frame);
                frame.bound.steps.push((name_of(step), draft));
            }
            first => self.element(first, rule, &mut frame),
        }
        for (then, element) in &body.rest {
            self.joint(then, &frame);
            self.element(element, rule, &mut frame);
        }
    }

    fn sequence(&mut self, sequence: &'b Sequence, rule: &'b RuleDecl, frame: &mut Frame) {
        self.element(&sequence.first, rule, frame);
        for (then, element) in &sequence.rest {
            self.joint(then, frame);
            self.element(element, rule, frame);
        }
    }

    /// Moves time between two elements.
    fn joint(&mut self, then: &Then, frame: &Frame) {
        let mut gap = self.step_time(frame, 8);
        if let Some(most) = then.within.as_ref().and_then(|within| self.length(within, frame)) {
            gap = gap.min(Duration(most.0 / 2));
        }
        if let Some(least) = then.after.as_ref().and_then(fixed) {
            gap = gap.max(least);
        }
        self.now = self.now + gap;
    }

    /// Time between two of so many events.
    fn step_time(&self, frame: &Frame, events: u64) -> Duration {
        if let Some(lasting) = frame.lasting {
            // The condition must hold from the first event that makes it true to one so much later.
            let whole = lasting.0 + frame.within.map_or(0, |within| within.0);
            return Duration(whole / (events.max(1) as i64) / 1_000_000 * 1_000_000 + 1_000_000);
        }
        let most = frame.within.map_or(self.knobs.pace.0, |within| within.0 / (events.max(1) as i64 * 2));
        Duration(self.knobs.pace.0.min(most).max(1_000_000) / 1_000_000 * 1_000_000)
    }

    fn element(&mut self, element: &'b Element, rule: &'b RuleDecl, frame: &mut Frame) {
        match element {
            Element::Step(step) => self.step(step, rule, frame),
            Element::Absence(absence) => self.absence(absence, frame),
            Element::All(all) => {
                let mut members: Vec<&Step> = all.members.iter().collect();
                self.rng.shuffle(&mut members);
                for (n, member) in members.into_iter().enumerate() {
                    if n > 0 {
                        self.now = self.now + self.step_time(frame, 8);
                    }
                    self.step(member, rule, frame);
                }
            }
            Element::Any(any) => {
                let chosen = self.rng.usize(0..any.members.len().max(1));
                if let Some(member) = any.members.get(chosen) {
                    self.step(member, rule, frame);
                }
            }
            Element::Choice(choice) => {
                let chosen = self.rng.usize(0..choice.members.len().max(1));
                if let Some(member) = choice.members.get(chosen) {
                    self.sequence(member, rule, frame);
                }
            }
            Element::Group(group) => {
                let times = group.quantifier.as_ref().map_or(1, |q| self.times(q.count));
                for n in 0..times {
                    if n > 0 {
                        self.now = self.now + self.step_time(frame, 4 * times);
                    }
                    self.sequence(&group.body, rule, frame);
                }
            }
        }
    }

    fn absence(&mut self, absence: &Absence, frame: &Frame) {
        let end = match (&absence.within, &absence.until) {
            (Some(within), _) => self.length(within, frame).map(|length| self.now + length),
            (None, Some(until)) => match self.view(&frame.bound, None).eval(until, &Draft::new(self.now)) {
                Value::Time(end) => Some(end),
                _ => None,
            },
            (None, None) => None,
        };
        if let Some(end) = end {
            self.now = self.now.max(end) + Duration::from_millis(1);
        }
    }

    /// The length of a bound, computed from what is bound if it is not fixed.
    fn length(&self, bound: &Expr, frame: &Frame) -> Option<Duration> {
        fixed(bound).or_else(|| match self.view(&frame.bound, None).eval(bound, &Draft::new(self.now)) {
            Value::Duration(length) => Some(length),
            _ => None,
        })
    }

    fn times(&mut self, count: Count) -> u64 {
        let more = self.knobs.more;
        match count {
            Count::AtLeast(n) => n.saturating_add(more),
            Count::Exactly(n) => n,
            Count::Range(low, high) => (low + more % (high - low + 1)).max(1),
            Count::OneOrMore => 1 + more,
            Count::ZeroOrMore => more,
            Count::Optional => more % 2,
        }
        .min(MOST.max(least(count)))
    }

    fn step(&mut self, step: &'b Step, rule: &'b RuleDecl, frame: &mut Frame) {
        let times = step.quantifier.as_ref().map_or(1, |q| self.times(q.count));
        // All of them come before time ends the repetition.
        let ends = step.ends.as_ref().and_then(|ends| fixed(&ends.length));
        let most = ends.map(|length| Duration(length.0 / (times.max(1) as i64)));
        for n in 0..times {
            if n > 0 {
                let gap = self.step_time(frame, times + 4);
                self.now = self.now + most.map_or(gap, |most| gap.min(most));
            }
            self.event(step, rule, frame);
        }
        if let Some(until) = &step.until {
            self.now = self.now + self.step_time(frame, times + 4);
            let draft = self.guard_event(until, key_of(rule), rule, frame, None);
            self.drafts.extend(draft);
        }
        if let Some(length) = ends {
            self.now = self.now + length + Duration::from_millis(1);
        }
    }

    fn event(&mut self, step: &'b Step, rule: &'b RuleDecl, frame: &mut Frame) {
        if let Some(clock) = self.scope.clock(step) {
            self.now = clock.at_or_after(self.now + Duration::from_millis(1)).unwrap_or(self.now);
            frame.bound.steps.push((name_of(step), Draft { step: name_of(step), ..Draft::new(self.now) }));
            return;
        }
        let Some(class) = step.classes.get(self.rng.usize(0..step.classes.len().max(1))) else { return };
        let items = keys(key_of(rule), &step.by);
        if let Some(below) = class.name.strip_prefix("alert.") {
            self.alert_below(below, step, &items, frame);
            return;
        }
        if self.knobs.past > 0 {
            self.past_of(step, &class.name, &items, frame);
        }
        let past = frame.past;
        let mut draft = self.scope.of_class(&class.name, self.now);
        draft.step = name_of(step);
        if let Some(condition) = self.scope.condition(&class.name) {
            self.view(&frame.bound, None).solve(condition, true, &mut draft, self.rng);
        }
        self.set_keys(&items, &mut draft, frame);
        for distinct in step.quantifier.iter().flat_map(|q| &q.distinct) {
            self.unique(distinct, &mut draft, frame);
        }
        if self.knobs.fill {
            self.fill(rule, &mut draft);
        }
        if self.rng.u8(0..10) < self.knobs.share {
            for condition in counted_in_having(rule) {
                self.view(&frame.bound, None).solve(condition, true, &mut draft, self.rng);
            }
        }
        for guard in &step.guards {
            // The step's condition may read it.
            let Some(name) = &guard.name else { continue };
            if let Some(mut made) = self.looked_back_at(guard, &items, rule, frame, None) {
                self.fill(rule, &mut made);
                made.step = Some(name.name.clone());
                frame.bound.steps.push((made.step.clone(), made.clone()));
                self.drafts.push(made);
            }
        }
        if let Some(condition) = &step.condition {
            let own = step.name.as_ref().map(|name| name.name.as_str());
            let view = View { past, ..self.view(&frame.bound, own) };
            view.solve(condition, true, &mut draft, self.rng);
        }
        let unnamed = |guard: &&StepGuard| guard.kind == StepGuardKind::If && guard.name.is_none();
        for guard in step.guards.iter().filter(unnamed) {
            let mut bound = frame.bound.clone();
            bound.steps.push((name_of(step), draft.clone()));
            let made = self.looked_back_at(guard, &items, rule, frame, Some(&bound));
            self.drafts.extend(made);
        }
        frame.bound.steps.push((name_of(step), draft.clone()));
        self.drafts.push(draft);
    }

    /// An event that an `if … in last d` finds.
    fn looked_back_at(
        &mut self,
        guard: &StepGuard,
        items: &[KeyItem],
        rule: &RuleDecl,
        frame: &mut Frame,
        bound: Option<&Bound>,
    ) -> Option<Draft> {
        let length = guard.last.as_ref().and_then(|last| self.length(last, frame)).unwrap_or(self.knobs.pace);
        let mut made = self.guard_event(guard.events.first()?, items, rule, frame, bound)?;
        made.ts = self.now - Duration((length.0 / 2).max(1));
        Some(made)
    }

    /// An event that hits a guard; it stands at the present time.
    fn guard_event(
        &mut self,
        guard: &Guard,
        items: &[KeyItem],
        rule: &RuleDecl,
        frame: &mut Frame,
        bound: Option<&Bound>,
    ) -> Option<Draft> {
        let class = guard.classes.first().filter(|class| !class.name.starts_with("alert"))?;
        let mut draft = self.scope.of_class(&class.name, self.now);
        let bound = bound.unwrap_or(&frame.bound).clone();
        if let Some(condition) = self.scope.condition(&class.name) {
            self.view(&bound, None).solve(condition, true, &mut draft, self.rng);
        }
        let own = if guard.by.is_empty() { keys(key_of(rule), items) } else { guard.by.clone() };
        self.set_keys(&own, &mut draft, frame);
        if let Some(condition) = &guard.condition {
            self.view(&bound, None).solve(condition, true, &mut draft, self.rng);
        }
        Some(draft)
    }

    /// An event that hits a guard of a rule, at a time beside the events of a scenario; its key is that of the first.
    /// `fill` gives fields that the rule reads a value.
    pub fn forbidden(
        scope: &'b Scope<'b>,
        guard: &Guard,
        rule: &RuleDecl,
        scenario: &[Draft],
        ts: Timestamp,
        fill: bool,
        rng: &'b mut Rng,
    ) -> Option<Draft> {
        let knobs = Knobs { fill, ..Knobs::default() };
        let mut builder = Builder::new(scope, knobs, ts, 0, rng);
        let mut frame = Frame::default();
        let named = scenario.iter().filter(|draft| draft.step.is_some());
        frame.bound.steps = named.map(|draft| (draft.step.clone(), draft.clone())).collect();
        for item in key_of(rule) {
            let path = scope.key_field(item)?;
            let value = scenario.iter().map(|draft| draft.get(&path)).find(|value| !value.as_ref().is_missing())?;
            frame.components.insert(component(item), value);
        }
        let mut draft = builder.guard_event(guard, key_of(rule), rule, &mut frame, None)?;
        if fill {
            builder.fill(rule, &mut draft);
        }
        Some(draft)
    }

    /// A match of a rule whose alert the step takes.
    fn alert_below(&mut self, name: &str, step: &'b Step, items: &[KeyItem], frame: &mut Frame) {
        let Some(below) = self.scope.rules.get(name).copied() else { return };
        let mut inner = Frame::default();
        for item in items {
            let name = component(item);
            let value = self.component(&name, std::slice::from_ref(&name), frame);
            let ExprKind::Path(path) = &item.value.kind else { continue };
            let parts: Vec<&str> = path.parts.iter().map(|part| part.name.as_str()).collect();
            let wanted = if let ["key", rest] = parts.as_slice() { *rest } else { parts.last().copied().unwrap_or("") };
            if key_of(below).iter().any(|key| component(key) == wanted) {
                inner.components.insert(wanted.to_owned(), value);
            } else if let Some(field) = alert_field(below, wanted) {
                inner.pins.push((field, value));
            }
        }
        let before = self.drafts.len();
        self.matched(below, inner);
        let mut draft =
            self.drafts.get(before..).and_then(<[Draft]>::last).cloned().unwrap_or_else(|| Draft::new(self.now));
        draft.step = name_of(step);
        frame.bound.steps.push((name_of(step), draft));
    }

    /// Earlier events of the class, where the step's condition has a statistic: ordinary ones, evenly spread.
    fn past_of(&mut self, step: &Step, class: &str, items: &[KeyItem], frame: &mut Frame) {
        let Some(condition) = &step.condition else { return };
        let (mut lengths, mut fields) = (Vec::new(), Vec::new());
        // What a statistic asks of the earlier events, and by which fields it tells them apart.
        let (mut conditions, mut others) = (Vec::new(), Vec::new());
        let view = self.view(&frame.bound, step.name.as_ref().map(|name| name.name.as_str()));
        parts_of(condition, &mut |part| {
            let ExprKind::Call(call) = &part.kind else { return };
            let length = match call.args.get(1) {
                Some(Expr { kind: ExprKind::Duration(d), .. }) => Some(Duration(*d)),
                Some(arg) if is_ever(arg) => Some(Duration(self.knobs.pace.0.saturating_mul(40))),
                _ => call.events.map(|n| Duration(self.knobs.pace.0.saturating_mul(n as i64 + 1))),
            };
            let Some(length) = length else { return };
            conditions.extend(call.condition.as_deref());
            others.extend(call.by.iter().filter_map(|item| view.field(&item.value)));
            match call.args.first().and_then(|arg| view.field(arg)) {
                Some(field) => fields.push(field),
                None if call.by.is_empty() => return,
                None => {}
            }
            lengths.push(length);
        });
        let (Some(shortest), Some(longest)) = (lengths.iter().min().copied(), lengths.iter().max().copied()) else {
            return;
        };
        if frame.bound.has(step.name.as_ref().map_or("", |name| &name.name)) {
            return;
        }
        let numbers = self.scope.numbers();
        let centre = magnitude(numbers, self.rng);
        frame.past = Some(Past { centre, events: i64::from(self.knobs.past) });
        let mut spans = vec![(Duration::ZERO, shortest, centre)];
        if longest > shortest && self.rng.bool() {
            // What lies further back was of another size: the mean moved.
            spans.push((shortest, longest, centre + magnitude(numbers, self.rng)));
        }
        for (from, to, centre) in spans {
            let gap = Duration((to.0 - from.0) / (i64::from(self.knobs.past) + 2));
            for n in 1..=i64::from(self.knobs.past) {
                let ts = self.now - from - Duration(gap.0 * n);
                let mut draft = self.scope.of_class(class, ts);
                if let Some(condition) = self.scope.condition(class) {
                    self.view(&frame.bound, None).solve(condition, true, &mut draft, self.rng);
                }
                for condition in &conditions {
                    self.view(&frame.bound, None).solve(condition, true, &mut draft, self.rng);
                }
                for field in fields.iter().chain(&others) {
                    self.salt += 1;
                    let value = match self.scope.plausible(field, self.salt, self.rng) {
                        Value::Str(text) => Value::Str(text),
                        _ => {
                            let jitter = 1.0 + (self.rng.f64() - 0.5) * 0.05;
                            Value::number(super::scope::rounded(centre * jitter))
                        }
                    };
                    draft.set(field, &value);
                }
                self.set_keys(items, &mut draft, frame);
                self.drafts.push(draft);
            }
        }
    }

    fn view<'v>(&self, bound: &'v Bound, own: Option<&'v str>) -> View<'v>
    where
        'b: 'v,
    {
        View { scope: self.scope, bound, own, past: None }
    }

    fn component(&mut self, name: &str, path: &[String], frame: &mut Frame) -> Value {
        if let Some(value) = frame.components.get(name) {
            return value.clone();
        }
        self.salt += 1;
        let known = self.scope.looked_up(path).cloned();
        let row = known.and_then(|(table, column)| self.scope.table_key(&table, column, self.rng));
        let value = row.unwrap_or_else(|| self.scope.plausible(path, self.salt, self.rng));
        frame.components.insert(name.to_owned(), value.clone());
        value
    }

    fn set_keys(&mut self, items: &[KeyItem], draft: &mut Draft, frame: &mut Frame) {
        for item in items {
            let Some(path) = self.view(&Bound::default(), None).field(&item.value) else { continue };
            let value = self.component(&component(item), &path, frame);
            draft.set(&path, &value);
        }
        for (path, value) in &frame.pins {
            draft.set(path, value);
        }
    }

    fn unique(&mut self, distinct: &Expr, draft: &mut Draft, frame: &Frame) {
        let Some(path) = self.view(&frame.bound, None).field(distinct) else { return };
        if frame.pins.iter().any(|(pinned, _)| *pinned == path) {
            return;
        }
        self.salt += 1;
        let value = match (draft.get(&path), self.scope.plausible(&path, self.salt, self.rng)) {
            (Value::Str(there), _) if self.knobs.extend => Value::Str(format!("{there}{}", self.salt).into()),
            (_, Value::Int(_)) => Value::Int(self.salt as i64 % 60_000),
            (_, other) => other,
        };
        draft.set(&path, &value);
    }

    /// Gives the fields that the rule reads a value.
    fn fill(&mut self, rule: &RuleDecl, draft: &mut Draft) {
        let Some(plan) = self.scope.ruleset.rule(&rule.name.name) else { return };
        for field in &plan.kept {
            let path = &self.scope.ruleset.fields[field.index()];
            let inside = path.iter().any(|part| part.starts_with('@'));
            if !inside && path != self.scope.type_field && draft.get(path) == Value::Missing {
                self.salt += 1;
                let value = match (self.scope.plausible(path, self.salt, self.rng), self.knobs.size) {
                    (Value::Int(_), Some(size)) => Value::number(size),
                    (value, _) => value,
                };
                draft.set(path, &value);
            }
        }
    }
}

fn name_of(step: &Step) -> Option<String> {
    step.name.as_ref().map(|name| name.name.clone())
}

fn least(count: Count) -> u64 {
    match count {
        Count::AtLeast(n) | Count::Exactly(n) | Count::Range(n, _) => n,
        Count::OneOrMore => 1,
        Count::ZeroOrMore | Count::Optional => 0,
    }
}

/// The fixed length of a bound.
pub fn fixed(expr: &Expr) -> Option<Duration> {
    match &expr.kind {
        ExprKind::Duration(d) => Some(Duration(*d)),
        ExprKind::Below(inner) => fixed(inner).map(|d| Duration((d.0 - 1_000_000).max(0))),
        _ => None,
    }
}

/// The name of a key component; empty for one that `check` refuses.
pub fn component(item: &KeyItem) -> String {
    item.component_name().unwrap_or_default()
}

/// The rule's key items, with those of the step over them.
fn keys(rule: &[KeyItem], own: &[KeyItem]) -> Vec<KeyItem> {
    let mut items: Vec<KeyItem> = rule.to_vec();
    for item in own {
        match items.iter_mut().find(|known| component(known) == component(item)) {
            Some(known) => *known = item.clone(),
            None => items.push(item.clone()),
        }
    }
    items
}
