//! What a host has in hand, for people: which rules share keys, and what events on their way are.

use std::collections::BTreeMap;

use super::bytes::FormatError;
use super::event;
use super::names::{HostRules, RuleTag};
use crate::base::RuleId;

/// Rules whose events go to the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGroup {
    /// The names of the key's components; none for a rule that has one state for all events.
    pub components: Vec<String>,
    /// The rules, in the order of the rule set.
    pub rules: Vec<RuleId>,
}

impl HostRules {
    /// The key groups of rules on events, in the order in which the rule set begins with them. A rule without a key, and
    /// one that hands its key over, is a group of its own.
    pub fn key_groups(&self) -> Vec<KeyGroup> {
        let mut groups: Vec<KeyGroup> = Vec::new();
        let mut by_components: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for rule in self.rules.rules.iter().filter(|rule| rule.level == 0 && rule.enabled) {
            let alone = rule.handed_over || rule.components.is_empty();
            let components: Vec<String> =
                if alone { Vec::new() } else { rule.components.iter().map(ToString::to_string).collect() };
            let at = if alone { None } else { by_components.get(&components).copied() };
            match at {
                Some(at) => groups[at].rules.push(rule.id),
                None => {
                    if !alone {
                        by_components.insert(components.clone(), groups.len());
                    }
                    groups.push(KeyGroup { components, rules: vec![rule.id] });
                }
            }
        }
        groups
    }

    /// The rules that an event, as [`super::Router`] makes it, is for.
    ///
    /// # Errors
    /// The bytes are no event of this release.
    pub fn rules_of_event(&self, event: &[u8]) -> Result<Vec<RuleId>, FormatError> {
        let tags: Vec<RuleTag> = event::tags(event)?;
        Ok(tags.into_iter().filter_map(|tag| self.rule(tag)).collect())
    }

    /// An event, as [`super::Router`] makes it, as JSON: when it happened, its input and line, and the fields that rules
    /// read of it.
    ///
    /// # Errors
    /// The bytes are no event of this release.
    pub fn event_text(&self, bytes: &[u8]) -> Result<String, FormatError> {
        event::text(self, bytes)
    }
}
