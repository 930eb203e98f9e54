//! Keys at rest: the same bytes that a state file has, in one block.
//!
//! ```text
//! packed = worth │ held │ length of the key │ key │ states
//! states = the state                                     in a table of one rule
//!        = (member │ length of the state │ state)…       in a table of several
//! state  = place, or 0 │ the state without the text of the key at the place
//! ```
//! An event mostly keeps the field that it is found by, so the text of the key would stand there twice.
//! What several rules have together stands behind their states as that of a member that there is none of.
//! A state is written without the zeros at its end: one with one event ends with as many things that it has not.

use memchr::memmem;
use serde::Serialize;
use smallvec::SmallVec;

use super::groups::Member;
use super::joint::Joint;
use super::key::KeyState;
use super::ledger::{Entry, Worth};
use super::live::Live;
use super::state::RunState;
use crate::base::budget::block;
use crate::plan::key;

/// Zeros at the end of a packed state that are left out at most.
const ZEROS: usize = 16;

/// The shortest text of a key that is left out of a state.
const SHORT: usize = 4;

/// Stands for the window that rules have together.
const JOINT: Member = Member(u8::MAX);

fn write(value: &impl Serialize, bytes: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(value, bytes).expect("memory takes any bytes")
}

fn number(n: usize, bytes: Vec<u8>) -> Vec<u8> {
    write(&(n as u32), bytes)
}

/// Without the zeros at its end.
fn trimmed(state: &[u8]) -> &[u8] {
    let zeros = state.iter().rev().take(ZEROS).take_while(|byte| **byte == 0).count();
    &state[..state.len() - zeros]
}

/// The part of a key that states may do without.
fn common(key: &[u8]) -> &[u8] {
    key::first_text(key).filter(|text| text.len() >= SHORT).unwrap_or_default()
}

/// Writes a state without the text of its key, and without the zeros at its end.
fn without(text: &[u8], state: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    let state = trimmed(state);
    let at = if text.is_empty() { None } else { memmem::find(state, text) };
    bytes = number(at.map_or(0, |at| at + 1), bytes);
    let (before, behind) = at.map_or((state, &[][..]), |at| (&state[..at], &state[at + text.len()..]));
    bytes.extend_from_slice(before);
    bytes.extend_from_slice(behind);
    bytes
}

/// A state as it was before [`without`], with zeros at its end.
fn with(text: &[u8], state: &[u8], bytes: &mut SmallVec<[u8; 256]>) {
    let (at, state) = postcard::take_from_bytes::<u32>(state).expect("these bytes were packed here");
    bytes.clear();
    match at.checked_sub(1).map(|at| state.split_at(at as usize)) {
        Some((before, behind)) => [before, text, behind].iter().for_each(|part| bytes.extend_from_slice(part)),
        None => bytes.extend_from_slice(state),
    }
    bytes.extend_from_slice(&[0; ZEROS]);
}

/// Packs a key that has no past. `scratch` is used meanwhile.
pub(super) fn pack(live: &Live, shared: bool, scratch: &mut [Vec<u8>; 3]) -> Box<[u8]> {
    let [bytes, state, short] = scratch;
    let text = common(&live.key);
    let mut put = |member: Member, state: &[u8], bytes: &mut Vec<u8>| {
        short.clear();
        *short = without(text, state, std::mem::take(short));
        if shared {
            bytes.push(member.0);
            *bytes = number(short.len(), std::mem::take(bytes));
        }
        bytes.extend_from_slice(short);
    };
    bytes.clear();
    bytes.push(live.worth().to_byte());
    bytes.push(u8::try_from(live.held()).unwrap_or(u8::MAX));
    *bytes = number(live.key.len(), std::mem::take(bytes));
    bytes.extend_from_slice(&live.key);
    for held in live.states() {
        state.clear();
        *state = write(&held.state.run, std::mem::take(state));
        put(held.member, state, bytes);
    }
    if let Some(joint) = live.joint() {
        state.clear();
        *state = write(joint, std::mem::take(state));
        put(JOINT, state, bytes);
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
pub(super) fn key_of(packed: &[u8]) -> &[u8] {
    parts(packed).map_or(&[], |(_, key, _)| key)
}

/// Partial matches and events.
pub(super) fn held(packed: &[u8]) -> usize {
    packed.get(1).map_or(0, |held| usize::from(*held))
}

/// Whether a rule holds something.
pub(super) fn holds(packed: &[u8], shared: bool, member: Member) -> bool {
    let joins = |state: &[u8]| read_joint(common(key_of(packed)), state).holds(member);
    states(packed, shared).any(|(other, state)| other == member || (other == JOINT && joins(state)))
}

fn read_joint(text: &[u8], state: &[u8]) -> Joint {
    let mut bytes = SmallVec::new();
    with(text, state, &mut bytes);
    postcard::from_bytes(&bytes).expect("these bytes were packed here")
}

/// Bytes that the state of one rule would take with its key, were it the only one.
pub(super) fn alone(packed: &[u8], shared: bool, member: Member) -> Option<usize> {
    let length = states(packed, shared).find_map(|(other, state)| match other {
        JOINT => {
            let text = common(key_of(packed));
            let state = read_joint(text, state).get(member)?;
            Some(without(text, &write(&state.run, Vec::new()), Vec::new()).len())
        }
        other => (other == member).then_some(state.len()),
    })?;
    Some(packed.len() - parts(packed)?.2.len() + usize::from(shared) * 2 + length)
}

/// The key as it was before it was packed.
pub(super) fn unpack(packed: &[u8], shared: bool) -> Live {
    let mut live = Live::new(key_of(packed), entry(packed));
    let text = common(key_of(packed));
    let mut bytes = SmallVec::new();
    for (member, state) in states(packed, shared) {
        if member == JOINT {
            *live.joint_mut() = read_joint(text, state);
            continue;
        }
        with(text, state, &mut bytes);
        let run: RunState = postcard::from_bytes(&bytes).expect("these bytes were packed here");
        live.put(member, KeyState { run, past: None });
    }
    live
}

/// What packed bytes are in the ledger with.
pub(super) fn entry(packed: &[u8]) -> Entry {
    Entry { bytes: block(packed.len()), worth: Worth::from_byte(packed.first().copied().unwrap_or(0)) }
}
