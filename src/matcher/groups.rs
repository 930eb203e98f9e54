//! Which rules share a table of keys.
//!
//! An event often concerns many rules by the same key: twenty counts of the failures of a user, say. In one table they
//! are found by one look-up, and lie side by side in memory.
//!
//! ```text
//! rule 3 ─┐                    ┌─► user7: [3 │ window] [9 │ window] [12 │ partial match]
//! rule 9 ─┼─► table by user ───┤
//! rule 12 ┘                    └─► user8: [9 │ window]
//! ```
//! Those that ask for no more than a number or a sequence of two steps hold their events together ([`super::joint`]).
//! Only rules whose states simply end at some time are together: then a key may go, with all that it holds, once the
//! last of them has ended. Rules that time alone can bring to an alert have a table each, since each key has a timer.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::joint::Terms;
use crate::base::RuleId;
use crate::plan::ruleset::StrategyKind;
use crate::plan::{Rule, Ruleset};

/// Rules of one table, at most: what one key holds is searched by rule.
const MOST: usize = 64;

/// A rule among those of its table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member(pub(super) u8);

impl Member {
    /// Its bit in a set of members.
    #[inline]
    pub(super) fn bit(self) -> u64 {
        1 << self.0
    }
}

/// The members of a set, in order.
#[inline]
pub(super) fn members_of(mut set: u64) -> impl Iterator<Item = Member> {
    std::iter::from_fn(move || {
        let next = (set != 0).then(|| Member(set.trailing_zeros() as u8))?;
        set &= set - 1;
        Some(next)
    })
}

/// The rules of one table.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// In order of rules.
    pub(super) rules: SmallVec<[RuleId; 1]>,
    /// When a slot is no longer armed, everything in it has ended.
    pub(super) ends: bool,
    /// What those ask for that hold their events together; see [`super::joint`].
    terms: Terms,
}

impl Group {
    /// One rule by itself.
    pub fn single(rule: RuleId) -> Self {
        Self { rules: [rule].into_iter().collect(), ..Self::default() }
    }

    /// Rules without joint windows whose states end.
    #[cfg(test)]
    pub(super) fn ending(rules: impl IntoIterator<Item = RuleId>) -> Self {
        Self { rules: rules.into_iter().collect(), ends: true, ..Self::default() }
    }

    /// Takes in a rule.
    fn add(&mut self, rule: &Rule) -> Member {
        let member = Member(self.rules.len() as u8);
        self.rules.push(rule.id);
        self.terms.add(rule);
        member
    }

    /// Whether a rule holds its events together with others.
    #[inline]
    pub(super) fn is_joint(&self, member: Member) -> bool {
        self.terms.joint() & member.bit() != 0
    }

    /// What rules ask for that hold their events together.
    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Its members, in order.
    pub(super) fn members(&self) -> impl Iterator<Item = Member> + use<> {
        (0..self.rules.len() as u8).map(Member)
    }

    /// The rule that a member is.
    pub(super) fn rule(&self, member: Member) -> RuleId {
        self.rules[usize::from(member.0)]
    }

    /// Whether several rules share the table.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        self.rules.len() > 1
    }
}

/// Where the states of a rule are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The table.
    pub(super) table: u32,
    /// Which of its rules.
    pub(super) member: Member,
}

/// Whether the state of a key is useless as a whole from the time on at which it wakes.
fn ends(rule: &Rule) -> bool {
    let simple = matches!(rule.strategy, StrategyKind::Counter | StrategyKind::LatestRun | StrategyKind::Attempts);
    let opens = rule.follow.as_ref().is_some_and(|follow| follow.resolve_when.is_some());
    simple && rule.within.is_some() && !opens && !rule.hints.timed && !rule.hints.needs_past
}

/// The rules of a rule set by table, and the place of each.
pub(super) fn groups(rules: &Ruleset) -> (Vec<Group>, Vec<Place>) {
    let (mut groups, mut open) = (Vec::<Group>::new(), Vec::new());
    let place = |rule: &Rule| {
        let ends = ends(rule);
        // Which rules share decides nothing but speed; rules that find an event by the same key profit.
        let by = (rule.level, rule.roles.first().map(|role| role.keyspec));
        let mut shares = ends && !rule.components.is_empty() && !rule.handed_over && rule.expect.is_none();
        shares &= rule.enabled;
        let at = open.iter().rposition(|other| shares && *other == Some(by)).unwrap_or(groups.len());
        if at == groups.len() {
            groups.push(Group { ends, ..Group::default() });
            open.push(shares.then_some(by));
        }
        let member = groups[at].add(rule);
        if groups[at].rules.len() == MOST {
            open[at] = None;
        }
        Place { table: at as u32, member }
    };
    let places = rules.rules.iter().map(place).collect();
    (groups, places)
}
