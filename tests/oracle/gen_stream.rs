//! Random streams: few events, few values, times that tie and land on bounds.

use tripline::compile::{CompileOptions, compile};
use tripline::decode::TimeConfig;
use tripline::generate::{Options, generate};
use tripline::syntax::source::SourceMap;

use super::event::{Event, Ms};
use super::random::Random;
use super::rule::{Elem, Guard, Rule};
use super::select::{Settings, run};

/// The classes that a rule names, guards' included, `any` and declared ones resolved to letters.
fn letters(rule: &Rule) -> Vec<String> {
    let mut out: Vec<String> = vec![];
    let add = |classes: &[String], out: &mut Vec<String>| {
        for class in classes {
            if class == "T" && rule.clock.is_some() {
                continue;
            }
            if class.len() == 1 && class != "E" {
                out.push(class.clone());
            } else {
                out.extend(["A", "B"].map(String::from));
            }
        }
    };
    let guards = |gs: &[Guard], out: &mut Vec<String>| gs.iter().for_each(|g| add(&g.classes, out));
    for (_, elem) in &rule.body {
        for step in elem.steps() {
            add(&step.classes, &mut out);
            add(&step.classes, &mut out);
            step.last.iter().for_each(|l| guards(&l.events, &mut out));
            guards(&step.without, &mut out);
            step.until.iter().for_each(|u| guards(std::slice::from_ref(u), &mut out));
            if step.quant.is_some() {
                add(&step.classes, &mut out);
                add(&step.classes, &mut out);
            }
        }
        match elem {
            Elem::Absence { events, .. } => guards(events, &mut out),
            Elem::All { without, .. } => guards(without, &mut out),
            _ => {}
        }
    }
    guards(&rule.cancel, &mut out);
    guards(&rule.resolve_on, &mut out);
    if out.is_empty() {
        out.push("A".into());
    }
    out
}

/// A stream on which the rule has something to say, if a few attempts find one.
pub fn interesting(r: &mut Random, rule: &Rule) -> Vec<Event> {
    let mut events = stream(r, rule);
    for _ in 0..if r.percent(85) { 6 } else { 0 } {
        let outcome = run(rule, &events, Settings { lateness: 0, flush: true });
        if !outcome.alerts.is_empty() {
            break;
        }
        events = stream(r, rule);
    }
    events
}

/// At most twelve events, most of them of classes that the rule names; fewer beside a clock, whose ticks are events too.
pub fn stream(r: &mut Random, rule: &Rule) -> Vec<Event> {
    let letters = letters(rule);
    let mixed = rule.by.iter().any(|k| k.name == "who");
    let length = 3 + if rule.clock.is_some() { r.below(6) } else { r.below(10) };
    let one_key = r.percent(50);
    let tidy = r.percent(40);
    let mut ts: Ms = 0;
    let mut out = vec![];
    for seq in 1..=length {
        ts += *r.choose(&[0, 0, 500, 1000, 1000, 1000, 1000, 2000, 2000, 3000]);
        // A tidy stream goes through the letters in the order in which the rule names them.
        let class = if tidy && r.percent(60) {
            letters[(seq - 1) * letters.len() / length].clone()
        } else if r.percent(88) {
            r.choose(&letters).clone()
        } else {
            r.choose(&["A", "B", "C", "D", "X", "Z"]).to_string()
        };
        let mut event = event(r, seq, ts, class, one_key);
        if rule.by.iter().any(|k| k.each) {
            let tags: [&[&str]; 6] = [&[], &["x"], &["y"], &["x", "y"], &["y", "x", "y"], &["x", "y", "z"]];
            event.t = r.choose(&tags).iter().map(ToString::to_string).collect();
        }
        if mixed {
            event.j = event.j.map(|_| if one_key || r.percent(60) { "x".into() } else { "y".into() });
        }
        out.push(event);
    }
    if r.percent(50) {
        let gap = rule.clock.map_or(60_000, |period| 4 * period);
        out.push(Event { seq: length + 1, ts: ts + gap, class: "Z".into(), ..Event::default() });
    }
    out
}

fn event(r: &mut Random, seq: usize, ts: Ms, class: String, one_key: bool) -> Event {
    let text = |r: &mut Random, a: &str, b: &str| match r.below(20) {
        0 => None,
        1..12 => Some(a.to_string()),
        _ => Some(b.to_string()),
    };
    let k = if one_key { Some("x".to_string()) } else { text(r, "x", "y") };
    let j = text(r, "p", "q");
    let v = (!r.percent(6)).then(|| r.within(0, 4));
    let w = (!r.percent(20)).then(|| r.within(0, 2));
    Event { seq, ts, class, k, j, v, w, t: vec![] }
}

/// The same events in an order of arrival that no watermark of this lateness calls late. Ties keep their order.
pub fn shuffled(r: &mut Random, events: &[Event], lateness: Ms) -> Vec<Event> {
    let mut rest: Vec<Event> = events.to_vec();
    let mut out: Vec<Event> = vec![];
    while !rest.is_empty() {
        let oldest = rest.iter().map(|e| e.ts).min().expect("not empty");
        let may: Vec<usize> = (0..rest.len())
            .filter(|&i| rest[i].ts <= oldest + lateness && rest[..i].iter().all(|e| e.ts != rest[i].ts))
            .collect();
        out.push(rest.remove(*r.choose(&may)));
    }
    out
}

/// Most events of a made stream: the definition is searched by brute force.
const MOST: usize = 16;

/// A stream that the program makes for a rule, if it finds one and it is short.
///
/// None for a rule with a clock: the clocks of cases tick every few seconds, made scenarios lie weeks apart, and computed
/// deadlines may lie further. That is a hundred thousand ticks for each of many attempts. Random streams hold clocks, and
/// `tests/generate.rs` holds made streams to clocks as rules of the packs have them.
pub fn made_for(text: &str, clock: Option<Ms>, seed: u64) -> Option<Vec<Event>> {
    if clock.is_some() {
        return None;
    }
    let mut sources = SourceMap::new();
    sources.add("case", text);
    let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Err("no tables".into()));
    let ruleset = compiled.ruleset?;
    let rule = ruleset.rules.first()?.name.to_string();
    let options = Options {
        seed,
        count: 1,
        near_misses: seed.is_multiple_of(2),
        type_field: vec!["type".to_owned()],
        time: TimeConfig::default(),
        effort: 3000,
    };
    let made = generate(&compiled.files, &ruleset, &rule, &options).ok()?;
    if made.lines.len() > MOST {
        return None;
    }
    let mut start = None;
    made.lines.iter().enumerate().map(|(n, line)| read(line, n + 1, &mut start)).collect()
}

/// A line as an event; nothing if it holds what events of cases cannot.
fn read(line: &str, seq: usize, start: &mut Option<Ms>) -> Option<Event> {
    let json: serde_json::Value = serde_json::from_str(line).ok()?;
    let time = chrono::DateTime::parse_from_rfc3339(json["@timestamp"].as_str()?).ok()?;
    if time.timestamp_subsec_nanos() % 1_000_000 != 0 {
        return None;
    }
    let ts = time.timestamp_millis() - *start.get_or_insert(time.timestamp_millis());
    let mut event = Event { seq, ts, ..Event::default() };
    for (name, value) in json.as_object()? {
        match (name.as_str(), value) {
            ("@timestamp", _) => {}
            ("type", value) => event.class = value.as_str()?.to_owned(),
            ("k", value) => event.k = Some(value.as_str()?.to_owned()),
            ("j", value) => event.j = Some(value.as_str()?.to_owned()),
            ("v", value) => event.v = Some(value.as_i64()?),
            ("w", value) => event.w = Some(value.as_i64()?),
            _ => return None,
        }
    }
    Some(event)
}
