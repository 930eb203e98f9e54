//! The events of a window, oldest first, with their times beside them.
//!
//! What is too old is dropped by its time alone, without a look at the event, which lies elsewhere in memory. Most
//! windows hold few events: two fit into the window itself, up to [`FEW`] are kept in one short list, and only longer
//! ones in a queue.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use crate::base::Timestamp;
use crate::base::budget::block;
use crate::plan::event::{Seq, StoredEvent};

/// Events up to which taking the first one out of a list is cheaper than a queue.
const FEW: usize = 8;

/// An event with its time.
type Timed = (Timestamp, Arc<StoredEvent>);

/// The events.
#[derive(Clone, Debug)]
pub(super) enum Window {
    /// No more than [`FEW`].
    Few(SmallVec<[Timed; 2]>),
    /// Once there were more, until there is none.
    Many(VecDeque<Timed>),
}

impl Default for Window {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl Window {
    /// Events.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(events) => events.len(),
            Self::Many(events) => events.len(),
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn parts(&self) -> (&[Timed], &[Timed]) {
        match self {
            Self::Few(events) => (events, &[]),
            Self::Many(events) => events.as_slices(),
        }
    }

    /// All events, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<StoredEvent>> {
        let (front, back) = self.parts();
        front.iter().chain(back).map(|(_, event)| event)
    }

    /// Time of the oldest.
    #[inline]
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        match self {
            Self::Few(events) => events.first().map(|(ts, _)| *ts),
            Self::Many(events) => events.front().map(|(ts, _)| *ts),
        }
    }

    /// Time of the newest.
    #[inline]
    pub(super) fn newest(&self) -> Option<Timestamp> {
        match self {
            Self::Few(events) => events.last().map(|(ts, _)| *ts),
            Self::Many(events) => events.back().map(|(ts, _)| *ts),
        }
    }

    /// The newest event.
    pub(super) fn last(&self) -> Option<&Arc<StoredEvent>> {
        let (front, back) = self.parts();
        back.last().or(front.last()).map(|(_, event)| event)
    }

    /// How many lie before a time.
    pub(super) fn before(&self, time: Timestamp) -> usize {
        let (front, back) = self.parts();
        front.partition_point(|(ts, _)| *ts < time) + back.partition_point(|(ts, _)| *ts < time)
    }

    /// How many lie before a place in order.
    pub(super) fn before_place(&self, at: (Timestamp, Seq)) -> usize {
        let before = self.before(at.0);
        before + self.iter().skip(before).take_while(|event| event.at() < at).count()
    }

    /// The oldest and the newest event.
    pub(super) fn ends(&self) -> Vec<&StoredEvent> {
        let (front, back) = self.parts();
        let newest = back.last().or(front.last());
        front.first().into_iter().chain(newest).map(|(_, event)| &**event).collect()
    }

    /// Adds the newest.
    #[inline]
    pub(super) fn push(&mut self, event: Arc<StoredEvent>) {
        let timed = (event.ts, event);
        match self {
            Self::Few(events) if events.len() < FEW => events.push(timed),
            Self::Few(events) => {
                let mut many: VecDeque<Timed> = std::mem::take(events).into_iter().collect();
                many.push_back(timed);
                *self = Self::Many(many);
            }
            Self::Many(events) => events.push_back(timed),
        }
    }

    /// Takes the oldest.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Arc<StoredEvent>> {
        match self {
            Self::Few(events) if events.is_empty() => None,
            Self::Few(events) => Some(events.remove(0).1),
            Self::Many(events) => {
                let event = events.pop_front().map(|(_, event)| event);
                if events.is_empty() {
                    *self = Self::default();
                }
                event
            }
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let list = match self {
            Self::Few(events) if events.spilled() => block(events.capacity() * size_of::<Timed>()),
            Self::Few(_) => 0,
            Self::Many(events) => block(events.capacity() * size_of::<Timed>()),
        };
        list + self.iter().map(|event| event.bytes()).sum::<usize>()
    }
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// As a list of its events.
impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut window = Self::default();
        Vec::<Arc<StoredEvent>>::deserialize(deserializer)?.into_iter().for_each(|event| window.push(event));
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::event::Seq;

    fn event(n: i64) -> Arc<StoredEvent> {
        let (fields, raw, origins) = (Default::default(), None, Default::default());
        Arc::new(StoredEvent { ts: Timestamp(n), seq: Seq(n as u64), arrival: Timestamp(0), fields, raw, origins })
    }

    /// Grows and shrinks over all forms, beside a queue.
    #[test]
    fn a_window_is_a_queue() {
        let (mut window, mut queue) = (Window::default(), VecDeque::new());
        for n in 0..400_i64 {
            if n / 20 % 2 == 0 || n % 3 == 0 {
                window.push(event(n));
                queue.push_back(event(n));
            } else {
                assert_eq!(window.pop(), queue.pop_front());
                assert_eq!(window.pop(), queue.pop_front());
            }
            assert!(window.iter().eq(queue.iter()), "{n}");
            assert_eq!(window.len(), queue.len());
            assert_eq!(window.oldest(), queue.front().map(|event| event.ts));
            assert_eq!(window.newest(), queue.back().map(|event| event.ts));
            let bytes = postcard::to_stdvec(&window).expect("memory takes any bytes");
            assert_eq!(bytes, postcard::to_stdvec(&queue).expect("memory takes any bytes"));
            assert_eq!(postcard::from_bytes::<Window>(&bytes).expect("just written"), window);
        }
    }
}
