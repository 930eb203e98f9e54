//! The JSON scanner against `serde_json`: same verdict, same values. The first byte chooses the paths that are read, the
//! rest is the line.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz json_diff`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tripline::decode::PathTrie;

#[path = "../../decode_json/reference.rs"]
mod reference;

type Paths = Vec<Vec<String>>;

static SETS: LazyLock<Vec<(Paths, PathTrie)>> = LazyLock::new(|| {
    let sets: [&[&str]; 4] = [
        &["a"],
        &["a.b.c", "a.b", "b", "c.a.b.c"],
        &["@timestamp", "host.name", "event.action", "user.name", "source.ip", "network.bytes"],
        &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "a.a", "a.a.a", ""],
    ];
    sets.iter()
        .map(|set| {
            let paths: Paths = set.iter().map(|path| path.split('.').map(str::to_owned).collect()).collect();
            let trie = reference::trie(&paths);
            (paths, trie)
        })
        .collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, line)) = bytes.split_first() else { return };
    let Ok(line) = std::str::from_utf8(line) else { return };
    let (paths, trie) = &SETS[usize::from(*choice) % SETS.len()];
    if let Err(difference) = reference::compare(paths, trie, line) {
        panic!("{difference}");
    }
});
