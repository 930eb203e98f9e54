//! All outputs with couriers: a thread each, and one door for the engine.
#![expect(clippy::disallowed_methods, reason = "couriers are threads, and their time is that of the clock")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Service;
use super::courier::{Courier, Turn};
use super::dead::DeadLetters;
use super::desk::{Desk, Standing};
use super::queue::{Memory, Queue};
use super::route::Route;
use super::sink::Sink;
use crate::alert::Alert;

/// How often an engine that waits for room looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// An output to be started.
pub struct Wanted {
    /// Its name, in messages and counts.
    pub name: String,
    /// Which alerts it gets.
    pub route: Route,
    /// How it is served.
    pub service: Service,
    /// Where they go.
    pub sink: Box<dyn Sink>,
    /// A queue that outlasts the process, if it has one.
    pub queue: Option<Box<dyn Queue>>,
    /// What an earlier run held for summaries; see [`Fleet::held`].
    pub held: Vec<u8>,
}

/// How an output ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// What became of its alerts.
    pub standing: Standing,
    /// Whether what waits is kept for the next run.
    pub kept: bool,
}

/// Outputs that run.
pub struct Fleet {
    started: Instant,
    stop: Arc<AtomicBool>,
    members: Vec<Member>,
}

struct Member {
    name: String,
    desk: Arc<Desk>,
    kept: bool,
    thread: JoinHandle<()>,
}

impl Fleet {
    /// Starts outputs. `inputs` are the names that places of events refer to; `stop` is set when nothing is to wait for
    /// room any more.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        wanted: Vec<Wanted>,
        dead: &DeadLetters,
        inputs: &[String],
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let started = Instant::now();
        let inputs: Arc<[String]> = Arc::from(inputs);
        let mut members = Vec::with_capacity(wanted.len());
        for one in wanted {
            let kept = one.queue.is_some();
            let queue = one.queue.unwrap_or_else(|| Box::new(Memory::new(one.service.queue)));
            let desk = Arc::new(Desk::new(one.route, &one.service, queue, Arc::clone(&inputs)));
            desk.hold(&one.held, started.elapsed());
            let courier = Courier::new(&one.name, one.sink, &one.service, dead.clone(), fastrand::u64(..));
            let leaving = Leaving(Arc::clone(&desk));
            let thread = thread::Builder::new().name(format!("out {}", one.name)).spawn(move || {
                let (leaving, mut courier) = (leaving, courier);
                serve(&mut courier, &leaving.0, started);
                if !kept {
                    courier.give_up(started.elapsed(), &leaving.0);
                }
            })?;
            members.push(Member { name: one.name, desk, kept, thread });
        }
        Ok(Self { started, stop: Arc::clone(stop), members })
    }

    /// Whether there is any output.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Hands alerts to the outputs that want them, in order. Waits for an output that is full and may not drop.
    ///
    /// # Errors
    /// A queue on disk cannot be written.
    pub fn deliver(&self, alerts: &[Alert]) -> io::Result<()> {
        for alert in alerts {
            let mut shared = None;
            for member in &self.members {
                if !member.desk.wants(alert) {
                    continue;
                }
                let shared = shared.get_or_insert_with(|| Arc::new(alert.clone()));
                if member.desk.leave(shared, self.started.elapsed())? {
                    continue;
                }
                while !self.stop.load(Ordering::Relaxed) && !member.desk.wait_for_room(LOOK)? {}
            }
        }
        Ok(())
    }

    /// Makes durable what was handed over, waiting so long at most for outputs whose queue is in memory. `true`: every
    /// alert so far is delivered, dropped, dead, or in a durable queue.
    ///
    /// # Errors
    /// A queue on disk cannot be written.
    pub fn sync(&self, at_most: Duration) -> io::Result<bool> {
        let until = Instant::now() + at_most;
        for member in &self.members {
            while !member.desk.sync()? {
                if Instant::now() >= until || self.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(true)
    }

    /// What outputs hold for summaries, by their names, those that hold something: to be saved with what was handed over
    /// so far. Ask before [`Fleet::sync`]: what is sent in between is in both, not in neither.
    pub fn held(&self) -> Vec<(String, Vec<u8>)> {
        let held = self.members.iter().map(|member| (member.name.clone(), member.desk.held()));
        held.filter(|(_, held)| !held.is_empty()).collect()
    }

    /// Asks all outputs to open their files anew.
    pub fn reopen(&self) {
        for member in &self.members {
            member.desk.reopen();
        }
    }

    /// Ends all outputs, with so long to deliver what waits, and says how each ended.
    pub fn close(self, drain: Duration) -> Vec<Report> {
        let until = self.started.elapsed() + drain;
        for member in &self.members {
            member.desk.close(until);
        }
        let mut reports = Vec::with_capacity(self.members.len());
        for member in self.members {
            let panicked = member.thread.join().is_err();
            let mut standing = member.desk.standing();
            if member.kept
                && let Err(error) = member.desk.sync()
            {
                standing.trouble = Some(format!("its queue: {error}"));
            }
            if panicked {
                standing.trouble = Some("it stopped with a defect of the program".to_owned());
            }
            reports.push(Report { name: member.name, standing, kept: member.kept });
        }
        reports
    }
}

/// Turns until there is nothing any more to do.
fn serve(courier: &mut Courier, desk: &Desk, started: Instant) {
    loop {
        let news = desk.news();
        match courier.turn(started.elapsed(), desk) {
            Turn::Again => {}
            Turn::Wait(until) => desk.wait_for_news(news, Some(until.saturating_sub(started.elapsed()))),
            Turn::Idle => desk.wait_for_news(news, None),
            Turn::Done => return,
        }
    }
}

/// Whoever waits for room at the desk must not wait for a courier that has gone, whatever made it go.
struct Leaving(Arc<Desk>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave_for_good();
    }
}
