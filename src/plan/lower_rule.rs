//! One rule: its clauses, key components and roles, put together from what [`super::lower_pattern`] makes of its
//! pattern.

use std::sync::Arc;

use super::automaton::Automaton;
use super::classify::PredSource;
use super::expr::{Attr, Expr};
use super::fields::WHOLE_EVENT;
use super::key::{KeyPart, KeySpec};
use super::lower::{SetBuilder, fingerprint};
use super::lower_expr::{Lowering, Place};
use super::lower_pattern::{Way, bound};
use super::ruleset::{
    AfterMatch, Ahead, AlertExpr, Element, ElementKind, Guard, Join, KeyComponent as Component, Meta, Role, RoleKind,
    Rule, Severity, SeverityRule, Step, Suppress, TemplatePiece,
};
use super::sliding::Sliding;
use super::strategy;
use crate::base::id::{GuardId, PredId};
use crate::base::{RuleId, StepId, Value};
use crate::syntax::ast::{self, ClauseKind, ExprKind, Pick};
use crate::syntax::source::Span;

pub(super) struct RuleBuilder<'s, 'a> {
    pub(super) set: &'s mut SetBuilder<'a>,
    pub(super) id: RuleId,
    pub(super) decl: &'s ast::RuleDecl,
    pub(super) steps: Vec<Step>,
    pub(super) guards: Vec<Guard>,
    pub(super) roles: Vec<Role>,
    /// Components by name: the place is the id.
    pub(super) components: Vec<Arc<str>>,
    /// What a component's name defaults to as a path, where it does.
    pub(super) component_paths: Vec<Option<Vec<String>>>,
    /// Of the rule's `by`.
    pub(super) rule_key: Vec<(usize, ast::KeyItem)>,
    /// Of each step.
    pub(super) step_keys: Vec<Vec<Component>>,
    pub(super) step_asts: Vec<&'s ast::Step>,
    /// Names that look-backs give to what they find, in written order.
    pub(super) found: Vec<Arc<str>>,
    /// Names inside absences of groups that have been lowered, with the step before the absence.
    pub(super) absent: Vec<(StepId, StepId)>,
    pub(super) pending_roles: Vec<PendingRole>,
    pub(super) reads: Vec<RuleId>,
    /// How often predicates ask for the whole event: they are decided before events are kept.
    pub(super) whole_in_predicates: usize,
}

/// A role whose key spec is not known until all components are.
pub(super) struct PendingRole {
    pub(super) kind: RoleKind,
    pub(super) preds: Vec<PredId>,
    pub(super) components: Vec<Component>,
}

impl<'s, 'a> RuleBuilder<'s, 'a> {
    pub(super) fn build(
        set: &'s mut SetBuilder<'a>,
        id: RuleId,
        decl: &'s ast::RuleDecl,
        level: u32,
        reads: &[RuleId],
    ) -> (Rule, Vec<(Span, String)>) {
        set.fields.take_touched();
        let builder = RuleBuilder {
            set,
            id,
            decl,
            steps: Vec::new(),
            guards: Vec::new(),
            roles: Vec::new(),
            components: Vec::new(),
            component_paths: Vec::new(),
            rule_key: Vec::new(),
            step_keys: Vec::new(),
            step_asts: Vec::new(),
            found: Vec::new(),
            absent: Vec::new(),
            pending_roles: Vec::new(),
            reads: reads.to_vec(),
            whole_in_predicates: 0,
        };
        builder.run(level)
    }

    fn run(mut self, level: u32) -> (Rule, Vec<(Span, String)>) {
        let declarations = self.set.declarations;
        let limits = self.set.input.limits;
        let mut fields = std::mem::take(&mut self.set.fields);
        let mut low = Lowering::new(&mut fields, declarations, limits);
        let decl = self.decl;

        for clause in &decl.clauses {
            if let ClauseKind::By(items) = &clause.kind {
                for item in items {
                    let at = self.component(item);
                    self.rule_key.push((at, item.clone()));
                }
            }
        }
        let empty = ast::Sequence {
            first: Box::new(ast::Element::Absence(ast::Absence {
                fewer: None,
                events: Vec::new(),
                group: None,
                within: None,
                until: None,
                span: decl.span,
            })),
            rest: Vec::new(),
            span: decl.span,
        };
        let clause = decl.clauses.iter().find_map(|c| match &c.kind {
            ClauseKind::Match(m) => Some(m),
            _ => None,
        });
        // Names first: a condition may only read earlier names, but which are names must be known.
        if let Some(clause) = clause {
            self.declare_steps(&clause.body, &mut low);
        }
        let body = clause.map_or(&empty, |m| &m.body);
        self.declare_found(&mut low);
        self.declare_absent(body, &mut low);
        for at in 0..self.step_asts.len() {
            self.step_keys[at] = self.step_components(self.step_asts[at], &mut low);
        }
        let cancel: Vec<GuardId> = decl
            .clauses
            .iter()
            .filter_map(|c| match &c.kind {
                ClauseKind::CancelOn(guards) => Some(guards),
                _ => None,
            })
            .flatten()
            .map(|g| self.guard(g, None, None, &mut low))
            .collect();
        let mut ways = self.sequence(body, &mut low);
        let Way { elements, parts, computed_parts, ahead: trailing } = ways.first().cloned().unwrap_or_default();
        if ways.len() == 1 {
            ways.clear();
        }
        self.add_found();
        let follow = self.follow(&cancel, &trailing, &mut low);
        let expect = self.expect(&elements, &mut low);
        let (within, computed_within) = bound(clause.and_then(|m| m.within.as_ref()), &mut low);

        // The rule's key is that of the first step; alerts and `having` read it by name.
        let key: Vec<usize> = elements
            .first()
            .and_then(|e: &Element| e.steps().first().copied())
            .map(|s| self.step_keys[s.index()].iter().map(|c| c.place).collect())
            .unwrap_or_default();
        low.scope.key =
            key.iter().map(|at| (self.components[*at].to_string(), self.component_paths[*at].clone())).collect();

        let mut meta = Meta { title: decl.title.as_ref().map(|t| t.value.as_str().into()), ..Meta::default() };
        let mut severity = SeverityRule::Fixed(Severity::default());
        let (mut enabled, mut shadow, mut internal) = (true, false, false);
        let (mut pick, mut after) = (Pick::Latest, AfterMatch::SkipPastLast);
        let (mut having, mut risk, mut suppress) = (None, None, None);
        let mut lasting = None;
        let mut alert = Vec::new();
        let mut runs_per_key = limits.runs_per_key;
        let text = |s: &ast::StrLit| -> Arc<str> { s.value.as_str().into() };
        for clause in &decl.clauses {
            match &clause.kind {
                ClauseKind::Severity(e) => severity = severity_rule(e, &mut low),
                ClauseKind::Tags(tags) => meta.tags = tags.iter().map(text).collect(),
                ClauseKind::Title(t) => meta.title = Some(text(t)),
                ClauseKind::Id(t) => meta.id = Some(text(t)),
                ClauseKind::Status(t) => meta.status = Some(text(t)),
                ClauseKind::FalsePositives(t) => meta.false_positives = t.iter().map(text).collect(),
                ClauseKind::Description(t) => meta.description = Some(text(t)),
                ClauseKind::Runbook(t) => meta.runbook = Some(text(t)),
                ClauseKind::Author(t) => meta.author = Some(text(t)),
                ClauseKind::References(t) => meta.references = t.iter().map(text).collect(),
                ClauseKind::Risk(e) => risk = Some(low.expr(e, Place::Match)),
                ClauseKind::Having { condition, lasting: period } => {
                    having = Some(low.expr(condition, Place::Match));
                    lasting = period.as_ref().map(|d| low.duration(d));
                }
                ClauseKind::Pick(p) => pick = *p,
                ClauseKind::AfterMatch(a) => after = after_match(a, &low),
                ClauseKind::Enabled(v) => enabled = *v,
                ClauseKind::Shadow(v) => shadow = *v,
                ClauseKind::Internal(v) => internal = *v,
                ClauseKind::Suppress { period, by } => {
                    let period = low.duration(period);
                    let by = by.iter().map(|e| low.expr(e, Place::Match)).collect();
                    suppress = Some(Suppress { period, by });
                }
                ClauseKind::Limits(items) => {
                    for (name, value) in items {
                        if name.name == "runs_per_key" {
                            runs_per_key = usize::try_from(*value).unwrap_or(usize::MAX).max(1);
                        }
                    }
                }
                ClauseKind::Alert(items) => {
                    for item in items {
                        alert.push((item.name.name.as_str().into(), alert_value(&item.value, &mut low)));
                    }
                }
                ClauseKind::By(_)
                | ClauseKind::Match(_)
                | ClauseKind::CancelOn(_)
                | ClauseKind::ResolveOn(_)
                | ClauseKind::ResolveWhen(_)
                | ClauseKind::Repeat(_)
                | ClauseKind::Expect(_) => {}
            }
        }

        let stats = std::mem::take(&mut low.scope.stats);
        let mut problems = std::mem::take(&mut low.problems);
        let low_whole_reads = low.whole_reads;
        let (keeps_arrival, reads_position) = (fields.take_arrival(), fields.take_position());
        let mut kept = fields.take_touched();
        if low_whole_reads == self.whole_in_predicates
            && let Some(whole) = fields.find(&WHOLE_EVENT)
        {
            kept.retain(|f| *f != whole);
        }
        self.set.fields = fields;

        let consecutive = |step: &Step| step.quantifier.as_ref().is_some_and(|q| q.consecutive);
        let events = clause.and_then(|m| m.events).map(|e| e.count);
        let all_elements = elements.iter().chain(ways.iter().flat_map(|way| &way.elements));
        let ends = trailing.iter().chain(ways.iter().flat_map(|way| &way.ahead));
        let contiguous = all_elements.into_iter().any(is_contiguous)
            || ends.into_iter().any(is_contiguous_inside)
            || self.steps.iter().any(consecutive);
        // A window of so many events is over the class, whatever the step's `where`.
        let named = contiguous || events.is_some();
        self.statistics_and_named(&stats, named);
        let split = stats.iter().any(|stat| !stat.is_within(&self.step_keys[stat.step.index()]));
        let (handed_over, shared) = self.assign_roles();
        if self.roles.len() > 64 {
            problems.push((decl.name.span, "the rule has more than 64 steps and guards together".to_owned()));
            self.roles.truncate(64);
        }
        let mut stats = stats;
        for (at, role) in self.roles.iter().enumerate() {
            match role.kind {
                RoleKind::Step(s) => self.steps[s.index()].role = at as u8,
                RoleKind::Guard(g) => self.guards[g.index()].role = at as u8,
                RoleKind::Stat(s) => stats[s.index()].role = at as u8,
                RoleKind::Named => {}
            }
        }
        for at in self.step_asts.len()..self.steps.len() {
            if let Some(finder) = self.steps[at].found_by {
                self.steps[at].role = self.steps[finder.index()].role;
            }
        }
        if enabled {
            for (at, role) in self.roles.iter().enumerate() {
                for pred in &role.preds {
                    self.set.classes.subscribe(*pred, self.id, at as u8);
                }
            }
        }
        let follow = follow.map(|follow| self.add_follower(follow, &key, enabled, &mut problems));
        if handed_over {
            for stat in stats.iter_mut().filter(|stat| stat.key.is_empty()) {
                let own = &self.step_keys[stat.step.index()];
                stat.key = own.iter().map(|c| KeyPart { value: c.value.clone(), optional: c.optional }).collect();
            }
        }
        let (guards, mut steps) = (self.guards, self.steps);
        if handed_over {
            add_key_joins(&mut steps, &elements);
            // There is no past by key to look back at when an event arrives: the search looks into its buffer.
            for step in &mut steps {
                let simple = std::mem::take(&mut step.lookback);
                step.cross_lookback.extend(simple);
            }
        }
        let asks_open = steps.iter().any(|s| !s.unless_open.is_empty());
        let fingerprint = fingerprint(self.set.input.sources, decl, self.set.declarations);
        let mut rule = Rule {
            id: self.id,
            name: decl.name.name.as_str().into(),
            meta,
            severity,
            enabled,
            shadow,
            internal,
            fingerprint,
            components: self.components,
            key,
            handed_over,
            shared,
            steps,
            guards,
            stats,
            elements,
            trailing,
            within,
            parts,
            computed_parts,
            alternatives: Vec::new(),
            computed_within,
            cancel,
            having,
            sliding: None,
            pick,
            after,
            alert,
            risk,
            suppress,
            kept,
            keeps_arrival,
            reads_position,
            roles: self.roles,
            runs_per_key,
            strategy: strategy::StrategyKind::Runs,
            reason: String::new(),
            automaton: None,
            level,
            horizon: None,
            hints: super::ruleset::Hints::default(),
            follow,
            asks_open,
            expect,
            reads_whole: low_whole_reads > 0,
        };
        for Way { elements, parts, computed_parts, ahead } in ways {
            let mut way =
                Rule { elements, parts, computed_parts, trailing: ahead, alternatives: Vec::new(), ..rule.clone() };
            way.horizon = strategy::horizon(&way);
            way.hints = strategy::hints(&way);
            rule.alternatives.push(way);
        }
        let bounded = rule.within.is_some() || events.is_some();
        if bounded && rule.only_repeated().is_some() {
            rule.sliding = Some(Box::new(Sliding::of(&rule, events, lasting)));
        } else if events.is_some() || lasting.is_some() {
            problems.push((decl.name.span, "this rule is no sliding count".to_owned()));
        }
        if split && (contiguous || rule.is_sliding()) {
            problems.push((decl.name.span, "a statistic's key leaves out a part of the rule's key".to_owned()));
        }
        rule.horizon = strategy::horizon(&rule);
        (rule.strategy, rule.reason) = strategy::choose(&rule, self.set.input.force);
        if rule.strategy == strategy::StrategyKind::Enumerate {
            rule.automaton = Automaton::of(&rule).ok().map(Box::new);
        }
        rule.hints = strategy::hints(&rule);
        (rule, problems)
    }

    pub(super) fn component(&mut self, item: &ast::KeyItem) -> usize {
        let path = match &item.value.kind {
            ExprKind::Path(path) => Some(path.parts.iter().map(|p| p.name.clone()).collect::<Vec<_>>()),
            _ => None,
        };
        let written = || self.set.input.sources.text(item.value.span).trim().to_owned();
        let name = item.component_name().unwrap_or_else(written);
        if let Some(at) = self.components.iter().position(|c| **c == *name) {
            return at;
        }
        self.components.push(name.into());
        self.component_paths.push(path);
        self.components.len() - 1
    }

    /// The predicates of a class list with the stateless part of a condition: one for input events, one a rule for alerts.
    pub(super) fn predicates(
        &mut self,
        classes: &[ast::ClassRef],
        stateless: Option<Expr>,
        low: &mut Lowering<'_>,
    ) -> Vec<PredId> {
        let mut preds = Vec::new();
        self.whole_in_predicates += stateless.as_ref().map_or(0, |e| low.whole_reads_in(e));
        let (alerts, inputs): (Vec<_>, Vec<_>) =
            classes.iter().partition(|c| c.name == "alert" || c.name.starts_with("alert."));
        let clock_of = |c: &ast::ClassRef| self.set.declarations.clocks.iter().position(|d| d.name.name == c.name);
        let (ticking, inputs): (Vec<_>, Vec<_>) = inputs.into_iter().partition(|c| clock_of(c).is_some());
        for clock in ticking.into_iter().filter_map(clock_of) {
            preds.push(self.set.classes.intern(PredSource::Clock(clock), stateless.clone()));
        }
        if !inputs.is_empty() {
            let mut alternatives = Vec::new();
            let mut every = false;
            for class in &inputs {
                every |= class.name == "any";
                alternatives.push(match self.set.declarations.classes.get(&class.name) {
                    Some(condition) => {
                        let condition = low.expr(condition, Place::Event);
                        self.whole_in_predicates += low.whole_reads_in(&condition);
                        condition
                    }
                    None => Expr::Compare(
                        ast::BinaryOp::Eq,
                        Box::new(Expr::This(Attr::Field(low.fields.intern(self.set.input.type_field.to_vec())))),
                        Box::new(Expr::Const(Value::Str(class.name.as_str().into()))),
                    ),
                });
            }
            let class = match alternatives.len() {
                _ if every => None,
                1 => alternatives.pop(),
                _ => Some(Expr::Or(alternatives)),
            };
            let whole = Expr::all(class.into_iter().chain(stateless.clone()).flat_map(Expr::conjuncts).collect());
            preds.push(self.set.classes.intern(PredSource::Input, whole));
        }
        for class in alerts {
            let rules: Vec<RuleId> = match class.name.strip_prefix("alert.") {
                Some(name) => self.set.rule_ids.get(name).copied().into_iter().collect(),
                None => self.reads.clone(),
            };
            for rule in rules {
                preds.push(self.set.classes.intern(PredSource::Alert(rule), stateless.clone()));
            }
        }
        preds
    }

    fn statistics_and_named(&mut self, stats: &[super::ruleset::Stat], named: bool) {
        // Classes only, before any `where`: predicates that the steps' own ones may already share.
        let mut fields = std::mem::take(&mut self.set.fields);
        let mut low = Lowering::new(&mut fields, self.set.declarations, self.set.input.limits);
        for (at, stat) in stats.iter().enumerate() {
            let step = self.step_asts[stat.step.index()];
            let preds = self.predicates(&step.classes, None, &mut low);
            // One whose key leaves out a part of the step's is over events of several keys: the rule has one state.
            let own = self.step_keys[stat.step.index()].clone();
            let components = if stat.is_within(&own) { own } else { Vec::new() };
            let kind = RoleKind::Stat(crate::base::id::StatId::from(at));
            self.pending_roles.push(PendingRole { kind, preds, components });
        }
        if named {
            for at in 0..self.step_asts.len() {
                let step = self.step_asts[at];
                let preds = self.predicates(&step.classes, None, &mut low);
                let components = self.step_keys[at].clone();
                self.pending_roles.push(PendingRole { kind: RoleKind::Named, preds, components });
            }
        }
        self.set.fields = fields;
    }

    /// Gives every role its bit and key; says whether the rule's key is handed over, and what of it all roles have.
    fn assign_roles(&mut self) -> (bool, Vec<usize>) {
        let places = |components: &[Component]| components.iter().map(|c| c.place).collect::<Vec<_>>();
        let all: Vec<usize> = (0..self.components.len()).collect();
        let handed_over = self.pending_roles.iter().any(|role| places(&role.components) != all);
        // What every role has of the key does not change on the way: events are kept apart by it.
        let in_all = |place: &usize| self.pending_roles.iter().all(|r| r.components.iter().any(|c| c.place == *place));
        let shared: Vec<usize> = all.into_iter().filter(in_all).collect();
        for role in std::mem::take(&mut self.pending_roles) {
            let mut components = role.components;
            components.retain(|c| shared.contains(&c.place));
            components.sort_by_key(|c| c.place);
            let parts = components.into_iter().map(|c| KeyPart { value: c.value, optional: c.optional }).collect();
            let keyspec = self.set.keyspec(KeySpec { parts });
            // All `Named` roles with one key are one bit.
            if role.kind == RoleKind::Named
                && let Some(same) = self.roles.iter_mut().find(|r| r.kind == RoleKind::Named && r.keyspec == keyspec)
            {
                same.preds.extend(role.preds);
                continue;
            }
            self.roles.push(Role { preds: role.preds, keyspec, kind: role.kind });
        }
        for role in &mut self.roles {
            role.preds.sort();
            role.preds.dedup();
        }
        (handed_over, shared)
    }
}

/// Whether a group that must not come has a contiguous joint.
fn is_contiguous_inside(ahead: &Ahead) -> bool {
    ahead.group.as_ref().is_some_and(|group| group.steps.iter().any(|step| step.link.directly))
}

fn is_contiguous(element: &Element) -> bool {
    element.link.directly
        || element.ahead.iter().any(is_contiguous_inside)
        || match &element.kind {
            ElementKind::Group(group) => group.body.iter().any(|(_, link)| link.directly),
            _ => false,
        }
}

/// Steps with equal key components are joined on them, so that a search can look up instead of scanning.
fn add_key_joins(steps: &mut [Step], elements: &[Element]) {
    let order: Vec<StepId> = elements.iter().flat_map(Element::steps).collect();
    for (i, earlier) in order.iter().enumerate() {
        for later in &order[i + 1..] {
            let shared: Vec<(Expr, Expr)> = steps[earlier.index()]
                .components
                .iter()
                .filter_map(|this| {
                    let other = steps[later.index()].components.iter().find(|c| c.place == this.place)?;
                    // Where missing is a key, equality is more than a join looks up.
                    (!this.optional && !other.optional).then(|| (this.value.clone(), other.value.clone()))
                })
                .collect();
            for (this, other) in shared {
                steps[earlier.index()].joins.push(Join { step: *later, this, other });
            }
        }
    }
}

fn after_match(after: &ast::AfterMatch, low: &Lowering<'_>) -> AfterMatch {
    let to = |name: &ast::Ident, last: bool| match low.scope.steps.get(&name.name) {
        Some(step) => AfterMatch::SkipTo { step: *step, last },
        None => AfterMatch::SkipPastLast,
    };
    match after {
        ast::AfterMatch::SkipPastLast => AfterMatch::SkipPastLast,
        ast::AfterMatch::SkipToNext => AfterMatch::SkipToNext,
        ast::AfterMatch::NoSkip => AfterMatch::NoSkip,
        ast::AfterMatch::SkipToFirst(name) => to(name, false),
        ast::AfterMatch::SkipToLast(name) => to(name, true),
    }
}

fn severity_rule(e: &ast::Expr, low: &mut Lowering<'_>) -> SeverityRule {
    if let ExprKind::Path(path) = &e.kind
        && let [word] = path.parts.as_slice()
        && let Some(severity) = Severity::from_word(&word.name)
    {
        return SeverityRule::Fixed(severity);
    }
    match low.expr(e, Place::Match) {
        Expr::Const(Value::Str(word)) if Severity::from_word(&word).is_some() => {
            SeverityRule::Fixed(Severity::from_word(&word).unwrap_or_default())
        }
        other => SeverityRule::Computed(other),
    }
}

fn alert_value(value: &ast::AlertValue, low: &mut Lowering<'_>) -> AlertExpr {
    match value {
        ast::AlertValue::Expr(e) => AlertExpr::Value(low.expr(e, Place::Match)),
        ast::AlertValue::Template(parts, _) => AlertExpr::Template(
            parts
                .iter()
                .map(|part| match part {
                    ast::TemplatePart::Text(text) => TemplatePiece::Text(text.as_str().into()),
                    ast::TemplatePart::Expr(e) => TemplatePiece::Value(low.expr(e, Place::Match)),
                })
                .collect(),
        ),
    }
}
