//! The real program, killed again and again while clients send events to it: what was answered with 202 is never lost,
//! and what was not is there at most as often as it was sent.
//!
//! `SOURCE_KILLS` says how often it is killed (8 if nothing is said), `CRASH_SEED` where the random numbers begin.

#[path = "sources/service.rs"]
mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use service::{NDJSON, Service, lines, place, post};

const RULES: &str = "rule probe { match { p: probe } alert { n = p.n } }\n";
/// Clients that send at a time.
const CLIENTS: u64 = 3;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What clients know: where to send, and when to end.
#[derive(Default)]
struct Shared {
    to: Option<SocketAddr>,
    over: bool,
}

/// Sends batches until it is told to end, each until it is taken; gives how often each event was sent.
fn client(me: u64, shared: &Mutex<Shared>) -> BTreeMap<u64, u64> {
    let mut sent = BTreeMap::new();
    let mut random = Rng::with_seed(me);
    let mut next = me;
    loop {
        let events: Vec<u64> = (0..random.u64(1..50)).map(|n| next + n * CLIENTS).collect();
        let body: String = events.iter().map(|n| format!("{{\"type\":\"probe\",\"n\":{n}}}\n")).collect();
        loop {
            let (to, over) = {
                let shared = shared.lock().expect("not poisoned");
                (shared.to, shared.over)
            };
            let Some(to) = to else {
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            events.iter().for_each(|n| *sent.entry(*n).or_insert(0) += 1);
            match post(to, NDJSON, body.as_bytes()) {
                Ok(answer) if answer.status == 202 => {
                    if over {
                        return sent;
                    }
                    break;
                }
                Ok(_) | Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
        next = events.last().expect("one at least") + CLIENTS;
    }
}

#[test]
fn what_was_answered_with_202_is_never_lost() {
    let mut random = Rng::with_seed(number("CRASH_SEED", 1));
    let dir = place(RULES, "");
    let arguments = [
        "rules.trip",
        "--listen",
        "http://127.0.0.1:0",
        "--state",
        "state",
        "--journal",
        "journal",
        "--checkpoint-every",
        "3ms",
        "--idle",
        "1h",
        "--lateness",
        "0s",
        "--alerts",
        "alerts",
        "--late",
        "late",
    ];
    let shared = Arc::new(Mutex::new(Shared::default()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|me| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || client(me, &shared))
        })
        .collect();
    for _ in 0..number("SOURCE_KILLS", 8) {
        let mut run = Service::start(dir.path(), &arguments);
        if random.bool() {
            let to = run.port("http");
            shared.lock().expect("not poisoned").to = Some(to);
        }
        thread::sleep(Duration::from_millis(random.u64(0..150)));
        run.kill();
        shared.lock().expect("not poisoned").to = None;
    }
    let mut run = Service::start(dir.path(), &arguments);
    let to = run.port("http");
    *shared.lock().expect("not poisoned") = Shared { to: Some(to), over: true };
    let mut sent = BTreeMap::new();
    for client in clients {
        sent.append(&mut client.join().expect("it ends"));
    }
    let told = run.stop();
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    for alert in lines(dir.path().join("alerts"), 0) {
        let alert: Value = serde_json::from_str(&alert).expect("an alert");
        *found.entry(alert["values"]["n"].as_u64().expect("a number")).or_default() += 1;
    }
    assert!(sent.len() > 100, "{}", sent.len());
    assert_eq!(lines(dir.path().join("late"), 0), Vec::<String>::new());
    let lost: Vec<_> = sent.keys().filter(|n| !found.contains_key(n)).collect();
    assert!(lost.is_empty(), "lost {lost:?}: {told}");
    let often: Vec<_> = found.iter().filter(|(n, times)| sent.get(n).is_none_or(|sent| *times > sent)).collect();
    assert!(often.is_empty(), "more often than sent: {often:?}: {told}");
}
