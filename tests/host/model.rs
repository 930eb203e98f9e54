//! A host in miniature: keeps bytes by key and one timer a key, holds events back until the watermark has passed them.
//!
//! Everything that crosses from one step to the next is bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tripline::alert::{Alert, Seq};
use tripline::base::Timestamp;
use tripline::decode::batch::BlockOrigin;
use tripline::host::{Cells, Gatherer, HostConfig, HostRules, Input, Item, Router, Until, write_draft};
use tripline::plan::Ruleset;
use tripline::session::AtEnd;

/// What is kept of one key.
#[derive(Clone, Default)]
struct Kept {
    state: Vec<u8>,
    events: Vec<Vec<u8>>,
    timer: Option<Timestamp>,
}

/// The whole host.
pub struct Host {
    rules: Arc<HostRules>,
    router: Router,
    cells: Cells,
    keys: BTreeMap<Vec<u8>, Kept>,
    /// By stage.
    timers: [BTreeSet<(Timestamp, Vec<u8>)>; 2],
    gatherer: Gatherer,
    /// By input.
    newest: Vec<Timestamp>,
    lines: Vec<u64>,
    start: Option<Timestamp>,
    begun: bool,
    advances: usize,
    watermark: Timestamp,
    pub late: usize,
    pub alerts: Vec<Alert>,
    /// States that were dropped.
    pub dropped: usize,
    /// Bytes of events that went to keys.
    pub routed: usize,
    /// Alerts that went to keys of the second stage.
    pub above: usize,
}

impl Host {
    pub fn new(rules: &Arc<Ruleset>, config: &HostConfig, inputs: usize) -> Self {
        let rules = Arc::new(HostRules::new(Arc::clone(rules), config.clone()));
        Self {
            router: Router::new(Arc::clone(&rules)),
            cells: Cells::new(Arc::clone(&rules)),
            gatherer: Gatherer::new(Arc::clone(&rules)),
            rules,
            keys: BTreeMap::new(),
            timers: Default::default(),
            newest: vec![Timestamp::MIN; inputs],
            lines: vec![0; inputs],
            start: None,
            begun: false,
            advances: 0,
            watermark: Timestamp::MIN,
            late: 0,
            alerts: Vec::new(),
            dropped: 0,
            routed: 0,
            above: 0,
        }
    }

    /// Goes on with other rules, from what was kept.
    pub fn with_rules(self, rules: &Arc<Ruleset>, config: &HostConfig) -> Self {
        let mut next = Self::new(rules, config, self.newest.len());
        next.gatherer = Gatherer::restore(Arc::clone(&next.rules), &self.gatherer.save()).expect("it was just saved");
        // Rules that are new begin where time is.
        let (start, begun) = if self.begun { (Some(self.watermark), false) } else { (self.start, false) };
        let (keys, timers, newest, lines) = (self.keys, self.timers, self.newest, self.lines);
        let (watermark, late, alerts) = (self.watermark, self.late, self.alerts);
        let (dropped, routed) = (self.dropped, self.routed);
        Self { keys, timers, newest, lines, start, begun, watermark, late, alerts, dropped, routed, ..next }
    }

    fn arm(&mut self, key: &[u8], at: Option<Timestamp>) {
        let kept = self.keys.entry(key.to_vec()).or_default();
        if kept.timer == at {
            return;
        }
        let timers = &mut self.timers[usize::from(HostRules::is_upper(key))];
        if let Some(old) = kept.timer {
            timers.remove(&(old, key.to_vec()));
        }
        kept.timer = at;
        timers.extend(at.map(|at| (at, key.to_vec())));
    }

    /// Takes one line of an input. Time does not go on by itself.
    pub fn push(&mut self, input: usize, line: &str) {
        self.lines[input] += 1;
        let origin =
            BlockOrigin { input: input as u16, first_line: self.lines[input], offset: 0, arrival: Timestamp(0) };
        let mut events: Vec<(Timestamp, Vec<u8>, Vec<u8>)> = Vec::new();
        let mut gathered: Vec<(Timestamp, Seq, Timestamp, String)> = Vec::new();
        let mut late = 0;
        let routed = self.router.route(line.as_bytes(), origin, self.newest[input], |item| match item {
            Item::Event { ts, key, event, .. } => events.push((ts, key.to_vec(), event.to_vec())),
            Item::Gather { ts, seq, arrival, line } => gathered.push((ts, seq, arrival, line.to_owned())),
            Item::Late(_) => late += 1,
        });
        self.late += late;
        self.newest[input] = routed.newest;
        if let Some(first) = routed.first.map(|first| first - self.rules.config().lateness)
            && !self.begun
        {
            self.start = Some(self.start.map_or(first, |start| start.min(first)));
        }
        for (ts, key, event) in events {
            self.routed += event.len() + key.len();
            self.take(ts, &key, event);
        }
        for (ts, seq, arrival, line) in gathered {
            self.gatherer.line(ts, seq, arrival, &line);
        }
    }

    /// An event waits at its key.
    fn take(&mut self, ts: Timestamp, key: &[u8], event: Vec<u8>) {
        let timer = self.keys.get(key).and_then(|kept| kept.timer);
        self.arm(key, Some(timer.map_or(ts, |timer| timer.min(ts))));
        self.keys.get_mut(key).expect("it was just armed").events.push(event);
    }

    /// How far all inputs have come.
    pub fn reached(&self) -> Timestamp {
        let lateness = self.rules.config().lateness;
        let of = |newest: &Timestamp| if *newest == Timestamp::MIN { *newest } else { *newest - lateness };
        self.newest.iter().map(of).min().unwrap_or(Timestamp::MIN)
    }

    /// Time goes on.
    pub fn advance(&mut self, watermark: Timestamp) {
        if watermark <= self.watermark {
            return;
        }
        self.watermark = watermark;
        self.begin();
        for stage in 0..2 {
            while let Some((at, key)) = self.timers[stage].pop_first() {
                if at >= watermark {
                    self.timers[stage].insert((at, key));
                    break;
                }
                self.keys.get_mut(&key).expect("a timer has a key").timer = None;
                self.step(&key, Until::Watermark(watermark));
            }
        }
        // A restored gatherer makes its scratch memory anew, which costs more than the rest of a step.
        self.advances += 1;
        if self.advances % 16 == 1 {
            let saved = self.gatherer.save();
            self.gatherer = Gatherer::restore(Arc::clone(&self.rules), &saved).expect("it was just saved");
        }
        self.gatherer.advance(watermark, &mut self.alerts);
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        self.gatherer.begin(self.start.unwrap_or(self.watermark));
        let watched: Vec<Vec<u8>> = self.rules.watched_keys().map(<[u8]>::to_vec).collect();
        for key in watched {
            self.arm(&key, Some(Timestamp::MIN));
        }
    }

    fn step(&mut self, key: &[u8], until: Until) {
        let kept = self.keys.entry(key.to_vec()).or_default();
        let events: Vec<&[u8]> = kept.events.iter().map(Vec::as_slice).collect();
        let start = self.start.unwrap_or(self.watermark);
        let input = Input { key, state: &kept.state, events, start };
        let output = self.cells.step(&input, until).unwrap_or_else(|error| panic!("{error}"));
        let events = output.waiting.iter().map(|at| kept.events[*at].clone()).collect();
        let next = output.next.into_iter().chain(output.first_waiting).min();
        *kept = Kept { state: output.state, events, timer: None };
        let nothing = kept.state.is_empty() && kept.events.is_empty();
        self.dropped += output.dropped;
        self.alerts.extend(output.alerts);
        for draft in output.drafts {
            self.gatherer.read_draft(&write_draft(&self.rules, &draft)).expect("it was just written");
        }
        for above in output.above {
            assert!(HostRules::is_upper(&above.key) && !HostRules::is_upper(key));
            self.above += 1;
            self.take(above.ts, &above.key, above.event);
        }
        match until {
            Until::Watermark(_) if nothing => {
                assert_eq!(next, None);
                self.keys.remove(key);
            }
            Until::Watermark(_) => self.arm(key, next),
            Until::End(..) => {}
        }
    }

    /// The input has ended.
    pub fn finish(&mut self, at_end: AtEnd) {
        let Some(newest) = self.newest.iter().max().copied().filter(|newest| *newest > Timestamp::MIN) else { return };
        self.watermark = self.watermark.max(newest);
        self.begin();
        for stage in [false, true] {
            let of_stage = self.keys.keys().filter(|key| HostRules::is_upper(key) == stage);
            for key in of_stage.cloned().collect::<Vec<_>>() {
                self.step(&key, Until::End(newest, at_end));
            }
        }
        self.gatherer.end(newest, at_end, &mut self.alerts);
    }

    /// Keys that something is kept of, and the bytes of their states.
    pub fn kept(&self) -> (usize, usize) {
        (self.keys.len(), self.keys.values().map(|kept| kept.state.len()).sum())
    }

    /// Everything that is kept, as text: for files that later releases must read.
    pub fn export(&self) -> serde_json::Value {
        let key = |(key, kept): (&Vec<u8>, &Kept)| {
            let events: Vec<String> = kept.events.iter().map(|event| hex(event)).collect();
            serde_json::json!({
                "key": hex(key), "state": hex(&kept.state), "events": events, "timer": kept.timer.map(|at| at.0),
            })
        };
        serde_json::json!({
            "keys": self.keys.iter().map(key).collect::<Vec<_>>(),
            "gatherer": hex(&self.gatherer.save()),
            "newest": self.newest.iter().map(|at| at.0).collect::<Vec<_>>(),
            "lines": self.lines,
            "start": self.start.map(|at| at.0),
            "begun": self.begun,
            "watermark": self.watermark.0,
        })
    }

    /// Goes on from what [`Host::export`] gave.
    pub fn import(rules: &Arc<Ruleset>, config: &HostConfig, kept: &serde_json::Value) -> Self {
        let number = |value: &serde_json::Value| Timestamp(value.as_i64().expect("a number"));
        let list = |name: &str| kept[name].as_array().expect("a list");
        let mut host = Self::new(rules, config, list("newest").len());
        for one in list("keys") {
            let key = unhex(&one["key"]);
            host.arm(&key, one["timer"].as_i64().map(Timestamp));
            let events = one["events"].as_array().expect("a list").iter().map(unhex).collect();
            let place = host.keys.get_mut(&key).expect("it was just armed");
            (place.state, place.events) = (unhex(&one["state"]), events);
        }
        let gatherer = Gatherer::restore(Arc::clone(&host.rules), &unhex(&kept["gatherer"]));
        host.gatherer = gatherer.unwrap_or_else(|error| panic!("{error}"));
        host.newest = list("newest").iter().map(number).collect();
        host.lines = list("lines").iter().map(|n| n.as_u64().expect("a number")).collect();
        host.start = kept["start"].as_i64().map(Timestamp);
        host.begun = kept["begun"].as_bool().expect("a word");
        host.watermark = number(&kept["watermark"]);
        host
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &serde_json::Value) -> Vec<u8> {
    let digits = text.as_str().expect("a text").as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).expect("text"), 16).expect("two digits")).collect()
}
