//! A member of a group: which partitions of a topic this process has, as the brokers and the other members agree.
//!
//! ```text
//! poll ─► Given: take ─► …                     a partition is ours from `take` on
//!      ─► Asked: finish with them ─► give_up   nobody else gets them before that
//!      ─► Lost: let go ─► give_up              others may have them already
//! ```
//! Nothing is read here: partitions that are taken are paused at once, and [`super::SharedReading`] reads them. So
//! members can be asked for partitions at any time, and reading does not wait for it. Relies on being polled every few
//! seconds.
#![expect(clippy::disallowed_methods, reason = "leaving waits by the clock")]

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Complaints, config, consumer, explain, hears};
use super::{Connection, Membership, Protocol};

/// After how long brokers take a member for dead that is not heard, where the member says so.
const SESSION: &str = "10000";

/// How long the process waits to be let go.
const GOODBYE: Duration = Duration::from_secs(3);

/// A change of what belongs to the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These partitions are to be taken.
    Given(Vec<i32>),
    /// These partitions are to be given up, once what they have done is committed.
    Asked(Vec<i32>),
    /// These partitions are gone: the group has taken this process for dead.
    Lost(Vec<i32>),
}

/// A member of a group.
pub struct Member {
    /// Never dropped: closing waits without end for the group if that is in the middle of a change.
    client: ManuallyDrop<BaseConsumer<Watch>>,
    topic: String,
}

/// Notes changes, to be dealt with when the poll is over.
struct Watch {
    complaints: Complaints,
    changes: Mutex<VecDeque<Change>>,
    /// Nothing is done with changes any more.
    leaving: AtomicBool,
}

hears!(Watch, complaints);

impl ConsumerContext for Watch {
    fn rebalance(&self, client: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let numbers = list.elements().iter().map(|element| element.partition()).collect();
        let change = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Change::Given(numbers),
            _ if client.assignment_lost() => Change::Lost(numbers),
            _ => Change::Asked(numbers),
        };
        if self.leaving.load(Ordering::Relaxed) {
            // Who leaves has finished with all partitions.
            let _ = match change {
                Change::Given(_) => client.incremental_assign(list),
                Change::Asked(_) | Change::Lost(_) => client.incremental_unassign(list),
            };
            return;
        }
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push_back(change);
    }
}

impl Member {
    /// Joins a group.
    ///
    /// # Errors
    /// A setting cannot be used, in words that name it.
    pub fn join(connection: &Connection, group: &str, topic: &str, how: &Membership) -> Result<Self, String> {
        let mut settings = config(connection);
        settings.set("group.id", group).set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        settings.set("auto.offset.reset", "latest");
        if let Some(instance) = &how.instance {
            settings.set("group.instance.id", instance);
        }
        match how.protocol {
            Protocol::Classic => {
                settings.set("partition.assignment.strategy", "cooperative-sticky");
                set_session(&mut settings, connection);
            }
            Protocol::Consumer => drop(settings.set("group.protocol", "consumer")),
        }
        let (changes, leaving) = (Mutex::default(), AtomicBool::new(false));
        let watch = Watch { complaints: Complaints::new(connection), changes, leaving };
        let client = consumer(&settings, watch)?;
        client.subscribe(&[topic]).map_err(|error| error.to_string())?;
        Ok(Self { client: ManuallyDrop::new(client), topic: topic.to_owned() })
    }

    /// The next change, if there is one; does not wait.
    ///
    /// # Errors
    /// The group does not let the process in, or has another one of its name: in words that name the setting.
    pub fn poll(&self) -> Result<Option<Change>, String> {
        // Nothing of what is paused is of interest.
        if let Some(Err(error)) = self.client.poll(Duration::ZERO)
            && let Some(words) = refused(&error)
        {
            return Err(words);
        }
        if let Some((code, words)) = self.client.client().fatal_error() {
            return Err(refusal(code).map_or_else(|| explain(Some(code), &words), |why| format!("{why}: {words}")));
        }
        Ok(self.client.context().changes.lock().unwrap_or_else(PoisonError::into_inner).pop_front())
    }

    fn list(&self, numbers: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(numbers.len());
        for number in numbers {
            // An end can always be asked for.
            let _ = list.add_partition_offset(&self.topic, *number, Offset::End);
        }
        list
    }

    /// Takes partitions that were given.
    ///
    /// # Errors
    /// They cannot be taken.
    pub fn take(&self, numbers: &[i32]) -> Result<(), String> {
        let list = self.list(numbers);
        self.client.incremental_assign(&list).map_err(|error| error.to_string())?;
        if numbers.is_empty() {
            return Ok(());
        }
        self.client.pause(&list).map_err(|error| error.to_string())
    }

    /// Gives up partitions that were asked for, or are lost.
    ///
    /// # Errors
    /// They cannot be given up.
    pub fn give_up(&self, numbers: &[i32]) -> Result<(), String> {
        self.client.incremental_unassign(&self.list(numbers)).map_err(|error| error.to_string())
    }

    /// Whether partitions have been lost, which the next polls will say.
    pub fn has_lost(&self) -> bool {
        self.client.assignment_lost()
    }

    /// What shows brokers that this process is a member now; nothing if it has lost what it had.
    pub(super) fn metadata(&self) -> Option<ConsumerGroupMetadata> {
        // In this order: whoever has been put out knows it before it forgets which generation it was of.
        let metadata = self.client.group_metadata();
        metadata.filter(|_| !self.has_lost())
    }
}

/// Leaves the group; all partitions should have been finished with. Does not wait for long: brokers miss a member that
/// does not say goodbye too.
impl Drop for Member {
    fn drop(&mut self) {
        let watch = self.client.context();
        watch.leaving.store(true, Ordering::Relaxed);
        let open: Vec<Change> = watch.changes.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        for change in open {
            // What cannot be answered any more is not waited for either.
            let _ = match change {
                Change::Given(numbers) => self.client.incremental_assign(&self.list(&numbers)),
                Change::Asked(numbers) | Change::Lost(numbers) => {
                    self.client.incremental_unassign(&self.list(&numbers))
                }
            };
        }
        self.client.unsubscribe();
        let until = Instant::now() + GOODBYE;
        let has_some = || self.client.assignment().is_ok_and(|list| list.count() > 0);
        while has_some() && Instant::now() < until {
            let _ = self.client.poll(Duration::from_millis(20));
        }
        // What says goodbye is on its way once partitions are given up.
        let _ = self.client.poll(Duration::from_millis(100));
    }
}

/// After how long a member that is not heard is dead, and how often it is to be heard until then.
fn set_session(settings: &mut ClientConfig, connection: &Connection) {
    let set = |name: &str| connection.settings.iter().any(|(set, _)| set == name);
    if !set("session.timeout.ms") {
        settings.set("session.timeout.ms", SESSION);
    }
    let session: Option<u64> = settings.get("session.timeout.ms").and_then(|session| session.parse().ok());
    if let (Some(session), false) = (session, set("heartbeat.interval.ms")) {
        settings.set("heartbeat.interval.ms", (session / 3).max(1).to_string());
    }
}

/// In which words the group keeps the process out, if it does.
fn refused(error: &KafkaError) -> Option<String> {
    let code = error.rdkafka_error_code()?;
    refusal(code).map(|why| format!("{why}: {error}")).or_else(|| {
        let words = explain(Some(code), &error.to_string());
        let over = matches!(
            code,
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
        );
        over.then_some(words)
    })
}

fn refusal(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    Some(match code {
        Code::FencedInstanceId | Code::UnreleasedInstanceId => "another process has this `instance`",
        Code::InconsistentGroupProtocol => "other members of the `group` are of another kind",
        Code::UnsupportedVersion | Code::UnsupportedAssignor => "the brokers do not know this `protocol`",
        Code::InvalidSessionTimeout => "`settings`: the brokers do not take this `session.timeout.ms`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sink::secret::Secret;

    #[test]
    fn a_member_is_heard_several_times_before_it_is_missed() {
        let heard = |set: &[(&str, &str)]| {
            let mut connection = Connection::plain("127.0.0.1:9092");
            connection.settings = set.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
            let mut settings = config(&connection);
            set_session(&mut settings, &connection);
            let get = |name: &str| settings.get(name).map(str::to_owned).unwrap_or_default();
            (get("session.timeout.ms"), get("heartbeat.interval.ms"))
        };
        let words = |session: &str, heartbeat: &str| (session.to_owned(), heartbeat.to_owned());
        assert_eq!(heard(&[]), words("10000", "3333"));
        assert_eq!(heard(&[("session.timeout.ms", "3000")]), words("3000", "1000"));
        assert_eq!(heard(&[("heartbeat.interval.ms", "500")]), words("10000", "500"));
    }
}
