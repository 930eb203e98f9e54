//! Rules with known answers over real event data, as `../shared/data/README.md` says.
//!
//! The data is no part of the repository. Where it is absent these tests say so loudly and pass.

#[path = "oracle/mod.rs"]
mod oracle;

use std::io::Read;
use std::path::PathBuf;

use oracle::event::Event;
use oracle::parse;
use oracle::select::{Settings, run};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tripline::alert::Alert;
use tripline::compile::compile_str;
use tripline::session::{AtEnd, Session, SessionConfig};

/// The folder of the data, if it is there.
fn data() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    // A second checkout may lie one level deeper.
    let found = ["../shared/data", "../../shared/data"].map(|f| root.join(f));
    let found = found.into_iter().find(|f| f.join("answers.json").exists());
    if found.is_none() {
        eprintln!("SKIPPED: no ../shared/data/answers.json beside the repository: real data is not tested");
    }
    found
}

fn answers(data: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(data.join("answers.json")).expect("answers.json");
    serde_json::from_str(&text).expect("a list of answers")
}

fn text(data: &std::path::Path, file: &str) -> String {
    let packed = std::fs::read(data.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&packed[..]).read_to_string(&mut text).expect("gzip of UTF-8");
    text
}

/// Compares lines `<ms>|<key>` with an answer: number, keys, digest.
fn compare(answer: &Value, mut lines: Vec<String>) -> Result<(), String> {
    let id = answer["id"].as_str().expect("an id");
    lines.sort_unstable();
    let mut keys: Vec<&str> = lines.iter().map(|l| l.split_once('|').expect("a line").1).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut hash = Sha256::new();
    lines.iter().for_each(|l| hash.update(format!("{l}\n")));
    let digest: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let expected = (answer["alerts"].as_u64(), answer["keys"].as_u64(), answer["sha256"].as_str());
    let got = (Some(lines.len() as u64), Some(keys.len() as u64), Some(digest.as_str()));
    if expected == got { Ok(()) } else { Err(format!("{id}: expected {expected:?}, got {got:?}")) }
}

/// How a real event becomes one of the oracle: class, key and the two fields that the rule reads.
struct Reading {
    id: &'static str,
    rule: &'static str,
    event: fn(&Value) -> Option<Event>,
}

fn of_type(e: &Value, class: &str, key: &str) -> Option<Event> {
    let k = match &e[key] {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => e.pointer(&format!("/{}", key.replace('.', "/"))).and_then(Value::as_str).map(String::from),
    };
    let path = |name: &str| e[name].as_str().map(String::from);
    Some(Event {
        class: if e["type"].as_str() == Some(class) { "A".into() } else { "Z".into() },
        k,
        j: path("sku").or_else(|| path("path")),
        v: e["quantity"].as_i64().or_else(|| e["status"].as_i64()).or_else(|| e["size"].as_i64()),
        ..Event::default()
    })
}

const READINGS: [Reading; 8] = [
    Reading {
        id: "shop_many_returns",
        rule: "by k match { back: at least 10 distinct j of A } within 1d",
        event: |e| of_type(e, "cancellation", "customer"),
    },
    Reading {
        id: "shop_bulk_cancelled",
        rule: "by k match { buy: B where v >= 100 then back: A where j == buy.j and v + buy.v == 0 } within 1d",
        event: |e| {
            let mut event = of_type(e, "cancellation", "customer")?;
            if event.class == "Z" {
                event.class = "B".into();
            }
            (event.class == "A" || event.v >= Some(100)).then_some(event)
        },
    },
    Reading {
        id: "ais_silent",
        rule: "by k match { last: A then no A within 10m }",
        event: |e| of_type(e, "position", "mmsi"),
    },
    Reading {
        id: "tick_volume",
        rule: "by k match { t: one or more of A } within 1s having sum(t.v) >= 10000",
        event: |e| of_type(e, "trade", "symbol").filter(|e| e.class == "A"),
    },
    Reading {
        id: "customer_lost",
        rule: "by k match { bought: at least 3 of A then no A within 90d }",
        event: |e| of_type(e, "purchase", "customer"),
    },
    Reading {
        id: "web_not_found_burst",
        rule: "by k match { miss: at least 3 of A where v == 404 } within 5m",
        event: |e| of_type(e, "request", "client.ip"),
    },
    Reading {
        id: "web_crawl",
        rule: "by k match { page: at least 20 distinct j of A } within 1m",
        event: |e| of_type(e, "request", "client.ip"),
    },
    Reading {
        id: "web_robots_only",
        rule: "by k match { robots: A where j == \"/robots.txt\" then no A where j != \"/robots.txt\" within 10m }",
        event: |e| of_type(e, "request", "client.ip"),
    },
];

/// The definition as the oracle reads it gives the known answers, key by key.
#[test]
fn the_definition_gives_the_known_answers() {
    let Some(data) = data() else { return };
    let mut failures = vec![];
    for answer in answers(&data) {
        let id = answer["id"].as_str().expect("an id");
        let Some(reading) = READINGS.iter().find(|r| r.id == id) else { continue };
        let rule = parse::rule(reading.rule);
        let field = answer["time_field"].as_str().expect("a field");
        let mut end = i64::MIN;
        let mut keys: std::collections::BTreeMap<String, Vec<Event>> = std::collections::BTreeMap::new();
        for (n, line) in text(&data, answer["file"].as_str().expect("a file")).lines().enumerate() {
            let json: Value = serde_json::from_str(line).expect("JSON");
            let time = chrono::DateTime::parse_from_rfc3339(json[field].as_str().expect("a time")).expect("RFC 3339");
            end = end.max(time.timestamp_millis());
            let Some(mut event) = (reading.event)(&json) else { continue };
            (event.seq, event.ts) = (n + 1, time.timestamp_millis());
            if let (Some(k), true) = (event.k.clone(), event.class != "Z") {
                keys.entry(k).or_default().push(event);
            }
        }
        let mut lines = vec![];
        for (key, mut events) in keys {
            // The watermark is that of the whole file.
            events.push(Event { seq: usize::MAX, ts: end, class: "Z".into(), ..Event::default() });
            let outcome = run(&rule, &events, Settings::default());
            lines.extend(outcome.alerts.iter().map(|a| format!("{}|{key}", a.time)));
        }
        failures.extend(compare(&answer, lines).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The engine gives them, over the whole file.
#[test]
fn the_engine_gives_the_known_answers() {
    let Some(data) = data() else { return };
    let mut failures = vec![];
    for answer in answers(&data) {
        let rules = match compile_str(answer["rule"].as_str().expect("a rule")) {
            Ok(rules) => rules,
            Err(diagnostics) => {
                failures.push(format!("{}: {:?}", answer["id"], diagnostics[0].message));
                continue;
            }
        };
        let mut config = SessionConfig::default();
        config.time.fields = vec![vec![answer["time_field"].as_str().expect("a field").to_string()]];
        let mut session = Session::new(rules, config);
        let mut lines = vec![];
        let text = text(&data, answer["file"].as_str().expect("a file"));
        for block in text.as_bytes().chunk_by(|a, _| *a != b'\n').collect::<Vec<_>>().chunks(1000) {
            session.push_block(&block.concat());
            lines.extend(session.drain().iter().map(line));
        }
        session.finish(AtEnd::Pending);
        lines.extend(session.drain().iter().map(line));
        failures.extend(compare(&answer, lines).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn line(alert: &Alert) -> String {
    let key = alert.key.iter().map(|(_, value)| match value {
        tripline::base::Value::Str(text) => text.to_string(),
        other => other.to_json().to_string(),
    });
    format!("{}|{}", alert.time.as_millis(), key.collect::<Vec<_>>().join(","))
}
