//! Files that hold state: whatever is in them, reading ends, with an error or without. What checksums guard is read as
//! if they fitted, or nothing would come past them. Used by the fuzz target `state` and by `tests/state_robust.rs`.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use tripline::base::{Limits, RuleId};
use tripline::compile::compile_str;
use tripline::io::segment::Position;
use tripline::io::segment::frame::{self, Frames};
use tripline::io::state::inspect_bytes;
use tripline::matcher::Matcher;
use tripline::matcher::saved::read_chunk;
use tripline::plan::{Ruleset, key};
use tripline::session::head::Head;
use tripline::session::{Session, SessionConfig};

/// A rule of each strategy.
pub static RULES: LazyLock<Arc<Ruleset>> = LazyLock::new(|| {
    let text = "rule counted { by k match { x: at least 3 of a } within 5m }
        rule latest { by k match { x: a then y: b then no c within 1m } within 5m }
        rule all { by k match { x: a then y: b } within 5m pick all after match no skip }
        rule searched { by k match { x: a then y: b where n > x.n } within 5m }
        rule absent { by k match { x: a then no b where n > x.n within 1m } }";
    compile_str(text).expect("the rules have no errors")
});

const GENERATION: u64 = 1;

/// One frame with these contents, as it stands in a generation's file.
fn generation(kinds: &[(u8, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(b"TRIPCKPT");
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(&GENERATION.to_le_bytes());
    let crc = crc32fast::hash(&file);
    file.extend_from_slice(&crc.to_le_bytes());
    let base = Position(GENERATION << 40);
    let mut at = base;
    for (kind, body) in kinds {
        let payload = [&[*kind], *body].concat();
        file.extend_from_slice(&frame::header(&payload, at, base));
        file.extend_from_slice(&payload);
        at.0 += (frame::HEADER + payload.len()) as u64;
    }
    file
}

/// Reads bytes as a file that holds state. The first byte chooses what the rest is.
pub fn read(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let name = Path::new("00000001.checkpoints");
    match choice % 6 {
        0 => {
            let _ = inspect_bytes(name, rest);
        }
        1 => {
            let _ = inspect_bytes(name, &generation(&[(1, rest), (2, rest)]));
        }
        2 => {
            let mut frames = Frames::new(rest, Position(0));
            while frames.next().is_some() {}
        }
        3 => {
            if let Ok(head) = Head::from_bytes(rest) {
                let _ = (head.fates(&RULES), head.held(), head.watermark());
            }
        }
        4 => {
            let Ok(changes) = read_chunk(rest) else { return };
            let mut matcher = Matcher::new(Arc::clone(&RULES), Limits::default(), None);
            for change in changes {
                let rule = RuleId(change.rule % RULES.rules.len() as u32);
                let _ = matcher.restore_key(rule, change.key, change.state.unwrap_or_default(), |_| true);
            }
        }
        _ => {
            let mut state = Session::new(Arc::clone(&RULES), SessionConfig::default()).save();
            state.truncate(12);
            state.extend_from_slice(&key::hash(rest).to_le_bytes());
            state.extend_from_slice(rest);
            let _ = Session::restore(Arc::clone(&RULES), SessionConfig::default(), &state);
        }
    }
}
