//! What a key costs: bytes are promised in docs/configuration.md, so they are held here.

use tripline::base::Limits;
use tripline::compile::compile_str;
use tripline::session::{Session, SessionConfig};

/// Keys of the test.
const KEYS: usize = 1000;

fn session(rule: &str) -> Session {
    Session::new(compile_str(rule).expect("the rule has no errors"), SessionConfig::default())
}

/// A saved key is what a packed one is, but for its head.
#[test]
fn an_open_run_with_one_event_takes_a_few_dozen_bytes() {
    let mut session = session("rule ab { by k match { a: a then b: b } within 10m }");
    let empty = session.save().len();
    for n in 0..KEYS {
        session.push_line(&format!(r#"{{"type":"a","k":"u{n:08}","ts":{}}}"#, 1_767_225_600_000_i64 + n as i64));
    }
    let bytes = (session.save().len() - empty) / KEYS;
    assert!(bytes <= 56, "{bytes} bytes a key");
}

/// Packed and ready keys give the same alerts.
#[test]
fn packed_keys_go_on_where_they_were() {
    let rules = compile_str("rule ab { by k match { a: a then b: b } within 10m alert { n = b.n - a.n } }");
    let rules = rules.expect("the rule has no errors");
    let run = |live_keys: usize| {
        let limits = Limits { live_keys, ..Limits::default() };
        let mut session = Session::new(rules.clone(), SessionConfig { limits, ..SessionConfig::default() });
        for round in 0..3_i64 {
            for n in 0..200_i64 {
                let class = if (n + round) % 3 == 0 { "b" } else { "a" };
                let (ts, n) = (1_767_225_600_000 + round * 200_000 + n * 1000, round * 1000 + n);
                session.push_line(&format!(r#"{{"type":"{class}","k":{},"n":{n},"ts":{ts}}}"#, n % 200));
            }
        }
        session.drain()
    };
    let (packed, ready) = (run(0), run(1 << 17));
    assert!(packed.len() > 50, "{}", packed.len());
    assert_eq!(packed, ready);
}
