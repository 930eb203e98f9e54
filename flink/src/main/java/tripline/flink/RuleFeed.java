package tripline.flink;

import java.io.IOException;
import java.io.Serializable;
import java.time.Duration;
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

    /** The rules as they are now if they may have changed since the last call, else null. */
    abstract byte[] next() throws IOException;

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
        byte[] next() throws IOException {
            Path file = new Path(path);
            FileStatus status = file.getFileSystem().getFileStatus(file);
            String stamp = status.getModificationTime() + ":" + status.getLen();
            if (stamp.equals(seen)) {
                return null;
            }
            byte[] rules = Rules.read(file);
            seen = stamp;
            return rules;
        }

        @Override
        public String toString() {
            return path;
        }
    }

    /** A topic: its last record. It should have one partition; of several the newest record counts. */
    static final class OfTopic extends RuleFeed {
        private static final long serialVersionUID = 1L;

        private final Properties brokers;
        private final String topic;
        private transient KafkaConsumer<byte[], byte[]> consumer;

        OfTopic(Properties brokers, String topic, long everyMs) {
            super(everyMs);
            this.brokers = brokers;
            this.topic = topic;
        }

        @Override
        byte[] next() {
            if (consumer == null) {
                consumer = open();
            }
            ConsumerRecord<byte[], byte[]> last = null;
            boolean more = true;
            while (more) {
                more = false;
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    more = true;
                    if (record.value() != null && (last == null || record.timestamp() >= last.timestamp())) {
                        last = record;
                    }
                }
            }
            return last == null ? null : last.value();
        }

        private KafkaConsumer<byte[], byte[]> open() {
            Properties properties = new Properties();
            properties.putAll(brokers);
            properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
            // A set that was not committed is none.
            properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
            var bytes = new ByteArrayDeserializer();
            KafkaConsumer<byte[], byte[]> opened = new KafkaConsumer<>(properties, bytes, bytes);
            List<TopicPartition> partitions = opened.partitionsFor(topic).stream()
                    .map(partition -> new TopicPartition(topic, partition.partition()))
                    .toList();
            opened.assign(partitions);
            // Older sets are of no use.
            Map<TopicPartition, Long> ends = opened.endOffsets(partitions);
            Map<TopicPartition, Long> begins = opened.beginningOffsets(partitions);
            ends.forEach((partition, end) -> opened.seek(partition, Math.max(begins.get(partition), end - 2)));
            return opened;
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
