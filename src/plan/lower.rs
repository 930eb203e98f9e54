//! Checked syntax trees to a [`Ruleset`].
//!
//! ```text
//! files ─► declarations (classes, lets, tables) ─► one Lowering a rule ─► elements, guards, roles ─► strategy
//! ```
//! Relies on `check`. What check let slip becomes a problem with a span, never a panic.

use std::sync::Arc;

use hashbrown::HashMap;

use super::classify::{Anchor, ClassIndex, anchor};
use super::expr::{Attr, Expr};
use super::key::{KeyPart, KeySpec};
use super::lower_expr::{Declarations, Fields, Lowering, Place};
use super::ruleset::{
    Ahead, AlertExpr, Element, ElementKind, Group, Guard, Join, KeyComponent as Component, Link, Lookback, Meta,
    Quantifier, Role, RoleKind, Rule, Ruleset, Severity, SeverityRule, Step, Suppress, TemplatePiece,
};
use super::strategy;
use crate::base::id::{GuardId, KeySpecId, PredId};
use crate::base::{Duration, Limits, RuleId, StepId, Value};
use crate::syntax::ast::{self, AfterMatch, ClauseKind, Count, ExprKind, Item, Pick, StepGuardKind};
use crate::syntax::source::{SourceMap, Span};

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What lowering needs besides the trees.
#[derive(Debug)]
pub struct Input<'a> {
    /// The texts, for interning and fingerprints.
    pub sources: &'a SourceMap,
    /// The field whose value is the class of an event.
    pub type_field: &'a [String],
    /// Limits on patterns.
    pub limits: &'a Limits,
    /// Use this strategy wherever it applies; for tests.
    pub force: Option<super::ruleset::StrategyKind>,
}

/// Lowers the files.
///
/// # Errors
/// Spans and sentences for what `check` should have refused.
pub fn lower(
    files: &[ast::File],
    declarations: &Declarations,
    input: &Input<'_>,
) -> Result<Ruleset, Vec<(Span, String)>> {
    let mut set = SetBuilder {
        fields: Fields::default(),
        classes: ClassIndex::default(),
        keyspecs: Vec::new(),
        keyspec_ids: Map::default(),
        declarations,
        input,
        rule_ids: Map::default(),
    };
    let decls: Vec<&ast::RuleDecl> = files
        .iter()
        .flat_map(|f| &f.items)
        .filter_map(|item| match item {
            Item::Rule(rule) => Some(rule),
            _ => None,
        })
        .collect();
    for (i, decl) in decls.iter().enumerate() {
        set.rule_ids.insert(decl.name.name.clone(), RuleId::from(i));
    }
    let reads: Vec<Vec<RuleId>> = decls.iter().map(|decl| set.alerts_read(decl, &decls)).collect();
    let levels = levels(&reads);
    let mut rules = Vec::new();
    let mut problems = Vec::new();
    for (i, decl) in decls.iter().enumerate() {
        let (rule, mut found) = RuleBuilder::build(&mut set, RuleId::from(i), decl, levels[i], &reads[i]);
        rules.push(rule);
        problems.append(&mut found);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    set.classes.finish();
    let mut fingerprint = Vec::new();
    for rule in &rules {
        fingerprint.extend_from_slice(&rule.fingerprint.to_le_bytes());
    }
    Ok(Ruleset {
        fields: set.fields.into_paths(),
        keyspecs: set.keyspecs,
        classes: set.classes,
        levels: rules.iter().map(|r| r.level).max().unwrap_or(0),
        rules,
        tables: declarations.tables.clone(),
        fingerprint: super::key::hash(&fingerprint),
    })
}

/// One more than the highest level read; cycles are refused by `check`, and cut here.
fn levels(reads: &[Vec<RuleId>]) -> Vec<u32> {
    let mut levels = vec![0_u32; reads.len()];
    for _ in 0..reads.len() {
        let mut changed = false;
        for (i, read) in reads.iter().enumerate() {
            let level = read.iter().map(|r| levels[r.index()] + 1).max().unwrap_or(0).min(reads.len() as u32);
            changed |= level != levels[i];
            levels[i] = level;
        }
        if !changed {
            break;
        }
    }
    levels
}

struct SetBuilder<'a> {
    fields: Fields,
    classes: ClassIndex,
    keyspecs: Vec<KeySpec>,
    keyspec_ids: Map<String, KeySpecId>,
    declarations: &'a Declarations,
    input: &'a Input<'a>,
    rule_ids: Map<String, RuleId>,
}

impl SetBuilder<'_> {
    fn keyspec(&mut self, spec: KeySpec) -> KeySpecId {
        // Key expressions are plain: their debug form says all.
        let name = format!("{:?}", spec.parts);
        if let Some(id) = self.keyspec_ids.get(&name) {
            return *id;
        }
        let id = KeySpecId::from(self.keyspecs.len());
        self.keyspecs.push(spec);
        self.keyspec_ids.insert(name, id);
        id
    }

    /// The rules whose alerts a rule reads. `alert` alone is every rule that does not depend on it.
    fn alerts_read(&self, decl: &ast::RuleDecl, all: &[&ast::RuleDecl]) -> Vec<RuleId> {
        let mut read = Vec::new();
        for class in classes_of(decl) {
            if let Some(name) = class.name.strip_prefix("alert.") {
                read.extend(self.rule_ids.get(name));
            } else if class.name == "alert" {
                for other in all {
                    let depends = other.name.name == decl.name.name
                        || self.depends(other, &decl.name.name, all, 0)
                        || classes_of(other).iter().any(|c| c.name == "alert");
                    if !depends {
                        read.extend(self.rule_ids.get(&other.name.name));
                    }
                }
            }
        }
        read.sort();
        read.dedup();
        read
    }

    fn depends(&self, decl: &ast::RuleDecl, on: &str, all: &[&ast::RuleDecl], depth: usize) -> bool {
        depth <= all.len()
            && classes_of(decl).iter().filter_map(|c| c.name.strip_prefix("alert.")).any(|name| {
                name == on || all.iter().any(|d| d.name.name == name && self.depends(d, on, all, depth + 1))
            })
    }
}

/// All classes that a rule names, guards included.
pub fn classes_of(decl: &ast::RuleDecl) -> Vec<&ast::ClassRef> {
    fn guard<'a>(g: &'a ast::Guard, out: &mut Vec<&'a ast::ClassRef>) {
        out.extend(&g.classes);
    }
    fn step<'a>(s: &'a ast::Step, out: &mut Vec<&'a ast::ClassRef>) {
        out.extend(&s.classes);
        s.guards.iter().flat_map(|g| &g.events).for_each(|g| guard(g, out));
        s.until.iter().for_each(|g| guard(g, out));
    }
    fn sequence<'a>(seq: &'a ast::Sequence, out: &mut Vec<&'a ast::ClassRef>) {
        for element in seq.elements() {
            match element {
                ast::Element::Step(s) => step(s, out),
                ast::Element::Absence(a) => a.events.iter().for_each(|g| guard(g, out)),
                ast::Element::All(a) => {
                    a.members.iter().for_each(|s| step(s, out));
                    a.without.iter().for_each(|g| guard(g, out));
                }
                ast::Element::Any(a) => a.members.iter().for_each(|s| step(s, out)),
                ast::Element::Group(g) => sequence(&g.body, out),
            }
        }
    }
    let mut out = Vec::new();
    for clause in &decl.clauses {
        match &clause.kind {
            ClauseKind::Match(m) => sequence(&m.body, &mut out),
            ClauseKind::CancelOn(guards) => guards.iter().for_each(|g| guard(g, &mut out)),
            _ => {}
        }
    }
    out
}

struct RuleBuilder<'s, 'a> {
    set: &'s mut SetBuilder<'a>,
    id: RuleId,
    decl: &'s ast::RuleDecl,
    steps: Vec<Step>,
    guards: Vec<Guard>,
    roles: Vec<Role>,
    /// Components by name: the place is the id.
    components: Vec<Arc<str>>,
    /// What a component's name defaults to as a path, where it does.
    component_paths: Vec<Option<Vec<String>>>,
    /// Of the rule's `by`.
    rule_key: Vec<(usize, ast::KeyItem)>,
    /// Of each step.
    step_keys: Vec<Vec<Component>>,
    step_asts: Vec<ast::Step>,
    pending_roles: Vec<PendingRole>,
    reads: Vec<RuleId>,
}

/// A role whose key spec is not known until all components are.
struct PendingRole {
    kind: RoleKind,
    preds: Vec<PredId>,
    components: Vec<Component>,
}

impl<'s, 'a> RuleBuilder<'s, 'a> {
    fn build(
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
            pending_roles: Vec::new(),
            reads: reads.to_vec(),
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
            first: Box::new(ast::Element::Absence(ast::Absence { events: Vec::new(), within: None, span: decl.span })),
            rest: Vec::new(),
            span: decl.span,
        };
        let clause = decl.clauses.iter().find_map(|c| match &c.kind {
            ClauseKind::Match(m) => Some(m),
            _ => None,
        });
        let body = clause.map_or(&empty, |m| &m.body);
        // Names first: a condition may only read earlier names, but which are names must be known.
        self.declare_steps(body, &mut low);
        for (step, at) in self.step_asts.clone().iter().zip(0..) {
            self.step_keys[at] = self.step_components(step, &mut low);
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
        let mut elements = Vec::new();
        let mut trailing = Vec::new();
        self.sequence(body, &mut low, &mut elements, &mut trailing);
        let within = clause.and_then(|m| m.within.as_ref()).map(|d| low.duration(d));

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
        let (mut enabled, mut shadow) = (true, false);
        let (mut pick, mut after) = (Pick::Latest, AfterMatch::SkipPastLast);
        let (mut having, mut risk, mut suppress) = (None, None, None);
        let mut alert = Vec::new();
        let mut runs_per_key = limits.runs_per_key;
        let text = |s: &ast::StrLit| -> Arc<str> { s.value.as_str().into() };
        for clause in &decl.clauses {
            match &clause.kind {
                ClauseKind::Severity(e) => severity = severity_rule(e, &mut low),
                ClauseKind::Tags(tags) => meta.tags = tags.iter().map(text).collect(),
                ClauseKind::Title(t) => meta.title = Some(text(t)),
                ClauseKind::Description(t) => meta.description = Some(text(t)),
                ClauseKind::Runbook(t) => meta.runbook = Some(text(t)),
                ClauseKind::Author(t) => meta.author = Some(text(t)),
                ClauseKind::References(t) => meta.references = t.iter().map(text).collect(),
                ClauseKind::Risk(e) => risk = Some(low.expr(e, Place::Match)),
                ClauseKind::Having(e) => having = Some(low.expr(e, Place::Match)),
                ClauseKind::Pick(p) => pick = *p,
                ClauseKind::AfterMatch(a) => after = *a,
                ClauseKind::Enabled(v) => enabled = *v,
                ClauseKind::Shadow(v) => shadow = *v,
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
                ClauseKind::By(_) | ClauseKind::Match(_) | ClauseKind::CancelOn(_) => {}
            }
        }

        let stats = std::mem::take(&mut low.scope.stats);
        let mut problems = std::mem::take(&mut low.problems);
        let kept = fields.take_touched();
        self.set.fields = fields;

        let consecutive = |step: &Step| step.quantifier.as_ref().is_some_and(|q| q.consecutive);
        let named = elements.iter().any(is_contiguous) || self.steps.iter().any(consecutive);
        self.statistics_and_named(&stats, named);
        let handed_over = self.assign_roles();
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
        if enabled {
            for (at, role) in self.roles.iter().enumerate() {
                for pred in &role.preds {
                    self.set.classes.subscribe(*pred, self.id, at as u8);
                }
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
        let fingerprint = fingerprint(self.set.input.sources, decl, self.set.declarations);
        let mut rule = Rule {
            id: self.id,
            name: decl.name.name.as_str().into(),
            meta,
            severity,
            enabled,
            shadow,
            fingerprint,
            components: self.components,
            key,
            handed_over,
            steps,
            guards,
            stats,
            elements,
            trailing,
            within,
            cancel,
            having,
            pick,
            after,
            alert,
            risk,
            suppress,
            kept,
            roles: self.roles,
            runs_per_key,
            strategy: strategy::StrategyKind::Runs,
            reason: String::new(),
            level,
            horizon: None,
            hints: super::ruleset::Hints::default(),
        };
        rule.horizon = strategy::horizon(&rule);
        rule.hints = strategy::hints(&rule);
        (rule.strategy, rule.reason) = strategy::choose(&rule, self.set.input.force);
        (rule, problems)
    }

    fn component(&mut self, item: &ast::KeyItem) -> usize {
        let path = match &item.value.kind {
            ExprKind::Path(path) => Some(path.parts.iter().map(|p| p.name.clone()).collect::<Vec<_>>()),
            _ => None,
        };
        let name = match (&item.name, &path) {
            (Some(name), _) => name.name.clone(),
            (None, Some(path)) => path.join("."),
            (None, None) => self.set.input.sources.text(item.value.span).trim().to_owned(),
        };
        if let Some(at) = self.components.iter().position(|c| **c == *name) {
            return at;
        }
        self.components.push(name.into());
        self.component_paths.push(path);
        self.components.len() - 1
    }

    fn declare_steps(&mut self, seq: &ast::Sequence, low: &mut Lowering<'_>) {
        for element in seq.elements() {
            match element {
                ast::Element::Step(step) => self.declare_step(step, low),
                ast::Element::All(all) => all.members.iter().for_each(|s| self.declare_step(s, low)),
                ast::Element::Any(any) => any.members.iter().for_each(|s| self.declare_step(s, low)),
                ast::Element::Group(group) => self.declare_steps(&group.body, low),
                ast::Element::Absence(_) => {}
            }
        }
    }

    fn declare_step(&mut self, step: &ast::Step, low: &mut Lowering<'_>) {
        let id = StepId::from(self.step_asts.len());
        if let Some(name) = &step.name {
            low.scope.steps.insert(name.name.clone(), id);
        }
        self.step_asts.push(step.clone());
        self.step_keys.push(Vec::new());
    }

    /// The rule's `by`, overridden and extended by the step's own, in the order of the components.
    fn step_components(&mut self, step: &ast::Step, low: &mut Lowering<'_>) -> Vec<Component> {
        let mut items: Vec<(usize, ast::KeyItem)> = self.rule_key.clone();
        for item in &step.by {
            let at = self.component(item);
            match items.iter_mut().find(|(place, _)| *place == at) {
                Some(slot) => slot.1 = item.clone(),
                None => items.push((at, item.clone())),
            }
        }
        items.sort_by_key(|(at, _)| *at);
        items
            .into_iter()
            .map(|(place, item)| Component {
                place,
                value: low.expr(&item.value, Place::Event),
                optional: item.optional,
            })
            .collect()
    }

    fn sequence(
        &mut self,
        seq: &ast::Sequence,
        low: &mut Lowering<'_>,
        elements: &mut Vec<Element>,
        trailing: &mut Vec<Ahead>,
    ) {
        let none = ast::Then { directly: false, next: false, after: None, within: None, span: seq.span };
        let joined = std::iter::once((&none, &*seq.first)).chain(seq.rest.iter().map(|(t, e)| (t, e)));
        let mut ahead: Vec<Ahead> = Vec::new();
        // `no X` without `within` is `without X` on the next step.
        let mut without: Vec<&ast::Guard> = Vec::new();
        for (then, element) in joined {
            let link = Link {
                directly: then.directly,
                after: then.after.as_ref().map(|d| low.duration(d)),
                within: then.within.as_ref().map(|d| low.duration(d)),
            };
            match element {
                ast::Element::Absence(absence) => match &absence.within {
                    None => without.extend(&absence.events),
                    Some(within) => {
                        let within = low.duration(within);
                        let previous = elements.last().and_then(|e| e.steps().last().copied());
                        let guards =
                            absence.events.iter().map(|g| self.guard(g, previous, None, low)).collect::<Vec<_>>();
                        ahead.push(Ahead { guards, within });
                    }
                },
                ast::Element::Group(group) if group.quantifier.is_none() => {
                    // A plain group is its content; its first joint is the one before the group.
                    let at = elements.len();
                    let (mut inner, mut rest) = (Vec::new(), Vec::new());
                    self.sequence(&group.body, low, &mut inner, &mut rest);
                    elements.extend(inner);
                    if let Some(first) = elements.get_mut(at) {
                        first.link = link;
                        first.ahead.append(&mut ahead);
                    }
                    ahead.append(&mut rest);
                }
                other => {
                    let mut built = self.element(other, then.next, low);
                    built.link = link;
                    let guarded = built.steps().first().copied();
                    for guard in without.drain(..) {
                        let guard = self.guard(guard, guarded, None, low);
                        built.without.push(guard);
                    }
                    built.ahead.append(&mut ahead);
                    elements.push(built);
                }
            }
        }
        trailing.append(&mut ahead);
    }

    fn element(&mut self, element: &ast::Element, next: bool, low: &mut Lowering<'_>) -> Element {
        let plain = |kind| Element { kind, link: Link::default(), ahead: Vec::new(), without: Vec::new() };
        match element {
            ast::Element::Step(step) => {
                let (id, without) = self.step(step, next, low);
                let kind = match &step.quantifier {
                    None => ElementKind::Single(id),
                    Some(q) if q.count == Count::Optional => ElementKind::Optional(id),
                    Some(_) => ElementKind::Repeat(id),
                };
                Element { without, ..plain(kind) }
            }
            ast::Element::All(all) => {
                let mut without = Vec::new();
                let steps: Vec<StepId> = all
                    .members
                    .iter()
                    .map(|s| {
                        let (id, mut more) = self.step(s, next, low);
                        without.append(&mut more);
                        id
                    })
                    .collect();
                for guard in &all.without {
                    let guard = self.guard(guard, None, steps.first().copied(), low);
                    without.push(guard);
                }
                Element { without, ..plain(ElementKind::All(steps)) }
            }
            ast::Element::Any(any) => {
                let mut without = Vec::new();
                let steps = any
                    .members
                    .iter()
                    .map(|s| {
                        let (id, mut more) = self.step(s, next, low);
                        without.append(&mut more);
                        id
                    })
                    .collect();
                Element { without, ..plain(ElementKind::Any(steps)) }
            }
            ast::Element::Group(group) => {
                let mut body = Vec::new();
                let none = ast::Then { directly: false, next: false, after: None, within: None, span: group.span };
                let joined =
                    std::iter::once((&none, &*group.body.first)).chain(group.body.rest.iter().map(|(t, e)| (t, e)));
                for (then, inner) in joined {
                    let link = Link {
                        directly: then.directly,
                        after: then.after.as_ref().map(|d| low.duration(d)),
                        within: then.within.as_ref().map(|d| low.duration(d)),
                    };
                    if let ast::Element::Step(step) = inner {
                        let (id, _) = self.step(step, false, low);
                        body.push((id, link));
                    } else {
                        low.problems.push((inner.span(), "a repeated group holds plain steps only".to_owned()));
                    }
                }
                let quantifier = quantifier(group.quantifier.as_ref(), StepId(0), low);
                plain(ElementKind::Group(Group { body, quantifier }))
            }
            ast::Element::Absence(_) => plain(ElementKind::All(Vec::new())),
        }
    }

    /// Lowers a step; gives its id and the guards of its `without` and `next`.
    fn step(&mut self, step: &ast::Step, next: bool, low: &mut Lowering<'_>) -> (StepId, Vec<GuardId>) {
        let id = StepId::from(self.steps.len());
        let label: Arc<str> = step.name.as_ref().map_or_else(|| class_label(&step.classes), |n| n.name.as_str().into());
        let parts: Vec<Expr> =
            step.condition.as_ref().map(|c| low.expr(c, Place::Step(id)).conjuncts()).unwrap_or_default();
        let (mut stateless, mut arrival, mut cross) = (Vec::new(), Vec::new(), Vec::new());
        let mut which = String::new();
        for part in parts {
            let kind = if part.is_stateless() { 's' } else { 'x' };
            which.push(kind);
            match kind {
                's' => stateless.push(part),
                _ if part.is_unary() => arrival.push(part),
                _ => cross.push(part),
            }
        }
        let preds = self.predicates(&step.classes, step.condition.as_ref(), &which, Expr::all(stateless), low);
        let (mut reads, mut reads_prev) = (Vec::new(), false);
        for part in &cross {
            part.walk(&mut |e| match e {
                Expr::Bound(step, ..) => reads.push(*step),
                Expr::Aggregate(a) => reads.push(a.step),
                Expr::Prev(_) => reads_prev = true,
                _ => {}
            });
        }
        reads.sort();
        reads.dedup();
        let own_history = cross.iter().any(|e| reads_own(e, id));
        let components = self.step_keys[id.index()].clone();
        self.pending_roles.push(PendingRole { kind: RoleKind::Step(id), preds, components: components.clone() });
        let joins = cross.iter().filter_map(equality).collect::<Vec<_>>();
        // The earlier step holds the join, because that is the one looked up.
        for (earlier, theirs, mine) in joins {
            if let Some(earlier) = self.steps.get_mut(earlier.index()) {
                earlier.joins.push(Join { step: id, this: theirs, other: mine });
            }
        }
        self.steps.push(Step {
            name: step.name.as_ref().map(|n| n.name.as_str().into()),
            label,
            role: 0,
            arrival: Expr::all(arrival),
            lookback: Vec::new(),
            cross: Expr::all(cross),
            cross_lookback: Vec::new(),
            quantifier: None,
            until: None,
            components,
            joins: Vec::new(),
            own_history,
            reads,
            reads_prev,
        });
        let mut without = Vec::new();
        for guard in &step.guards {
            match guard.kind {
                StepGuardKind::Without => {
                    for g in &guard.events {
                        let g = self.guard(g, Some(id), None, low);
                        without.push(g);
                    }
                }
                kind => {
                    let last = guard.last.as_ref().map_or(Duration::MAX, |d| low.duration(d));
                    let guards: Vec<GuardId> =
                        guard.events.iter().map(|g| self.guard(g, Some(id), None, low)).collect();
                    let simple = guards.iter().all(|g| self.guards[g.index()].equalities.is_some());
                    let lookback = Lookback { wanted: kind == StepGuardKind::If, guards, last };
                    let step = &mut self.steps[id.index()];
                    if simple { step.lookback.push(lookback) } else { step.cross_lookback.push(lookback) }
                }
            }
        }
        if next {
            let same = ast::Guard {
                classes: step.classes.clone(),
                condition: step.condition.clone(),
                by: step.by.clone(),
                span: step.span,
            };
            let g = self.guard(&same, Some(id), None, low);
            without.push(g);
        }
        if let Some(until) = &step.until {
            let g = self.guard(until, Some(id), None, low);
            self.steps[id.index()].until = Some(g);
        }
        if let Some(q) = &step.quantifier
            && q.count != Count::Optional
        {
            let q = quantifier(Some(q), id, low);
            self.steps[id.index()].quantifier = Some(q);
        }
        (id, without)
    }

    fn guard(
        &mut self,
        guard: &ast::Guard,
        guarded: Option<StepId>,
        like: Option<StepId>,
        low: &mut Lowering<'_>,
    ) -> GuardId {
        let id = GuardId::from(self.guards.len());
        let parts: Vec<Expr> =
            guard.condition.as_ref().map(|c| low.expr(c, Place::Guard).conjuncts()).unwrap_or_default();
        let (mut stateless, mut cross) = (Vec::new(), Vec::new());
        let mut which = String::new();
        for part in parts {
            which.push(if part.is_stateless() { 's' } else { 'x' });
            if part.is_stateless() { stateless.push(part) } else { cross.push(part) }
        }
        let preds = self.predicates(&guard.classes, guard.condition.as_ref(), &which, Expr::all(stateless), low);
        let equalities = guarded.and_then(|step| {
            cross
                .iter()
                .map(|e| equality(e).filter(|(s, _, _)| *s == step).map(|(_, other, this)| (this, other)))
                .collect()
        });
        let components = if guard.by.is_empty() {
            // The rule's `by` where it names a component; else what the guarded step says.
            let own = match guarded.or(like) {
                Some(step) => self.step_keys[step.index()].clone(),
                None if self.rule_key.is_empty() => self.step_keys.first().cloned().unwrap_or_default(),
                None => Vec::new(),
            };
            let mut components: Vec<Component> = self
                .rule_key
                .clone()
                .into_iter()
                .map(|(place, item)| Component {
                    place,
                    value: low.expr(&item.value, Place::Event),
                    optional: item.optional,
                })
                .collect();
            let named: Vec<usize> = components.iter().map(|c| c.place).collect();
            components.extend(own.into_iter().filter(|c| !named.contains(&c.place)));
            components.sort_by_key(|c| c.place);
            components
        } else {
            let mut components: Vec<Component> = guard
                .by
                .iter()
                .map(|item| Component {
                    place: self.component(item),
                    value: low.expr(&item.value, Place::Event),
                    optional: item.optional,
                })
                .collect();
            components.sort_by_key(|c| c.place);
            components
        };
        self.pending_roles.push(PendingRole { kind: RoleKind::Guard(id), preds, components: components.clone() });
        self.guards.push(Guard {
            label: class_label(&guard.classes),
            role: 0,
            cross: Expr::all(cross),
            guarded,
            components,
            equalities,
        });
        id
    }

    /// The predicates of a class list with the stateless part of a condition: one for input events, one a rule for alerts.
    fn predicates(
        &mut self,
        classes: &[ast::ClassRef],
        condition: Option<&ast::Expr>,
        which: &str,
        stateless: Option<Expr>,
        low: &mut Lowering<'_>,
    ) -> Vec<PredId> {
        let text = condition.map_or("", |c| self.set.input.sources.text(c.span));
        let mut preds = Vec::new();
        let (alerts, inputs): (Vec<_>, Vec<_>) =
            classes.iter().partition(|c| c.name == "alert" || c.name.starts_with("alert."));
        if !inputs.is_empty() {
            let names: Vec<&str> = inputs.iter().map(|c| c.name.as_str()).collect();
            let name = format!("{}\0{which}\0{text}", names.join("\0"));
            let mut alternatives = Vec::new();
            let mut every = false;
            for class in &inputs {
                every |= class.name == "any";
                alternatives.push(match self.set.declarations.classes.get(&class.name) {
                    Some(condition) => low.expr(condition, Place::Event),
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
            preds.push(self.set.classes.intern(name, || anchor(whole)));
        }
        for class in alerts {
            let rules: Vec<RuleId> = match class.name.strip_prefix("alert.") {
                Some(name) => self.set.rule_ids.get(name).copied().into_iter().collect(),
                None => self.reads.clone(),
            };
            for rule in rules {
                let name = format!("alert\0{}\0{which}\0{text}", rule.0);
                preds.push(self.set.classes.intern(name, || (Anchor::Alert(rule), stateless.clone())));
            }
        }
        preds
    }

    fn statistics_and_named(&mut self, stats: &[super::ruleset::Stat], named: bool) {
        // Classes only, before any `where`: predicates that the steps' own ones may already share.
        let mut fields = std::mem::take(&mut self.set.fields);
        let mut low = Lowering::new(&mut fields, self.set.declarations, self.set.input.limits);
        for (at, stat) in stats.iter().enumerate() {
            let step = self.step_asts[stat.step.index()].clone();
            let preds = self.predicates(&step.classes, None, "", None, &mut low);
            let components = self.step_keys[stat.step.index()].clone();
            let kind = RoleKind::Stat(crate::base::id::StatId::from(at));
            self.pending_roles.push(PendingRole { kind, preds, components });
        }
        if named {
            for at in 0..self.step_asts.len() {
                let step = self.step_asts[at].clone();
                let preds = self.predicates(&step.classes, None, "", None, &mut low);
                let components = self.step_keys[at].clone();
                self.pending_roles.push(PendingRole { kind: RoleKind::Named, preds, components });
            }
        }
        self.set.fields = fields;
    }

    /// Gives every role its bit and key; says whether the rule's key is handed over.
    fn assign_roles(&mut self) -> bool {
        let places = |components: &[Component]| components.iter().map(|c| c.place).collect::<Vec<_>>();
        let all: Vec<usize> = (0..self.components.len()).collect();
        let handed_over = self.pending_roles.iter().any(|role| places(&role.components) != all);
        for role in std::mem::take(&mut self.pending_roles) {
            let parts = if handed_over {
                Vec::new()
            } else {
                role.components.into_iter().map(|c| KeyPart { value: c.value, optional: c.optional }).collect()
            };
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
        handed_over
    }
}

fn is_contiguous(element: &Element) -> bool {
    element.link.directly
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

/// `this side == earlier step's side`: the step, its side as an expression over its own event, this side.
fn equality(e: &Expr) -> Option<(StepId, Expr, Expr)> {
    let Expr::Compare(ast::BinaryOp::Eq, a, b) = e else { return None };
    let bound = |e: &Expr| match e {
        Expr::Bound(step, _, attr @ (Attr::Field(_) | Attr::Ts)) => Some((*step, Expr::This(*attr))),
        _ => None,
    };
    let (this, (step, other)) = match (bound(a), bound(b)) {
        (Some(other), None) => (&**b, other),
        (None, Some(other)) => (&**a, other),
        _ => return None,
    };
    this.is_stateless().then(|| (step, other, this.clone()))
}

fn reads_own(e: &Expr, step: StepId) -> bool {
    let mut own = false;
    e.walk(&mut |e| {
        own |= match e {
            Expr::Prev(_) => true,
            Expr::Bound(s, ..) => *s == step,
            Expr::Aggregate(a) => a.step == step,
            _ => false,
        }
    });
    own
}

fn quantifier(q: Option<&ast::Quantifier>, step: StepId, low: &mut Lowering<'_>) -> Quantifier {
    let Some(q) = q else { return Quantifier { min: 1, max: Some(1), distinct: Vec::new(), consecutive: false } };
    let (min, max) = match q.count {
        Count::AtLeast(n) => (n, None),
        Count::Exactly(n) => (n, Some(n)),
        Count::Range(n, m) => (n, Some(m)),
        Count::OneOrMore => (1, None),
        Count::ZeroOrMore => (0, None),
        Count::Optional => (0, Some(1)),
    };
    let distinct = q.distinct.iter().map(|e| low.expr(e, Place::Element(step))).collect();
    Quantifier { min, max, distinct, consecutive: q.consecutive }
}

fn class_label(classes: &[ast::ClassRef]) -> Arc<str> {
    classes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(" or ").into()
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

/// The content of a rule: its text without comments and layout is what a formatter would keep; the text between the
/// rule's braces, white space folded, and the declarations it could use.
fn fingerprint(sources: &SourceMap, decl: &ast::RuleDecl, declarations: &Declarations) -> u64 {
    let mut bytes = Vec::new();
    let mut fold = |text: &str| {
        for word in text.split_whitespace() {
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(b' ');
        }
        bytes.push(0);
    };
    fold(sources.text(decl.span));
    for class in classes_of(decl) {
        if let Some(condition) = declarations.classes.get(&class.name) {
            fold(sources.text(condition.span));
        }
    }
    let mut lets: Vec<_> = declarations.lets.iter().collect();
    lets.sort_by_key(|(name, _)| name.as_str());
    let text = sources.text(decl.span);
    for (name, value) in lets {
        if text.contains(name.as_str()) {
            fold(sources.text(value.span));
        }
    }
    super::key::hash(&bytes)
}
