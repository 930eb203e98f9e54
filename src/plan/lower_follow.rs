//! What becomes of a rule's alerts: `resolve`, `repeat every`, and the keys by which `unless open` asks.
//!
//! The events that end an alert are no part of the pattern. They are found by the same index, but as roles of a
//! *follower* beside the rule, so that shards never see them.

use super::key::{KeyPart, KeySpec};
use super::lower_expr::{Lowering, Place};
use super::lower_rule::{PendingRole, RuleBuilder};
use super::ruleset::{Ahead, Follow, Follower, Role, RoleKind, Rule};
use crate::base::id::GuardId;
use crate::base::{RuleId, StepId};
use crate::syntax::ast::ClauseKind;
use crate::syntax::source::Span;

/// A follow-up whose roles have no bits yet.
pub(super) struct PendingFollow {
    follow: Follow,
    roles: Vec<PendingRole>,
}

impl RuleBuilder<'_, '_> {
    /// Reads the clauses; `None` for a rule without them. To be called when the pattern has been lowered, so that
    /// conditions may read all its names.
    pub(super) fn follow(
        &mut self,
        cancel: &[GuardId],
        trailing: &[Ahead],
        low: &mut Lowering<'_>,
    ) -> Option<PendingFollow> {
        let mut follow = Follow {
            follower: 0,
            resolve_on: Vec::new(),
            resolve_when: None,
            repeat: None,
            ends_repeat: Vec::new(),
            reads_bound: false,
        };
        let mut roles = Vec::new();
        let mut wanted = false;
        for clause in &self.decl.clauses {
            match &clause.kind {
                ClauseKind::ResolveOn(guards) => {
                    wanted = true;
                    for guard in guards {
                        let id = self.guard(guard, None, Some(StepId(0)), low);
                        // Made for the pattern, but it is none of its guards.
                        roles.extend(self.pending_roles.pop());
                        follow.resolve_on.push(id);
                    }
                }
                ClauseKind::ResolveWhen(condition) => {
                    wanted = true;
                    follow.resolve_when = Some(low.expr(condition, Place::Match));
                }
                ClauseKind::Repeat(period) => {
                    wanted = true;
                    follow.repeat = Some(low.duration(period));
                }
                _ => {}
            }
        }
        if follow.repeat.is_some() {
            follow.ends_repeat = trailing.iter().flat_map(|a| &a.guards).chain(cancel).copied().collect();
            for id in &follow.ends_repeat {
                let role = self.pending_roles.iter().find(|r| r.kind == RoleKind::Guard(*id));
                roles.extend(role.map(|r| PendingRole {
                    kind: r.kind,
                    preds: r.preds.clone(),
                    components: r.components.clone(),
                }));
            }
        }
        let guards = follow.resolve_on.iter().chain(&follow.ends_repeat);
        follow.reads_bound = guards.into_iter().any(|g| self.guards[g.index()].cross.is_some());
        wanted.then_some(PendingFollow { follow, roles })
    }

    /// Gives the follower its bits and subscribes it to its events.
    pub(super) fn add_follower(
        &mut self,
        pending: PendingFollow,
        key: &[usize],
        enabled: bool,
        problems: &mut Vec<(Span, String)>,
    ) -> Box<Follow> {
        let PendingFollow { mut follow, roles: pending } = pending;
        follow.follower = self.set.followers.len();
        let id = RuleId::from(self.set.rule_count + follow.follower);
        let mut roles = Vec::new();
        let mut reads_alerts = false;
        for role in pending {
            if role.components.iter().map(|c| c.place).ne(key.iter().copied()) {
                problems.push((self.decl.name.span, "what ends an alert needs the whole key of the rule".to_owned()));
            }
            let parts = role.components.into_iter().map(|c| KeyPart { value: c.value, optional: c.optional });
            let keyspec = self.set.keyspec(KeySpec { parts: parts.collect() });
            roles.push(Role { preds: role.preds, keyspec, kind: role.kind });
        }
        if roles.len() > 64 {
            problems.push((self.decl.name.span, "more than 64 classes end the rule's alerts".to_owned()));
            roles.truncate(64);
        }
        for (at, role) in roles.iter().enumerate() {
            for pred in &role.preds {
                reads_alerts |= self.set.classes.is_of_alerts(*pred);
                if enabled {
                    self.set.classes.subscribe(*pred, id, at as u8);
                }
            }
        }
        self.set.followers.push(Follower { rule: self.id, roles, reads_alerts });
        Box::new(follow)
    }
}

/// Fills in by which expressions the steps with `unless open alert.r` find the alerts of r.
pub(super) fn open_keys(rules: &mut [Rule]) {
    let names: Vec<Vec<_>> =
        rules.iter().map(|r| r.key.iter().map(|place| r.components[*place].clone()).collect()).collect();
    for rule in rules.iter_mut().filter(|r| r.asks_open) {
        let components = &rule.components;
        for step in &mut rule.steps {
            for open in &mut step.unless_open {
                let named = |name: &std::sync::Arc<str>| step.components.iter().find(|c| components[c.place] == *name);
                open.key = names[open.rule.index()].iter().filter_map(named).map(|c| c.value.clone()).collect();
            }
        }
    }
}
