//! What alerts become in Kafka: the keys of an output, and its sink.

use super::super::item::ListItem;
use super::super::kafka::{NamesCluster, WrittenPeer};
use super::open::Opener;
use super::read::Item;
use super::written::Written;
use super::{KafkaPeer, NetOptions, Target, Text};
use crate::alert::format::Format;
use crate::io::deliver::Sink;
use crate::io::kafka::{AlertRecords, Connection, KeyBy, is_topic};

impl Item<'_, '_> {
    pub(super) fn kafka(&mut self, w: &Written, net: NetOptions) -> Option<(Target, String)> {
        let written = WrittenPeer {
            brokers: w.kafka.as_deref()?,
            tls: w.tls.as_deref(),
            mechanism: w.mechanism.as_deref(),
            user: w.user.as_ref(),
            password: w.password.as_ref(),
            token: w.token.as_ref(),
            settings: w.settings.as_ref(),
        };
        let peer = self.cluster(&written, net)?;
        let topic = w.topic.clone().unwrap_or_else(|| "tripline.alerts".to_owned());
        if !is_topic(&topic) {
            let help = "letters, digits, `.`, `_` and `-`; `{rule}` and `{severity}` stand for those of the alert";
            self.wrong("topic", &format!("`{topic}` is no name of a topic"), help);
        }
        let key_by = self.choice("key_by", w.key_by.as_deref()).unwrap_or_default();
        let mut headers = Vec::new();
        for (name, value) in w.headers.iter().flatten() {
            if ["id", "rule", "severity", "time", "content-type"].contains(&name.as_str()) {
                self.wrong("headers", &format!("`{name}` is set by Tripline"), "leave it out");
            }
            headers.push((name.clone(), self.text("headers", value)?));
        }
        let place = peer.brokers.clone();
        let exactly_once = w.exactly_once.unwrap_or(false);
        Some((Target::Kafka { peer, topic, key_by, headers, exactly_once }, place))
    }
}

impl Opener<'_> {
    pub(super) fn kafka(
        &self,
        peer: &KafkaPeer,
        topic: &str,
        key_by: KeyBy,
        headers: &[(String, Text)],
        format: Format,
    ) -> Result<Box<dyn Sink>, String> {
        let records = self.alert_records(topic, key_by, headers, format)?;
        kafka_sink(peer.connection(self.directory, self.env)?, records, peer.net.timeout)
    }

    pub(super) fn alert_records(
        &self,
        topic: &str,
        key_by: KeyBy,
        headers: &[(String, Text)],
        format: Format,
    ) -> Result<AlertRecords, String> {
        let headers = headers.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?)));
        let headers = headers.collect::<Result<_, String>>()?;
        Ok(AlertRecords { topic: topic.to_owned(), key_by, format, headers })
    }
}

#[cfg(feature = "kafka")]
fn kafka_sink(
    connection: Connection,
    records: AlertRecords,
    timeout: std::time::Duration,
) -> Result<Box<dyn Sink>, String> {
    use crate::io::sink::kafka::{KafkaSink, KafkaSinkOptions};
    Ok(Box::new(KafkaSink::new(KafkaSinkOptions { connection, records, timeout })?))
}

#[cfg(not(feature = "kafka"))]
fn kafka_sink(_: Connection, _: AlertRecords, _: std::time::Duration) -> Result<Box<dyn Sink>, String> {
    Err(crate::io::kafka::NOT_BUILT.to_owned())
}
