//! Reading of a topic whose partitions come and go, as the members of a group share them.
//!
//! One client reads all that this process has; [`super::member::Member`] says which these are. What a partition is
//! read by is the same as where one run reads all of them: a [`PartitionSource`] each.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::ears::{Client, Listener};
use super::find::PATIENCE;
use super::read::{begins, client, feed};
use super::reader::{Gate, Gates, PartitionSource, Slate};
use super::{Partition, PartitionStanding, TopicOptions};
use crate::engine::Place;

/// The reading of a topic, partition by partition.
#[derive(Clone)]
pub struct SharedReading {
    options: TopicOptions,
    topic: String,
    client: Arc<Client>,
    /// Of the partitions that are read.
    gates: Arc<Gates>,
    _listener: Arc<Listener>,
    standing: Arc<Mutex<Vec<PartitionStanding>>>,
}

impl SharedReading {
    /// Begins, with no partition. Partitions are numbered from 0 to `count`.
    ///
    /// # Errors
    /// A setting cannot be used, in words that name it.
    pub fn open(options: &TopicOptions, topic: &str, count: usize) -> Result<Self, String> {
        let client = Arc::new(client(options, count)?);
        let numbers = 0..i32::try_from(count).unwrap_or(i32::MAX);
        let nowhere = |number| PartitionStanding::nowhere(Partition { topic: topic.to_owned(), number });
        let standing = Arc::new(Mutex::new(numbers.map(nowhere).collect()));
        let _listener = Arc::new(Listener::start(&client, topic)?);
        let (options, topic) = (options.clone(), topic.to_owned());
        Ok(Self { options, topic, client, gates: Arc::default(), _listener, standing })
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
        let Some(begin) = begun.into_iter().next() else {
            return Err(format!("{partition} is not there"));
        };
        let gate = Gate::open(&self.client, &partition)?;
        let offset = Offset::Offset(i64::try_from(begin.offset).unwrap_or(i64::MAX));
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&self.topic, number, offset);
        let assigned = added.and_then(|()| self.client.incremental_assign(&list));
        assigned.map_err(|error| format!("{partition} cannot be read: {error}"))?;
        self.gates.lock().insert((self.topic.clone(), number), gate.clone());
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let slate = Slate { standing: Arc::clone(&self.standing), at };
        let feed = feed(&self.options, &partition, &begin);
        Ok((PartitionSource::new(partition, feed, (slate, gate), stop), notices))
    }

    /// Reads a partition no further. Its source, if it is still asked for anything, takes no more records.
    pub fn remove(&self, number: i32) {
        let Some(gate) = self.gates.lock().remove(&(self.topic.clone(), number)) else { return };
        gate.shut();
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, number);
        if let Err(error) = self.client.incremental_unassign(&list) {
            tracing::debug!(topic = self.topic, number, %error, "a partition cannot be given up");
        }
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
