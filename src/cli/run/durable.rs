//! A run that outlasts its process: `--state`, `--journal`.
//!
//! ```text
//! state directory ─► what to go on from ─► outputs are cut back, inputs opened where they stood
//! engine ─► checkpoint ─► lengths of outputs ─► writer thread ─► directory ─► journals are trimmed
//! ```
//! The first checkpoint is on the disk before the first alert is written: so whatever a crash leaves in an output is
//! known to be behind some checkpoint.
#![expect(clippy::disallowed_methods, reason = "checkpoints are taken by the clock")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tripline::base::Timestamp;
use tripline::config::Input;
use tripline::engine::{Checkpoint, Place, Saved};
use tripline::io::disk::Disk;
use tripline::io::journal::Needed;
use tripline::io::sink::{LineSink, SinkError};
use tripline::io::state::{
    CheckpointWriter, Commit, Committed, Durable, Recovered, SavedHeld, SavedInput, SavedOutput, StateDir,
    StateDirError,
};
use tripline::matcher::saved::{Changes, read_chunk};
use tripline::plan::Ruleset;
use tripline::session::head::{Fate, Head};

use super::inputs::Placed;
use super::kafka::TopicState;
use crate::cli::exit::Stop;
use crate::cli::number::counted;
use crate::cli::settings::Settings;
use crate::cli::terminal::note;

/// How often a checkpoint is taken if nothing else is said.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// How often a run that must wait for a checkpoint looks again.
const LOOK: Duration = Duration::from_millis(5);

/// What the command line and the configuration ask for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The state directory.
    pub state: Option<PathBuf>,
    /// The journal's directory.
    pub journal: Option<PathBuf>,
    /// How often a checkpoint is taken.
    pub every: Option<Duration>,
    /// How long journals are kept after they are needed.
    pub retain: Option<tripline::base::Duration>,
}

/// What a run goes on from.
pub struct Begin {
    /// Where the state is kept.
    store: Store,
    /// The engine's part, if there is any.
    pub saved: Option<Saved>,
    /// All inputs, those of earlier runs first: their numbers are in what is saved.
    pub inputs: Vec<String>,
    /// Where each of `inputs` goes on.
    places: Vec<Place>,
    /// Where outputs stood.
    outputs: Vec<SavedOutput>,
    /// What outputs held for summaries.
    held: Vec<SavedHeld>,
}

/// Where the state of a run is kept.
enum Store {
    /// A directory.
    Directory(StateDir),
    /// A topic of Kafka.
    Topic(TopicState),
}

/// Opens the state directory, or the topic that an input names instead, and says what it found. Nothing if neither is
/// wanted.
pub fn begin(
    dir: Option<&Path>,
    rules: &Ruleset,
    chosen: &[Input],
    settings: &Settings,
) -> Result<Option<Begin>, Stop> {
    let topic = TopicState::open(chosen, settings)?;
    match (dir, topic) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(Stop::usage("the state of a run is in one place: leave out the state directory, or the `state_topic`"))
        }
        (None, Some((state, recovered))) => {
            begin_from(Store::Topic(state), recovered, "the state topic", rules, chosen).map(Some)
        }
        (Some(dir), None) => {
            let (state, recovered, findings) = StateDir::open(dir, Disk::default()).map_err(Stop::failed)?;
            for finding in &findings {
                note(&format!("warning: {finding}\n"));
            }
            let name = dir.display().to_string();
            begin_from(Store::Directory(state), recovered, &name, rules, chosen).map(Some)
        }
    }
}

fn begin_from(
    store: Store,
    recovered: Option<Recovered>,
    name: &str,
    rules: &Ruleset,
    chosen: &[Input],
) -> Result<Begin, Stop> {
    let wanted: Vec<String> = chosen.iter().map(|input| input.name.clone()).collect();
    let Some(Recovered { commit, keys }) = recovered else {
        let places = vec![Place::default(); wanted.len()];
        let (outputs, held) = (Vec::new(), Vec::new());
        return Ok(Begin { store, saved: None, inputs: wanted, places, outputs, held });
    };
    let failed = |error| Stop::failed(format!("{name}: {error}"));
    let head = Head::from_bytes(&commit.head).map_err(failed)?;
    note(&going_on(&head, &commit, &keys.chunks, rules));
    let (mut inputs, mut places): (Vec<String>, Vec<Place>) =
        commit.inputs.into_iter().map(|input| (input.name, input.place)).unzip();
    for name in wanted {
        if !inputs.contains(&name) {
            inputs.push(name);
            places.push(Place::default());
        }
    }
    let saved = Saved { head, keys: keys.chunks, places: places.clone() };
    let (outputs, held) = (commit.outputs, commit.held);
    Ok(Begin { store, saved: Some(saved), inputs, places, outputs, held })
}

/// What becomes of the rules, in sentences.
fn going_on(head: &Head, commit: &Commit, chunks: &[Vec<u8>], rules: &Ruleset) -> String {
    let fates = head.fates(rules);
    let mut held: BTreeMap<u32, u64> = BTreeMap::new();
    for change in chunks.iter().filter_map(|chunk| read_chunk(chunk).ok()).flatten() {
        *held.entry(change.rule).or_default() += 1;
    }
    let kept = fates.iter().filter(|fate| matches!(fate, Fate::Kept(_))).count();
    let mut text = format!(
        "goes on from checkpoint {} of {}, after {}: {} with what they held\n",
        commit.number,
        commit.taken,
        counted(head.events(), "event"),
        counted(kept, "rule")
    );
    for (at, (fate, rule)) in fates.iter().zip(&head.rules).enumerate() {
        let keys = counted(held.get(&(at as u32)).copied().unwrap_or(0), "key");
        let name = &rule.name;
        match fate {
            Fate::Kept(_) => {}
            Fate::Changed => text.push_str(&format!("rule {name} has changed and begins anew; {keys} dropped\n")),
            Fate::Gone => text.push_str(&format!("rule {name} is no longer there; {keys} dropped\n")),
            Fate::Unreadable => {
                text.push_str(&format!(
                    "rule {name} begins anew, this release keeps states otherwise; {keys} dropped\n"
                ));
            }
        }
    }
    let known = |name: &str| head.rules.iter().any(|rule| rule.name == name);
    for rule in rules.rules.iter().filter(|rule| !known(&rule.name)) {
        text.push_str(&format!("rule {} is new\n", rule.name));
    }
    text
}

impl Begin {
    /// Where an output stood at the checkpoint, by its name.
    pub fn output(&self, name: &str) -> Option<u64> {
        self.outputs.iter().find(|output| output.name == name).map(|output| output.end)
    }

    /// What an output held for a summary, by its name; given once.
    pub fn take_held(&mut self, name: &str) -> Vec<u8> {
        let at = self.held.iter().position(|held| held.name == name);
        at.map(|at| self.held.remove(at).held).unwrap_or_default()
    }

    /// The topic that keeps the state, if one does.
    pub fn topic(&self) -> Option<&TopicState> {
        match &self.store {
            Store::Topic(state) => Some(state),
            Store::Directory(_) => None,
        }
    }

    /// The inputs, each where it stood. `chosen` are those of this run.
    pub fn placed(&self, chosen: &[Input]) -> Vec<Placed> {
        let placed = |(name, place): (&String, &Place)| Placed {
            name: name.clone(),
            input: chosen.iter().find(|input| input.name == *name).cloned(),
            place: place.clone(),
        };
        self.inputs.iter().zip(&self.places).map(placed).collect()
    }

    /// Starts the writing of checkpoints.
    /// `told` hears where inputs go on by each that is on the disk.
    pub fn start(
        self,
        wanted: &Wanted,
        needed: Vec<Option<Needed>>,
        told: Box<dyn Fn(&[Place])>,
        stop: &Arc<AtomicBool>,
    ) -> Checkpoints {
        let after = move |oldest: &Commit| {
            for (input, needed) in oldest.inputs.iter().zip(&needed) {
                if let (Some(needed), Some(position)) = (needed, input.place.journal) {
                    needed.set(position);
                }
            }
        };
        Checkpoints {
            writer: match self.store {
                Store::Directory(dir) => Keeper::Directory(CheckpointWriter::start(dir, Box::new(after))),
                Store::Topic(state) => Keeper::Topic(state),
            },
            inputs: self.inputs,
            every: wanted.every.unwrap_or(EVERY),
            due: Instant::now(),
            first: true,
            put_off: None,
            under_way: None,
            told,
            holding: None,
            stop: stop.clone(),
        }
    }
}

/// Takes back what outputs were given after the checkpoint: it will be found again.
pub fn cut_back<'a>(begin: &Begin, outputs: impl Iterator<Item = &'a mut LineSink>) -> Result<(), SinkError> {
    for output in outputs {
        if let Some(end) = begin.output(output.name())
            && !output.cut(end)?
        {
            note(&format!("warning: {} is shorter than it was at the checkpoint; it is appended to\n", output.name()));
        }
    }
    Ok(())
}

/// How long outputs are, and how they are made durable.
pub fn mark<'a>(
    outputs: impl Iterator<Item = &'a mut LineSink>,
) -> Result<(Vec<SavedOutput>, Vec<Durable>), SinkError> {
    let (mut saved, mut durable): (Vec<SavedOutput>, Vec<Durable>) = (Vec::new(), Vec::new());
    for output in outputs {
        let Some((end, file)) = output.mark()? else { continue };
        saved.push(SavedOutput { name: output.name().to_owned(), end });
        let path = PathBuf::from(output.name());
        durable.push(Box::new(move || {
            file.sync_data().map_err(|error| StateDirError::Disk { path, action: "make an output durable", error })
        }));
    }
    Ok((saved, durable))
}

/// What writes checkpoints.
enum Keeper {
    /// A thread, to a directory.
    Directory(CheckpointWriter),
    /// The run itself, in a transaction.
    Topic(TopicState),
}

/// The checkpoints of a run.
pub struct Checkpoints {
    writer: Keeper,
    inputs: Vec<String>,
    every: Duration,
    due: Instant,
    first: bool,
    /// One that could not count yet, since alerts before it were still on their way.
    put_off: Option<Checkpoint>,
    /// Where inputs go on by the one that is being written.
    under_way: Option<Vec<Place>>,
    told: Box<dyn Fn(&[Place])>,
    /// The newest one without its keys, if outputs held something for summaries: at the end they send it.
    holding: Option<Checkpoint>,
    stop: Arc<AtomicBool>,
}

impl Checkpoints {
    /// Tells of the one that was being written, if it is on the disk.
    fn tell(&mut self, committed: Option<Committed>) {
        if committed.is_some()
            && let Some(places) = self.under_way.take()
        {
            (self.told)(&places);
        }
    }

    /// Looks whether the one that was being written is on the disk.
    fn poll(&mut self) -> Result<(), StateDirError> {
        if let Keeper::Directory(writer) = &mut self.writer {
            let committed = writer.poll()?;
            self.tell(committed);
        }
        Ok(())
    }

    /// Waits for the one that is being written.
    fn wait(&mut self) -> Result<(), StateDirError> {
        if let Keeper::Directory(writer) = &mut self.writer {
            let committed = writer.wait()?;
            self.tell(committed);
        }
        Ok(())
    }

    /// Whether one is to be taken now. On a full disk this waits: input must not run ahead of what can be kept.
    pub fn are_due(&mut self) -> Result<bool, StateDirError> {
        self.poll()?;
        if Instant::now() < self.due {
            return Ok(false);
        }
        while matches!(&self.writer, Keeper::Directory(writer) if writer.is_full())
            && !self.stop.load(Ordering::Relaxed)
        {
            thread::sleep(LOOK);
            self.poll()?;
        }
        Ok(match &self.writer {
            Keeper::Directory(writer) => writer.is_free(),
            Keeper::Topic(_) => true,
        })
    }

    /// Keeps one back: an output has not got everything yet, and what a checkpoint holds is not sent again.
    pub fn put_off(&mut self, checkpoint: Checkpoint) {
        self.put_off = Some(self.with_put_off(checkpoint));
        self.due = Instant::now() + self.every;
    }

    /// One to be taken once outputs have sent everything: the one that was kept back last, or the newest if it says that
    /// outputs hold something.
    pub fn take_last(&mut self) -> Option<Checkpoint> {
        self.put_off.take().or_else(|| self.holding.take())
    }

    /// A checkpoint with the changes of the one before, if that was kept back.
    fn with_put_off(&mut self, mut checkpoint: Checkpoint) -> Checkpoint {
        if let Some(before) = self.put_off.take() {
            let later = std::mem::replace(&mut checkpoint.keys, before.keys);
            checkpoint.keys.append(later);
        }
        checkpoint
    }

    /// Hands one to the writer. Outputs have been flushed and are as long as `outputs` says.
    pub fn take(
        &mut self,
        checkpoint: Checkpoint,
        outputs: Vec<SavedOutput>,
        held: Vec<SavedHeld>,
        before: Vec<Durable>,
    ) -> Result<(), StateDirError> {
        let checkpoint = self.with_put_off(checkpoint);
        self.holding = (!held.is_empty()).then(|| Checkpoint {
            head: checkpoint.head.clone(),
            keys: Changes::default(),
            places: checkpoint.places.clone(),
        });
        // The last one of a run comes whether the writer is free or not.
        if let (Keeper::Directory(writer), true) = (&self.writer, self.stop.load(Ordering::Relaxed)) {
            writer.give_up();
        }
        self.wait()?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let inputs = self.inputs.iter().cloned().zip(checkpoint.places.iter().cloned());
        let commit = Commit {
            number: 0,
            taken: Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            inputs: inputs.map(|(name, place)| SavedInput { name, place }).collect(),
            outputs,
            head: checkpoint.head,
            held,
        };
        match &mut self.writer {
            Keeper::Directory(writer) => {
                writer.submit(commit, checkpoint.keys, before);
                self.under_way = Some(checkpoint.places);
            }
            Keeper::Topic(state) => {
                before.into_iter().try_for_each(|durable| durable())?;
                state.commit(commit, &checkpoint.keys)?;
            }
        }
        if std::mem::take(&mut self.first) {
            self.wait()?;
        }
        self.due = Instant::now() + self.every;
        Ok(())
    }

    /// Ends in order.
    pub fn finish(mut self) -> Result<(), StateDirError> {
        self.wait()?;
        match self.writer {
            Keeper::Directory(writer) => writer.finish(),
            Keeper::Topic(_) => Ok(()),
        }
    }
}
