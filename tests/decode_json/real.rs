//! Real events of many shapes, read the whole way from a compressed file to values, against the same judge.

use std::path::Path;

use tripline::base::{FieldId, Timestamp, ValueRef};
use tripline::decode::Arena;
use tripline::decode::{EventTime, PathTrie, ScanStats, Slot, TextBlock, TimeConfig, TimeReader, extract};
use tripline::io::source::{BlockOptions, open};

use crate::reference::{judged, same};

const LINES_OF_EACH: usize = 4_000;

const FIELDS: [&str; 16] = [
    "type",
    "EventID",
    "Hostname",
    "Channel",
    "TargetImage",
    "Message",
    "userIdentity.arn",
    "userIdentity",
    "requestParameters.bucketName",
    "client.ip",
    "resources",
    "lat",
    "quantity",
    "description",
    "value",
    "agent",
];

#[test]
fn real_events_give_the_same_values() {
    let data = |folder: &Path| std::fs::read_dir(folder.join("shared/data")).ok();
    let Some(files) = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(data) else {
        eprintln!("SKIPPED: the event data is not here; it is looked for as shared/data beside the repository");
        return;
    };
    let time = TimeConfig::default();
    let own = FIELDS.iter().map(|path| path.split('.').map(str::to_owned).collect());
    let paths: Vec<Vec<String>> =
        time.fields.iter().cloned().chain(own).chain([vec!["eventTime".to_owned()]]).collect();
    let trie = PathTrie::new(&paths);
    let ids = [0, 1, 2, 3, paths.len() - 1].map(FieldId::from).to_vec();
    let mut reader = TimeReader::new(ids, time.format);
    let mut arena = Arena::default();
    let mut slots = vec![Slot::Missing; trie.fields()];
    let mut stats = ScanStats::default();
    for file in files {
        let path = file.expect("the folder can be read").path();
        let name = path.to_string_lossy();
        if !name.ends_with(".ndjson.gz") {
            continue;
        }
        let mut input = open(&name, BlockOptions::default()).expect("the file can be read");
        let (mut count, mut last, mut line_number) = (0, Timestamp::MIN, 0);
        while let Some(bytes) = input.next_block().expect("the file is whole")
            && count < LINES_OF_EACH
        {
            arena.clear();
            let block = TextBlock::new(&bytes.bytes);
            assert_eq!(bytes.at.line, line_number + 1, "{name}");
            line_number += bytes.lines;
            for line in block.lines(1 << 20) {
                let text = line.text.expect("the data is UTF-8");
                extract(text, line.start, &trie, &mut slots, &mut arena, &mut stats).expect("the data is JSON");
                let theirs = judged(&paths, text).expect("the data is JSON");
                for ((slot, theirs), path) in slots.iter().zip(&theirs).zip(&paths) {
                    let ours = ValueRef::to_owned(slot.value(block.text(), &arena));
                    assert!(same(&ours, theirs), "{path:?} is {ours:?}, not {theirs:?}, in {text}");
                }
                let EventTime::At(at) = reader.read(&slots, block.text(), &arena) else { panic!("no time in {text}") };
                assert!(at >= last, "{name} is in the order of time");
                last = at;
                count += 1;
            }
        }
        assert!(count > 2_000, "{name} has only {count} events");
    }
}
