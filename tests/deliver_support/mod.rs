//! Alerts, a sink that does what a script says, and a courier in virtual time.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tripline::alert::{Alert, Severity};
use tripline::base::{RuleId, Timestamp, Value};
use tripline::io::deliver::queue::{Memory, Queue};
use tripline::io::deliver::{Courier, DeadLetters, Desk, Failure, Letter, Receipt, Route, Service, Sink, Turn};

/// The n-th alert of a rule, in the n-th second.
pub fn alert(n: u64, rule: &str) -> Alert {
    Alert {
        id: format!("{n:032x}"),
        rule: RuleId(0),
        rule_name: rule.into(),
        title: Some("A title".into()),
        severity: Severity::High,
        tags: vec!["ssh".to_owned()].into(),
        about: None,
        time: Timestamp::from_millis(n as i64 * 1000),
        key: vec![("user".to_owned(), Value::Str(format!("u{}", n % 3).into()))],
        values: vec![("message".to_owned(), Value::Str(format!("alert {n}").into()))],
        bound: Vec::new(),
        suppressed: 0,
        notes: Vec::new(),
        notice: None,
    }
}

/// A letter with that alert.
pub fn letter(n: u64) -> Letter {
    Letter { alert: alert(n, "r").into(), inputs: Arc::from([]) }
}

/// What a scripted sink answers: one entry a call; after the last it takes everything.
pub type Script = Box<dyn FnMut(&[Letter]) -> Result<Receipt, Failure> + Send>;

/// What a scripted sink saw.
#[derive(Clone, Default)]
pub struct Seen {
    /// Ids of letters that it took, in order.
    pub taken: Arc<Mutex<Vec<u64>>>,
    /// The size of every batch that it was brought.
    pub batches: Arc<Mutex<Vec<usize>>>,
}

impl Seen {
    pub fn taken(&self) -> Vec<u64> {
        self.taken.lock().expect("not poisoned").clone()
    }

    pub fn batches(&self) -> Vec<usize> {
        self.batches.lock().expect("not poisoned").clone()
    }
}

pub struct Scripted {
    script: Script,
    seen: Seen,
    most: usize,
}

impl Scripted {
    pub fn new(script: Script) -> (Self, Seen) {
        let seen = Seen::default();
        (Self { script, seen: seen.clone(), most: usize::MAX }, seen)
    }

    /// One answer a call, in order.
    pub fn answers(answers: Vec<Result<Receipt, Failure>>) -> (Self, Seen) {
        let mut answers = VecDeque::from(answers);
        Self::new(Box::new(move |_| answers.pop_front().unwrap_or(Ok(Receipt::ALL))))
    }
}

pub fn number(letter: &Letter) -> u64 {
    u64::from_str_radix(&letter.alert.id[16..], 16).expect("an id of these tests")
}

impl Sink for Scripted {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        self.seen.batches.lock().expect("not poisoned").push(letters.len());
        let answer = (self.script)(letters);
        if let Ok(receipt) = &answer {
            let kept = |n: &usize| !receipt.again.contains(n) && !receipt.refused.iter().any(|(place, _)| place == n);
            let taken = (0..letters.len()).filter(kept).map(|n| number(&letters[n]));
            self.seen.taken.lock().expect("not poisoned").extend(taken);
        }
        answer
    }

    fn most(&self) -> usize {
        self.most
    }
}

/// A desk, its courier, and the time.
pub struct Office {
    pub desk: Desk,
    pub courier: Courier,
    pub now: Duration,
}

impl Office {
    pub fn new(service: &Service, sink: impl Sink + 'static) -> Self {
        Self::with(service, sink, Box::new(Memory::new(service.queue)), DeadLetters::default())
    }

    pub fn with(service: &Service, sink: impl Sink + 'static, queue: Box<dyn Queue>, dead: DeadLetters) -> Self {
        Self {
            desk: Desk::new(Route::default(), service, queue, Arc::from([])),
            courier: Courier::new("test", Box::new(sink), service, dead, 7),
            now: Duration::ZERO,
        }
    }

    pub fn leave(&self, n: u64) -> bool {
        self.desk.leave(&Arc::new(alert(n, "r")), self.now).expect("a queue in memory")
    }

    /// Turns until there is nothing to do before a time, and goes there.
    pub fn run_until(&mut self, time: Duration) {
        loop {
            match self.courier.turn(self.now, &self.desk) {
                Turn::Again => {}
                Turn::Wait(until) if until < time => self.now = self.now.max(until),
                Turn::Wait(_) | Turn::Idle | Turn::Done => break,
            }
        }
        self.now = self.now.max(time);
    }
}
