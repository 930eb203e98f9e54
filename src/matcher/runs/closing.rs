//! Repetitions that end a pattern when time has ended them: `until silent 30m`, `until 5m`.
//!
//! ```text
//! until silent d   a1 · a2 ·· a3 ····· ▲ a3 + d        each event moves the deadline on
//! until d          a1 · a2 · a3 ▲ a1 + d               the first event sets it
//! ```
//! The deadlines are those of trailing absences ([`Runs::deadlines`]), and a search at each decides. Where every event
//! of the step is surely bound, the deadlines that cannot decide anything are not kept. What a pattern of one step
//! holds is forgotten once it has closed, whether it gave a match or not: nothing that comes later is bound with it.

use super::buffer::Id;
use super::search::Trigger;
use super::{RuleEnv, Runs};
use crate::base::{StepId, Timestamp};
use crate::matcher::arrived::Match;
use crate::plan::key::encode_tuple;
use crate::plan::ruleset::{AfterMatch, Ends, Pick, Rule};

/// Whether every event with the step's role that can be counted is bound by each repetition that is open when it comes.
fn binds_all(rule: &Rule, step: StepId) -> bool {
    let step = &rule.steps[step.index()];
    step.cross.is_none() && step.cross_lookback.is_empty() && !rule.handed_over
}

/// Whether the pattern is one step with `until 5m` of which each stretch begins right where the one before has closed,
/// so that nothing but the open stretch need be held.
pub(super) fn is_tumbling(rule: &Rule) -> bool {
    rule.closing().is_some_and(|(step, ends)| {
        matches!(ends, Ends::After(_))
            && rule.elements.len() == 1
            && rule.cancel.is_empty()
            && rule.elements.iter().all(|e| e.without.is_empty())
            && matches!(rule.pick, Pick::Latest | Pick::First)
            && matches!(rule.after, AfterMatch::SkipPastLast | AfterMatch::NoSkip)
            && binds_all(rule, step)
    })
}

impl Runs {
    /// An event at `ts` has the role of the last step: notes when the repetition that it belongs to may close.
    pub(super) fn set_closing(&mut self, env: &RuleEnv<'_>, step: StepId, ends: Ends, id: Id) {
        if !self.is_countable(env, step, id) {
            return;
        }
        let (rule, ts) = (env.rule, self.buffer.event(id).ts);
        match ends {
            // The event is bound by what would have closed.
            Ends::Silent(_) if binds_all(rule, step) => {
                while self.deadlines.back().is_some_and(|deadline| *deadline >= ts) {
                    self.deadlines.pop_back();
                }
            }
            Ends::After(_) if is_tumbling(rule) && !self.deadlines.is_empty() => return,
            _ => {}
        }
        self.set_deadline(ts + ends.length());
    }

    /// Decides the repetitions that close at `deadline`, and forgets what has closed.
    pub(super) fn close(
        &mut self,
        env: &RuleEnv<'_>,
        step: StepId,
        ends: Ends,
        deadline: Timestamp,
        out: &mut Vec<Match>,
    ) {
        let trigger = match ends {
            Ends::Silent(d) => Trigger::Deadline(deadline, d),
            Ends::After(_) => Trigger::Closing(deadline),
        };
        self.search(env, &[(*env, trigger)], out);
        let rule = env.rule;
        let looked_back_at = rule.steps.iter().any(|s| !s.cross_lookback.is_empty());
        if rule.elements.len() > 1 || looked_back_at {
            return;
        }
        let Some((first, last)) = self.span_of(env, step) else { return };
        let tumbles = is_tumbling(rule);
        if (if tumbles { first } else { last }) + ends.length() <= deadline {
            self.buffer.drop_before(env, Timestamp(deadline.0.saturating_add(1)));
            self.limited = false;
        }
        if tumbles && let Some((next, _)) = self.span_of(env, step) {
            self.set_deadline(next + ends.length());
        }
    }

    /// Times of the oldest and newest event that a step can count.
    fn span_of(&self, env: &RuleEnv<'_>, step: StepId) -> Option<(Timestamp, Timestamp)> {
        let role = env.rule.steps[step.index()].role;
        let all = || self.buffer.range(role, 0, self.buffer.end());
        let first = all().find(|id| self.is_countable(env, step, *id))?;
        let last = all().rev().find(|id| self.is_countable(env, step, *id))?;
        Some((self.buffer.event(first).ts, self.buffer.event(last).ts))
    }

    /// Whether a step that counts different tuples finds one in the event.
    fn is_countable(&self, env: &RuleEnv<'_>, step: StepId, id: Id) -> bool {
        let Some(q) = env.rule.steps[step.index()].quantifier.as_ref().filter(|q| !q.distinct.is_empty()) else {
            return true;
        };
        let view = env.stored(self.buffer.event(id));
        encode_tuple(q.distinct.iter(), &env.context(Some(&view), &[], None), &mut Vec::new()).is_some()
    }
}
