//! The gate between syntax and plan: names, kinds, scopes, bounds, keys, dead clauses.
//!
//! [`check`] reports every problem of a rule set at once. A rule set without errors from here can be
//! compiled: the plan asks no questions about meaning any more. One root cause gives one diagnostic.

mod absent;
mod aggregate;
mod bounds;
mod call;
mod clauses;
mod clock;
mod expr;
mod fold;
mod found;
mod group;
mod guards;
mod keys;
mod lifecycle;
mod literal;
mod missing;
mod model;
mod names;
mod parts;
mod path;
mod pattern;
mod pending;
mod predicate;
pub mod sample;
mod scope;
mod session;
mod sliding;
mod span;
mod statistic;
mod suggest;
mod test_block;
mod values;
pub(crate) mod walk;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::Limits;
use crate::base::function::Kinds;
use crate::diag::codes::check as codes;
use crate::diag::{Code, Diagnostic, Level};
use crate::syntax::ast::{ClassRef, File, RuleDecl};
use crate::syntax::source::{SourceId, SourceMap, Span};

use model::Model;
use names::Names;
use scope::{AlertShape, Place, Scope};

/// Every problem of the files of one rule set, errors and warnings, in the order of the text.
pub fn check(files: &[(SourceId, File)], sources: &SourceMap, limits: &Limits) -> Vec<Diagnostic> {
    check_recovered(files, sources, limits, &[])
}

/// A rule with so many times more steps than it may have is judged for that alone.
const FAR_TOO_MANY: usize = 8;

/// What can be said of names that a broken text may have declared: nothing.
const NEEDS_ALL_NAMES: [Code; 8] = [
    codes::UNKNOWN_RULE,
    codes::UNKNOWN_TABLE,
    codes::UNKNOWN_ALERT_FIELD,
    codes::NO_EVENT,
    codes::NOT_A_DURATION,
    codes::TEST_UNKNOWN_VALUE,
    codes::UNDECLARED_CLASS,
    codes::CLASS_AS_FIELD,
];

/// Like [`check`], for trees that the parser has recovered from errors: a rule or test with an error inside is passed
/// over, and so is every judgement that would need to know all names. `syntax` is what the parser reported; what it mended
/// itself hides nothing.
pub fn check_recovered(
    files: &[(SourceId, File)],
    sources: &SourceMap,
    limits: &Limits,
    syntax: &[Diagnostic],
) -> Vec<Diagnostic> {
    let errors = syntax.iter().filter(|d| d.level == Level::Error && !d.mended);
    let broken: Vec<Span> = errors.filter_map(|d| d.labels.first()).map(|l| l.span).collect();
    let is_broken =
        |span: Span| broken.iter().any(|b| b.source == span.source && b.start >= span.start && b.start <= span.end);
    let mut out = Vec::new();
    let names = Names::collect(files, &mut out);
    let mut checker = Checker {
        sources,
        limits,
        names,
        out,
        seen: Seen::default(),
        lets: BTreeMap::new(),
        judged_classes: BTreeSet::new(),
        alerts: BTreeMap::new(),
        whole_guard_keys: false,
    };
    checker.declarations();
    for rule in checker.names.all_rules.clone() {
        if !is_broken(rule.span) {
            checker.rule(rule);
        }
    }
    checker.alert_cycles();
    checker.unread_internal_rules();
    checker.open_guards();
    for test in checker.names.tests.clone() {
        if !is_broken(test.span) {
            checker.test_block(test);
        }
    }
    let mut out = checker.out;
    if !broken.is_empty() {
        out.retain(|d| !NEEDS_ALL_NAMES.contains(&d.code) && d.labels.iter().all(|l| !is_broken(l.span)));
    }
    out.sort_by_key(|d| d.labels.first().map(|l| (l.span.source, l.span.start, l.span.end)));
    out.dedup();
    out
}

/// Whether a rule set with these diagnostics may run.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.level == Level::Error)
}

/// What an expression was seen to read, to judge a `let` where it is used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// A field of the current event.
    pub(crate) event: Option<Span>,
    /// A running statistic.
    pub(crate) statistic: Option<Span>,
}

/// What is known of a `let`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LetFacts {
    pub(crate) kinds: Kinds,
    pub(crate) event: Option<Span>,
    pub(crate) statistic: Option<Span>,
}

/// The state of one run of [`check`].
pub(crate) struct Checker<'a> {
    pub(crate) sources: &'a SourceMap,
    pub(crate) limits: &'a Limits,
    pub(crate) names: Names<'a>,
    pub(crate) out: Vec<Diagnostic>,
    pub(crate) seen: Seen,
    /// Judged `let`s; `None` while one is being judged.
    lets: BTreeMap<String, Option<LetFacts>>,
    /// Undeclared classes that were looked at: each is reported at its first use.
    judged_classes: BTreeSet<String>,
    /// What alerts of each rule hold.
    pub(crate) alerts: BTreeMap<String, AlertShape>,
    /// Guards of the rule at hand must agree on its whole key.
    pub(crate) whole_guard_keys: bool,
}

impl<'a> Checker<'a> {
    fn declarations(&mut self) {
        for name in self.names.lets.keys().copied().collect::<Vec<_>>() {
            self.let_facts(name);
        }
        for class in self.names.classes.values().copied().collect::<Vec<_>>() {
            let scope = Scope::bare(Place::Class);
            self.condition(&class.condition, &scope, "an event class");
            self.contradictions(&[&class.condition]);
            self.skipping_negations(&[&class.condition], &[], &scope);
        }
        for clock in self.names.clocks.values().copied().collect::<Vec<_>>() {
            self.clock(clock);
        }
        for table in self.names.tables.values().copied().collect::<Vec<_>>() {
            for (i, column) in table.key.iter().enumerate() {
                if let Some(first) = table.key[..i].iter().find(|c| c.name == column.name) {
                    self.out.push(
                        Diagnostic::error(
                            codes::DUPLICATE_KEY,
                            format!("the key column `{}` is named twice", column.name),
                            column.span,
                            "named again here",
                        )
                        .label(first.span, "first named here")
                        .help("delete one of them"),
                    );
                }
            }
        }
    }

    /// The facts of a `let`; judges it at the first call.
    pub(crate) fn let_facts(&mut self, name: &str) -> LetFacts {
        const UNKNOWN: LetFacts = LetFacts { kinds: Kinds::ANY, event: None, statistic: None };
        match self.lets.get(name) {
            Some(Some(facts)) => return *facts,
            Some(None) => {
                if let Some(decl) = self.names.lets.get(name) {
                    self.out.push(
                        Diagnostic::error(
                            codes::CYCLIC_LET,
                            format!("`{name}` is defined by itself"),
                            decl.name.span,
                            "needs its own value",
                        )
                        .note("a `let` stands for its expression, which would never end")
                        .help("write out one of the expressions in the circle"),
                    );
                }
                return UNKNOWN;
            }
            None => {}
        }
        let Some(decl) = self.names.lets.get(name).copied() else { return UNKNOWN };
        self.lets.insert(name.to_string(), None);
        let outer = std::mem::take(&mut self.seen);
        let kinds = self.infer_comparable(&decl.value, &Scope::bare(Place::Let));
        let seen = std::mem::replace(&mut self.seen, outer);
        let facts = LetFacts { kinds, event: seen.event, statistic: seen.statistic };
        self.lets.insert(name.to_string(), Some(facts));
        facts
    }

    fn rule(&mut self, rule: &'a RuleDecl) {
        self.duplicate_clauses(rule);
        let model = Model::new(rule);
        let shape = AlertShape {
            values: Vec::new(),
            key: model.key().iter().map(|c| (c.name.clone(), c.field.clone())).collect(),
        };
        self.alerts.insert(rule.name.name.clone(), shape);
        if model.matching.is_none() {
            self.out.push(
                Diagnostic::error(
                    codes::NO_MATCH,
                    format!("the rule `{}` has no `match`", rule.name.name),
                    rule.name.span,
                    "matches nothing",
                )
                .help("say what to look for: `match { a: login then b: logout } within 10m`"),
            );
            return;
        }
        // What looks at pairs of steps would take as long as whoever wrote so many of them likes.
        if model.steps.len() > FAR_TOO_MANY * self.limits.max_steps {
            self.parts(&model);
            return;
        }
        self.step_names(&model);
        self.found_names(&model);
        self.absent_names(&model);
        self.keys(&model);
        let reported = self.out.len();
        for way in model.ways() {
            self.structure(&way);
        }
        self.once_for_all_ways(reported);
        self.step_expressions(&model);
        let reported = self.out.len();
        for way in model.ways() {
            self.bounds(&way);
        }
        self.once_for_all_ways(reported);
        self.choices(&model);
        self.clauses(&model);
        self.unreachable(&model);
        self.parts(&model);
        self.clocks_of(&model);
        self.classes(&model);
    }

    /// Alert classes: unknown rules, and rules that would wait for themselves.
    fn alert_cycles(&mut self) {
        let mut reported: Vec<&str> = Vec::new();
        for rule in self.names.rules.values().copied().collect::<Vec<_>>() {
            let start = rule.name.name.as_str();
            if reported.contains(&start) {
                continue;
            }
            let Some((chain, at)) = self.cycle_from(start) else { continue };
            reported.extend(chain.iter().copied());
            let mut circle = chain.join("` reads alerts of `");
            circle.push_str(&format!("` reads alerts of `{start}"));
            self.out.push(
                Diagnostic::error(
                    codes::CYCLIC_ALERTS,
                    format!("the rule `{start}` builds on its own alerts"),
                    at,
                    "closes a circle",
                )
                .note(format!("`{circle}`"))
                .note("an alert would have to come before itself")
                .help("let one of the rules read the events instead of the alerts"),
            );
        }
    }

    /// A way over alert classes from `start` back to it, with the place that leaves `start`.
    fn cycle_from(&self, start: &'a str) -> Option<(Vec<&'a str>, Span)> {
        let mut open = vec![(vec![start], None)];
        let mut visited = Vec::new();
        while let Some((chain, at)) = open.pop() {
            let last = chain.last().copied().unwrap_or(start);
            let Some(rule) = self.names.rules.get(last).copied() else { continue };
            for class in pattern::all_classes(rule) {
                let Some(next) = class.name.strip_prefix("alert.") else { continue };
                let at = at.or(Some(class.span));
                if next == start {
                    return at.map(|at| (chain, at));
                }
                if !visited.contains(&next) {
                    visited.push(next);
                    let mut longer = chain.clone();
                    longer.push(next);
                    open.push((longer, at));
                }
            }
        }
        None
    }

    /// Class names of a rule: unknown alerts, probable misspellings, dependence on silent rules.
    fn classes(&mut self, model: &Model<'a>) {
        for class in pattern::all_classes(model.rule) {
            self.class(class);
        }
    }

    fn class(&mut self, class: &ClassRef) {
        if let Some(rule) = class.name.strip_prefix("alert.") {
            self.alert_class(class, rule);
            return;
        }
        let name = class.name.as_str();
        let declared = self.names.classes.contains_key(name) || self.names.clocks.contains_key(name);
        if matches!(name, "any" | "alert") || declared {
            return;
        }
        if !self.judged_classes.insert(class.name.clone()) {
            return;
        }
        let near = suggest::closest(&class.name, self.names.classes.keys().copied());
        if let Some(near) = near.filter(|near| suggest::distance(&class.name, near) <= 2 && class.name.len() > 3) {
            self.out.push(
                Diagnostic::warning(
                    codes::UNDECLARED_CLASS,
                    format!("the event class `{}` is not declared, and `{near}` is", class.name),
                    class.span,
                    "not declared",
                )
                .note(format!("an undeclared class is every event whose type field is \"{}\"", class.name))
                .help(format!("did you mean `{near}`?"))
                .fix(class.span, near),
            );
        }
    }

    fn alert_class(&mut self, class: &ClassRef, rule: &str) {
        let Some(decl) = self.names.rules.get(rule).copied() else {
            let report = Diagnostic::error(
                codes::UNKNOWN_RULE,
                format!("there is no rule `{rule}`"),
                class.span,
                "alerts of an unknown rule",
            );
            self.out.push(match suggest::closest(rule, self.names.rules.keys().copied()) {
                Some(near) => {
                    report.help(format!("did you mean `alert.{near}`?")).fix(class.span, format!("alert.{near}"))
                }
                None => {
                    report.help("a rule on alerts is compiled together with the rule it builds on: pass both files")
                }
            });
            return;
        };
        let silent = decl.clauses.iter().find(|c| {
            matches!(
                c.kind,
                crate::syntax::ast::ClauseKind::Shadow(true) | crate::syntax::ast::ClauseKind::Enabled(false)
            )
        });
        if let Some(clause) = silent {
            self.out.push(
                Diagnostic::warning(
                    codes::SILENT_RULE,
                    format!("the rule `{rule}` gives no alerts at present"),
                    class.span,
                    "no such alert will come",
                )
                .label(clause.span, "silent because of this")
                .help(format!("switch `{rule}` on, or this rule off as well")),
            );
        }
    }
}
