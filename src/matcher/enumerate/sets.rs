//! Compact sets of partial matches: a graph in which each path is one, shared by all that have a part in common.
//!
//! ```text
//! A1 A2 B3 A4 B5, at the place behind B:        ∪ ──► ∪ ──► B3 ─┐      right: older starts
//!                                               │     │         ▼
//!                                              B5     ·         ∪ ──► A1
//!                                               ▼               │
//!                                               ∪ ──► …        A2      left: the newest start
//!                                               A4
//! ```
//! The timed enumerable compact sets of Bucchi, Grez, Quintana, Riveros and Vansummeren (CORE, PVLDB 15(9), 2022), with
//! three changes. Nodes lie in a ring in the order in which they were made, and are forgotten from its front: a partial
//! match is over when its first event is, and no node is older than the first event of a set that is still of use, so
//! nothing counts references. A start is the position of its event, not its time. And sets are gathered in piles, whose
//! additions come with ever newer starts; so a union's left side is always a single binding, and no balancing is needed.
//!
//! Invariants: on each union the newest start on the left is no older than that on the right, which the node itself
//! knows, so that what has been forgotten is never looked at; at most two unions lie to the left of each other.

use std::collections::VecDeque;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::base::StepId;
use crate::base::budget::block;

/// The position of an event: grows with the order of events and is never used again.
pub(super) type Place = u64;

/// The position of a node: grows and is never used again.
pub(super) type NodeId = u64;

/// A set that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Set {
    node: NodeId,
    /// The newest first event of all in it.
    pub(super) newest: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Node {
    /// All of `before`, with one more event; without it the event is the first.
    Bind { step: StepId, event: Place, before: Option<NodeId> },
    /// All of both; `right_newest` is the newest start on the right.
    Union { left: NodeId, right: NodeId, right_newest: Place },
    /// Those of a pile that bound their last event at `since` or later.
    Since { pile: NodeId, since: Place },
}

const _: () = assert!(size_of::<Node>() <= 32);

/// Numbers of partial matches by node, and since when their last event must be.
pub(super) type Counts = HashMap<(NodeId, Place), u128, foldhash::fast::FixedState>;

/// An event bound to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bound {
    /// The position of the event in the state.
    pub event: u64,
    /// The step.
    pub step: StepId,
}

/// The nodes of all sets of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sets {
    nodes: VecDeque<Node>,
    base: NodeId,
}

impl Sets {
    /// Bytes of a node.
    pub(super) const NODE: usize = size_of::<Node>();

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        block(self.nodes.capacity() * Self::NODE)
    }

    /// The position that the next node will have.
    pub(super) fn end(&self) -> NodeId {
        self.base + self.nodes.len() as u64
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = self.end();
        self.nodes.push_back(node);
        id
    }

    fn node(&self, id: NodeId) -> Node {
        self.nodes[(id - self.base) as usize]
    }

    /// The set of one partial match of one event, or all of `before` with one more.
    pub(super) fn bind(&mut self, step: StepId, event: Place, before: Option<Set>) -> Set {
        let newest = before.map_or(event, |set| set.newest);
        Set { node: self.push(Node::Bind { step, event, before: before.map(|set| set.node) }), newest }
    }

    /// All of both; nothing on the right may begin later than the newest on the left.
    fn union(&mut self, left: Set, right: Set) -> Set {
        debug_assert!(left.newest >= right.newest, "the side that begins later stands on the left");
        let node = Node::Union { left: left.node, right: right.node, right_newest: right.newest };
        Set { node: self.push(node), newest: left.newest }
    }

    /// The last event of the newest addition to a pile.
    fn last(&self, pile: NodeId) -> Place {
        let head = match self.node(pile) {
            Node::Union { left, .. } => left,
            _ => pile,
        };
        match self.node(head) {
            Node::Bind { event, .. } => event,
            _ => 0,
        }
    }

    /// Forgets the nodes before a position.
    pub(super) fn forget_before(&mut self, id: NodeId) {
        let gone = id.saturating_sub(self.base).min(self.nodes.len() as u64);
        // Few at a time, so one by one.
        for _ in 0..gone {
            self.nodes.pop_front();
        }
        self.base += gone;
    }

    /// Takes back the nodes from a position on.
    pub(super) fn take_back(&mut self, id: NodeId) {
        self.nodes.truncate((id - self.base) as usize);
    }

    /// How many partial matches of a set have their first event at `floor` or later, without going through them: a
    /// node is looked at once.
    pub(super) fn count(&self, set: Set, floor: Place, known: &mut Counts) -> u128 {
        let mut todo = vec![(set.node, 0)];
        while let Some(&(node, since)) = todo.last() {
            if known.contains_key(&(node, since)) {
                todo.pop();
                continue;
            }
            let parts: SmallVec<[(NodeId, Place); 2]> = match self.node(node) {
                Node::Bind { before, .. } => before.map(|before| (before, 0)).into_iter().collect(),
                Node::Since { pile, since } => SmallVec::from_slice(&[(pile, since)]),
                Node::Union { left, right, right_newest } => {
                    let right = self.is_live(right, right_newest, floor, since).then_some((right, since));
                    [(left, since)].into_iter().chain(right).collect()
                }
            };
            let missing = parts.iter().filter(|part| !known.contains_key(*part));
            let waiting = todo.len();
            todo.extend(missing);
            if todo.len() == waiting {
                let one = u128::from(parts.is_empty());
                let sum = parts.iter().fold(one, |sum, part| sum.saturating_add(known[part]));
                known.insert((node, since), sum);
                todo.pop();
            }
        }
        known[&(set.node, 0)]
    }

    /// Whether the right side of a union, inside a pile cut at `since`, has anything in it.
    fn is_live(&self, right: NodeId, newest: Place, floor: Place, since: Place) -> bool {
        newest >= floor && (since == 0 || self.last(right) >= since)
    }

    /// The partial matches of a set whose first event is at `floor` or later.
    pub(super) fn walk(&self, set: Set, floor: Place) -> Walk<'_> {
        Walk { sets: self, floor, path: Vec::new(), todo: vec![(set.node, 0, 0)] }
    }
}

/// What waits at one place, as few piles: the newest start of each lies before that of the pile before it.
///
/// An addition goes on the first pile whose newest start is no newer than its own. Starts come in order from each place
/// that leads here, so there are no more piles than such places.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Piles(SmallVec<[Set; 1]>);

impl Piles {
    /// Adds a binding that was just made.
    pub(super) fn add(&mut self, binding: Set, sets: &mut Sets, floor: Place) {
        self.drop_over(floor);
        match self.0.iter().position(|pile| pile.newest <= binding.newest) {
            Some(at) => self.0[at] = sets.union(binding, self.0[at]),
            None => self.0.push(binding),
        }
    }

    /// Everything that has not begun before `floor` and bound its last event at `since` or later, as one set.
    pub(super) fn all(&mut self, sets: &mut Sets, floor: Place, since: Place) -> Option<Set> {
        self.drop_over(floor);
        let mut all: Option<Set> = None;
        for pile in self.0.iter().rev() {
            let pile = match since {
                0 => *pile,
                _ if sets.last(pile.node) < since => continue,
                _ => Set { node: sets.push(Node::Since { pile: pile.node, since }), ..*pile },
            };
            all = Some(all.map_or(pile, |older| sets.union(pile, older)));
        }
        all
    }

    /// Nothing waits any more.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn drop_over(&mut self, floor: Place) {
        while self.0.last().is_some_and(|pile| pile.newest < floor) {
            self.0.pop();
        }
    }
}

/// Goes through the partial matches of a set. Between two of them lie no more steps than the next one has events, and
/// a few for each.
#[derive(Debug)]
pub(super) struct Walk<'s> {
    sets: &'s Sets,
    floor: Place,
    /// The current one, its last event first.
    path: Vec<Bound>,
    /// Sets to go into, with how much of the path is before them and since when their last event must be.
    todo: Vec<(NodeId, usize, Place)>,
}

impl Walk<'_> {
    /// The next one, its last event first.
    pub(super) fn next(&mut self) -> Option<&[Bound]> {
        let (mut at, kept, mut since) = self.todo.pop()?;
        self.path.truncate(kept);
        loop {
            match self.sets.node(at) {
                Node::Union { left, right, right_newest } => {
                    if self.sets.is_live(right, right_newest, self.floor, since) {
                        self.todo.push((right, self.path.len(), since));
                    }
                    at = left;
                }
                Node::Since { pile, since: from } => {
                    at = pile;
                    since = from;
                }
                Node::Bind { step, event, before } => {
                    self.path.push(Bound { event, step });
                    since = 0;
                    match before {
                        Some(before) => at = before,
                        None => return Some(&self.path),
                    }
                }
            }
        }
    }
}
