//! Records of a topic in a file, one JSON object a line as `kcat -J` writes them, read again as the topic would be.
//!
//! ```text
//! {"topic":"events","partition":3,"offset":17,"ts":1767225600000,"key":"a","payload":"{…}"}  ─►  line 18 of events/3
//! ```
//! Each partition that occurs in the file is an input of its own and reads the whole file for its records: so alerts and
//! their ids are those of a run over the topic itself, and no partition has to wait in memory for another.

use std::collections::{BTreeSet, VecDeque};

use serde::Deserialize;

use super::block::BlockOptions;
use super::error::SourceError;
use super::open::{Input, open};
use crate::engine::{Place, Source, SourceBlock, SourceFailure};
use crate::io::kafka::Partition;
use crate::io::kafka::lines::{LineForm, LineWriter, Pile, Record, ValueFormat};

/// A record as it stands in the file. Other members are passed over.
#[derive(Deserialize)]
struct Written {
    topic: String,
    partition: i32,
    offset: u64,
    ts: Option<i64>,
    key: Option<String>,
    payload: Option<String>,
    /// Names and values in turn.
    #[serde(default)]
    headers: Vec<Option<String>>,
}

fn read(line: &[u8]) -> Result<Written, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

fn wrong(name: &str, number: u64, cause: &str) -> SourceError {
    let help = "give the records of a topic as `kcat -C -J` writes them, or leave out `format: kafka`";
    SourceError::new(name, "read", format!("line {number} is no record of a topic: {cause}"), help, None)
}

/// The partitions of which a file holds records, in order.
///
/// # Errors
/// It cannot be read, or a line of it is no such record.
pub fn partitions(name: &str) -> Result<Vec<Partition>, SourceError> {
    let mut input = open(name, BlockOptions::default())?;
    let mut found = BTreeSet::new();
    while let Some(block) = input.next_block()? {
        for (number, line) in (block.at.line..).zip(block.bytes.split(|byte| *byte == b'\n')) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Written { topic, partition, .. } = read(line).map_err(|cause| wrong(name, number, &cause))?;
            found.insert(Partition { topic, number: partition });
        }
    }
    Ok(found.into_iter().collect())
}

/// One partition's records of a file.
pub struct Dump {
    name: String,
    input: Input,
    partition: Partition,
    writer: LineWriter,
    /// Where it goes on: the offset of a record.
    place: Place,
    /// Blocks that are to be given, oldest first.
    piles: VecDeque<Pile>,
    ended: bool,
}

impl Dump {
    /// Opens a file for the records of a partition from a place on. `provenance`: events say where they come from.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(
        name: &str,
        partition: &Partition,
        provenance: bool,
        at: &Place,
        options: BlockOptions,
    ) -> Result<Self, SourceError> {
        let (topic, number) = (partition.topic.clone(), partition.number);
        let form = LineForm { format: ValueFormat::Json, provenance, topic, partition: number };
        Ok(Self {
            name: name.to_owned(),
            input: open(name, options)?,
            partition: partition.clone(),
            writer: LineWriter::new(form),
            place: at.clone(),
            piles: VecDeque::new(),
            ended: false,
        })
    }

    fn take(&mut self, line: &[u8], number: u64) -> Result<Option<Pile>, SourceError> {
        let written = read(line).map_err(|cause| wrong(&self.name, number, &cause))?;
        let is_mine = written.topic == self.partition.topic && written.partition == self.partition.number;
        if !is_mine || written.offset < self.place.offset {
            return Ok(None);
        }
        let headers = written.headers.chunks(2).filter_map(|pair| {
            let value = pair.get(1)?.as_deref().map(str::as_bytes);
            Some((pair.first()?.as_deref()?, value))
        });
        let record = Record {
            offset: written.offset,
            timestamp: written.ts,
            key: written.key.as_deref().map(str::as_bytes),
            headers: headers.collect(),
            value: written.payload.as_deref().map(str::as_bytes),
        };
        Ok(self.writer.push(&record))
    }

    fn block(&mut self, pile: Pile) -> SourceBlock {
        self.place.offset = pile.next_offset;
        self.place.line = self.writer.line_of(pile.next_offset);
        SourceBlock {
            bytes: pile.bytes,
            first_line: pile.first_line,
            offset: pile.first_offset,
            after: self.place.clone(),
            ..SourceBlock::default()
        }
    }
}

impl Source for Dump {
    fn may_wait(&self) -> bool {
        false
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        let failed = |error: SourceError| SourceFailure(error.to_string());
        while !self.ended && self.piles.is_empty() {
            let Some(block) = self.input.next_block().map_err(failed)? else {
                self.ended = true;
                self.piles.extend(self.writer.take());
                break;
            };
            for (number, line) in (block.at.line..).zip(block.bytes.split(|byte| *byte == b'\n')) {
                if !line.trim_ascii().is_empty() {
                    let full = self.take(line, number).map_err(failed)?;
                    self.piles.extend(full);
                }
            }
        }
        let next = self.piles.pop_front();
        Ok(next.map(|pile| self.block(pile)))
    }
}
