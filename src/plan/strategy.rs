//! Which way of executing a rule is the cheapest that is provably equal to its meaning.
//!
//! The conditions for *latest-run* were found exact by brute force and are held to the oracle by property tests:
//! with `pick latest` and `skip past last`, and nothing that tells two bindings of a state apart later, the newest
//! partial match of each state stands for all others. Under much the same conditions the oldest binding with a given
//! first event takes the first event that fits each step, which is what *attempts* keeps.

use serde::{Deserialize, Serialize};

use super::automaton::Automaton;
use super::expr::Expr;
use super::ruleset::{AfterMatch, Element, ElementKind, Hints, Pick, RoleKind, Rule, Step};
use crate::base::Duration;

/// The ways of executing a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StrategyKind {
    /// One step: an event decides alone.
    Stateless,
    /// A sliding count: a window of events per key.
    Counter,
    /// One partial match per automaton state and key.
    LatestRun,
    /// One partial match per first event and key.
    Attempts,
    /// All partial matches, kept as sets that share what they have in common, and gone through without a search.
    Enumerate,
    /// All partial matches, kept as a shared buffer of events per key and found by search with hash joins.
    Runs,
    /// One pending match per step and key.
    Pending,
}

impl StrategyKind {
    /// The word that `explain` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stateless => "stateless",
            Self::Counter => "counter",
            Self::LatestRun => "latest-run",
            Self::Attempts => "attempts",
            Self::Enumerate => "enumerate",
            Self::Runs => "runs",
            Self::Pending => "pending",
        }
    }
}

/// Chooses, and says why.
pub fn choose(rule: &Rule, force: Option<StrategyKind>) -> (StrategyKind, String) {
    if rule.pick == Pick::Pending {
        return (StrategyKind::Pending, "`pick pending` keeps one match per step and key".to_owned());
    }
    if rule.is_sliding() && !rule.handed_over {
        return (StrategyKind::Counter, "one repeated step with a bound is a sliding count".to_owned());
    }
    if force != Some(StrategyKind::Runs) {
        if is_stateless(rule) {
            return (StrategyKind::Stateless, "one step: the event alone decides".to_owned());
        }
        let against_attempts = against_attempts(rule);
        if rule.pick == Pick::All && (rule.after != AfterMatch::SkipToNext || against_attempts.is_some()) {
            return match against_enumerate(rule) {
                None => {
                    let why = "every match is asked for, and conditions look at one event at a time";
                    (StrategyKind::Enumerate, why.to_owned())
                }
                Some(why) => (StrategyKind::Runs, why),
            };
        }
        let against_latest_run = against_latest_run(rule);
        return match (&against_latest_run, against_attempts) {
            (None, _) => {
                let why = "conditions look at one event at a time, and the newest partial match of a state wins";
                (StrategyKind::LatestRun, why.to_owned())
            }
            (_, None) => {
                let why = "conditions look at one event at a time, and who began takes what fits first";
                (StrategyKind::Attempts, why.to_owned())
            }
            (Some(why), Some(_)) if rule.pick == Pick::Latest => (StrategyKind::Runs, why.clone()),
            (_, Some(why)) => (StrategyKind::Runs, why),
        };
    }
    (StrategyKind::Runs, "asked for".to_owned())
}

fn is_stateless(rule: &Rule) -> bool {
    if !rule.alternatives.is_empty() {
        return false;
    }
    let [Element { kind: ElementKind::Single(step), without, .. }] = rule.elements.as_slice() else { return false };
    let step = &rule.steps[step.index()];
    without.is_empty()
        && rule.trailing.is_empty()
        && step.cross.is_none()
        && step.cross_lookback.is_empty()
        && !rule.handed_over
}

/// Why enumerating all matches would not be exact, or `None` if it is.
fn against_enumerate(rule: &Rule) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    if rule.handed_over {
        return no("the key is handed over between steps");
    }
    if !matches!(rule.after, AfterMatch::NoSkip | AfterMatch::SkipPastLast) {
        return no("`after match` leaves out some of the matches");
    }
    if rule.having.is_some() {
        return no("`having` looks at the whole match");
    }
    if rule.ways().iter().any(|way| !way.trailing.is_empty()) {
        return no("an absence ends the pattern");
    }
    if !rule.parts.is_empty() || rule.ways().iter().any(|way| !way.parts.is_empty()) {
        return no("a part of the pattern has a bound of its own");
    }
    if rule.computed_within.is_some() || rule.ways().iter().any(|way| !way.computed_parts.is_empty()) {
        return no("a bound depends on what is bound");
    }
    if rule.cancel.iter().any(|guard| rule.guards[guard.index()].cross.is_some()) {
        return no("`cancel` compares events");
    }
    Automaton::of(rule).err()
}

/// Why no strategy for sequences that keeps a few partial matches would be exact.
fn against_chains(rule: &Rule) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    if rule.handed_over {
        return no("the key is handed over between steps");
    }
    if rule.having.is_some() {
        return no("`having` looks at the whole match");
    }
    if !rule.alternatives.is_empty() {
        return no("`any` chooses between sequences");
    }
    if !rule.parts.is_empty() {
        return no("a part of the pattern has a bound of its own");
    }
    if rule.computed_within.is_some() || !rule.computed_parts.is_empty() || rule.has_computed_deadline() {
        return no("a bound depends on what is bound");
    }
    if rule.trailing.iter().any(|a| a.group.is_some()) {
        return no("an absence is that of a sequence");
    }
    if rule.trailing.iter().any(|a| a.fewer > 1) {
        return no("an absence counts");
    }
    let guards = rule.cancel.iter().chain(rule.trailing.iter().flat_map(|a| &a.guards));
    let between = rule.elements.iter().flat_map(|e| &e.without);
    for guard in guards.chain(between) {
        if rule.guards[guard.index()].cross.is_some() {
            return no("an absence or `cancel` compares events");
        }
    }
    None
}

/// Why latest-run would not be exact, or `None` if it is.
fn against_latest_run(rule: &Rule) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    if rule.pick != Pick::Latest {
        return no("`pick` asks for other than the latest match");
    }
    if rule.after != AfterMatch::SkipPastLast {
        return no("`after match` lets matches share events");
    }
    if let Some(why) = against_chains(rule) {
        return Some(why);
    }
    if !rule.cancel.is_empty() && rule.elements.len() > 1 && matches!(rule.elements[0].kind, ElementKind::Repeat(_)) {
        return no("`cancel on` cuts what a repeated first step reaches back to");
    }
    for (i, element) in rule.elements.iter().enumerate() {
        if element.link.computed.is_some() {
            return no("the bound of a gap depends on what is bound");
        }
        if !element.ahead.is_empty() {
            return no("a timed absence precedes a step");
        }
        if element.link.after.is_some() && !element.link.directly {
            return no("a gap has a minimum");
        }
        let step = match &element.kind {
            ElementKind::Single(step) => step,
            ElementKind::Repeat(step) if i == 0 => {
                let step = &rule.steps[step.index()];
                let q = step.quantifier.as_ref();
                let plain = q.is_some_and(|q| q.max.is_none() && q.min > 0 && q.distinct.is_empty() && !q.consecutive);
                if !plain || step.until.is_some() || step.ends.is_some() || !element.without.is_empty() {
                    return no("the first step's repetition is more than `at least N`");
                }
                if rule.elements.len() == 1 && rule.trailing.is_empty() {
                    return no("a repeated step without a bound");
                }
                match &element.kind {
                    ElementKind::Repeat(step) => step,
                    _ => return None,
                }
            }
            _ => return no("a step after the first is repeated, optional, or one of several"),
        };
        if let Some(why) = against_step(&rule.steps[step.index()]) {
            return Some(why);
        }
    }
    None
}

/// Why an event of a step is not as good as another.
fn against_step(step: &Step) -> Option<String> {
    if step.naming().next().is_some() {
        return Some(format!("step `{}` names the event that it looks back at", step.label));
    }
    if step.cross.is_some() || !step.cross_lookback.is_empty() {
        return Some(format!("step `{}` compares events", step.label));
    }
    None
}

/// Why one attempt for each first event would not be exact, or `None` if it is.
fn against_attempts(rule: &Rule) -> Option<String> {
    let no = |why: &str| Some(why.to_owned());
    if let AfterMatch::SkipTo { .. } = rule.after {
        return no("`after match` goes back to a step");
    }
    if let Some(why) = against_chains(rule) {
        return Some(why);
    }
    let only = rule.elements.len() == 1;
    if !only && rule.pick == Pick::Latest {
        return no("the latest of several partial matches is asked for");
    }
    // Each of these may make an event other than the first that comes the right one.
    if !only && !rule.trailing.is_empty() {
        return no("an absence ends the sequence");
    }
    if !only && !rule.cancel.is_empty() {
        return no("`cancel on` ends what has come furthest");
    }
    for element in &rule.elements {
        let ElementKind::Single(step) = &element.kind else {
            return no("a step is repeated, optional, or one of several");
        };
        let link = &element.link;
        if link.directly || link.after.is_some() || link.within.is_some() || link.computed.is_some() {
            return no("a gap between steps is bounded");
        }
        if !element.ahead.is_empty() || !element.without.is_empty() {
            return no("an absence stands between steps");
        }
        if let Some(why) = against_step(&rule.steps[step.index()]) {
            return Some(why);
        }
    }
    None
}

/// Facts about a rule that every event asks for.
///
/// Its strategy must have been chosen.
pub fn hints(rule: &Rule) -> Hints {
    let mut reads_key = false;
    let looks = rule.having.iter().chain(rule.follow.iter().filter_map(|f| f.resolve_when.as_ref()));
    for condition in looks {
        condition.walk(&mut |e| reads_key |= matches!(e, Expr::Key(_)));
    }
    let looked_back_at = |guard: usize| {
        let mut lookbacks = rule.steps.iter().flat_map(|s| &s.cross_lookback);
        lookbacks.any(|l| l.guards.iter().any(|g| g.index() == guard))
    };
    // A window or a chain of states begins with its first step; a search may look back at anything it holds.
    let first = if is_searched(rule) { None } else { rule.elements.first().map(Element::steps) };
    let mut begins = rule.alternatives.iter().fold(0_u64, |begins, way| begins | way.hints.begins);
    let mut named = 0_u64;
    for (at, role) in rule.roles.iter().enumerate() {
        match role.kind {
            RoleKind::Named => named |= 1 << at,
            RoleKind::Step(step) if first.as_ref().is_none_or(|f| f.contains(&step)) => begins |= 1 << at,
            RoleKind::Guard(guard) if looked_back_at(guard.index()) => begins |= 1 << at,
            _ => {}
        }
    }
    Hints {
        needs_past: !rule.stats.is_empty() || rule.steps.iter().any(|s| !s.lookback.is_empty()),
        judged_on_arrival: rule.steps.iter().any(|s| s.arrival.is_some() || !s.lookback.is_empty()),
        timed: match rule.strategy {
            StrategyKind::Stateless | StrategyKind::Counter | StrategyKind::Enumerate => false,
            StrategyKind::LatestRun | StrategyKind::Attempts => !rule.trailing.is_empty(),
            StrategyKind::Runs | StrategyKind::Pending => true,
        },
        reads_key,
        named,
        begins,
        // Known once all rules are.
        kept_as: None,
    }
}

/// Whether the first element may bind nothing, so that another step comes first.
fn is_searched(rule: &Rule) -> bool {
    match rule.elements.first().map(|e| &e.kind) {
        Some(ElementKind::Optional(_)) | None => true,
        Some(ElementKind::Repeat(step)) => rule.steps[step.index()].quantifier.as_ref().is_none_or(|q| q.min == 0),
        Some(ElementKind::Group(group)) => group.quantifier.min == 0,
        Some(ElementKind::Single(_) | ElementKind::All(_) | ElementKind::Any(_)) => false,
    }
}

/// How long after its time an event can still matter to a match; `None` is for ever. For a pattern that ends with
/// `until`, which may come at any time, it counts from the newest event that may be bound.
pub fn horizon(rule: &Rule) -> Option<Duration> {
    if !rule.alternatives.is_empty() {
        return rule
            .alternatives
            .iter()
            .map(|way| way.horizon)
            .min()
            .flatten()
            .and_then(|_| rule.alternatives.iter().filter_map(|way| way.horizon).max());
    }
    let span = match rule.within {
        Some(within) => within,
        None => {
            let mut sum = Duration::ZERO;
            for (i, element) in rule.elements.iter().enumerate() {
                if let Some(part) =
                    rule.parts.iter().filter(|p| p.elements.contains(&i)).max_by_key(|p| p.elements.len())
                {
                    if i == part.elements.start {
                        // The gap before the part is that of its first element, if that is there.
                        let gap = if i == 0 { Duration::ZERO } else { element.link.within? };
                        if i > 0 && !matches!(element.kind, ElementKind::Single(_) | ElementKind::Any(_)) {
                            return None;
                        }
                        sum = sum + gap + part.within;
                    }
                    continue;
                }
                match (&element.kind, i) {
                    (ElementKind::Single(_) | ElementKind::Any(_), 0) => {}
                    (ElementKind::Single(_) | ElementKind::Any(_), _) => sum = sum + element.link.within?,
                    _ => return None,
                }
            }
            sum
        }
    };
    let mut lookback = Duration::ZERO;
    for looked in rule.steps.iter().flat_map(|s| s.lookback.iter().chain(&s.cross_lookback)) {
        lookback = lookback.max(looked.last.fixed()?);
    }
    let closing = rule.closing().map(|(_, ends)| ends.length()).unwrap_or_default();
    Some(span + rule.trailing_deadline().unwrap_or_default() + closing + lookback)
}
