//! Offsets that a group has come to, committed behind checkpoints for whoever watches the lag.
//!
//! A thread commits and waits for the answer, since the client gives none to who does not wait. What is newest is
//! committed next; what it replaces was part of it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::client::explain;
use super::ears::Client;

/// The commits of one topic. Ends when it is dropped.
pub(super) struct Commits {
    topic: String,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// Partitions and the offsets at which they go on.
    next: Option<Vec<(i32, u64)>>,
    /// A commit has not been answered.
    busy: bool,
    over: bool,
}

impl Commits {
    /// Starts the thread.
    pub(super) fn start(client: &Arc<Client>, topic: &str) -> Result<Self, String> {
        let desk = Arc::new(Desk::default());
        let (client, topic) = (Arc::clone(client), topic.to_owned());
        let mut commits = Self { topic: topic.clone(), desk: Arc::clone(&desk), thread: None };
        let started = thread::Builder::new().name(format!("commits {topic}")).spawn(move || {
            while let Some(places) = desk.take() {
                if let Err(error) = commit(&client, &topic, &places) {
                    let words = explain(error.rdkafka_error_code(), &error.to_string());
                    tracing::warn!(topic, "offsets were not committed: {words}");
                }
            }
        });
        commits.thread = Some(started.map_err(|error| format!("a thread cannot be started: {error}"))?);
        Ok(commits)
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Has these offsets committed. Does not wait.
    pub(super) fn commit(&self, places: Vec<(i32, u64)>) {
        self.desk.lock().next = Some(places);
        self.desk.news.notify_all();
    }

    /// Waits until everything was answered, but no longer than that. False if it was not.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let open = |state: &mut State| state.busy || state.next.is_some();
        let waited = self.desk.news.wait_timeout_while(self.desk.lock(), at_most, open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        state.over = true;
        let answered = !state.busy && state.next.is_none();
        drop(state);
        self.desk.news.notify_all();
        // Brokers that are away may never answer.
        if answered {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be committed next, once there is something. Nothing if it is over.
    fn take(&self) -> Option<Vec<(i32, u64)>> {
        let mut state = self.lock();
        state.busy = false;
        self.news.notify_all();
        let idle = |state: &mut State| state.next.is_none() && !state.over;
        state = self.news.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let next = state.next.take();
        state.busy = next.is_some();
        next
    }
}

fn commit(client: &Client, topic: &str, places: &[(i32, u64)]) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    for (number, offset) in places {
        list.add_partition_offset(topic, *number, Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX)))?;
    }
    client.commit(&list, CommitMode::Sync)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_newest_is_committed_next() {
        let desk = Arc::new(Desk::default());
        let commits = Commits { topic: "t".to_owned(), desk: Arc::clone(&desk), thread: None };
        assert!(commits.wait(Duration::ZERO), "nothing was asked for");
        commits.commit(vec![(0, 1)]);
        commits.commit(vec![(0, 2), (1, 1)]);
        assert!(!commits.wait(Duration::ZERO));
        assert_eq!(desk.take(), Some(vec![(0, 2), (1, 1)]));
        assert!(!commits.wait(Duration::ZERO), "it has not been answered");
        commits.commit(vec![(0, 3), (1, 1)]);
        drop(commits);
        assert_eq!(desk.take(), Some(vec![(0, 3), (1, 1)]), "the last one counts");
        assert_eq!(desk.take(), None);
    }
}
