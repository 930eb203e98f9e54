//! Random rule sets with streams for them, for tests of how they are run.

use tripline::base::Duration;
use tripline::compile::compile_str;
use tripline::session::{AtEnd, SessionConfig};

use crate::oracle::engine::BASE;
use crate::oracle::event::Event;
use crate::oracle::random::Random;
use crate::oracle::{gen_rule, gen_stream, render, shrink};

/// Several rules and a longer stream of several keys, out of order.
pub fn case(r: &mut Random) -> (String, Vec<Vec<String>>, SessionConfig, AtEnd) {
    let mut text = String::new();
    let mut events: Vec<Event> = vec![];
    for n in 0..1 + r.below(4) {
        let mut rule = gen_rule::rule(r);
        rule.classes.clear();
        let file = render::file(&rule).replace("rule r {", &format!("rule r{n} {{"));
        // Also two clocks of one name.
        if compile_str(&format!("{text}{file}")).is_err() {
            continue;
        }
        text += &file;
        for _ in 0..2 {
            events.extend(gen_stream::stream(r, &rule));
        }
    }
    if r.percent(50) && text.contains("rule r0 ") {
        text += "rule top { match { x: at least 2 of alert.r0 } within 10s }\n";
    }
    if r.percent(30) {
        text += "rule tags { by each(t) match { a: A then b: B } within 5s }\n";
        let tags: [&[&str]; 4] = [&[], &["x"], &["x", "y", "z"], &["q", "y", "x", "w", "v"]];
        events.iter_mut().for_each(|e| e.t = r.choose(&tags).iter().map(ToString::to_string).collect());
    }
    if r.percent(40) {
        // They hold their events together.
        text += "rule then5 { by k match { a: A then b: B } within 5s }\n\
                 rule then9 { by k match { a: A then b: B } within 9s }\n\
                 rule two { by k match { x: at least 2 of A } within 6s }\n\
                 rule three { by k match { x: at least 3 of A } within 9s }\n";
    }
    // Keyed by a part of the alert's key, together with events.
    let above = "rule above { match { x: alert.r0 by k = key.k then y: B by k } within 10s suppress 3s }\n";
    if r.percent(50) && compile_str(&format!("{text}{above}")).is_ok() {
        text += above;
    }
    let held = "rule held { by k match { x: B unless open alert.r0 } }\n";
    if compile_str(&format!("{text}{held}")).is_ok() {
        text += held;
    }
    if r.percent(40) {
        text += "clock four = every 4s\n\
                 rule ticked { by k match { a: A then t: four } within 10s }\n\
                 rule hourly { match { t: four then no B within 1s } after match no skip }\n\
                 rule begun { match { s: A then no A within 3s } expect start }\n";
    }
    events.retain(|e| e.class != "Z");
    for event in &mut events {
        if event.k.is_some() {
            event.k = Some(format!("key{}", r.below(5)));
        }
    }
    events.sort_by_key(|e| e.ts);
    shrink::renumber(&mut events);
    let lateness = *r.choose(&[0, 1000, 3000]);
    let events = gen_stream::shuffled(r, &events, lateness + 500);
    let sources = if r.percent(30) { 2 } else { 1 };
    let mut lines = vec![vec![]; sources];
    for event in events {
        lines[r.below(sources)].push(format!("{}\n", event.json(BASE)));
    }
    let config = SessionConfig { lateness: Duration::from_millis(lateness), sources, ..SessionConfig::default() };
    (text, lines, config, if r.percent(50) { AtEnd::Flush } else { AtEnd::Pending })
}

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}
