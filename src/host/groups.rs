//! What a host has in hand, for people: which rules share keys, and what events on their way are.

use std::collections::BTreeMap;

use super::bytes::FormatError;
use super::event;
use super::names::{HostRules, RuleTag};
use super::stages::Stage;
use crate::base::RuleId;
use crate::plan::Rule;

/// Rules whose events go to the same keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGroup {
    /// The names of the key's components; none for a rule that has one state for all events. Where keys are handed over,
    /// what does not change on the way.
    pub components: Vec<String>,
    /// The stage.
    pub stage: Stage,
    /// The rules, in the order of the rule set.
    pub rules: Vec<RuleId>,
}

impl HostRules {
    /// The key groups of rules that are matched by key, those of the second stage last, each in the order in which the rule
    /// set begins with them. A rule without a key, and one of which no part of the key stays, is a group of its own.
    pub fn key_groups(&self) -> Vec<KeyGroup> {
        let mut groups: Vec<KeyGroup> = Vec::new();
        let mut by_components: BTreeMap<(bool, Vec<String>), usize> = BTreeMap::new();
        for stage in [Stage::Match, Stage::Upper] {
            for rule in self.rules.rules.iter().filter(|rule| rule.enabled && self.stage(rule.id) == stage) {
                let components = self.shared_components(rule);
                let name = (stage == Stage::Upper, components.clone());
                match by_components.get(&name).filter(|_| !components.is_empty()) {
                    Some(at) => groups[*at].rules.push(rule.id),
                    None => {
                        by_components.insert(name, groups.len());
                        groups.push(KeyGroup { components, stage, rules: vec![rule.id] });
                    }
                }
            }
        }
        groups
    }

    /// The names of the components by which the events of a rule are kept apart.
    fn shared_components(&self, rule: &Rule) -> Vec<String> {
        let all = || rule.components.iter().map(ToString::to_string);
        if self.rules.is_whole(rule) {
            Vec::new()
        } else if rule.handed_over {
            rule.shared.iter().filter_map(|place| all().nth(*place)).collect()
        } else {
            all().collect()
        }
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
