//! The alerts of the simplest cases, counted in a few lines that share nothing with the engine but the stream.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

/// Milliseconds of the rule's ten minutes.
const WITHIN: i64 = 600_000;

/// How many alerts a case gives, if it is one of the simple ones.
pub fn expected(name: &str, file: &Path) -> Option<u64> {
    let lines = BufReader::new(File::open(file).expect("the stream")).lines();
    let events = lines.map(|line| serde_json::from_str::<Value>(&line.expect("text")).expect("an object"));
    match name {
        "filter" => Some(events.filter(is_failed_request).count() as u64),
        "sequence" => Some(carts_then_checkouts(events)),
        _ => None,
    }
}

fn is_failed_request(event: &Value) -> bool {
    event["type"] == "request"
        && event["http"]["status"].as_i64() >= Some(500)
        && event["url"]["path"].as_str().is_some_and(|path| path.starts_with("/api/"))
}

/// A checkout ends the user's newest cart, if it is at most ten minutes old.
fn carts_then_checkouts(events: impl Iterator<Item = Value>) -> u64 {
    let (mut carts, mut found) = (HashMap::new(), 0);
    for event in events {
        let user = event["user"]["name"].as_str().expect("a name").to_owned();
        let time = event["@timestamp"].as_str().and_then(|time| chrono::DateTime::parse_from_rfc3339(time).ok());
        let millis = time.expect("a time").timestamp_millis();
        match event["type"].as_str() {
            Some("cart") => {
                carts.insert(user, millis);
            }
            Some("checkout") => {
                found += u64::from(carts.remove(&user).is_some_and(|cart| millis - cart <= WITHIN));
            }
            _ => {}
        }
    }
    found
}
