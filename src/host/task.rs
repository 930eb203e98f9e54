//! The boundary as bytes in and bytes out: what a host in another language calls, whatever carries the calls.
//!
//! Numbers are big-endian; a byte string is its length as `u32`, then its bytes. Times at which a host is to do something
//! are whole milliseconds, as hosts have them; a host's watermark of `w` milliseconds says that no event of `w` or
//! earlier comes any more, and the same of ours is the millisecond behind it. `i64::MIN` is no time yet, `i64::MAX` never.

use std::sync::Arc;

use thiserror::Error;

use super::blocks::{group, put_entry};
use super::bundle::{Bundle, BundleError, Opened};
use super::bytes::FormatError;
use super::gather::{Gatherer, write_draft};
use super::live::{Bounds, Live};
use super::names::HostRules;
use super::put_back::Why;
use super::route::{Item, Router};
use super::step::{StepError, Until};
use crate::alert::format::Formatter;
use crate::base::Timestamp;
use crate::decode::batch::BlockOrigin;
use crate::plan::event::Seq;
use crate::session::AtEnd;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TaskError {
    /// The rules.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A key.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The gatherer.
    #[error("{0}; the savepoint was made by another release, or is damaged")]
    Format(#[from] FormatError),
    /// The arguments of a call.
    #[error("a call from the host is cut off")]
    Call,
}

/// What kind of item a host gets from [`Task::route`]; see there.
const GATHER: u8 = 1;
const LATE: u8 = 2;

fn put_u32(n: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_i64(n: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&n.to_be_bytes());
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    put_u32(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// The arguments of a call, from front to back.
struct Call<'a>(&'a [u8]);

impl<'a> Call<'a> {
    fn u32(&mut self) -> Result<usize, TaskError> {
        let (n, rest) = self.0.split_first_chunk::<4>().ok_or(TaskError::Call)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*n) as usize)
    }

    fn u8(&mut self) -> Result<u8, TaskError> {
        let (n, rest) = self.0.split_first().ok_or(TaskError::Call)?;
        self.0 = rest;
        Ok(*n)
    }

    fn i64(&mut self) -> Result<i64, TaskError> {
        let (n, rest) = self.0.split_first_chunk::<8>().ok_or(TaskError::Call)?;
        self.0 = rest;
        Ok(i64::from_be_bytes(*n))
    }

    fn bytes(&mut self) -> Result<&'a [u8], TaskError> {
        let length = self.u32()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(TaskError::Call)?;
        self.0 = rest;
        Ok(bytes)
    }
}

/// How far a host says that time has come, in milliseconds.
fn watermark(ms: i64) -> Timestamp {
    if ms == i64::MIN { Timestamp::MIN } else { Timestamp::from_millis(ms.saturating_add(1)) }
}

/// One task of a host: a rule set, compiled once, and scratch memory.
#[derive(Debug)]
pub struct Task {
    rules: Arc<HostRules>,
    at_end: AtEnd,
    formatter: Formatter,
    router: Router,
    live: Live,
    groups: u32,
    gatherer: Gatherer,
    text: String,
}

impl Task {
    /// Compiles a bundle.
    ///
    /// # Errors
    /// The bundle cannot be run.
    pub fn open(bundle: &[u8]) -> Result<Self, TaskError> {
        let Opened { rules, at_end, formatter } = Bundle::from_bytes(bundle)?.open()?;
        Ok(Self {
            router: Router::new(Arc::clone(&rules)),
            live: Live::new(Arc::clone(&rules), Bounds { keys: 0, bytes: 0 }, false),
            groups: 1,
            gatherer: Gatherer::new(Arc::clone(&rules)),
            text: String::new(),
            rules,
            at_end,
            formatter,
        })
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<HostRules> {
        &self.rules
    }

    /// The rule and the key that were worked on last.
    pub fn place(&self) -> Option<(String, String)> {
        self.live.place().last(&self.rules)
    }

    /// Facts: whether there is something to gather, and whether there is a second stage (a byte each), the lateness in milliseconds, the fingerprint of the rules,
    /// then the host keys for which time alone begins something.
    pub fn facts(&self) -> Vec<u8> {
        let mut out = vec![u8::from(self.rules.needs_gatherer()), u8::from(self.rules.needs_upper())];
        put_i64(self.rules.config().lateness.0.div_euclid(1_000_000), &mut out);
        put_i64(self.rules.ruleset().fingerprint as i64, &mut out);
        self.rules.watched_keys().for_each(|key| put(key, &mut out));
        out
    }

    /// Routes a block of whole lines: gives the newest event time of the input so far in nanoseconds, the time of the first
    /// event of the block less the lateness, how many events, rejected lines and late events there were, the length of
    /// items, items, and the events for keys, as [`super::blocks::Sorter`] takes them:
    ///
    /// ```text
    /// 1 │ time in ns │ event for the gatherer      2 │ late line
    /// ```
    ///
    /// # Errors
    /// None: it gives a result because all calls do.
    pub fn route(
        &mut self,
        input: u16,
        first_line: u64,
        arrival: i64,
        newest: i64,
        block: &[u8],
    ) -> Result<Vec<u8>, TaskError> {
        const HEAD: usize = 2 * 8 + 4 * 4;
        let (mut out, mut events) = (vec![0; HEAD], Vec::with_capacity(block.len() * 2));
        let origin = BlockOrigin { input, first_line, offset: 0, arrival: Timestamp::from_millis(arrival) };
        let routed = self.router.route(block, origin, Timestamp(newest), |item| match item {
            Item::Event { key, event, .. } => put_entry(key, event, &mut events),
            Item::Gather { ts, seq, arrival, line } => {
                out.push(GATHER);
                put_i64(ts.0, &mut out);
                put_u32(3 * 8 + line.len(), &mut out);
                put_i64(ts.0, &mut out);
                put_i64(seq.0 as i64, &mut out);
                put_i64(arrival.0, &mut out);
                out.extend_from_slice(line.as_bytes());
            }
            Item::Late(line) => {
                out.push(LATE);
                put(line.as_bytes(), &mut out);
            }
        });
        let first = routed.first.map_or(i64::MIN, |first| (first - self.rules.config().lateness).0);
        let mut head = Vec::with_capacity(HEAD);
        put_i64(routed.newest.0, &mut head);
        put_i64(first, &mut head);
        put_u32(routed.stats.events as usize, &mut head);
        put_u32(routed.stats.rejects.iter().sum::<u64>() as usize, &mut head);
        put_u32(routed.late as usize, &mut head);
        put_u32(out.len() - HEAD, &mut head);
        out[..HEAD].copy_from_slice(&head);
        out.append(&mut events);
        Ok(out)
    }

    /// From here on it keeps keys ready, up to so many, and so many bytes of them. `groups` is how many key groups the
    /// host has; `anew` says that it keeps nothing of any key yet.
    pub fn hold(&mut self, keys: usize, bytes: usize, groups: u32, anew: bool) {
        self.live = Live::new(Arc::clone(&self.rules), Bounds { keys, bytes }, anew);
        self.groups = groups;
    }

    /// Takes a block of [`super::blocks::Sorter`], with the host's watermark. Gives the events that came too late, each as a text.
    ///
    /// # Errors
    /// The block or an event is of no form that this release reads.
    pub fn feed(&mut self, wm: i64, block: &[u8]) -> Result<Vec<u8>, TaskError> {
        let mut late = Vec::new();
        self.live.feed(block, watermark(wm), |event| late.push(event.to_vec()))?;
        let mut out = Vec::new();
        for event in late {
            put(self.rules.event_text(&event)?.as_bytes(), &mut out);
        }
        Ok(out)
    }

    /// Time has come to a watermark, and timers of the host rang for the keys in `call`; `newest` as in [`Task::step`].
    /// Gives the keys of which the host has to say what it keeps, with [`Task::load`].
    ///
    /// # Errors
    /// The call is cut off.
    pub fn due(&mut self, wm: i64, newest: i64, call: &[u8]) -> Result<Vec<u8>, TaskError> {
        let (mut call, mut rung) = (Call(call), Vec::new());
        while !call.0.is_empty() {
            rung.push(call.bytes()?);
        }
        let mut out = Vec::new();
        self.live.due(self.until(wm, newest), rung.into_iter(), |key| put(key, &mut out));
        Ok(out)
    }

    /// Takes what the host keeps of keys, one behind the other:
    ///
    /// ```text
    /// host key │ state │ when its timer rings in ms │ number of events │ events
    /// ```
    ///
    /// # Errors
    /// A state or an event is of no form that this release reads.
    pub fn load(&mut self, call: &[u8]) -> Result<(), TaskError> {
        let mut call = Call(call);
        while !call.0.is_empty() {
            let (key, state, timer) = (call.bytes()?, call.bytes()?, call.i64()?);
            let events = (0..call.u32()?).map(|_| call.bytes()).collect::<Result<Vec<_>, _>>()?;
            self.live.load(key, state, timer, events.into_iter())?;
        }
        Ok(())
    }

    fn until(&self, wm: i64, newest: i64) -> Until {
        match newest {
            i64::MIN => Until::Watermark(watermark(wm)),
            newest => Until::End(Timestamp(newest), self.at_end),
        }
    }

    /// Steps the keys that are due. `start` is where time began in nanoseconds; `newest` is the newest event time in
    /// nanoseconds once the input has ended, before that `i64::MIN`. Gives
    ///
    /// ```text
    /// counts so far: steps, dropped states, loaded keys, keys that went back to make room, keys that are ready: u64 each │
    /// length of alerts │ alerts: lines │ length of drafts │ drafts: bytes │ for the second stage: key group, block
    /// ```
    ///
    /// # Errors
    /// An event is of no form that this release reads.
    pub fn step(&mut self, start: i64, wm: i64, newest: i64) -> Result<Vec<u8>, TaskError> {
        let until = self.until(wm, newest);
        let (mut lines, mut drafts, mut above) = (Vec::new(), Vec::new(), Vec::new());
        let Self { live, formatter, text, rules, .. } = self;
        live.advance(Timestamp(start), until, |output| {
            for alert in &output.alerts {
                text.clear();
                formatter.write(alert, text);
                put(text.trim_end().as_bytes(), &mut lines);
            }
            output.drafts.iter().for_each(|draft| put(&write_draft(rules, draft), &mut drafts));
            output.above.iter().for_each(|one| put_entry(&one.key, &one.event, &mut above));
        })?;
        let counts = live.counts;
        let mut out = Vec::with_capacity(64 + lines.len() + drafts.len() + above.len());
        for count in [counts.steps, counts.dropped, counts.loaded, counts.evicted, live.len() as u64] {
            put_i64(count as i64, &mut out);
        }
        put(&lines, &mut out);
        put(&drafts, &mut out);
        group(&above, self.groups, |_, group, block| {
            put_u32(group as usize, &mut out);
            put(block, &mut out);
        })?;
        Ok(out)
    }

    /// Puts keys back to the host: 0 to make room, 1 for a checkpoint, 2 all. It is to be called until it gives nothing.
    /// Gives, one behind the other:
    ///
    /// ```text
    /// host key │ 0: the host's state stays, 1: it is replaced │ state │ when its timer is to ring in ms │ the timer before │
    /// whether the host has a state, and events that wait: a byte each │ number of events │ events
    /// ```
    ///
    /// # Errors
    /// There is no such reason.
    pub fn put_back(&mut self, why: i32) -> Result<Vec<u8>, TaskError> {
        let why = match why {
            0 => Why::Room,
            1 => Why::Checkpoint,
            2 => Why::Leave,
            _ => return Err(TaskError::Call),
        };
        let mut out = Vec::new();
        let mut more = true;
        // Keys that are as the host has them give nothing.
        while more && out.is_empty() {
            more = self.live.put_back(why, |kept| {
                put(kept.key, &mut out);
                out.push(u8::from(kept.state.is_some()));
                put(kept.state.unwrap_or_default(), &mut out);
                put_i64(kept.timer, &mut out);
                put_i64(kept.timer_before, &mut out);
                out.push(u8::from(kept.had_state));
                out.push(u8::from(kept.had_events));
                put_u32(kept.events.len(), &mut out);
                kept.events.iter().for_each(|event| put(event, &mut out));
            });
        }
        Ok(out)
    }

    /// Hands things to the gatherer: each a byte that is 0 for a draft and 1 for an event, then its bytes.
    ///
    /// # Errors
    /// They are of no form that this release reads.
    pub fn gather(&mut self, call: &[u8]) -> Result<(), TaskError> {
        let mut call = Call(call);
        while !call.0.is_empty() {
            let (kind, bytes) = (call.u8()?, call.bytes()?);
            if kind == 0 {
                self.gatherer.read_draft(bytes)?;
                continue;
            }
            let (words, line) = bytes.split_first_chunk::<24>().ok_or(TaskError::Call)?;
            let word = |at: usize| words[8 * at..].first_chunk().map_or(0, |word| i64::from_be_bytes(*word));
            let line = std::str::from_utf8(line).map_err(|_| TaskError::Call)?;
            self.gatherer.line(Timestamp(word(0)), Seq(word(1) as u64), Timestamp(word(2)), line);
        }
        Ok(())
    }

    /// Lets the gatherer's time go on, and gives the alerts that are final. Arguments as in [`Task::step`].
    ///
    /// # Errors
    /// None: it gives a result because all calls do.
    pub fn advance(&mut self, start: i64, wm: i64, newest: i64) -> Result<Vec<u8>, TaskError> {
        let mut alerts = Vec::new();
        if start != i64::MIN {
            self.gatherer.begin(Timestamp(start));
        }
        match newest {
            i64::MIN => self.gatherer.advance(watermark(wm), &mut alerts),
            newest => self.gatherer.end(Timestamp(newest), self.at_end, &mut alerts),
        }
        let mut out = Vec::new();
        for alert in &alerts {
            self.text.clear();
            self.formatter.write(alert, &mut self.text);
            put(self.text.trim_end().as_bytes(), &mut out);
        }
        Ok(out)
    }

    /// Everything the gatherer holds.
    pub fn save(&self) -> Vec<u8> {
        self.gatherer.save()
    }

    /// Puts back what [`Task::save`] gave, of this rule set or another.
    ///
    /// # Errors
    /// It is of no form that this release reads.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), TaskError> {
        self.gatherer = Gatherer::restore(Arc::clone(&self.rules), bytes)?;
        Ok(())
    }
}
