//! Sees letters through to one sink: batches, retries, the circuit breaker, dead letters.
//!
//! ```text
//! take a batch ─► deliver ─┬─ taken ──────────────────────────────► next
//!       ▲                  ├─ down ──► wait, or open the circuit ─► the same again, as long as it takes
//!       │                  ├─ failed ► wait; after `tries` alone ─► dead letter
//!       └── halves ◄───────┴─ refused: of one letter ─────────────► dead letter
//! ```
//! A sink that is away is no letter's fault, so letters wait for it in the queue; only what a sink answers with an
//! error becomes a dead letter. Which letter of a batch is at fault is found by halving.
//!
//! A courier is told the time and never waits itself: [`Courier::turn`] says until when there is nothing to do.

use std::time::Duration;

use super::Service;
use super::backoff::Backoff;
use super::breaker::Breaker;
use super::dead::DeadLetters;
use super::desk::Desk;
use super::sink::{Failure, Letter, Receipt, Sink, Trouble};
use crate::base::visible;

/// What a courier does after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There may be more to do at once.
    Again,
    /// Nothing before this time, unless there is news at the desk.
    Wait(Duration),
    /// Nothing before there is news at the desk.
    Idle,
    /// Nothing any more.
    Done,
}

/// The courier of one sink.
pub struct Courier {
    name: String,
    sink: Box<dyn Sink>,
    dead: DeadLetters,
    /// What is on its way, oldest first.
    hand: Vec<Letter>,
    batch: usize,
    /// Letters tried at once: less than a batch while one that is refused is looked for.
    step: usize,
    /// Whether it is looked for.
    seeking: bool,
    tries: u32,
    most_tries: u32,
    backoff: Backoff,
    breaker: Breaker,
    not_before: Duration,
    /// Whether letters were delivered that the sink has not been asked to make durable.
    unflushed: bool,
    /// Whether it was said that the sink is in trouble.
    complained: bool,
}

impl Courier {
    /// A courier; equal seeds give equal waits.
    pub fn new(name: &str, sink: Box<dyn Sink>, service: &Service, dead: DeadLetters, seed: u64) -> Self {
        let batch = service.batch.min(sink.most()).max(1);
        Self {
            name: name.to_owned(),
            sink,
            dead,
            hand: Vec::new(),
            batch,
            step: batch,
            seeking: false,
            tries: 0,
            most_tries: service.tries.max(1),
            backoff: Backoff::new(service.wait, service.max_wait, seed),
            breaker: Breaker::new(service.breaker_after.max(1), service.breaker_pause),
            not_before: Duration::ZERO,
            unflushed: false,
            complained: false,
        }
    }

    /// The name of the output.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does what can be done now.
    pub fn turn(&mut self, now: Duration, desk: &Desk) -> Turn {
        if desk.is_reopened()
            && let Err(failure) = self.sink.reopen()
        {
            return self.failed(&failure, now, desk);
        }
        let closes_at = desk.closes_at();
        let over = closes_at.is_some_and(|until| now >= until);
        let at_most = |time: Duration| closes_at.map_or(time, |until| time.min(until));
        if self.not_before > now {
            return if over { Turn::Done } else { Turn::Wait(at_most(self.not_before)) };
        }
        if self.hand.is_empty() {
            let found = match desk.take(self.batch, now) {
                Ok(found) => found,
                Err(error) => return self.failed(&Failure::down(format!("its queue: {error}")), now, desk),
            };
            self.hand = found.letters;
            self.tries = 0;
            self.seeking = false;
            if self.hand.is_empty() {
                return self.rest(now, found.due, found.closing, desk);
            }
        }
        if over {
            return Turn::Done;
        }
        if let Some(until) = self.breaker.shut_until(now) {
            return Turn::Wait(at_most(until));
        }
        let n = if self.breaker.is_probing() { 1 } else { self.step.min(self.hand.len()) };
        match self.sink.deliver(&self.hand[..n]) {
            Ok(receipt) => self.taken(n, receipt, now, desk),
            Err(failure) => self.not_taken(n, &failure, now, desk),
        }
    }

    /// Nothing is there: what was delivered is made durable.
    fn rest(&mut self, now: Duration, due: Option<Duration>, closing: bool, desk: &Desk) -> Turn {
        if self.unflushed {
            match self.sink.flush() {
                Ok(()) => self.unflushed = false,
                Err(failure) if !closing => return self.failed(&failure, now, desk),
                Err(failure) => desk.set_trouble(Some(failure.reason)),
            }
        }
        if closing {
            return Turn::Done;
        }
        due.map_or(Turn::Idle, Turn::Wait)
    }

    fn taken(&mut self, n: usize, receipt: Receipt, now: Duration, desk: &Desk) -> Turn {
        for (place, reason) in &receipt.refused {
            let Some(letter) = self.hand[..n].get(*place) else { continue };
            if let Err(failure) = self.bury(letter, reason, 1, desk) {
                return self.failed(&failure, now, desk);
            }
        }
        let again: Vec<Letter> = receipt.again.iter().filter_map(|place| self.hand[..n].get(*place).cloned()).collect();
        let settled = n - again.len();
        let delivered = settled.saturating_sub(receipt.refused.len()) as u64;
        desk.count(|counts| counts.delivered += delivered);
        desk.put_down(settled);
        self.unflushed |= delivered > 0;
        self.hand.splice(..n, again);
        self.tries = 0;
        if settled < n {
            let why = receipt.why.map(|why| format!(": {why}")).unwrap_or_default();
            let reason = format!("{} of {n} alerts are to come again{why}", n - settled);
            return self.failed(&Failure::down(reason).after(receipt.after), now, desk);
        }
        self.succeeded(desk);
        if !self.seeking {
            self.step = self.step.saturating_mul(2).min(self.batch);
        }
        Turn::Again
    }

    fn not_taken(&mut self, n: usize, failure: &Failure, now: Duration, desk: &Desk) -> Turn {
        self.tries += 1;
        let at_fault = match failure.trouble {
            Trouble::Down => false,
            Trouble::Failed => self.tries >= self.most_tries,
            Trouble::Refused => true,
        };
        if !at_fault {
            return self.failed(failure, now, desk);
        }
        if n > 1 {
            let refused = failure.trouble == Trouble::Refused;
            self.step = if refused { n / 2 } else { 1 };
            self.seeking = true;
            self.tries = 0;
            return if refused { Turn::Again } else { self.failed(failure, now, desk) };
        }
        if let Err(failure) = self.bury(&self.hand[0], &failure.reason, self.tries, desk) {
            return self.failed(&failure, now, desk);
        }
        desk.put_down(1);
        self.hand.remove(0);
        self.tries = 0;
        self.seeking = false;
        if failure.trouble == Trouble::Refused {
            // It was reached and works; it only did not want this one.
            self.succeeded(desk);
        }
        Turn::Again
    }

    /// The next attempt has to wait.
    fn failed(&mut self, failure: &Failure, now: Duration, desk: &Desk) -> Turn {
        desk.count(|counts| counts.failed += 1);
        // A peer may repeat what an event held.
        let reason = visible(&failure.reason).into_owned();
        self.not_before = now.saturating_add(self.backoff.next(failure.after));
        if self.breaker.failed(now) && !self.complained {
            self.complained = true;
            tracing::warn!(output = %self.name, reason, "the output fails; its alerts wait");
        }
        desk.set_trouble(Some(reason));
        Turn::Again
    }

    fn succeeded(&mut self, desk: &Desk) {
        self.backoff.reset();
        self.not_before = Duration::ZERO;
        self.breaker.succeeded();
        desk.set_trouble(None);
        if std::mem::take(&mut self.complained) {
            tracing::warn!(output = %self.name, "the output works again");
        }
    }

    fn bury(&self, letter: &Letter, reason: &str, tries: u32, desk: &Desk) -> Result<(), Failure> {
        let kept = self.dead.bury(&self.name, letter, reason, tries).map_err(Failure::down)?;
        desk.count(|counts| counts.dead += 1);
        if !kept {
            tracing::warn!(
                output = %self.name, alert = %letter.alert.id, reason = %visible(reason),
                "the output does not take this alert, and no file for dead letters is set"
            );
        }
        Ok(())
    }

    /// The run is over and the queue ends with it: what could not be delivered becomes dead letters, if there is a file
    /// for them. Otherwise it stays counted as waiting.
    pub(super) fn give_up(&mut self, now: Duration, desk: &Desk) {
        if !self.dead.is_kept() {
            return;
        }
        let reason = format!("not delivered when the run ended: {}", desk.standing().trouble.unwrap_or_default());
        loop {
            while !self.hand.is_empty() {
                if self.bury(&self.hand[0], &reason, self.tries, desk).is_err() {
                    return;
                }
                desk.put_down(1);
                self.hand.remove(0);
            }
            match desk.take(self.batch, now) {
                Ok(found) if !found.letters.is_empty() => self.hand = found.letters,
                _ => return,
            }
        }
    }
}
