//! States that were changed at random are read without a panic: what a fuzzer does at length (`tests/fuzz`, target
//! `state`), for a moment, from states that a session has saved.
//!
//! `STATE_ROUNDS` says how many (20,000 if nothing is said).

mod state_files;

use std::sync::Arc;

use fastrand::Rng;
use state_files::RULES;
use tripline::matcher::saved::{Change, Changes};
use tripline::session::{Session, SessionConfig};

/// A state with something in it of every rule.
fn saved() -> Vec<u8> {
    let mut session = Session::new(Arc::clone(&RULES), SessionConfig::default());
    for n in 0..60_i64 {
        let class = ["a", "a", "b", "c"][n as usize % 4];
        let (k, ts) = (n % 7, 1_767_225_600_000 + n * 1500);
        session.push_line(&format!(r#"{{"type":"{class}","k":"key{k}","n":{},"ts":{ts}}}"#, n % 5));
    }
    session.save()
}

/// Some bytes changed, left out, or there twice.
fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(1..6) {
        if bytes.is_empty() {
            return;
        }
        let at = random.usize(..bytes.len());
        match random.u8(..5) {
            0 => bytes[at] ^= 1 << random.u8(..8),
            1 => bytes[at] = random.u8(..),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + random.usize(..20)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.usize(..=bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => {
                let end = (at + random.usize(..20)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

#[test]
fn changed_states_are_read_without_a_panic() {
    let rounds = std::env::var("STATE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let state = saved();
    // Behind the magic, the version and the checksum.
    let body = &state[20..];
    let mut keys = Changes::default();
    for rule in 0..5 {
        for part in body.windows(60).step_by(37).take(20) {
            keys.push(Change { rule, key: &part[..9], state: Some(part) });
        }
    }
    let mut random = Rng::with_seed(1);
    for round in 0..rounds {
        let choice = random.u8(..6);
        let source: &[u8] = if choice == 4 && random.bool() { &keys.chunks[0] } else { body };
        // Heads and keys begin somewhere in a state.
        let from = if choice == 5 || round % 2 == 0 { 0 } else { random.usize(..source.len()) };
        let mut bytes = vec![choice];
        bytes.extend_from_slice(&source[from..]);
        let mut rest = bytes.split_off(1);
        mutate(&mut random, &mut rest);
        bytes.append(&mut rest);
        state_files::read(&bytes);
    }
}
