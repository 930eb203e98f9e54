//! Any body of a request gives whole lines or is refused, unpacked or not, and never more than allowed. The first byte
//! chooses what it is said to be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tripline::io::listen::body::{Media, Packing, lines, unpack};

const MOST: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, body)) = bytes.split_first() else { return };
    let media = if choice & 1 == 0 { Media::Ndjson } else { Media::Json };
    let packing = [Packing::None, Packing::Gzip, Packing::Zstd][usize::from(choice >> 1) % 3];
    let Ok(body) = unpack(body.to_vec(), packing, MOST) else { return };
    assert!(packing == Packing::None || body.len() <= MOST);
    let value = serde_json::from_slice::<Value>(&body);
    match lines(body, media) {
        Ok((lines, events)) => {
            assert!(lines.bytes.is_empty() || lines.bytes.ends_with(b"\n"));
            assert_eq!(lines.bytes.iter().filter(|byte| **byte == b'\n').count() as u64, lines.count);
            assert!(events <= lines.count);
            if let (Media::Json, Ok(value)) = (media, value) {
                let again = lines.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let again: Vec<Value> = again.map(|line| serde_json::from_slice(line).expect("JSON")).collect();
                assert_eq!(Value::Array(again), if value.is_array() { value } else { Value::Array(vec![value]) });
            }
        }
        Err(told) => assert!(media == Media::Json && told.starts_with("the JSON is broken at line "), "{told}"),
    }
});
