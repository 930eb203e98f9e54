//! A rule set as hosts need it: names of rules and fields that hold across rule sets, and who needs what.
//!
//! Relies on the plan alone. A [`RuleTag`] is the hash of a rule's name and content: the tag of an edited rule is
//! another, so what was kept for the old one is no longer found, and the rule begins anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

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
    /// By rule: its alerts are for the gatherer.
    gathered: Vec<bool>,
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
        let gathered = rules.rules.iter().map(|rule| is_gathered(&rules, rule)).collect();
        let mut host = Self {
            tags,
            by_tag,
            field_names,
            by_field_name,
            watched: BTreeMap::new(),
            ticked,
            gathered,
            config,
            rules,
        };
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
                None if rule.components.is_empty() && self.ticked.iter().any(|seen| seen.contains(&rule.id)) => {
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
        if !key.is_empty() {
            return key.to_vec();
        }
        let mut bytes = vec![OF_RULE];
        bytes.extend_from_slice(&self.tag(rule).0.to_le_bytes());
        bytes
    }

    /// The encoded key that rules know a host key by.
    pub(super) fn key_of(host_key: &[u8]) -> &[u8] {
        if host_key.first() == Some(&OF_RULE) { &[] } else { host_key }
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
        self.gathered[rule.index()]
    }

    /// Whether there is anything for a [`super::Gatherer`] to do.
    pub fn needs_gatherer(&self) -> bool {
        self.rules.gathers() || self.gathered.contains(&true)
    }
}

fn is_gathered(rules: &Ruleset, rule: &Rule) -> bool {
    let is_local = |by_key: bool| by_key || rule.handed_over || rule.components.is_empty();
    rule.level > 0
        || rule.follow.is_some()
        || rules.classes.is_read(rule.id)
        || rule.suppress.as_ref().is_some_and(|suppress| !is_local(suppress.by.is_empty()))
}
