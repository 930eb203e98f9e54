//! A rule set as hosts need it: names of rules and fields that hold across rule sets, and who needs what.
//!
//! Relies on the plan alone. A [`RuleTag`] is the hash of a rule's name and content: the tag of an edited rule is
//! another, so what was kept for the old one is no longer found, and the rule begins anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::stages::{Stage, Stages};
use crate::alert::Evidence;
use crate::base::{Duration, FieldId, Limits, RuleId, Value};
use crate::decode::TimeConfig;
use crate::decode::decoder::{DecodeConfig, Decoder};
use crate::plan::key::{encode_scalar, hash};
use crate::plan::{Rule, Ruleset};

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Names a rule and its content in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleTag(pub u64);

impl RuleTag {
    fn of(rule: &Rule) -> Self {
        let mut bytes = rule.name.as_bytes().to_vec();
        bytes.extend_from_slice(&rule.fingerprint.to_le_bytes());
        Self(hash(&bytes))
    }
}

/// How a host runs a rule set.
#[derive(Clone, Debug, Default)]
pub struct HostConfig {
    /// Where event time is.
    pub time: TimeConfig,
    /// How far behind the newest event of its input an event may come.
    pub lateness: Duration,
    /// How much of the bound events alerts carry.
    pub evidence: Evidence,
    /// Limits on state and input. That on memory is the host's.
    pub limits: Limits,
    /// A rule that panics when an event comes for it: for tests of hosts.
    pub fail_in: Option<RuleId>,
}

/// First byte of the host key of a rule that has no key of its own: no encoded value begins with it.
const OF_RULE: u8 = 0xff;

/// First byte of host keys of the second stage: no host key of the first begins with it.
const UPPER: u8 = 0xfe;

/// A rule set with what hosts ask of it.
#[derive(Debug)]
pub struct HostRules {
    pub(super) rules: Arc<Ruleset>,
    pub(super) config: HostConfig,
    tags: Vec<RuleTag>,
    by_tag: Map<u64, RuleId>,
    field_names: Vec<u64>,
    by_field_name: Map<u64, FieldId>,
    /// By host key: rules that watch for it without having seen it, or see every tick.
    watched: BTreeMap<Vec<u8>, Vec<RuleId>>,
    /// By clock: the rules on events that see it.
    pub(super) ticked: Vec<Vec<RuleId>>,
    pub(super) stages: Stages,
}

impl HostRules {
    /// A rule set for a host.
    pub fn new(rules: Arc<Ruleset>, config: HostConfig) -> Self {
        let tags: Vec<RuleTag> = rules.rules.iter().map(RuleTag::of).collect();
        let by_tag = tags.iter().enumerate().map(|(at, tag)| (tag.0, RuleId::from(at))).collect();
        let field_names: Vec<u64> = rules.fields.iter().map(|path| hash(path.join("\0").as_bytes())).collect();
        let by_field_name = field_names.iter().enumerate().map(|(at, name)| (*name, FieldId::from(at))).collect();
        let on_events = |id: &RuleId| rules.rules.get(id.index()).is_some_and(|rule| rule.level == 0 && rule.enabled);
        let ticked = (0..rules.clocks.len()).map(|clock| {
            let mut seen: Vec<RuleId> = rules.classes.ticks_for(clock).filter(on_events).collect();
            seen.sort_unstable_by_key(|id| id.0);
            seen.dedup();
            seen
        });
        let ticked = ticked.collect();
        let stages = Stages::new(&rules);
        let mut host =
            Self { tags, by_tag, field_names, by_field_name, watched: BTreeMap::new(), ticked, stages, config, rules };
        host.watched = host.watched();
        host
    }

    fn watched(&self) -> BTreeMap<Vec<u8>, Vec<RuleId>> {
        let mut watched: BTreeMap<Vec<u8>, Vec<RuleId>> = BTreeMap::new();
        for rule in self.rules.rules.iter().filter(|rule| rule.level == 0 && rule.enabled) {
            let keys: Vec<Vec<Value>> = match rule.expect.as_deref() {
                Some(expect) => match expect.table {
                    Some(table) => self.rules.tables[table.index()].keys().collect(),
                    None => vec![Vec::new()],
                },
                None if self.rules.is_whole(rule) && self.ticked.iter().any(|seen| seen.contains(&rule.id)) => {
                    vec![Vec::new()]
                }
                None => continue,
            };
            for values in keys {
                let mut bytes = Vec::new();
                if values.iter().all(|value| encode_scalar(value.as_ref(), &mut bytes)) {
                    let rules = watched.entry(self.host_key(rule.id, &bytes)).or_default();
                    if !rules.contains(&rule.id) {
                        rules.push(rule.id);
                    }
                }
            }
        }
        watched
    }

    /// A decoder of lines.
    pub(super) fn decoder(&self) -> Decoder {
        let config = DecodeConfig {
            time: self.config.time.clone(),
            sources: Vec::new(),
            max_line: self.config.limits.max_line,
            max_depth: self.config.limits.max_json_depth,
            shards: 1,
            keep_rejects: false,
        };
        Decoder::new(Arc::clone(&self.rules), config)
    }

    /// The rule set.
    pub fn ruleset(&self) -> &Arc<Ruleset> {
        &self.rules
    }

    /// How it is run.
    pub fn config(&self) -> &HostConfig {
        &self.config
    }

    /// The tag of a rule.
    pub fn tag(&self, rule: RuleId) -> RuleTag {
        self.tags[rule.index()]
    }

    /// The rule that a tag names, if it is in this rule set.
    pub fn rule(&self, tag: RuleTag) -> Option<RuleId> {
        self.by_tag.get(&tag.0).copied()
    }

    pub(super) fn field_name(&self, field: FieldId) -> u64 {
        self.field_names[field.index()]
    }

    pub(super) fn field(&self, name: u64) -> Option<FieldId> {
        self.by_field_name.get(&name).copied()
    }

    /// The host key under which the state of a rule and an encoded key is kept.
    pub fn host_key(&self, rule: RuleId, key: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(key.len() + 10);
        self.write_host_key(rule, key, &mut bytes);
        bytes
    }

    /// Appends a host key.
    pub(super) fn write_host_key(&self, rule: RuleId, key: &[u8], out: &mut Vec<u8>) {
        if self.stages.of(rule) == Stage::Upper {
            out.push(UPPER);
        }
        if key.is_empty() {
            out.push(OF_RULE);
            out.extend_from_slice(&self.tag(rule).0.to_le_bytes());
        }
        out.extend_from_slice(key);
    }

    /// Whether a host key is one of the second stage.
    pub fn is_upper(host_key: &[u8]) -> bool {
        host_key.first() == Some(&UPPER)
    }

    /// The encoded key that rules know a host key by.
    pub(super) fn key_of(host_key: &[u8]) -> &[u8] {
        let key = host_key.strip_prefix(&[UPPER]).unwrap_or(host_key);
        if key.first() == Some(&OF_RULE) { &[] } else { key }
    }

    /// Host keys for which time alone begins something: each is to be stepped once time has begun, events or not.
    pub fn watched_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.watched.keys().map(Vec::as_slice)
    }

    pub(super) fn watchers(&self, host_key: &[u8]) -> &[RuleId] {
        self.watched.get(host_key).map_or(&[], Vec::as_slice)
    }

    /// Whether alerts of a rule go through the [`super::Gatherer`]: rules or followers read them, or they are suppressed
    /// by values that do not say where they are found.
    pub fn gathers(&self, rule: RuleId) -> bool {
        self.stages.is_gathered(rule)
    }

    /// Where a rule is matched.
    pub fn stage(&self, rule: RuleId) -> Stage {
        self.stages.of(rule)
    }

    /// Whether some rule is matched in a second stage.
    pub fn needs_upper(&self) -> bool {
        self.stages.any_above()
    }

    /// Whether there is anything for a [`super::Gatherer`] to do.
    pub fn needs_gatherer(&self) -> bool {
        self.stages.any_gathered()
    }
}
