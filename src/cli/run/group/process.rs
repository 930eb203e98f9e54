//! What a process has at a moment: its partitions, and their checkpoints on the way to a transaction.
#![expect(clippy::disallowed_methods, reason = "ends are waited for by the clock")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tripline::base::Timestamp;
use tripline::io::deliver::Report;
use tripline::io::kafka::changelog::{ChangelogError, SharedChangelog};
use tripline::io::kafka::member::{Change, Member};
use tripline::plan::Ruleset;
use tripline::session::Summary;

use super::super::durable;
use super::super::inputs::InputReport;
use super::super::outputs::{Outputs, Record};
use super::super::rejects::Rejects;
use super::partition::{AWAY, Common, Done, Event, Running};
use crate::cli::exit::Stop;
use crate::cli::number::counted;
use crate::cli::terminal::note;

/// How long the process sleeps when nothing comes.
const TURN: Duration = Duration::from_millis(20);
/// How long outputs may take for what was handed to them before the process looks at the group again.
const SETTLE: Duration = Duration::from_millis(20);
/// How long the group waits for a partition that it has asked for. Then what is not committed is done again elsewhere.
const DRAIN: Duration = Duration::from_secs(60);
/// How long it takes a process to hear that another one has its name: longer than between two signs of life.
const REPLACED: Duration = Duration::from_secs(7);
/// How often the group is asked whether everything has been read to its end.
const ASK: Duration = Duration::from_millis(500);

/// A member of the group at work.
pub struct Process {
    member: Member,
    changelog: SharedChangelog,
    outputs: Outputs,
    rejects: Rejects,
    late: Record,
    /// Names of the inputs.
    names: Vec<String>,
    common: Arc<Common>,
    partitions: BTreeMap<i32, Running>,
    /// Changes of the group that are to be followed.
    changes: VecDeque<Change>,
    /// Checkpoints that are not committed, in the order in which they came.
    waiting: Vec<Done>,
    tell: Sender<Event>,
    hear: Receiver<Event>,
    /// Partitions that have begun so far.
    serial: u64,
    /// When the group was asked last how far it has come.
    asked: Instant,
    alerts: u64,
    counts: Counts,
}

/// How often something happened.
#[derive(Default)]
struct Counts {
    rebalances: u64,
    lost: u64,
    begun_anew: u64,
}

/// What a process did, for the summary.
pub struct Left {
    /// Counts of the partitions that it had at the end.
    pub summary: Summary,
    /// How far event time has come in the one that is furthest behind.
    pub reached: Option<Timestamp>,
    /// These partitions.
    pub inputs: Vec<InputReport>,
    /// Outputs with couriers.
    pub outputs: Vec<Report>,
    /// Alerts handed out.
    pub alerts: u64,
    /// What there is to say of the group.
    pub words: String,
}

impl Process {
    /// A member that has nothing yet.
    pub fn new(
        member: Member,
        changelog: SharedChangelog,
        outputs: Outputs,
        (rejects, late): (Rejects, Record),
        names: Vec<String>,
        common: Common,
    ) -> Self {
        let (tell, hear) = unbounded();
        Self {
            member,
            changelog,
            outputs,
            rejects,
            late,
            names,
            common: Arc::new(common),
            partitions: BTreeMap::new(),
            changes: VecDeque::new(),
            waiting: Vec::new(),
            tell,
            hear,
            serial: 0,
            asked: Instant::now(),
            alerts: 0,
            counts: Counts::default(),
        }
    }

    /// Looks at the group, and takes what comes of partitions.
    pub fn turn(&mut self) -> Result<(), Stop> {
        while let Some(change) = self.next_change()? {
            self.follow(change)?;
        }
        self.take()?;
        self.commit()?;
        self.outputs.reopen_if_asked()?;
        Ok(())
    }

    /// Whether all partitions have been read to these ends, by whoever has them, and it is committed.
    pub fn has_come_to(&mut self, ends: &[u64]) -> bool {
        let ended = self.partitions.values().all(|running| running.ended.is_some()) && self.waiting.is_empty();
        if !ended || self.asked.elapsed() < ASK {
            return false;
        }
        self.asked = Instant::now();
        self.common.reading.is_committed_to(ends)
    }

    /// Goes on with tables that were read anew.
    pub fn set_tables(&mut self, rules: Arc<Ruleset>) {
        let mut tables = self.common.tables.lock().unwrap_or_else(PoisonError::into_inner);
        *tables = (tables.0 + 1, Some(rules));
    }

    fn next_change(&mut self) -> Result<Option<Change>, Stop> {
        match self.changes.pop_front() {
            Some(change) => Ok(Some(change)),
            None => self.member.poll().map_err(Stop::failed),
        }
    }

    /// Ends if the group has another process of the same name: who began later has the name.
    fn end_if_replaced(&mut self) -> Result<(), Stop> {
        let until = Instant::now() + REPLACED;
        while self.common.has_name && Instant::now() < until {
            if let Some(change) = self.member.poll().map_err(Stop::failed)? {
                self.changes.push_back(change);
            }
            std::thread::sleep(TURN);
        }
        Ok(())
    }

    fn follow(&mut self, change: Change) -> Result<(), Stop> {
        match change {
            Change::Given(numbers) => {
                let count = self.common.count;
                if let Some(number) = numbers.iter().find(|number| usize::try_from(**number).is_ok_and(|n| n >= count))
                {
                    return Err(Stop::failed(format!(
                        "topic {} had {count} partitions and has more now, {number} among them: keys may have moved \
                         between them; read it with another `group` and another `state_topic`",
                        self.common.topic
                    )));
                }
                self.member.take(&numbers).map_err(Stop::failed)?;
                for number in &numbers {
                    self.start(*number)?;
                }
                self.note_change("takes", &numbers);
            }
            Change::Asked(numbers) => {
                self.bring_to_end(&numbers)?;
                self.let_go(&numbers);
                self.member.give_up(&numbers).map_err(Stop::failed)?;
                self.note_change("gives up", &numbers);
            }
            Change::Lost(numbers) => {
                self.counts.lost += numbers.len() as u64;
                self.let_go(&numbers);
                self.member.give_up(&numbers).map_err(Stop::failed)?;
                self.note_change("has lost", &numbers);
            }
        }
        Ok(())
    }

    fn note_change(&mut self, what: &str, numbers: &[i32]) {
        if numbers.is_empty() {
            return;
        }
        self.counts.rebalances += 1;
        let list: Vec<String> = numbers.iter().map(i32::to_string).collect();
        note(&format!("{what} {} of {}\n", list.join(", "), self.common.topic));
    }

    fn start(&mut self, number: i32) -> Result<(), Stop> {
        self.serial += 1;
        let running = Running::start(&self.common, number, self.serial, self.tell.clone());
        let running = running.map_err(|error| Stop::failed(format!("a thread cannot be started: {error}")))?;
        self.partitions.insert(number, running);
        Ok(())
    }

    /// Has partitions finish with what they have read, and commits it. Gives up when it takes too long, or when the
    /// partitions are lost meanwhile.
    fn bring_to_end(&mut self, numbers: &[i32]) -> Result<(), Stop> {
        let until = Instant::now() + DRAIN;
        let mine = |process: &Self| {
            let open = |number: &i32| process.partitions.get(number).is_some_and(|running| running.ended.is_none());
            numbers.iter().any(open) || process.waiting.iter().any(|done| numbers.contains(&done.number))
        };
        numbers.iter().filter_map(|number| self.partitions.get(number)).for_each(Running::finish);
        while mine(self) && Instant::now() < until && !self.member.has_lost() {
            self.take()?;
            self.commit()?;
        }
        Ok(())
    }

    /// Drops partitions with everything that is not committed.
    fn let_go(&mut self, numbers: &[i32]) {
        for number in numbers {
            if let Some(running) = self.partitions.remove(number) {
                running.let_go();
                self.common.reading.remove(*number);
            }
        }
        self.waiting.retain(|done| !numbers.contains(&done.number));
    }

    /// Takes what partitions tell. Waits a little if there is nothing.
    fn take(&mut self) -> Result<(), Stop> {
        let Ok(first) = self.hear.recv_timeout(TURN) else { return Ok(()) };
        let rest: Vec<Event> = self.hear.try_iter().collect();
        for event in std::iter::once(first).chain(rest) {
            match event {
                Event::Note(words) => note(&words),
                Event::Done(done) => {
                    // One that was let go says nothing any more.
                    let running = self.partitions.get_mut(&done.number).filter(|running| running.serial == done.serial);
                    if let Some(running) = running {
                        running.reached = done.reached;
                        self.waiting.push(*done);
                    }
                }
                Event::Ended(number, serial, result) => {
                    let running = self.partitions.get_mut(&number).filter(|running| running.serial == serial);
                    let Some(running) = running else { continue };
                    running.ended = Some(result.map_err(Stop::failed)?.unwrap_or_default());
                }
            }
        }
        Ok(())
    }

    /// Hands out what came with checkpoints and commits them, if there are any and outputs are ready.
    fn commit(&mut self) -> Result<(), Stop> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        for done in self.waiting.iter_mut().filter(|done| !done.handed_out) {
            self.alerts += done.alerts.len() as u64;
            self.outputs.deliver(&done.alerts)?;
            for rejected in &done.rejected {
                let input = self.names.get(usize::from(rejected.input)).map_or("", String::as_str);
                self.rejects.rejected(input, rejected)?;
            }
            done.late.iter().try_for_each(|line| self.late.line(line))?;
            done.handed_out = true;
        }
        self.outputs.flush()?;
        self.rejects.flush()?;
        self.late.flush()?;
        self.rejects.settle()?;
        if self.outputs.settle(SETTLE)?.is_none() {
            return Ok(());
        }
        let files = self.outputs.lines().chain(self.rejects.lines()).chain(self.late.lines());
        let (_, durable) = durable::mark(files)?;
        durable.into_iter().try_for_each(|durable| durable()).map_err(Stop::failed)?;
        match self.transact() {
            Ok(()) => {
                for done in self.waiting.drain(..) {
                    if let Some(running) = self.partitions.get(&done.number) {
                        running.tell_committed();
                    }
                }
                Ok(())
            }
            // The group has changed. It says what we still have; that is tried again.
            Err(ChangelogError::Moved) => Ok(()),
            Err(problem) => self.begin_anew(&problem),
        }
    }

    /// One transaction of everything that waits.
    fn transact(&mut self) -> Result<(), ChangelogError> {
        let mut too_long = Vec::new();
        for done in &self.waiting {
            for (letter, records) in self.outputs.committed(&done.alerts) {
                if !self.changelog.add(&letter, records)? {
                    too_long.push(format!(
                        "warning: alert {} is too long for a record of {}, and is left out\n",
                        letter.alert.id, records.topic
                    ));
                }
            }
        }
        self.changelog.commit(self.waiting.iter().map(|done| &done.checkpoint), &self.member)?;
        too_long.iter().for_each(|words| note(words));
        Ok(())
    }

    /// Drops everything that is not committed and goes on from what is: whether the last transaction was, only what is
    /// written can tell.
    fn begin_anew(&mut self, problem: &ChangelogError) -> Result<(), Stop> {
        self.counts.begun_anew += 1;
        note(&format!("warning: {problem}; goes on from what is committed\n"));
        let numbers: Vec<i32> = self.partitions.keys().copied().collect();
        self.let_go(&numbers);
        if *problem == ChangelogError::Fenced {
            self.end_if_replaced()?;
        }
        let until = Instant::now() + AWAY;
        while let Err(problem) = self.changelog.reopen() {
            if Instant::now() > until {
                return Err(Stop::failed(format!("topic {}: {problem}", self.common.state.topic)));
            }
            std::thread::sleep(TURN);
        }
        numbers.into_iter().try_for_each(|number| self.start(number))
    }

    /// Finishes with everything, leaves the group, and says what was done.
    pub fn leave(mut self) -> Result<Left, Stop> {
        let numbers: Vec<i32> = self.partitions.keys().copied().collect();
        self.bring_to_end(&numbers)?;
        let standing = self.common.reading.standing();
        let mut summary = Summary::new(&self.common.rules);
        let mut inputs = Vec::new();
        for (number, running) in &self.partitions {
            let Some(ended) = &running.ended else { continue };
            summary.add(ended);
            let at = usize::try_from(*number).unwrap_or(usize::MAX);
            inputs.push(InputReport {
                name: self.names.get(at).cloned().unwrap_or_default(),
                counts: ended.sources.get(at).cloned().unwrap_or_default(),
                turned_away: Vec::new(),
                standing: standing.get(at).cloned(),
            });
        }
        let reached = self.partitions.values().filter_map(|running| running.reached).min();
        self.let_go(&numbers);
        drop(self.member);
        let Counts { rebalances, lost, begun_anew } = self.counts;
        let mut words = format!(
            "had {} of topic {} at the end, after {}\n",
            counted(numbers.len(), "partition"),
            self.common.topic,
            counted(rebalances, "rebalance")
        );
        if lost > 0 {
            words.push_str(&format!("lost {} to others for want of a sign of life\n", counted(lost, "partition")));
        }
        if begun_anew > 0 {
            words.push_str(&format!("went on from what was committed {}\n", counted(begun_anew, "time")));
        }
        Ok(Left { summary, reached, inputs, outputs: self.outputs.close(), alerts: self.alerts, words })
    }
}
