//! The boundary as bytes in and bytes out: what a host in another language calls, whatever carries the calls.
//!
//! Numbers are big-endian; a byte string is its length as `u32`, then its bytes. Times at which a host is to do something
//! are whole milliseconds, as hosts have them; a host's watermark of `w` milliseconds says that no event of `w` or
//! earlier comes any more, and the same of ours is the millisecond behind it. `i64::MIN` is no time yet, `i64::MAX` never.

use std::sync::Arc;

use thiserror::Error;

use super::bundle::{Bundle, BundleError, Opened};
use super::bytes::FormatError;
use super::gather::{Gatherer, write_draft};
use super::names::HostRules;
use super::route::{Item, Router};
use super::stages::Stage;
use super::step::{Cells, Input, StepError, Until};
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
const EVENT: u8 = 0;
const GATHER: u8 = 1;
const LATE: u8 = 2;
const UPPER: u8 = 5;

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
    cells: Cells,
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
            cells: Cells::new(Arc::clone(&rules)),
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
        self.cells.place().last(&self.rules)
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
    /// event of the block less the lateness, how many events, rejected lines and late events there were, then items:
    ///
    /// ```text
    /// 0 │ time in ns │ host key │ event      1 │ time in ns │ event for the gatherer      2 │ late line
    /// 5 │ time in ns │ host key of the second stage │ event
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
        const HEAD: usize = 2 * 8 + 3 * 4;
        let mut out = vec![0; HEAD];
        let origin = BlockOrigin { input, first_line, offset: 0, arrival: Timestamp::from_millis(arrival) };
        let routed = self.router.route(block, origin, Timestamp(newest), |item| match item {
            Item::Event { stage, ts, key, event } => {
                out.push(if stage == Stage::Upper { UPPER } else { EVENT });
                put_i64(ts.0, &mut out);
                put(key, &mut out);
                put(event, &mut out);
            }
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
        out[..HEAD].copy_from_slice(&head);
        Ok(out)
    }

    /// Steps keys. `start` is where time began in nanoseconds; `newest` is the newest event time in nanoseconds once the
    /// input has ended, before that `i64::MIN`. For each key `call` has, and the answer gives, one behind the other:
    ///
    /// ```text
    /// host key │ state │ number of events │ events
    /// state │ next deadline in ms │ number of events that wait │ their places │ alerts: number, lines │ drafts: number, time in ns,
    /// bytes │ alerts for the second stage: number, time in ns, host key, event │ states that were dropped
    /// ```
    ///
    /// # Errors
    /// A state or an event is of no form that this release reads.
    pub fn step(&mut self, start: i64, wm: i64, newest: i64, call: &[u8]) -> Result<Vec<u8>, TaskError> {
        let until = match newest {
            i64::MIN => Until::Watermark(watermark(wm)),
            newest => Until::End(Timestamp(newest), self.at_end),
        };
        let (mut call, mut out) = (Call(call), Vec::new());
        while !call.0.is_empty() {
            let (key, state) = (call.bytes()?, call.bytes()?);
            let events = (0..call.u32()?).map(|_| call.bytes()).collect::<Result<Vec<_>, _>>()?;
            let output = self.cells.step(&Input { key, state, events, start: Timestamp(start) }, until)?;
            put(&output.state, &mut out);
            put_i64(output.next.map_or(i64::MAX, Timestamp::as_millis), &mut out);
            put_u32(output.waiting.len(), &mut out);
            output.waiting.iter().for_each(|at| put_u32(*at, &mut out));
            put_u32(output.alerts.len(), &mut out);
            for alert in &output.alerts {
                self.text.clear();
                self.formatter.write(alert, &mut self.text);
                put(self.text.trim_end().as_bytes(), &mut out);
            }
            put_u32(output.drafts.len(), &mut out);
            for draft in &output.drafts {
                put_i64(draft.order.time.0, &mut out);
                put(&write_draft(&self.rules, draft), &mut out);
            }
            put_u32(output.above.len(), &mut out);
            for above in &output.above {
                put_i64(above.ts.0, &mut out);
                put(&above.key, &mut out);
                put(&above.event, &mut out);
            }
            put_u32(output.dropped, &mut out);
        }
        Ok(out)
    }

    /// An event that came too late for its key, as JSON.
    ///
    /// # Errors
    /// It is of no form that this release reads.
    pub fn event_text(&self, event: &[u8]) -> Result<Vec<u8>, TaskError> {
        Ok(self.rules.event_text(event)?.into_bytes())
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
