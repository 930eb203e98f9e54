//! Classification by index: from the fields of an event to the predicates that hold, without a loop over rules.
//!
//! A predicate is the stateless part of a step or guard: class and `where`, cut at its `and`s into *tests*. From the
//! tests it is derived what an event must show for the predicate to hold (`witness`); an index over that (`node`)
//! names the predicates worth asking, and only their other tests are evaluated. A test that several predicates share is
//! evaluated once an event.
//!
//! Invariant: the index never changes what holds. It leaves out only predicates that could not.

mod line;
mod node;
mod scalar;
mod witness;

use smallvec::SmallVec;

use self::line::LineTest;
pub use self::line::plain;
use self::node::{Candidate, Entry, Index, IndexBuilder, Map, Target};
use self::witness::Clause;
use super::call::value_text;
use super::digest::Digest;
use super::eval::{Ctx, passes};
use super::event::EventView;
use super::expr::{Attr, Expr};
use super::fold::fold_case;
use super::key::encode_scalar;
use crate::base::id::PredId;
use crate::base::{FieldId, RuleId, ValueRef};

/// A stateless condition on one event.
#[derive(Debug)]
pub struct Pred {
    /// What must hold, by place in the index's tests; all of it.
    tests: Vec<u32>,
    /// What kind of event it is asked of.
    pub source: PredSource,
    /// Who asked: rule and role.
    pub subscribers: Vec<(RuleId, u8)>,
}

/// What a predicate is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PredSource {
    /// Input events.
    Input,
    /// Alerts of a rule.
    Alert(RuleId),
    /// Ticks of a clock, by its place in [`super::Ruleset::clocks`].
    Clock(usize),
}

/// A part of predicates.
#[derive(Debug)]
struct Test {
    condition: Expr,
    /// Its place in [`Scratch::known`], if several predicates have it.
    shared: Option<u32>,
    /// For a condition on the whole event.
    line: Option<LineTest>,
}

/// All predicates with their index.
#[derive(Debug, Default)]
pub struct ClassIndex {
    /// By [`PredId`].
    pub preds: Vec<Pred>,
    tests: Vec<Test>,
    /// How many tests are shared.
    shared: usize,
    index: Index,
    alerts: Map<u32, Vec<PredId>>,
    clocks: Map<usize, Vec<PredId>>,
    /// By source and tests.
    interned: Map<(PredSource, Vec<u32>), PredId>,
    /// By digest.
    interned_tests: Map<Box<[u8]>, u32>,
}

/// What classification remembers within an event. One a thread; it may be used with any index.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Numbers the events.
    event: u32,
    /// By predicate: the event it was last asked of.
    asked: Vec<u32>,
    /// By target: the event it was last reached in.
    reached: Vec<u32>,
    /// By shared test: the event it was last evaluated for and what came out, in the lowest bit.
    known: Vec<u32>,
}

impl Scratch {
    fn begin(&mut self, index: &ClassIndex) {
        // The lowest bit of what is known is the answer.
        self.event = (self.event + 1) & (u32::MAX >> 1);
        if self.event == 0 {
            *self = Self { event: 1, ..Self::default() };
        }
        let fit = |stamps: &mut Vec<u32>, size: usize| {
            if stamps.len() < size {
                stamps.resize(size, 0);
            }
        };
        fit(&mut self.asked, index.preds.len());
        fit(&mut self.reached, index.index.targets.len());
        fit(&mut self.known, index.shared);
    }
}

impl ClassIndex {
    /// The id of a condition; equal conditions share one.
    pub fn intern(&mut self, source: PredSource, condition: Option<Expr>) -> PredId {
        let mut tests: Vec<u32> = Vec::new();
        for test in condition.into_iter().flat_map(Expr::conjuncts) {
            let test = self.test(test);
            if !tests.contains(&test) {
                tests.push(test);
            }
        }
        let next = PredId::from(self.preds.len());
        let id = *self.interned.entry((source, tests.clone())).or_insert(next);
        if id == next {
            self.preds.push(Pred { tests, source, subscribers: Vec::new() });
        }
        id
    }

    fn test(&mut self, condition: Expr) -> u32 {
        let next = self.tests.len() as u32;
        let at = *self.interned_tests.entry(Digest::of(&condition)).or_insert(next);
        if at == next {
            self.tests.push(Test { condition, shared: None, line: None });
        }
        at
    }

    /// Adds a subscriber.
    pub fn subscribe(&mut self, pred: PredId, rule: RuleId, role: u8) {
        self.preds[pred.index()].subscribers.push((rule, role));
    }

    /// Builds the index; call once, when all rules are in. `whole` is the field that holds the whole event.
    pub fn finish(&mut self, whole: Option<FieldId>) {
        self.interned = Map::default();
        self.interned_tests = Map::default();
        // What is asked quickly comes first; nothing that a test reads changes with the others.
        let efforts: Vec<u32> = self.tests.iter().map(|test| effort(&test.condition, whole)).collect();
        for pred in &mut self.preds {
            pred.tests.sort_by_key(|test| efforts[*test as usize]);
        }
        let mut uses = vec![0_u32; self.tests.len()];
        let clauses: Vec<Vec<Clause>> = self.tests.iter().map(|test| witness::clauses(&test.condition)).collect();
        let mut candidates = Vec::new();
        for (i, pred) in self.preds.iter().enumerate() {
            let id = PredId::from(i);
            if pred.subscribers.is_empty() {
                continue;
            }
            match pred.source {
                PredSource::Clock(clock) => self.clocks.entry(clock).or_default().push(id),
                PredSource::Alert(rule) => self.alerts.entry(rule.0).or_default().push(id),
                PredSource::Input => {
                    let mut of_pred = Vec::new();
                    for (at, test) in pred.tests.iter().enumerate() {
                        uses[*test as usize] += 1;
                        of_pred.extend(clauses[*test as usize].iter().map(|clause| (at, clause)));
                    }
                    candidates.push(Candidate { pred: id, clauses: of_pred });
                }
            }
        }
        self.shared = 0;
        for ((test, clauses), uses) in self.tests.iter_mut().zip(&clauses).zip(uses) {
            test.line = whole.and_then(|whole| LineTest::of(clauses, whole));
            if uses > 1 {
                test.shared = Some(self.shared as u32);
                self.shared += 1;
            }
        }
        self.index = IndexBuilder::build(&candidates, whole);
    }

    /// Calls `hit` once for every predicate that holds for an input event.
    #[inline]
    pub fn classify<'a, E: EventView>(&'a self, c: &Ctx<'a, E>, scratch: &mut Scratch, mut hit: impl FnMut(&'a Pred)) {
        if self.index.nodes.is_empty() {
            return;
        }
        scratch.begin(self);
        Visit { classes: self, c, scratch, hit: &mut hit }.node(0);
    }

    /// The same by asking every predicate: what the index must agree with.
    pub fn classify_plainly<'a, E: EventView>(&'a self, c: &Ctx<'a, E>, mut hit: impl FnMut(&'a Pred)) {
        let input = |pred: &&Pred| pred.source == PredSource::Input && !pred.subscribers.is_empty();
        self.preds.iter().filter(input).filter(|pred| self.holds(pred, c)).for_each(&mut hit);
    }

    /// The conditions of a predicate, by its place.
    #[cfg(test)]
    fn conditions(&self, pred: usize) -> impl Iterator<Item = &Expr> {
        self.preds[pred].tests.iter().map(|test| &self.tests[*test as usize].condition)
    }

    fn holds<'a, E: EventView>(&'a self, pred: &Pred, c: &Ctx<'a, E>) -> bool {
        pred.tests.iter().all(|test| passes(&self.tests[*test as usize].condition, c))
    }

    /// Calls `hit` for every predicate that holds for an alert of `rule`.
    pub fn classify_alert<'a, E: EventView>(&'a self, rule: RuleId, c: &Ctx<'a, E>, hit: impl FnMut(&'a Pred)) {
        self.ask(self.alerts.get(&rule.0), c, hit);
    }

    /// Calls `hit` for every predicate that holds for a tick of a clock.
    pub fn classify_tick<'a, E: EventView>(&'a self, clock: usize, c: &Ctx<'a, E>, hit: impl FnMut(&'a Pred)) {
        self.ask(self.clocks.get(&clock), c, hit);
    }

    fn ask<'a, E: EventView>(&'a self, preds: Option<&Vec<PredId>>, c: &Ctx<'a, E>, hit: impl FnMut(&'a Pred)) {
        let preds = preds.into_iter().flatten().map(|id| &self.preds[id.index()]);
        preds.filter(|pred| self.holds(pred, c)).for_each(hit);
    }

    /// Rules that see ticks of a clock.
    pub fn ticks_for(&self, clock: usize) -> impl Iterator<Item = RuleId> + '_ {
        let preds = self.clocks.get(&clock).into_iter().flatten();
        preds.flat_map(|id| self.preds[id.index()].subscribers.iter().map(|(rule, _)| *rule))
    }

    /// Whether a predicate is one on alerts.
    pub fn is_of_alerts(&self, pred: PredId) -> bool {
        matches!(self.preds[pred.index()].source, PredSource::Alert(_))
    }

    /// Whether anything reads the alerts of a rule.
    pub fn is_read(&self, rule: RuleId) -> bool {
        self.alerts.contains_key(&rule.0)
    }

    /// Rules and followers that read the alerts of a rule.
    pub fn readers(&self, rule: RuleId) -> impl Iterator<Item = RuleId> + '_ {
        let preds = self.alerts.get(&rule.0).into_iter().flatten();
        preds.flat_map(|id| self.preds[id.index()].subscribers.iter().map(|(reader, _)| *reader))
    }

    /// Whether some predicate reads alerts.
    pub fn reads_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }
}

/// About how long it takes to evaluate a condition, for the order in which parts are tried.
fn effort(condition: &Expr, whole: Option<FieldId>) -> u32 {
    let mut effort = 0_u32;
    condition.walk(&mut |e| {
        effort = effort.saturating_add(match e {
            Expr::This(Attr::Field(field)) if Some(*field) == whole => 40,
            Expr::Const(_) | Expr::This(_) => 0,
            Expr::Compare(..) | Expr::InSet(..) => 1,
            Expr::Like(_, set) => 2 + set.globs().len().min(8) as u32,
            Expr::HasText(_, test) => 2 + test.texts.len().min(8) as u32,
            Expr::Matches(..) | Expr::Extract(..) => 20,
            Expr::Fold(_) => 2,
            _ => 4,
        });
    });
    effort
}

/// One event on its way through the index.
struct Visit<'v, 'a, E, H> {
    classes: &'a ClassIndex,
    c: &'v Ctx<'a, E>,
    scratch: &'v mut Scratch,
    hit: &'v mut H,
}

impl<'a, E: EventView, H: FnMut(&'a Pred)> Visit<'_, 'a, E, H> {
    fn node(&mut self, node: u32) {
        let classes = self.classes;
        let node = &classes.index.nodes[node as usize];
        node.always.iter().for_each(|entry| self.ask(entry));
        let Some(event) = self.c.this else { return };
        for look in node.fields.iter().filter(|look| !event.lacks(look.field)) {
            if let Some(line) = &look.line
                && event.plain_line().is_some_and(|text| !line.may_hold(text))
            {
                continue;
            }
            let value = event.attr(Attr::Field(look.field));
            if value.is_missing() {
                continue;
            }
            if let Some(target) = look.present {
                self.reach(target);
            }
            match value {
                ValueRef::List(items) => {
                    self.unsure(look);
                    for item in items {
                        self.equal(look, item.as_ref(), false);
                        match item.as_ref() {
                            ValueRef::Str(text) => self.text(look, || fold_case(text)),
                            other => self.written(look, other),
                        }
                    }
                }
                ValueRef::Str(text) => {
                    self.equal(look, value, true);
                    self.text(look, || {
                        event.folded(look.field).map_or_else(|| fold_case(text), |(_, folded)| folded.into())
                    });
                }
                ValueRef::Object(_) => self.unsure(look),
                value => {
                    self.equal(look, value, true);
                    self.written(look, value);
                }
            }
        }
    }

    /// The value is no scalar: what most scalars meet is asked in full.
    #[cold]
    fn unsure(&mut self, look: &'a node::FieldNode) {
        look.scalars.iter().for_each(|scalars| scalars.all(|entry| self.ask(&entry)));
    }

    /// Searches what a value that is no text is written as.
    fn written(&mut self, look: &'a node::FieldNode, value: ValueRef<'_>) {
        if let Some((search, first)) = &look.held
            && !matches!(value, ValueRef::Object(_) | ValueRef::List(_))
            && let Some(text) = value_text(value)
        {
            search.each(&fold_case(&text), |literal| self.reach(first + literal));
        }
    }

    /// Looks a scalar up, and goes over what most scalars meet if it is the `whole` value.
    #[inline]
    fn equal(&mut self, look: &'a node::FieldNode, value: ValueRef<'_>, whole: bool) {
        let scalars = look.scalars.as_ref().filter(|_| whole);
        let mut bytes: SmallVec<[u8; 64]> = SmallVec::new();
        let is_encoded = (!look.equal.is_empty() || scalars.is_some_and(|scalars| scalars.compares()))
            && encode_scalar(value, &mut bytes);
        if is_encoded && let Some(target) = look.equal.get(&bytes[..]) {
            self.reach(*target);
        }
        if let Some(scalars) = scalars {
            scalars.each(value, &bytes, |entry| self.ask(&entry));
        }
    }

    #[inline]
    fn text<'t>(&mut self, look: &'a node::FieldNode, folded: impl FnOnce() -> std::borrow::Cow<'t, str>) {
        if look.held.is_none() && look.folded.is_empty() {
            return;
        }
        let folded = folded();
        if let Some(target) = look.folded.get(&*folded) {
            self.reach(*target);
        }
        if let Some((search, first)) = &look.held {
            search.each(&folded, |literal| self.reach(first + literal));
        }
    }

    #[inline]
    fn reach(&mut self, target: u32) {
        let reached = &mut self.scratch.reached[target as usize];
        if *reached == self.scratch.event {
            return;
        }
        *reached = self.scratch.event;
        let classes = self.classes;
        let Target { entries, node } = &classes.index.targets[target as usize];
        entries.iter().for_each(|entry| self.ask(entry));
        if let Some(node) = node {
            self.node(*node);
        }
    }

    #[inline]
    fn ask(&mut self, entry: &Entry) {
        let asked = &mut self.scratch.asked[entry.pred.index()];
        if *asked == self.scratch.event {
            return;
        }
        *asked = self.scratch.event;
        let classes = self.classes;
        let pred = &classes.preds[entry.pred.index()];
        for (at, test) in pred.tests.iter().enumerate() {
            if at < 64 && entry.known & (1 << at) != 0 {
                continue;
            }
            let test = &classes.tests[*test as usize];
            if !self.passes(test) {
                return;
            }
        }
        (self.hit)(pred);
    }

    #[inline]
    fn passes(&mut self, test: &'a Test) -> bool {
        if let Some(line) = &test.line
            && let Some(text) = self.c.this.and_then(EventView::plain_line)
            && !line.may_hold(text)
        {
            return false;
        }
        let Some(shared) = test.shared else { return passes(&test.condition, self.c) };
        let known = self.scratch.known[shared as usize];
        if known >> 1 == self.scratch.event {
            return known & 1 == 1;
        }
        let holds = passes(&test.condition, self.c);
        self.scratch.known[shared as usize] = self.scratch.event << 1 | u32::from(holds);
        holds
    }
}
