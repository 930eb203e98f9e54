//! Reading of a topic whose partitions come and go, as the members of a group share them.
//!
//! One client reads all that this process has; [`super::member::Member`] says which these are. What a partition is
//! read by is the same as where one run reads all of them: a [`PartitionSource`] each.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::find::PATIENCE;
use super::lines::{LineForm, LineWriter};
use super::read::{Begin, PartitionSource, QUEUE, begins, client};
use super::reader::{Client, Feed, Order, Reader};
use super::{Partition, PartitionStanding, TopicOptions};
use crate::engine::Place;

/// The reading of a topic, partition by partition.
#[derive(Clone)]
pub struct SharedReading {
    options: TopicOptions,
    topic: String,
    client: Arc<Client>,
    orders: Sender<Order>,
    standing: Arc<Mutex<Vec<PartitionStanding>>>,
}

impl SharedReading {
    /// Begins, with no partition. Goes on until nobody gives orders any more: partitions end before it. Partitions are numbered from 0 to `count`.
    ///
    /// # Errors
    /// A setting cannot be used, in words that name it.
    pub fn open(options: &TopicOptions, topic: &str, count: usize) -> Result<Self, String> {
        let client = Arc::new(client(options)?);
        let numbers = 0..i32::try_from(count).unwrap_or(i32::MAX);
        let nowhere = |number| PartitionStanding::nowhere(Partition { topic: topic.to_owned(), number });
        let standing = Arc::new(Mutex::new(numbers.map(nowhere).collect()));
        let (orders, taken) = unbounded();
        let reader = Reader::on_orders(Arc::clone(&client), topic, taken, Arc::clone(&standing), Arc::default());
        let started = thread::Builder::new().name(format!("kafka {topic}")).spawn(move || reader.run());
        started.map_err(|error| format!("a thread cannot be started: {error}"))?;
        Ok(Self { options: options.clone(), topic: topic.to_owned(), client, orders, standing })
    }

    /// Waits until brokers answer, or `go_on` says that it has been for long enough.
    pub fn wait_for_brokers(&self, go_on: &dyn Fn() -> bool) {
        while go_on() && self.client.fetch_metadata(Some(&self.topic), Duration::from_secs(5)).is_err() {}
    }

    /// Reads a partition from where it stands, or from where the options say if nothing is known. Says what is to be
    /// said of places that are no longer there.
    ///
    /// # Errors
    /// As [`super::open`].
    pub fn add(
        &self,
        number: i32,
        place: &Place,
        stop: &Arc<AtomicBool>,
    ) -> Result<(PartitionSource, Vec<String>), String> {
        let partition = Partition { topic: self.topic.clone(), number };
        let mut notices = Vec::new();
        let wrong = |error: &_| super::read::words(&self.client, error);
        let list = [(&partition, place)];
        let begun = begins(&self.client, &self.options, &self.topic, &list, &wrong, &mut notices)?;
        let Some(Begin { offset, end, mark }) = begun.into_iter().next() else {
            return Err(format!("{partition} is not there"));
        };
        let format = self.options.format;
        let (topic, provenance) = (self.topic.clone(), self.options.provenance);
        let writer = LineWriter::new(LineForm { format, provenance, topic, partition: number });
        let place = Place { line: format.line_of(offset), offset, file: Some(mark), journal: None };
        let until = self.options.until_end.then_some(end);
        let (to, blocks) = bounded(QUEUE);
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let feed = Feed::new((number, at), writer, to, place.clone(), (end, until));
        let gone = |_| "reading has ended".to_owned();
        self.orders.send(Order::Add(Box::new(feed))).map_err(gone)?;
        Ok((PartitionSource::new(blocks, stop, place), notices))
    }

    /// Reads a partition no further. Its source must have been stopped.
    pub fn remove(&self, number: i32) {
        // A reader that has ended reads nothing anyway.
        let _ = self.orders.send(Order::Remove(number));
    }

    /// The ends of all partitions as they are now.
    ///
    /// # Errors
    /// Brokers do not answer, in words.
    pub fn ends(&self) -> Result<Vec<u64>, String> {
        let end = |number| {
            let asked = self.client.fetch_watermarks(&self.topic, number, PATIENCE);
            let (_, end) = asked.map_err(|error| super::read::words(&self.client, &error))?;
            Ok(u64::try_from(end).unwrap_or(0))
        };
        let count = self.standing().len();
        (0..i32::try_from(count).unwrap_or(i32::MAX)).map(end).collect()
    }

    /// Whether the group has committed as far as that, partition by partition. False as well if brokers do not say.
    pub fn is_committed_to(&self, ends: &[u64]) -> bool {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, i32::try_from(ends.len()).unwrap_or(i32::MAX) - 1);
        let Ok(committed) = self.client.committed_offsets(list, PATIENCE) else { return false };
        let has_come = |element: &TopicPartitionListElem<'_>| {
            let end = usize::try_from(element.partition()).ok().and_then(|number| ends.get(number));
            match (element.offset(), end) {
                (Offset::Offset(offset), Some(end)) => u64::try_from(offset).is_ok_and(|offset| offset >= *end),
                (_, end) => end == Some(&0),
            }
        };
        committed.elements().iter().all(has_come)
    }

    /// How far each partition has come while it was ours.
    pub fn standing(&self) -> Vec<PartitionStanding> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
