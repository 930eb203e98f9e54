//! The automaton of a pattern whose matches are enumerated: places at which partial matches wait for their next event.
//!
//! ```text
//! A then B then C without X:      (start) ──A──► [B] ──B──► [C] ──C──► match
//!                                                            ▲ an X empties it
//! A then 2..3 of B then C:        (start) ──A──► [B₁] ──B──► [B₂] ──B──► [B₃] ──B──► [C] ──C──► match
//!                                                              └────────B───────────► ▲
//! ```
//! An event that a place takes moves copies of everything that waits there to the places behind; what waits stays, too,
//! since another event may be taken instead. What an event forbids to be passed over empties a place. Two ways through
//! the automaton never bind the same events to the same steps, so nothing is found twice.
//!
//! A place has one bit of a `u64`, so that what an event does to all of them is a few masks.

use smallvec::SmallVec;

use super::ruleset::{Element, ElementKind, Quantifier, RoleKind, Rule};
use crate::base::{Duration, StepId};

/// Places of one automaton: bits of a `u64`.
pub const MOST_PLACES: usize = 64;

/// Where partial matches wait for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who may take the event: its role and step. Of several the one written first has it.
    pub members: SmallVec<[(u8, StepId); 1]>,
    /// The places behind it, a bit each; none if its event completes the match.
    pub next: u64,
    /// An event later than this after the last one of a partial match does not continue it.
    pub gap: Option<Duration>,
}

impl Place {
    /// The step that an event with these roles is bound to here.
    #[inline]
    pub fn step(&self, roles: u64) -> Option<StepId> {
        self.members.iter().find(|(role, _)| roles & (1 << role) != 0).map(|(_, step)| *step)
    }
}

/// The places of a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Automaton {
    /// All of them; at most [`MOST_PLACES`].
    pub places: Vec<Place>,
    /// Those that may take the first event of a match.
    pub starts: u64,
    /// By role: places that take its events.
    takes: Vec<u64>,
    /// By role: places that its events empty.
    empties: Vec<u64>,
}

impl Automaton {
    /// The automaton of a rule with `pick all`, or why its matches cannot be enumerated by one.
    pub fn of(rule: &Rule) -> Result<Self, String> {
        let roles = rule.roles.len();
        let mut automaton = Self { takes: vec![0; roles], empties: vec![0; roles], ..Self::default() };
        for way in rule.ways() {
            automaton.add(way, rule.alternatives.len() > 1)?;
        }
        for guard in &rule.cancel {
            automaton.empties[usize::from(rule.guards[guard.index()].role)] = u64::MAX;
        }
        Ok(automaton)
    }

    /// Places that take an event with these roles.
    #[inline]
    pub fn taking(&self, roles: u64) -> u64 {
        any_of(&self.takes, roles)
    }

    /// Places at which nothing may pass over an event with these roles.
    #[inline]
    pub fn emptied(&self, roles: u64) -> u64 {
        any_of(&self.empties, roles)
    }

    /// Roles of the events that may be the first of a match, a bit each.
    pub fn first_roles(&self) -> u64 {
        let starts = (0..self.places.len()).filter(|at| self.starts & (1 << at) != 0);
        starts.flat_map(|at| &self.places[at].members).fold(0, |roles, (role, _)| roles | 1 << role)
    }

    /// Adds one way through the pattern.
    fn add(&mut self, rule: &Rule, is_one_of_several: bool) -> Result<(), String> {
        // What the next element may follow: the places that lead to it, and whether it may be the first to bind.
        let (mut before, mut is_first) = (0_u64, true);
        for (at, element) in rule.elements.iter().enumerate() {
            let is_last = at + 1 == rule.elements.len();
            refuse(rule, element)?;
            let may_be_left_out = match &element.kind {
                ElementKind::Optional(_) => true,
                ElementKind::Repeat(step) => quantifier(rule, *step).min == 0,
                _ => false,
            };
            if may_be_left_out && is_last {
                return Err("the last step may be left out".to_owned());
            }
            if may_be_left_out && is_one_of_several {
                return Err("a step may be left out beside `any` of sequences".to_owned());
            }
            let entry = self.place(rule, element, element.link.directly)?;
            for guard in &element.without {
                self.empties[usize::from(rule.guards[guard.index()].role)] |= 1 << entry;
            }
            self.places[entry].gap = element.link.within;
            self.lead(before, entry);
            self.starts |= u64::from(is_first) << entry;
            let after = match &element.kind {
                ElementKind::Repeat(step) => self.repeat(rule, element, quantifier(rule, *step), entry, is_last)?,
                _ => 1 << entry,
            };
            before = if may_be_left_out { before | after } else { after };
            is_first &= may_be_left_out;
        }
        Ok(())
    }

    /// The places of a repeated step behind its first; gives those with which it may end.
    fn repeat(
        &mut self,
        rule: &Rule,
        element: &Element,
        quantifier: &Quantifier,
        entry: usize,
        is_last: bool,
    ) -> Result<u64, String> {
        let contiguous = quantifier.consecutive || element.link.directly;
        let least = quantifier.min.max(1);
        // A last step completes as soon as there are enough; others may bind more.
        let most = if is_last { Some(least) } else { quantifier.max };
        if most.is_some_and(|most| most < least) {
            return Err("a quantifier lets nothing be bound".to_owned());
        }
        let (mut last, mut ends) = (entry, 0_u64);
        for count in 1..=most.unwrap_or(least) {
            if count > 1 {
                let place = self.place(rule, element, contiguous)?;
                self.lead(1 << last, place);
                last = place;
            }
            if count >= least {
                ends |= 1 << last;
            }
        }
        if most.is_none() {
            let more = self.place(rule, element, contiguous)?;
            self.lead(1 << last | 1 << more, more);
            ends |= 1 << more;
        }
        Ok(ends)
    }

    /// A new place for an event of an element.
    fn place(&mut self, rule: &Rule, element: &Element, contiguous: bool) -> Result<usize, String> {
        let at = self.places.len();
        if at == MOST_PLACES {
            return Err(format!("its automaton has more than {MOST_PLACES} places"));
        }
        let member = |step: StepId| (rule.steps[step.index()].role, step);
        let members: SmallVec<[(u8, StepId); 1]> = element.steps().into_iter().map(member).collect();
        for (role, _) in &members {
            self.takes[usize::from(*role)] |= 1 << at;
        }
        if contiguous {
            for (role, empties) in rule.roles.iter().zip(&mut self.empties) {
                if role.kind == RoleKind::Named {
                    *empties |= 1 << at;
                }
            }
        }
        self.places.push(Place { members, next: 0, gap: None });
        Ok(at)
    }

    /// What the places of `from` have taken waits at `to`.
    fn lead(&mut self, from: u64, to: usize) {
        for (at, place) in self.places.iter_mut().enumerate() {
            if from & (1 << at) != 0 {
                place.next |= 1 << to;
            }
        }
    }
}

#[inline]
fn any_of(by_role: &[u64], mut roles: u64) -> u64 {
    let mut places = 0;
    while roles != 0 {
        places |= by_role[roles.trailing_zeros() as usize];
        roles &= roles - 1;
    }
    places
}

fn quantifier(rule: &Rule, step: StepId) -> &Quantifier {
    rule.steps[step.index()].quantifier.as_ref().expect("a repeated step has a quantifier")
}

/// Why an element has no place in such an automaton.
fn refuse(rule: &Rule, element: &Element) -> Result<(), String> {
    let no = |why: &str| Err(why.to_owned());
    if !element.ahead.is_empty() {
        return no("a timed absence precedes a step");
    }
    if element.link.computed.is_some() {
        return no("the bound of a gap depends on what is bound");
    }
    if element.link.after.is_some() {
        return no("a gap has a minimum");
    }
    if element.without.iter().any(|guard| rule.guards[guard.index()].cross.is_some()) {
        return no("an absence compares events");
    }
    for step in element.steps() {
        let step = &rule.steps[step.index()];
        if step.naming().next().is_some() {
            return Err(format!("step `{}` names the event that it looks back at", step.label));
        }
        if step.cross.is_some() || !step.cross_lookback.is_empty() {
            return Err(format!("step `{}` compares events", step.label));
        }
    }
    match &element.kind {
        ElementKind::Single(_) | ElementKind::Optional(_) | ElementKind::Any(_) => Ok(()),
        ElementKind::All(_) => no("`all` takes its events in any order"),
        ElementKind::Group(_) => no("a sequence is repeated"),
        ElementKind::Repeat(step) => {
            let def = &rule.steps[step.index()];
            if def.until.is_some() || def.ends.is_some() {
                return Err(format!("the repetition of step `{}` has an end of its own", def.label));
            }
            if !quantifier(rule, *step).distinct.is_empty() {
                return Err(format!("step `{}` counts different values", def.label));
            }
            if !element.without.is_empty() {
                return Err(format!("the repeated step `{}` has an absence of its own", def.label));
            }
            Ok(())
        }
    }
}
