//! What becomes of a rule's alerts once they are sent, and what asks for open ones.

use super::Role;
use crate::base::id::GuardId;
use crate::base::{Duration, RuleId};
use crate::plan::expr::Expr;

/// What becomes of the alerts of a rule: `resolve`, `repeat every`.
#[derive(Clone, Debug)]
pub struct Follow {
    /// Its place in [`super::Ruleset::followers`].
    pub follower: usize,
    /// An event of these closes the open alerts of its key.
    pub resolve_on: Vec<GuardId>,
    /// A look at which this is true closes them; over the window of a sliding count.
    pub resolve_when: Option<Expr>,
    /// The alert is said again so often.
    pub repeat: Option<Duration>,
    /// An event of these ends that.
    pub ends_repeat: Vec<GuardId>,
    /// Some guard compares with bound events: open alerts keep theirs.
    pub reads_bound: bool,
}

/// The events that matter to open alerts of one rule. They are found as the events of rules are.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The rule.
    pub rule: RuleId,
    /// Its guards: each has a bit here, apart from the one it may have in the rule.
    pub roles: Vec<Role>,
    /// Some of the events are alerts.
    pub reads_alerts: bool,
}

/// `unless open alert.r` of a step.
#[derive(Clone, Debug)]
pub struct OpenGuard {
    /// The rule whose alerts hold the step back.
    pub rule: RuleId,
    /// That rule's key, over the event of the step.
    pub key: Vec<Expr>,
}
