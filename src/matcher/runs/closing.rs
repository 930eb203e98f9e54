//! Repetitions that end a pattern when time has ended them: `until silent 30m`, `until 5m`.
//!
//! ```text
//! until silent d   a1 · a2 ·· a3 ····· ▲ a3 + d        each event moves the deadline on
//! until d          a1 · a2 · a3 ▲ a1 + d               the first event sets it
//! ```
//! The deadlines are those of trailing absences ([`Runs::deadlines`]), and a search at each decides. Where every event
//! of the step is surely bound, the deadlines that cannot decide anything are not kept. What a pattern of one step
//! holds is forgotten once it has closed, whether it gave a match or not: nothing that comes later is bound with it.

use super::search::Trigger;
use super::{RuleEnv, Runs};
use crate::base::{StepId, Timestamp};
use crate::matcher::arrived::Match;
use crate::plan::ruleset::{AfterMatch, Ends, Pick, Rule};

/// Whether every event with the step's role is bound by each repetition that is open when it comes.
fn binds_all(rule: &Rule, step: StepId) -> bool {
    let step = &rule.steps[step.index()];
    step.cross.is_none()
        && step.cross_lookback.is_empty()
        && step.quantifier.as_ref().is_none_or(|q| q.distinct.is_empty())
        && !rule.handed_over
}

/// Whether the pattern is one step with `until 5m` of which each stretch begins right where the one before has closed,
/// so that nothing but the open stretch need be held.
pub(super) fn is_tumbling(rule: &Rule) -> bool {
    rule.closing().is_some_and(|(step, ends)| {
        matches!(ends, Ends::After(_))
            && rule.elements.len() == 1
            && rule.cancel.is_empty()
            && matches!(rule.pick, Pick::Latest | Pick::First)
            && matches!(rule.after, AfterMatch::SkipPastLast | AfterMatch::NoSkip)
            && binds_all(rule, step)
    })
}

impl Runs {
    /// An event at `ts` has the role of the last step: notes when the repetition that it belongs to may close.
    pub(super) fn set_closing(&mut self, rule: &Rule, ends: Ends, ts: Timestamp) {
        let Some((step, _)) = rule.closing() else { return };
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
        self.search(env, &[trigger], out);
        let rule = env.rule;
        let looked_back_at = rule.steps.iter().any(|s| !s.cross_lookback.is_empty());
        if rule.elements.len() > 1 || looked_back_at {
            return;
        }
        let role = rule.steps[step.index()].role;
        let Some((first, last)) = self.span_of(role) else { return };
        let tumbles = is_tumbling(rule);
        if (if tumbles { first } else { last }) + ends.length() <= deadline {
            self.buffer.drop_before(env, Timestamp(deadline.0.saturating_add(1)));
            self.limited = false;
        }
        if tumbles && let Some((next, _)) = self.span_of(role) {
            self.set_deadline(next + ends.length());
        }
    }

    /// Times of the oldest and newest event with a role.
    fn span_of(&self, role: u8) -> Option<(Timestamp, Timestamp)> {
        let first = self.buffer.range(role, 0, self.buffer.end()).next()?;
        let last = self.buffer.range(role, 0, self.buffer.end()).next_back()?;
        Some((self.buffer.event(first).ts, self.buffer.event(last).ts))
    }
}
