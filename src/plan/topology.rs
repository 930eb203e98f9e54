//! Which rules can be matched partition by partition, where a topic is partitioned by some fields of its events.
//!
//! A rule fits if all that one of its matches looks at agrees on these fields: then it lies in one partition, and what
//! another partition holds, or how far that has come, makes no difference. Everything here errs on the side of
//! refusing.

use std::fmt;

use super::Ruleset;
use super::expr::{Attr, Expr};
use super::key::KeyPart;
use super::ruleset::{Role, Rule};

/// Why a rule cannot be matched partition by partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It has one key for everything.
    NoKey,
    /// Its key leaves out a field by which the topic is partitioned, or has something computed from it.
    KeyWithout(String),
    /// The field may be missing in its key, and events without it are in any partition.
    MayBeMissing(String),
    /// Steps, guards or statistics have keys of their own.
    HandedOver,
    /// It reads alerts, which come from all partitions.
    ReadsAlerts,
    /// It expects keys that have not been seen, and nobody knows in which partition they would be.
    Expects,
    /// `suppress … by` leaves the field out.
    SuppressWithout(String),
    /// It asks for open alerts of a rule by less than the field.
    OpenWithout(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("it has no key, so all partitions together decide"),
            Self::KeyWithout(field) => write!(f, "its key does not have `{field}` as it is"),
            Self::MayBeMissing(field) => {
                write!(f, "`{field}?` in its key may be missing, and such events lie anywhere")
            }
            Self::HandedOver => f.write_str("its key is handed over, or a guard or statistic has one of its own"),
            Self::ReadsAlerts => f.write_str("it reads alerts, which come from all partitions"),
            Self::Expects => f.write_str("it expects keys of which nobody knows the partition"),
            Self::SuppressWithout(field) => write!(f, "its `suppress` counts without `{field}`"),
            Self::OpenWithout(field) => write!(f, "its `unless open` asks without `{field}`"),
        }
    }
}

/// The rules in use that do not fit a topic that is partitioned by these fields, each with the reason, in their order.
pub fn unfit<'r>(rules: &'r Ruleset, by: &[Vec<String>]) -> Vec<(&'r Rule, Unfit)> {
    let in_use = rules.rules.iter().filter(|rule| rule.enabled);
    in_use.filter_map(|rule| Some((rule, reason(rules, rule, by)?))).collect()
}

fn reason(rules: &Ruleset, rule: &Rule, by: &[Vec<String>]) -> Option<Unfit> {
    let follower = rule.follow.as_ref().map(|follow| &rules.followers[follow.follower]);
    if rule.level > 0 || follower.is_some_and(|follower| follower.reads_alerts) {
        return Some(Unfit::ReadsAlerts);
    }
    if rule.expect.is_some() {
        return Some(Unfit::Expects);
    }
    if rule.components.is_empty() {
        return Some(Unfit::NoKey);
    }
    if rule.handed_over {
        return Some(Unfit::HandedOver);
    }
    let roles = || rule.roles.iter().chain(follower.iter().flat_map(|follower| &follower.roles));
    by.iter().find_map(|field| of_field(rules, rule, field, &mut roles()))
}

fn of_field(rules: &Ruleset, rule: &Rule, field: &[String], roles: &mut dyn Iterator<Item = &Role>) -> Option<Unfit> {
    let name = || field.join(".");
    let is = |attr: &Attr| matches!(attr, Attr::Field(id) if rules.fields[id.index()] == field);
    let is_field = |e: &Expr| matches!(e, Expr::This(attr) if is(attr));
    // Roles of one rule agree on the order of its components, so it is one and the same component for all of them.
    let first = rule.roles.first()?;
    let parts = |role: &Role| &rules.keyspecs[role.keyspec.index()].parts;
    let place = parts(first).iter().position(|part| is_field(&part.value));
    let Some(place) = place else { return Some(Unfit::KeyWithout(name())) };
    for role in roles {
        match parts(role).get(place) {
            Some(KeyPart { value, optional: false }) if is_field(value) => {}
            Some(KeyPart { value, .. }) if is_field(value) => return Some(Unfit::MayBeMissing(name())),
            _ => return Some(Unfit::KeyWithout(name())),
        }
    }
    let suppressed = rule.suppress.as_ref().is_none_or(|suppress| {
        let is_same = |e: &Expr| match e {
            Expr::Key(at) => rule.key.get(*at) == Some(&place),
            Expr::Bound(_, _, attr) => is(attr),
            _ => false,
        };
        suppress.by.is_empty() || suppress.by.iter().any(is_same)
    });
    if !suppressed {
        return Some(Unfit::SuppressWithout(name()));
    }
    let mut open = rule.steps.iter().flat_map(|step| &step.unless_open);
    open.any(|open| !open.key.iter().any(is_field)).then(|| Unfit::OpenWithout(name()))
}
