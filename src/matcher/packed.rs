//! Keys at rest: the same bytes that a state file has, in one block.
//!
//! ```text
//! packed = worth │ held │ length of the key │ key │ states
//! states = the state                                     in a table of one rule
//!        = (member │ length of the state │ state)…       in a table of several
//! ```
//! What several rules have together stands behind their states as that of a member that there is none of.
//! A state is written without the zeros at its end: one with one event ends with as many things that it has not.

use smallvec::SmallVec;

use super::groups::Member;
use super::joint::Joint;
use super::key::KeyState;
use super::ledger::{Entry, Worth};
use super::live::Live;
use super::state::RunState;
use crate::base::budget::block;

/// Zeros at the end of a packed state that are left out at most.
const ZEROS: usize = 16;

/// Stands for the window that rules have together.
const JOINT: Member = Member(u8::MAX);

fn number(n: usize, bytes: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(&(n as u32), bytes).expect("memory takes any bytes")
}

/// Without the zeros at its end.
fn trimmed(state: &[u8]) -> &[u8] {
    let zeros = state.iter().rev().take(ZEROS).take_while(|byte| **byte == 0).count();
    &state[..state.len() - zeros]
}

/// Packs a key that has no past. `scratch` is used meanwhile.
pub(super) fn pack(live: &Live, shared: bool, scratch: &mut [Vec<u8>; 2]) -> Box<[u8]> {
    let [bytes, state] = scratch;
    bytes.clear();
    bytes.push(live.worth().to_byte());
    bytes.push(u8::try_from(live.held()).unwrap_or(u8::MAX));
    *bytes = number(live.key.len(), std::mem::take(bytes));
    bytes.extend_from_slice(&live.key);
    for held in live.states() {
        state.clear();
        *state = write(&held.state.run, std::mem::take(state));
        let state = trimmed(state);
        if shared {
            bytes.push(held.member.0);
            *bytes = number(state.len(), std::mem::take(bytes));
        }
        bytes.extend_from_slice(state);
    }
    if let Some(joint) = live.joint() {
        state.clear();
        *state = postcard::to_extend(joint, std::mem::take(state)).expect("memory takes any bytes");
        bytes.push(JOINT.0);
        *bytes = number(state.len(), std::mem::take(bytes));
        bytes.extend_from_slice(state);
    }
    // Copied, so that the block is no larger than what it holds.
    bytes.as_slice().into()
}

/// The parts of packed bytes: the worth and how much is held, the key, the states.
fn parts(packed: &[u8]) -> Option<([u8; 2], &[u8], &[u8])> {
    let (head, rest) = packed.split_first_chunk::<2>()?;
    let (length, rest) = postcard::take_from_bytes::<u32>(rest).ok()?;
    let (key, states) = rest.split_at_checked(length as usize)?;
    Some((*head, key, states))
}

/// The states of packed bytes, each with its member.
fn states(packed: &[u8], shared: bool) -> impl Iterator<Item = (Member, &[u8])> {
    let mut rest = parts(packed).map(|(_, _, states)| states);
    std::iter::from_fn(move || {
        let bytes = rest.take()?;
        if !shared {
            return Some((Member(0), bytes));
        }
        let (member, left) = bytes.split_first()?;
        let (length, left) = postcard::take_from_bytes::<u32>(left).ok()?;
        let (state, left) = left.split_at_checked(length as usize)?;
        rest = Some(left);
        Some((Member(*member), state))
    })
}

/// The key that was packed.
pub(super) fn key(packed: &[u8]) -> &[u8] {
    parts(packed).map_or(&[], |(_, key, _)| key)
}

/// Partial matches and events.
pub(super) fn held(packed: &[u8]) -> usize {
    packed.get(1).map_or(0, |held| usize::from(*held))
}

/// Whether a rule holds something.
pub(super) fn holds(packed: &[u8], shared: bool, member: Member) -> bool {
    states(packed, shared).any(|(other, state)| other == member || (other == JOINT && read_joint(state).holds(member)))
}

fn read_joint(state: &[u8]) -> Joint {
    postcard::from_bytes(state).expect("these bytes were packed here")
}

fn write(state: &RunState, bytes: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(state, bytes).expect("memory takes any bytes")
}

/// Bytes that the state of one rule would take with its key, were it the only one.
pub(super) fn alone(packed: &[u8], shared: bool, member: Member) -> Option<usize> {
    let length = states(packed, shared).find_map(|(other, state)| match other {
        JOINT => {
            let state = read_joint(state).get(member)?;
            Some(trimmed(&write(&state.run, Vec::new())).len())
        }
        other => (other == member).then_some(state.len()),
    })?;
    Some(packed.len() - parts(packed)?.2.len() + usize::from(shared) * 2 + length)
}

/// The key as it was before it was packed.
pub(super) fn unpack(packed: &[u8], shared: bool) -> Live {
    let mut live = Live::new(key(packed), entry(packed));
    let mut bytes = SmallVec::<[u8; 256]>::new();
    for (member, state) in states(packed, shared) {
        if member == JOINT {
            *live.joint_mut() = read_joint(state);
            continue;
        }
        bytes.clear();
        bytes.extend_from_slice(state);
        bytes.extend_from_slice(&[0; ZEROS]);
        let run: RunState = postcard::from_bytes(&bytes).expect("these bytes were packed here");
        live.put(member, KeyState { run, past: None });
    }
    live
}

/// What packed bytes are in the ledger with.
pub(super) fn entry(packed: &[u8]) -> Entry {
    Entry { bytes: block(packed.len()), worth: Worth::from_byte(packed.first().copied().unwrap_or(0)) }
}
