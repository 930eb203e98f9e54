//! A host that keeps keys ready, as tasks of Flink do: events come in blocks by key group, what is kept by key is read when
//! a key is needed and written when it is put back, and at any moment keys go back, all or some, for good or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tripline::alert::Alert;
use tripline::base::Timestamp;
use tripline::decode::batch::BlockOrigin;
use tripline::host::blocks::{group, put_entry};
use tripline::host::{Bounds, Gatherer, HostConfig, HostRules, Item, Kept, Live, Router, Until, Why, write_draft};
use tripline::plan::Ruleset;
use tripline::session::AtEnd;

use crate::oracle::random::Random;

/// Key groups: more than keys mostly, so that some have one and some none.
const GROUPS: u32 = 16;

/// State and the time of the timer that was registered with it.
type State = Option<(Vec<u8>, i64)>;

/// What the host keeps of the keys of a stage.
#[derive(Default)]
struct Store {
    /// State, and events that wait.
    keys: BTreeMap<Vec<u8>, (State, Vec<Vec<u8>>)>,
    timers: BTreeSet<(i64, Vec<u8>)>,
}

impl Store {
    fn take(&mut self, kept: &Kept<'_>, wm: i64) {
        let (state, events) = self.keys.entry(kept.key.to_vec()).or_default();
        if let Some(now) = kept.state {
            assert_eq!(state.is_some(), kept.had_state);
            assert_eq!(!events.is_empty(), kept.had_events);
            *state = (!now.is_empty()).then(|| (now.to_vec(), kept.timer));
            events.clear();
        }
        events.extend(kept.events.iter().map(|event| event.to_vec()));
        if state.is_none() && events.is_empty() {
            self.keys.remove(kept.key);
        }
        if kept.timer_before > wm {
            self.timers.remove(&(kept.timer_before, kept.key.to_vec()));
        }
        if kept.timer < i64::MAX && wm < i64::MAX {
            self.timers.insert((kept.timer, kept.key.to_vec()));
        }
    }
}

/// The whole host.
pub struct Ready {
    rules: Arc<HostRules>,
    router: Router,
    /// By stage.
    live: [Live; 2],
    stores: [Store; 2],
    gatherer: Gatherer,
    bounds: Bounds,
    newest: Timestamp,
    lines: u64,
    start: Option<Timestamp>,
    begun: bool,
    wm: i64,
    /// Events that were not sent yet.
    block: Vec<u8>,
    pub late: usize,
    pub alerts: Vec<Alert>,
}

impl Ready {
    pub fn new(rules: &Arc<Ruleset>, config: &HostConfig, bounds: Bounds) -> Self {
        let rules = Arc::new(HostRules::new(Arc::clone(rules), config.clone()));
        let live = || Live::new(Arc::clone(&rules), bounds, true);
        Self {
            router: Router::new(Arc::clone(&rules)),
            live: [live(), live()],
            stores: Default::default(),
            gatherer: Gatherer::new(Arc::clone(&rules)),
            bounds,
            newest: Timestamp::MIN,
            lines: 0,
            start: None,
            begun: false,
            wm: i64::MIN,
            block: Vec::new(),
            late: 0,
            alerts: Vec::new(),
            rules,
        }
    }

    /// Takes a line.
    pub fn push(&mut self, line: &str) {
        self.lines += 1;
        let origin = BlockOrigin { input: 0, first_line: self.lines, offset: 0, arrival: Timestamp(0) };
        let (mut late, block, gatherer) = (0, &mut self.block, &mut self.gatherer);
        let routed = self.router.route(line.as_bytes(), origin, self.newest, |item| match item {
            Item::Event { key, event, .. } => put_entry(key, event, block),
            Item::Gather { ts, seq, arrival, line } => gatherer.line(ts, seq, arrival, line),
            Item::Late(_) => late += 1,
        });
        self.late += late;
        self.newest = routed.newest;
        if let Some(first) = routed.first.map(|first| first - self.rules.config().lateness)
            && self.start.is_none()
        {
            self.start = Some(first);
        }
    }

    /// Sends the events that have not been sent.
    fn send(&mut self) {
        let (block, live, wm) = (std::mem::take(&mut self.block), &mut self.live, limit(self.wm));
        let sorted = group(&block, GROUPS, |upper, _, block| {
            let fed = live[usize::from(upper)].feed(block, wm, |_| panic!("nothing comes too late here"));
            fed.unwrap_or_else(|error| panic!("{error}"));
        });
        assert_eq!(sorted, Ok(()));
    }

    /// Something that may happen at any moment: a checkpoint, the end of the task behind one, other rules, too many keys.
    pub fn disturb(&mut self, r: &mut Random) {
        self.send();
        let what = r.below(4);
        for stage in 0..2 {
            match what {
                0 => self.put_back(stage, Why::Checkpoint),
                1 => {
                    self.put_back(stage, Why::Checkpoint);
                    self.live[stage] = Live::new(Arc::clone(&self.rules), self.bounds, false);
                }
                2 => {
                    self.put_back(stage, Why::Leave);
                    assert!(self.live[stage].is_empty());
                }
                _ => self.put_back(stage, Why::Room),
            }
        }
    }

    fn put_back(&mut self, stage: usize, why: Why) {
        let (store, wm) = (&mut self.stores[stage], self.wm);
        while self.live[stage].put_back(why, |kept| store.take(&kept, wm)) {}
        if why == Why::Room {
            assert!(self.live[stage].len() <= self.bounds.keys);
        }
    }

    /// How far the input has come, in whole milliseconds as a host counts them.
    pub fn reached(&self) -> i64 {
        (self.newest - self.rules.config().lateness).as_millis() - 1
    }

    /// The host's watermark is this.
    pub fn advance(&mut self, wm: i64) {
        self.send();
        if self.newest == Timestamp::MIN || wm <= self.wm {
            return;
        }
        self.wm = wm;
        self.begin();
        let until = Until::Watermark(limit(wm));
        self.step(0, until);
        self.step(1, until);
        self.gatherer.advance(limit(wm), &mut self.alerts);
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        self.gatherer.begin(self.start.unwrap_or_else(|| limit(self.wm)));
        for key in self.rules.watched_keys() {
            self.stores[0].timers.insert((i64::MIN + 1, key.to_vec()));
        }
    }

    fn step(&mut self, stage: usize, until: Until) {
        let mut rung: Vec<Vec<u8>> = Vec::new();
        let store = &mut self.stores[stage];
        while let Some((_, key)) = store.timers.first().filter(|(at, _)| *at <= self.wm) {
            rung.push(key.clone());
            store.timers.pop_first();
        }
        // As when there are many: those whose timers rang come in parts, and what is ready comes with the first.
        let parts = rung.chunks(3).map(<[Vec<u8>]>::to_vec).chain([Vec::new()]).collect::<Vec<_>>();
        for part in parts {
            let mut needed = Vec::new();
            self.live[stage].due(until, part.iter().map(Vec::as_slice), |key| needed.push(key.to_vec()));
            for key in needed {
                let (state, events) = self.stores[stage].keys.get(&key).cloned().unwrap_or_default();
                let (state, timer) = state.unwrap_or((Vec::new(), i64::MAX));
                let loaded = self.live[stage].load(&key, &state, timer, events.iter().map(Vec::as_slice));
                loaded.unwrap_or_else(|error| panic!("{error}"));
            }
            let (start, mut above) = (self.start.unwrap_or_else(|| limit(self.wm)), Vec::new());
            let (rules, alerts, gatherer) = (&self.rules, &mut self.alerts, &mut self.gatherer);
            let stepped = self.live[stage].advance(start, until, |output| {
                alerts.append(&mut output.alerts);
                for draft in &output.drafts {
                    gatherer.read_draft(&write_draft(rules, draft)).expect("it was just written");
                }
                output.above.iter().for_each(|one| put_entry(&one.key, &one.event, &mut above));
            });
            stepped.unwrap_or_else(|error| panic!("{error}"));
            // They come to the second stage before the watermark does.
            let live = &mut self.live;
            let sorted = group(&above, GROUPS, |upper, _, block| {
                assert!(upper && stage == 0);
                let fed = live[1].feed(block, Timestamp::MIN, |_| {});
                fed.unwrap_or_else(|error| panic!("{error}"));
            });
            assert_eq!(sorted, Ok(()));
            self.put_back(stage, Why::Room);
        }
    }

    /// The input has ended.
    pub fn finish(&mut self, at_end: AtEnd) {
        self.send();
        if self.newest == Timestamp::MIN {
            return;
        }
        self.wm = i64::MAX;
        self.begin();
        let until = Until::End(self.newest, at_end);
        self.step(0, until);
        self.step(1, until);
        self.gatherer.end(self.newest, at_end, &mut self.alerts);
    }

    pub fn checkpoint(&mut self) {
        (0..2).for_each(|stage| self.put_back(stage, Why::Checkpoint));
    }

    /// Keys that are ready, and keys of which something is kept.
    pub fn kept(&self) -> (usize, usize) {
        (self.live.iter().map(Live::len).sum(), self.stores.iter().map(|store| store.keys.len()).sum())
    }

    /// What happened to keys so far: loaded, and put back to make room.
    pub fn moved(&self) -> (u64, u64) {
        self.live.iter().fold((0, 0), |sum, live| (sum.0 + live.counts.loaded, sum.1 + live.counts.evicted))
    }
}

/// The time before which everything has come once a host's watermark is this.
fn limit(wm: i64) -> Timestamp {
    match wm {
        i64::MIN => Timestamp::MIN,
        i64::MAX => Timestamp::MAX,
        wm => Timestamp::from_millis(wm + 1),
    }
}
