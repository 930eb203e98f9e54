//! Rules that share a table of keys, and counts that share a window, say what each of them says alone: whatever the
//! limits, whether keys are packed, and with the state saved and put back on the way, also by an edited rule set.

#[path = "support/put_back.rs"]
mod put_back;

use std::sync::Arc;

use tripline::alert::Alert;
use tripline::base::Limits;
use tripline::compile::{CompileOptions, compile_str_with};
use tripline::plan::Ruleset;
use tripline::session::SessionConfig;

const CASES: u64 = 300;
const BASE: i64 = 1_700_000_000_000;

fn compile(rules: &[String], limits: &Limits) -> Arc<Ruleset> {
    let options = CompileOptions { limits: limits.clone(), ..CompileOptions::default() };
    let text = rules.join("\n");
    compile_str_with(&text, &options)
        .unwrap_or_else(|d| panic!("{text}: {:?}", d.iter().map(|d| &d.message).collect::<Vec<_>>()))
}

/// Mostly counts that ask for a number of events, and some that ask for more.
fn rule(n: usize, random: &mut fastrand::Rng) -> String {
    let by = ["k", "k", "h", "k, h"][random.usize(..4)];
    let least = random.u32(1..5);
    let count = match random.u8(..8) {
        0 => format!("{least}..{} of", least + 1),
        1 => format!("at least {least} distinct h of"),
        _ => format!("at least {least} of"),
    };
    let condition = match random.u8(..4) {
        0 => String::new(),
        1 => format!(" where v > {}", random.u8(..4)),
        _ => format!(" where h != \"h{}\"", random.u8(..3)),
    };
    let within = random.u32(1..40);
    let having = if random.u8(..8) == 0 { " having sum(x.v) > 4" } else { "" };
    let after = if random.u8(..4) == 0 { " after match no skip" } else { "" };
    let pick = ["", " pick each after match skip to next", " pick each after match no skip"][random.usize(..3)];
    let sequence = format!("{{ a: e{condition} then b: f }} within {within}s{pick}");
    let counted = format!("{{ x: {count} e{condition} }} within {within}s{having}{after}");
    let pattern = if random.u8(..6) == 0 { sequence } else { counted };
    format!("rule r{n} {{ by {by} match {pattern} }}")
}

fn lines(random: &mut fastrand::Rng) -> Vec<String> {
    let mut ts = BASE;
    let mut line = || {
        ts += if random.u8(..20) == 0 { 60_000 } else { random.i64(0..4) * 700 };
        let (class, k, h, v) =
            (["e", "e", "e", "f"][random.usize(..4)], random.u8(..3), random.u8(..3), random.u8(..6));
        format!(r#"{{"ts":{ts},"type":"{class}","k":"k{k}","h":"h{h}","v":{v}}}"#)
    };
    (0..120).map(|_| line()).collect()
}

/// Alerts without what says which rule set they are of.
fn shown(alerts: &[Alert], rule: &str) -> Vec<String> {
    let of_rule = alerts.iter().filter(|alert| &*alert.rule_name == rule);
    of_rule.map(|a| format!("{} {:?} {:?} {:?} {:?} {:?}", a.id, a.time, a.key, a.values, a.bound, a.notes)).collect()
}

fn run(
    rules: &Arc<Ruleset>,
    limits: &Limits,
    lines: &[String],
    put_back: impl FnMut(usize) -> Option<Arc<Ruleset>>,
) -> Vec<Alert> {
    let config = SessionConfig { limits: limits.clone(), ..SessionConfig::default() };
    put_back::run(rules, &config, lines, put_back)
}

#[test]
fn rules_that_share_keys_say_what_each_says_alone() {
    let mut found = 0;
    for seed in 0..CASES {
        let mut random = fastrand::Rng::with_seed(seed);
        let texts: Vec<String> = (0..random.usize(2..9)).map(|n| rule(n, &mut random)).collect();
        let lines = lines(&mut random);
        let limits = Limits {
            runs_per_key: [2, 1000][random.usize(..2)],
            live_keys: [0, 1, 1 << 16][random.usize(..3)],
            memory: [None, Some(64 << 20)][random.usize(..2)],
            ..Limits::default()
        };
        let together = compile(&texts, &limits);
        let plain = run(&together, &limits, &lines, |_| None);
        let mut turned = texts.clone();
        turned.reverse();
        let turned = compile(&turned, &limits);
        let often = run(&together, &limits, &lines, |at| {
            (at % 7 == 3).then(|| Arc::clone(if at % 2 == 0 { &together } else { &turned }))
        });
        for (n, text) in texts.iter().enumerate() {
            let name = format!("r{n}");
            let alone = run(&compile(std::slice::from_ref(text), &limits), &limits, &lines, |_| None);
            let alone = shown(&alone, &name);
            assert_eq!(shown(&plain, &name), alone, "seed {seed}: {texts:#?}\nrule {n}");
            assert_eq!(shown(&often, &name), alone, "seed {seed}, put back: {texts:#?}\nrule {n}");
            found += alone.len();
        }
    }
    assert!(found > 3000, "{found}");
}
