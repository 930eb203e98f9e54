//! Kafka against a real broker on loopback, which `tests/kafka/broker` runs.
//!
//! Where there is no Java, or the broker's jars cannot be fetched, everything here is passed over loudly; with
//! `TRIPLINE_KAFKA=required`, as in `.ci/run`, that fails.

#[path = "kafka/cluster.rs"]
mod cluster;
mod deliver_support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::{Broker, Place, is_there};
use deliver_support::letter;
use tripline::alert::format::Format;
use tripline::io::deliver::{Sink, Trouble};
use tripline::io::kafka::{AlertRecords, Connection, KeyBy};
use tripline::io::sink::kafka::{KafkaSink, KafkaSinkOptions};
use tripline::io::sink::secret::Secret;

/// One broker at a time: each takes its share of a small machine.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sink(broker: &Broker, topic: &str, key_by: KeyBy) -> KafkaSink {
    let headers = vec![("team".to_owned(), Secret::new("secops"))];
    KafkaSink::new(KafkaSinkOptions {
        connection: Connection::plain(broker.address()),
        records: AlertRecords { topic: topic.to_owned(), key_by, format: Format::Json, headers },
        timeout: Duration::from_secs(8),
    })
    .expect("the options are sound")
}

#[test]
fn alerts_become_records() {
    let _alone = alone();
    if !is_there() {
        return;
    }
    let mut broker = Broker::start(Place::new("sink"));
    broker.topic("alerts.high", 4);
    let mut sink_high = sink(&broker, "alerts.{severity}", KeyBy::Key);
    let letters: Vec<_> = (0..200).map(letter).collect();
    let receipt = sink_high.deliver(&letters).expect("the broker takes them");
    assert!(receipt.again.is_empty() && receipt.refused.is_empty(), "{receipt:?}");
    let read = broker.read("alerts.high");
    assert_eq!(read.len(), 200);
    // The partitioner is Java's: the same key is where a Java producer would put it.
    for key in ["u0", "u1", "u2"] {
        let mine: Vec<_> = read.iter().filter(|record| record.key.as_deref() == Some(key)).collect();
        assert!(mine.len() > 60, "{key}: {}", mine.len());
        let hash = murmur2(key.as_bytes()) & 0x7fff_ffff;
        assert!(mine.iter().all(|record| record.partition == (hash % 4) as i32), "{key}");
        let numbers: Vec<&str> = mine.iter().map(|record| record.headers["id"].as_str()).collect();
        assert!(numbers.is_sorted(), "alerts of a key keep their order");
    }
    let first = read.iter().find(|record| record.headers["id"].ends_with("0007")).expect("alert 7");
    assert_eq!(first.headers["rule"], "r");
    assert_eq!(first.headers["severity"], "high");
    assert_eq!(first.headers["team"], "secops");
    assert_eq!(first.headers["content-type"], "application/json");
    let value: serde_json::Value = serde_json::from_str(first.value.as_deref().expect("a value")).expect("JSON");
    assert_eq!(value["id"], first.headers["id"].as_str());

    // A topic that is not there is the sink's trouble, and says so.
    let failure = sink(&broker, "nowhere", KeyBy::Id).deliver(&letters[..2]).expect_err("there is no such topic");
    assert_eq!(failure.trouble, Trouble::Down);
    assert!(failure.reason.contains("topic"), "{}", failure.reason);
    // So is a record that is too long for ever, of the letter alone.
    let mut long = letter(1000);
    let mut alert = tripline::alert::Alert::clone(&long.alert);
    alert.title = Some("x".repeat(3 << 20).into());
    long.alert = alert.into();
    let receipt = sink_high.deliver(&[letter(1001), long]).expect("the other is taken");
    assert_eq!(receipt.refused.len(), 1, "{receipt:?}");
    assert_eq!(receipt.refused[0].0, 1);

    // A broker that is away is waited for; what comes again is the same.
    broker.kill();
    let failure = sink_high.deliver(&[letter(2000)]).expect_err("nobody is there");
    assert_eq!(failure.trouble, Trouble::Down);
    assert!(failure.reason.contains("`kafka`"), "{}", failure.reason);
    broker.restart();
    let again = sink_high.deliver(&[letter(2000)]).expect("it is back");
    assert!(again.again.is_empty(), "{again:?}");
    let ids: Vec<String> = broker.read("alerts.high").iter().map(|record| record.headers["id"].clone()).collect();
    assert!(ids.iter().any(|id| id.ends_with("7d0")), "alert 2000 is there");
}

/// The hash of Java's partitioner, by its description.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c_u32 ^ bytes.len() as u32;
    let mut chunks = bytes.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().expect("four bytes")).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * at);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}
