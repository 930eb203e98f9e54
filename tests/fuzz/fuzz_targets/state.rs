//! Files that hold state, whatever is in them. The first byte chooses what the rest is.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz state`

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../state_files/mod.rs"]
mod state_files;

fuzz_target!(|bytes: &[u8]| state_files::read(bytes));
