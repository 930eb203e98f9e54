//! A real broker on loopback, and clients of it that are not ours.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::HashMap;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

/// Long enough for a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A directory that is gone after the test.
pub struct Place(PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tripline-kafka-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The script that fetches and runs a broker.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/broker")
}

/// Whether brokers can be run here; if not, it is said loudly, and with `TRIPLINE_KAFKA=required` it is a failure.
pub fn is_there() -> bool {
    let runs = |command: &mut Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let why = if !runs(Command::new("java").arg("-version")) {
        Some("there is no Java to run a broker on")
    } else if !runs(Command::new(script()).arg("fetch")) {
        Some("the broker's jars are not there and Maven cannot fetch them")
    } else {
        None
    };
    if let Some(why) = why {
        assert!(std::env::var_os("TRIPLINE_KAFKA").is_none(), "{why}");
        eprintln!("SKIPPED: {why}, so nothing is tested against Kafka");
    }
    why.is_none()
}

/// The same for tests that wait for long, which not everybody wants each time.
pub fn is_wanted() -> bool {
    if std::env::var_os("TRIPLINE_KAFKA").is_none() {
        eprintln!("SKIPPED: set TRIPLINE_KAFKA=required for the longer tests against Kafka");
        return false;
    }
    is_there()
}

/// A broker, which ends with the test.
pub struct Broker {
    place: Place,
    pub port: u16,
    process: Option<Child>,
}

impl Broker {
    /// Starts one with its data in the place.
    pub fn start(place: Place) -> Self {
        let mut broker = Self { place, port: free_ports(), process: None };
        broker.restart();
        broker
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it has ended");
        }
    }

    /// Starts it anew on its data, and waits until it answers.
    pub fn restart(&mut self) {
        self.kill();
        let log = fs::File::create(self.place.path("broker.log")).expect("a file");
        let mut command = Command::new(script());
        command.arg("run").arg(self.place.path("broker")).arg(self.port.to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        self.process = Some(command.spawn().expect("the broker starts"));
        let log = || fs::read_to_string(self.place.path("broker.log")).unwrap_or_default();
        wait_for(&log, || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        wait_for(&log, || self.consumer("probe").fetch_metadata(None, Duration::from_secs(5)).is_ok());
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address());
        config
    }

    pub fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = self.config();
        config.set("group.id", group).set("enable.auto.commit", "false").set("isolation.level", "read_committed");
        config.set("auto.offset.reset", "earliest").set("enable.partition.eof", "true");
        config.create().expect("a consumer")
    }

    /// Makes a topic.
    pub fn topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().expect("an admin");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let made = futures_executor::block_on(admin.create_topics([&topic], &AdminOptions::new()));
        made.expect("the broker answers").into_iter().for_each(|topic| {
            topic.expect("the topic is made");
        });
    }

    /// Gives a topic more partitions.
    pub fn add_partitions(&self, name: &str, count: usize) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().expect("an admin");
        let more = [NewPartitions::new(name, count)];
        let made = futures_executor::block_on(admin.create_partitions(&more, &AdminOptions::new()));
        made.expect("the broker answers").into_iter().for_each(|topic| {
            topic.expect("it has them");
        });
        let count =
            || self.consumer("probe").fetch_metadata(Some(name), PATIENCE).map(|m| m.topics()[0].partitions().len());
        wait_for(&|| "more partitions".to_owned(), || matches!(count(), Ok(found) if found > 6));
    }

    /// A producer that keys as Java does.
    pub fn producer(&self) -> BaseProducer {
        let mut config = self.config();
        config.set("partitioner", "murmur2_random").set("enable.idempotence", "true").set("linger.ms", "20");
        config.set("queue.buffering.max.messages", "2000000");
        config.create().expect("a producer")
    }

    /// Writes records with keys, in order.
    pub fn write<'a>(&self, topic: &str, records: impl Iterator<Item = (&'a str, &'a str)>) {
        let producer = self.producer();
        for (key, value) in records {
            let mut record = BaseRecord::to(topic).key(key).payload(value);
            while let Err((_, again)) = producer.send(record) {
                record = again;
                producer.poll(Duration::from_millis(20));
            }
        }
        producer.flush(PATIENCE).expect("all are written");
    }

    /// Writes records to partitions of our choice, in order.
    pub fn write_to<'a>(&self, topic: &str, records: impl Iterator<Item = (i32, &'a str)>) {
        let producer = self.producer();
        for (partition, value) in records {
            let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(partition).payload(value);
            producer.send(record).map_err(|(error, _)| error).expect("there is room");
        }
        producer.flush(PATIENCE).expect("all are written");
    }

    /// Writes a record that is compressed, and has a time of its own if one is said.
    pub fn write_packed(&self, topic: &str, compression: &str, value: &str, time: Option<i64>) {
        let mut config = self.config();
        let producer: BaseProducer = config.set("compression.type", compression).create().expect("a producer");
        // What is too short to gain by it is not compressed.
        let value = format!("{value}{}", " ".repeat(5000));
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).payload(&value);
        let record = BaseRecord { timestamp: time, ..record };
        producer.send(record).map_err(|(error, _)| error).expect("there is room");
        producer.flush(PATIENCE).expect("it is written");
    }

    /// Writes a record without a value.
    pub fn tombstone(&self, topic: &str, partition: i32) {
        let producer = self.producer();
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(partition).key("gone");
        producer.send(record).map_err(|(error, _)| error).expect("there is room");
        producer.flush(PATIENCE).expect("it is written");
    }

    /// All committed records of a topic: partition by partition.
    pub fn read(&self, topic: &str) -> Vec<Read> {
        let consumer = self.consumer("reads");
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("metadata");
        let count = metadata.topics()[0].partitions().len();
        let mut list = TopicPartitionList::new();
        for partition in 0..count as i32 {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
        }
        consumer.assign(&list).expect("assigned");
        let (mut read, mut ended) = (Vec::new(), 0);
        let until = Instant::now() + PATIENCE;
        while ended < count {
            assert!(Instant::now() < until, "{topic} cannot be read to its end");
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
                    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
                    read.push(Read {
                        partition: message.partition(),
                        offset: message.offset(),
                        key: text(message.key()),
                        value: text(message.payload()),
                        headers: headers
                            .map(|header| (header.key.to_owned(), text(header.value).unwrap_or_default()))
                            .collect(),
                    });
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
                _ => {}
            }
        }
        read.sort_by_key(|record| (record.partition, record.offset));
        read
    }

    /// What a group has committed, by partition.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> HashMap<i32, i64> {
        let consumer = self.consumer(group);
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let committed = consumer.committed_offsets(list, PATIENCE).expect("offsets");
        let elements = committed.elements();
        elements.iter().filter_map(|e| Some((e.partition(), e.offset().to_raw().filter(|n| *n >= 0)?))).collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A record as a reader of committed ones sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: HashMap<String, String>,
}

/// A port with two more behind it that nobody listens at.
fn free_ports() -> u16 {
    let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = 20_000 + (std::process::id() as u16 % 1000) * 10;
    (start..60_000).step_by(5).find(|port| (0..3).all(|n| is_free(port + n))).expect("free ports")
}

/// Waits until something holds; long enough for a slow machine.
pub fn wait_for(what: &dyn Fn() -> String, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "it did not come: {}", what());
        thread::sleep(Duration::from_millis(50));
    }
}
