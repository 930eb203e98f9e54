//! What rules of a key ask of the events that they hold together.

use smallvec::SmallVec;

use super::super::groups::{Member, members_of};
use crate::base::{Duration, StepId};
use crate::plan::Rule;
use crate::plan::ruleset::{AfterMatch, ElementKind, Link, StrategyKind};

/// What a rule asks for.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Term {
    pub(super) step: StepId,
    pub(in super::super) within: Duration,
    /// Its roles that a match begins with, and those that end one.
    pub(in super::super) begins: u64,
    pub(in super::super) ends: u64,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A number of events.
    Count {
        min: u64,
        max: Option<u64>,
        /// Events that it may hold.
        most: usize,
        /// It fires at each event, not only at the first.
        each: bool,
    },
    /// An event after the newest that it has begun with.
    Then(StepId),
}

impl Term {
    /// What a rule asks for, if it is no more than that, and the number of what it keeps of an event.
    pub(in super::super) fn of(rule: &Rule) -> Option<(u32, Self)> {
        let judges = rule.hints.judged_on_arrival || rule.hints.needs_past;
        let is_cut = !rule.cancel.is_empty() || rule.elements.iter().any(|element| !element.without.is_empty());
        if judges || is_cut || !rule.trailing.is_empty() {
            return None;
        }
        Some((rule.hints.kept_as?, Self::count(rule).or_else(|| Self::sequence(rule))?))
    }

    fn count(rule: &Rule) -> Option<Self> {
        let [element] = rule.elements.as_slice() else { return None };
        let ElementKind::Repeat(step_id) = element.kind else { return None };
        let (step, sliding) = (&rule.steps[step_id.index()], rule.sliding.as_deref()?);
        let quantifier = step.quantifier.as_ref()?;
        let plain_count = quantifier.distinct.is_empty()
            && !quantifier.consecutive
            && sliding.events.is_none()
            && sliding.lasting.is_none()
            && sliding.tallies.is_empty()
            && sliding.quick.is_none()
            && sliding.slow.is_none();
        let each = rule.after == AfterMatch::NoSkip;
        let what = What::Count { min: quantifier.min, max: quantifier.max, most: rule.runs_per_key, each };
        let within = rule.within.filter(|_| rule.strategy == StrategyKind::Counter && plain_count)?;
        step.cross.is_none().then_some(Self { step: step_id, within, begins: 1 << step.role, ends: 0, what })
    }

    fn sequence(rule: &Rule) -> Option<Self> {
        let [first, second] = rule.elements.as_slice() else { return None };
        let (ElementKind::Single(first), ElementKind::Single(then)) = (&first.kind, &second.kind) else { return None };
        let Link { within: None, after: None, directly: false, .. } = second.link else { return None };
        let role = |step: &StepId| 1 << rule.steps[step.index()].role;
        let within = rule.within.filter(|_| rule.strategy == StrategyKind::LatestRun)?;
        Some(Self { step: *first, within, begins: role(first), ends: role(then), what: What::Then(*then) })
    }

    /// With fewer events than this nothing can come of a count.
    fn least(&self) -> Option<usize> {
        let What::Count { min, most, .. } = self.what else { return None };
        Some(usize::try_from(min).unwrap_or(usize::MAX).min(most.saturating_add(1)))
    }
}

/// Rules that keep the same of an event.
#[derive(Clone, Debug)]
struct Set {
    kept: u32,
    /// The first of them, which has a state of its own while it is the only one.
    first: Member,
    /// A bit each, from the second one on.
    bits: u64,
}

/// What the rules of a table ask for that hold their events together.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Terms {
    /// By member.
    terms: Vec<Option<Term>>,
    sets: SmallVec<[Set; 2]>,
    /// All those of the sets; and those that count.
    joint: u64,
    pub(super) counting: u64,
    pub(super) longest: Duration,
    /// With fewer events than this nothing can come of any count.
    pub(super) least: usize,
}

impl Terms {
    /// Takes in the next rule of the table.
    pub(in super::super) fn add(&mut self, rule: &Rule) {
        let member = Member(self.terms.len() as u8);
        let (kept, term) = Term::of(rule).unzip();
        if let Some(kept) = kept {
            match self.sets.iter_mut().find(|set| set.kept == kept) {
                Some(set) => set.bits |= set.first.bit() | member.bit(),
                None => self.sets.push(Set { kept, first: member, bits: 0 }),
            }
            self.joint = self.sets.iter().fold(0, |joint, set| joint | set.bits);
        }
        if let Some(term) = &term {
            self.longest = self.longest.max(term.within);
            if let Some(least) = term.least() {
                self.least = if self.counting == 0 { least } else { self.least.min(least) };
                self.counting |= member.bit();
            }
        }
        self.terms.push(term);
    }

    /// The rules that hold their events together, a bit each.
    #[inline]
    pub(in super::super) fn joint(&self) -> u64 {
        self.joint
    }

    /// Of these rules, those that keep the same of an event, set by set.
    pub(super) fn sets(&self, rules: u64) -> impl Iterator<Item = u64> {
        self.sets.iter().map(move |set| set.bits & rules).filter(|bits| *bits != 0)
    }

    /// The rules that keep the same of an event as this one.
    pub(super) fn set_of(&self, member: Member) -> u64 {
        self.sets.iter().map(|set| set.bits).find(|bits| bits & member.bit() != 0).unwrap_or_default()
    }

    /// How long the longest window of some rules is.
    pub(in super::super) fn longest_of(&self, rules: u64) -> Duration {
        let within = |member| self.of(member).map(|term| term.within);
        members_of(rules).filter_map(within).max().unwrap_or_default()
    }

    /// Those of a rule.
    #[inline]
    pub(in super::super) fn of(&self, member: Member) -> Option<&Term> {
        self.terms.get(usize::from(member.0))?.as_ref()
    }
}
