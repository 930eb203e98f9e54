package tripline.flink;

import java.io.IOException;
import java.io.Serializable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.Path;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Where new rules come from. It is asked from one thread at a time, by one coordinator. */
abstract class RuleFeed implements Serializable, AutoCloseable {
    private static final long serialVersionUID = 1L;

    /** How often it is asked. */
    final long everyMs;

    RuleFeed(long everyMs) {
        this.everyMs = everyMs;
    }

    /** What has come since the last call, the newest first. Nobody has looked yet whether it is good. */
    abstract List<byte[]> next() throws IOException;

    @Override
    public void close() {}

    /** A file: what it holds when its time or length has changed. */
    static final class OfFile extends RuleFeed {
        private static final long serialVersionUID = 1L;

        private final String path;
        private transient String seen;

        OfFile(String path, long everyMs) {
            super(everyMs);
            this.path = path;
        }

        @Override
        List<byte[]> next() throws IOException {
            Path file = new Path(path);
            FileStatus status = file.getFileSystem().getFileStatus(file);
            String stamp = status.getModificationTime() + ":" + status.getLen();
            if (stamp.equals(seen)) {
                return List.of();
            }
            byte[] rules = Rules.read(file);
            seen = stamp;
            return List.of(rules);
        }

        @Override
        public String toString() {
            return path;
        }
    }

    /** A topic: its records. It should have one partition; of several the newest record counts. */
    static final class OfTopic extends RuleFeed {
        private static final long serialVersionUID = 1L;

        /** How many records are kept at most while the others are read: a set that so many have followed is of no use. */
        private static final int KEPT = 8;

        private static final Duration PATIENCE = Duration.ofSeconds(10);

        private final Properties brokers;
        private final String topic;
        private transient KafkaConsumer<byte[], byte[]> consumer;
        private transient List<ConsumerRecord<byte[], byte[]>> came;

        OfTopic(Properties brokers, String topic, long everyMs) {
            super(everyMs);
            this.brokers = brokers;
            this.topic = topic;
        }

        /** Reads to the end before it says anything, so that no set is used that another has followed already. */
        @Override
        List<byte[]> next() throws IOException {
            if (consumer == null) {
                consumer = open();
                came = new ArrayList<>();
            }
            Comparator<ConsumerRecord<byte[], byte[]>> order = consumer.assignment().size() == 1
                    ? Comparator.comparingLong(ConsumerRecord::offset)
                    : Comparator.comparingLong(ConsumerRecord::timestamp);
            Map<TopicPartition, Long> before = positions();
            while (!before.equals(consumer.endOffsets(consumer.assignment()))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(PATIENCE)) {
                    if (record.value() != null) {
                        came.add(record);
                    }
                }
                came.sort(order.reversed());
                came.subList(Math.min(KEPT, came.size()), came.size()).clear();
                Map<TopicPartition, Long> now = positions();
                if (now.equals(before)) {
                    throw new IOException("it cannot be read to its end");
                }
                before = now;
            }
            List<byte[]> rules = came.stream().map(ConsumerRecord::value).toList();
            came.clear();
            return rules;
        }

        private Map<TopicPartition, Long> positions() {
            Map<TopicPartition, Long> positions = new HashMap<>();
            consumer.assignment().forEach(partition -> positions.put(partition, consumer.position(partition)));
            return positions;
        }

        private KafkaConsumer<byte[], byte[]> open() throws IOException {
            Properties properties = new Properties();
            properties.putAll(brokers);
            properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
            properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
            // Also if the topic was made anew meanwhile.
            properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            // A set that was not committed is none.
            properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
            var bytes = new ByteArrayDeserializer();
            KafkaConsumer<byte[], byte[]> opened = new KafkaConsumer<>(properties, bytes, bytes);
            try {
                List<TopicPartition> partitions = opened.partitionsFor(topic).stream()
                        .map(partition -> new TopicPartition(topic, partition.partition()))
                        .toList();
                if (partitions.isEmpty()) {
                    throw new IOException("it is not there");
                }
                opened.assign(partitions);
                opened.seekToBeginning(partitions);
                return opened;
            } catch (IOException | RuntimeException e) {
                opened.close();
                throw e;
            }
        }

        @Override
        public void close() {
            if (consumer != null) {
                consumer.close();
                consumer = null;
            }
        }

        @Override
        public String toString() {
            return "topic " + topic;
        }
    }
}
