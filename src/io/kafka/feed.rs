//! Records of one partition on their way to blocks, and what is said of those that follow.
//!
//! Invariants: blocks are in the order of offsets, and no record is left out. A block says that more is there whenever
//! a record behind it is known: one that has come, or one that brokers spoke of. While no broker answers, more may be
//! there: so an outage does not make a partition look silent.

use super::ears::Shore;
use super::lines::{LineWriter, Pile, Record, RecordCounts};
use crate::engine::{Place, SourceBlock};

/// One partition.
#[derive(Debug)]
pub(super) struct Feed {
    writer: LineWriter,
    /// Where the source goes on after everything that was made into blocks.
    place: Place,
    /// Its end, as it was known last.
    end: u64,
    /// The offset at which the end was last seen.
    seen: i64,
    /// The end was reached, and nothing came since.
    at_end: bool,
    /// Where it is over.
    until: Option<u64>,
    /// What was said last: whether more is there.
    more: Option<bool>,
}

impl Feed {
    /// Begins at a place, of a partition that has an end, and is over at another if it is over at all.
    pub(super) fn new(writer: LineWriter, place: Place, (end, until): (u64, Option<u64>)) -> Self {
        Self { writer, place, end, seen: -1, at_end: false, until, more: None }
    }

    /// Where the source goes on after everything that was made into blocks.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether records say where they come from.
    pub(super) fn tells_provenance(&self) -> bool {
        self.writer.tells_provenance()
    }

    /// What records were so far.
    pub(super) fn counts(&self) -> RecordCounts {
        self.writer.counts
    }

    /// Whether records have been gathered that are in no block.
    pub(super) fn holds_records(&self) -> bool {
        self.writer.holds_records()
    }

    /// Takes a record. Gives a block that is full.
    pub(super) fn take(&mut self, record: &Record<'_>) -> Option<SourceBlock> {
        if self.until.is_some_and(|until| record.offset >= until) {
            self.reach_end();
            return None;
        }
        self.at_end = false;
        // The record is behind it.
        self.writer.push(record).map(|pile| self.block(pile, true))
    }

    /// Everything up to the end has come.
    pub(super) fn reach_end(&mut self) {
        self.at_end = true;
    }

    /// Hears what is known of the partition.
    pub(super) fn hear(&mut self, shore: &Shore) {
        self.end = self.end.max(shore.end);
        self.seen = shore.seen;
    }

    /// What was gathered, when nothing more comes for now; or whether more is there, if that is news.
    pub(super) fn flush(&mut self, away: bool) -> Option<SourceBlock> {
        if let Some(pile) = self.writer.take() {
            let more = away || !self.is_caught_up_at(pile.next_offset);
            return Some(self.block(pile, more));
        }
        if let Some(until) = self.until.filter(|_| self.at_end) {
            // Marks of transactions may be all that is there.
            self.place.offset = self.place.offset.max(until);
        }
        let more = away || !self.is_caught_up();
        (self.more != Some(more)).then(|| {
            self.more = Some(more);
            SourceBlock { after: self.place.clone(), more, ..SourceBlock::default() }
        })
    }

    /// Whether it has come to where it is over.
    pub(super) fn is_over(&self) -> bool {
        !self.holds_records() && self.until.is_some_and(|until| self.place.offset >= until)
    }

    /// Its end, as far as it is known: where it stands if nothing is known to be there behind what became blocks.
    pub(super) fn end(&self) -> u64 {
        if self.is_caught_up() { self.place.offset } else { self.end }
    }

    fn is_caught_up(&self) -> bool {
        self.is_caught_up_at(self.place.offset)
    }

    /// Whether nothing is known to be there from an offset on.
    fn is_caught_up_at(&self, offset: u64) -> bool {
        let seen = self.at_end && u64::try_from(self.seen).is_ok_and(|seen| seen >= self.end);
        offset >= self.end || seen
    }

    fn block(&mut self, pile: Pile, more: bool) -> SourceBlock {
        self.place.offset = pile.next_offset;
        self.place.line = self.writer.line_of(pile.next_offset);
        self.more = Some(more);
        SourceBlock {
            bytes: pile.bytes,
            first_line: pile.first_line,
            offset: pile.first_offset,
            after: self.place.clone(),
            more,
            ..SourceBlock::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::kafka::lines::{LineForm, ValueFormat};

    fn feed(end: u64, until: Option<u64>) -> Feed {
        let form = LineForm { format: ValueFormat::Json, provenance: false, topic: "t".to_owned(), partition: 0 };
        Feed::new(LineWriter::new(form), Place::default(), (end, until))
    }

    fn take(feed: &mut Feed, offset: u64, value: &str) -> Option<SourceBlock> {
        feed.take(&Record { offset, value: Some(value.as_bytes()), ..Record::default() })
    }

    /// What a flush says: the offset at which the source goes on, and whether more is there.
    fn said(feed: &mut Feed, away: bool) -> Option<(u64, bool)> {
        feed.flush(away).map(|block| (block.after.offset, block.more))
    }

    #[test]
    fn more_is_there_as_long_as_a_record_is_known() {
        let mut feed = feed(3, None);
        assert_eq!(said(&mut feed, false), Some((0, true)), "three records are there");
        assert_eq!(said(&mut feed, false), None, "no news");
        take(&mut feed, 0, "{}");
        assert_eq!(said(&mut feed, false), Some((1, true)));
        take(&mut feed, 1, "{}");
        take(&mut feed, 2, "{}");
        assert_eq!(said(&mut feed, false), Some((3, false)));
        // A block is full when another record has come, whatever brokers have told so far.
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10));
        assert!(take(&mut feed, 3, &long).is_none());
        let full = take(&mut feed, 4, "{}").expect("it is full");
        assert_eq!((full.after.offset, full.more), (4, true));
        assert_eq!(said(&mut feed, false), Some((5, false)));
        feed.hear(&Shore { end: 9, seen: 3, ..Shore::default() });
        assert_eq!(said(&mut feed, false), Some((5, true)));
    }

    #[test]
    fn an_outage_is_not_silence() {
        let mut feed = feed(0, None);
        assert_eq!(said(&mut feed, false), Some((0, false)));
        assert_eq!(said(&mut feed, true), Some((0, true)));
        take(&mut feed, 0, "{}");
        assert_eq!(said(&mut feed, true), Some((1, true)));
        assert_eq!(said(&mut feed, false), Some((1, false)));
    }

    #[test]
    fn marks_of_transactions_are_no_records() {
        let mut feed = feed(3, None);
        take(&mut feed, 0, "{}");
        assert_eq!(said(&mut feed, false), Some((1, true)));
        feed.reach_end();
        assert_eq!(said(&mut feed, false), None, "which end was reached is not known yet");
        feed.hear(&Shore { end: 4, seen: 3, ..Shore::default() });
        assert_eq!(said(&mut feed, false), None, "there is a later one");
        feed.hear(&Shore { end: 4, seen: 4, ..Shore::default() });
        assert_eq!(said(&mut feed, false), Some((1, false)));
        assert_eq!(feed.end(), 1, "nothing is left to read");
    }

    #[test]
    fn it_is_over_where_it_was_to_end() {
        let mut feed = feed(3, Some(3));
        assert!(take(&mut feed, 0, "{}").is_none());
        assert!(!feed.is_over());
        // The rest is marks of transactions, and what was written since.
        assert!(take(&mut feed, 7, "{}").is_none());
        assert_eq!(said(&mut feed, false).map(|(offset, _)| offset), Some(1));
        assert!(!feed.is_over(), "the place is yet to be told");
        assert_eq!(said(&mut feed, false), Some((3, false)));
        assert!(feed.is_over());
    }
}
