//! The events of the figures: a deterministic stream of lines of about 400 bytes, in time order.
//!
//! An event every five milliseconds: of ten thousand users, each is seen every 50 seconds. The types are spread as the
//! weights below say, whatever the user, so that sequences, counts and absences all occur.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Events of the stream, unless another number is asked for.
pub const EVENTS: u64 = 1_000_000;
/// Users, the key of the rules, unless a case asks for another number.
pub const KEYS: u64 = 10_000;
/// Milliseconds between two events.
const STEP: u64 = 5;
/// 2026-01-01T00:00:00Z in milliseconds.
const START: u64 = 1_767_225_600_000;

/// Types by tenths: class, category, outcome.
const TYPES: [(&str, &str, &str); 10] = [
    ("signin", "authentication", "failure"),
    ("signin", "authentication", "failure"),
    ("signin", "authentication", "success"),
    ("cart", "web", "success"),
    ("checkout", "web", "success"),
    ("order", "web", "success"),
    ("shipment", "logistics", "success"),
    ("request", "web", "success"),
    ("request", "network", "success"),
    ("process", "process", "success"),
];

/// A small generator of pseudo-random numbers (xorshift64*), so that the stream is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * below) >> 32
    }
}

/// Writes the stream.
pub fn write(events: u64, keys: u64, out: &mut impl Write) -> io::Result<()> {
    let mut random = Random(0x7261_6e64_6f6d_2131);
    let mut line = String::with_capacity(512);
    for n in 0..events {
        line.clear();
        event(n, keys, &mut random, &mut line);
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn event(n: u64, keys: u64, random: &mut Random, line: &mut String) {
    let (kind, category, outcome) = TYPES[random.next(10) as usize];
    let user = random.next(keys);
    let millis = START + n * STEP;
    let of_day = millis % 86_400_000;
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    let status = [200, 200, 200, 200, 201, 204, 301, 304, 404, 500][random.next(10) as usize];
    writeln!(
        line,
        concat!(
            r#"{{"@timestamp":"2026-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z","type":"{kind}","#,
            r#""event":{{"category":"{category}","type":"start","outcome":"{outcome}","id":"{id:016x}","duration":{duration}}},"#,
            r#""user":{{"name":"user{user:07}","roles":["staff","remote"]}},"#,
            r#""source":{{"ip":"10.{a}.{b}.{c}","port":{port}}},"host":{{"name":"web-{host:02}","os":"linux"}},"#,
            r#""http":{{"status":{status},"bytes":{bytes}}},"url":{{"path":"/api/v1/items/{item}"}},"#,
            r#""amount":{amount}.{cents:02},"agent":"Mozilla/5.0 (X11; Linux x86_64)"}}"#
        ),
        day = 1 + (millis - START) / 86_400_000,
        hour = hour,
        minute = minute,
        second = second,
        ms = millis % 1000,
        kind = kind,
        category = category,
        outcome = outcome,
        id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        duration = random.next(1_000_000),
        user = user,
        a = (user >> 8) & 255,
        b = user & 255,
        c = random.next(4),
        port = 1024 + random.next(60_000),
        host = random.next(40),
        status = status,
        bytes = random.next(100_000),
        item = random.next(100_000),
        amount = random.next(500),
        cents = random.next(100),
    )
    .expect("a String takes any text");
}
